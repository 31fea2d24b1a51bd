"""The lists of consents and events: what they show, by what they are filtered, who may see them, and what they cost."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from freezegun import freeze_time

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door
from tests import factories
from tests.cost import plan_of, the_query_of
from tests.factories import NUMBER, TYPED, evidence
from tests.operators import CONSENTS, EVENTS, operator, page_of, soup, text

pytestmark = pytest.mark.usefixtures("coached", "flags")

LISTS = {"consents": CONSENTS, "events": EVENTS}
each_list = pytest.mark.parametrize("changelist", LISTS.values(), ids=list(LISTS))


def shown(browser, changelist, **query):
    """Return the rows of a list, each as its cells."""
    page = browser.get(changelist, query)
    assert page.status_code == 200, page
    rows = soup(page).select("#result_list tbody tr")
    return [[cell.get_text(" ", strip=True) for cell in row.select("th, td:not(.action-checkbox)")] for row in rows]


def learners_in(browser, changelist, **query):
    """Return the ids of the learners in a list."""
    place = 0 if changelist == CONSENTS else 1
    return [int(cells[place]) for cells in shown(browser, changelist, **query)]


@pytest.fixture
def people():
    """A learner for each status, and one who is not to be asked, who answered on different days and doors."""
    found = {}
    with freeze_time("2026-03-01 12:00:00"):
        found["consented"] = factories.eligible_learner()
        consent.ask(found["consented"], evidence())
        consent.give(found["consented"], TYPED, None, evidence())
        found["undecided"] = factories.eligible_learner()
        consent.ask(found["undecided"], evidence())
    with freeze_time("2026-03-31 23:59:59"):
        found["declined"] = factories.eligible_learner()
        consent.decline(found["declined"], evidence(Door.API, disclosure=None))
    with freeze_time("2026-04-01 00:00:00"):
        found["withdrawn"] = factories.eligible_learner()
        consent.give(found["withdrawn"], TYPED, None, evidence())
        consent.opt_out(found["withdrawn"], evidence(Door.PARTNER, disclosure=None), "stop")
        found["left alone"] = factories.eligible_learner()
        consent.do_not_ask(found["left alone"], evidence(Door.ADMIN, actor_id=4711), "asked by letter")
    return found


def test_the_newest_records_come_first_with_raw_ids(people):
    rows = shown(operator(), CONSENTS)
    assert [int(cells[0]) for cells in rows] == sorted((learner.pk for learner in people.values()), reverse=True)
    row = people["consented"].coaching_consent
    answered = "2026-03-01 12:00"
    assert rows[-1] == [str(row.user_id), "Consented", answered, answered, "", "", str(row.partner_id)]
    assert rows[0][4] == "Yes"
    assert rows[1][5] == "2026-04-01 00:00"


def test_the_newest_events_come_first(people):
    rows = shown(operator(), EVENTS)
    assert len(rows) == ConsentEvent.objects.count() == 7
    assert rows[0][1:] == [
        str(people["left alone"].pk),
        "1",
        "Not to be asked",
        "asked by letter",
        "Administration",
        "4711",
    ]
    assert rows[1][3:6] == ["Opted out at the partner", "stop", "Coaching partner"]


@each_list
def test_no_list_holds_numbers_addresses_or_names(people, changelist):
    page = operator().get(changelist).content.decode()
    for word in (NUMBER, "192.0.2.7", "a browser", *(learner.email for learner in people.values())):
        assert word not in page
    assert not [learner for learner in people.values() if f">{learner.username}<" in page]


def test_each_record_leads_to_the_learners_page(people):
    browser = operator()
    link = soup(browser.get(CONSENTS)).select("#result_list a[href*=change]")[0]["href"]
    response = browser.get(link, follow=True)
    assert response.redirect_chain[-1][0] == page_of(people["left alone"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status__exact": "consented"}, ["consented"]),
        ({"status__exact": "withdrawn"}, ["withdrawn"]),
        ({"do_not_ask__exact": "1"}, ["left alone"]),
        ({"opted_out": "yes"}, ["withdrawn"]),
        ({"opted_out": "no"}, ["left alone", "declined", "undecided", "consented"]),
        ({"answered_at-since": "2026-04-01"}, ["withdrawn"]),
        ({"answered_at-until": "2026-03-31"}, ["declined", "consented"]),
        ({"answered_at-since": "2026-03-31", "answered_at-until": "2026-03-31"}, ["declined"]),
        ({"asked_at-since": "2026-03-01", "asked_at-until": "2026-03-01"}, ["undecided", "consented"]),
        ({"asked_at-since": "", "asked_at-until": "", "status__exact": "declined"}, ["declined"]),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_records_are_filtered(people, query, found):
    assert learners_in(operator(), CONSENTS, **query) == [people[name].pk for name in found]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"kind__exact": "asked"}, ["undecided", "consented"]),
        ({"door__exact": "partner"}, ["withdrawn"]),
        ({"door__exact": "api", "kind__exact": "declined"}, ["declined"]),
        ({"occurred_at-since": "2026-03-31", "occurred_at-until": "2026-03-31"}, ["declined"]),
        ({"occurred_at-since": "2026-04-02"}, []),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_events_are_filtered(people, query, found):
    assert learners_in(operator(), EVENTS, **query) == [people[name].pk for name in found]


def test_the_events_of_one_learner_have_an_address(people):
    learner = people["consented"]
    assert learners_in(operator(), EVENTS, learner_id=learner.pk) == [learner.pk] * 2


def test_days_are_those_of_the_clock_of_the_site(people, settings):
    """The last second of March in Greenwich is the evening before in New York, and so is the first of April."""
    settings.TIME_ZONE = "America/New_York"
    browser = operator()
    assert learners_in(browser, CONSENTS, **{"answered_at-since": "2026-04-01"}) == []
    found = learners_in(browser, CONSENTS, **{"answered_at-since": "2026-03-31"})
    assert found == [people["withdrawn"].pk, people["declined"].pk]


@each_list
@pytest.mark.parametrize("typed", ["yesterday", "2026-13-01", "0000-00-00", "2026-02-30", "' OR 1=1"])
def test_what_is_no_day_is_told_and_kept_and_shows_nothing(people, changelist, typed):
    name = "answered_at-since" if changelist == CONSENTS else "occurred_at-since"
    browser = operator()
    assert shown(browser, changelist, **{name: typed}) == []
    page = soup(browser.get(changelist, {name: typed}))
    assert "Enter a valid date." in page.select_one("#changelist-filter").text
    assert page.select_one(f"input[name={name}]")["value"] == typed


@pytest.mark.parametrize("typed", ["9999-12-31", "0001-01-01"])
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland"])
def test_a_day_at_the_end_of_the_calendar_is_refused(people, settings, typed, zone):
    settings.TIME_ZONE = zone
    browser = operator()
    for end in ("since", "until"):
        assert "Ensure this value is" in text(browser.get(EVENTS, {f"occurred_at-{end}": typed}))


def test_a_filter_by_days_leaves_the_others_and_the_order_and_begins_anew(people):
    browser = operator()
    page = soup(browser.get(EVENTS, {"kind__exact": "asked", "o": "2", "p": "1", "occurred_at-since": "2026-01-01"}))
    form = page.select_one("form.coaching-date-range")
    fields = {field["name"]: field.get("value") for field in form.select("input[name]")}
    assert fields == {
        "kind__exact": "asked",
        "o": "2",
        "occurred_at-since": "2026-01-01",
        "occurred_at-until": None,
    }
    for field in form.select("input[type=date]"):
        assert form.select_one(f"label[for={field['id']}]")
    links = [link["href"] for link in page.select("#changelist-filter li a")]
    assert all("occurred_at-since=2026-01-01" in link for link in links)


# Who may


@each_list
def test_nothing_is_added_edited_or_deleted(people, changelist):
    browser = operator()
    model = CoachingConsent if changelist == CONSENTS else ConsentEvent
    name = f"admin:coaching_plugin_{model._meta.model_name}"
    row = model.objects.first()
    assert browser.get(reverse(f"{name}_add")).status_code == 403
    assert browser.post(reverse(f"{name}_add"), {"status": "consented"}).status_code == 403
    assert browser.get(reverse(f"{name}_delete", args=[row.pk])).status_code == 403
    before = list(model.objects.values())
    browser.post(reverse(f"{name}_change", args=[row.pk]), {"status": "consented", "kind": "consented"})
    browser.post(changelist, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert list(model.objects.values()) == before
    page = soup(browser.get(changelist))
    assert not page.select("#content .addlink, option[value=delete_selected]")


def test_an_event_shows_its_evidence_and_its_hashes_and_no_field_to_fill_in(people):
    event = ConsentEvent.objects.get(consent=people["consented"].coaching_consent, kind="consented")
    page = operator("view_consentevent").get(reverse("admin:coaching_plugin_consentevent_change", args=[event.pk]))
    for word in (NUMBER, "192.0.2.7", "a browser", event.hash):
        assert word in text(page)
    assert event.salt not in text(page)
    assert not soup(page).select("#content fieldset input, #content fieldset select, [name=_save]")


@pytest.mark.parametrize("permission", ["view", "change"])
@pytest.mark.parametrize(("changelist", "model"), [(CONSENTS, "coachingconsent"), (EVENTS, "consentevent")])
def test_who_may_see_the_one_sees_it_and_not_the_other(people, changelist, model, permission):
    browser = operator(f"{permission}_{model}")
    assert shown(browser, changelist)
    (other,) = set(LISTS.values()) - {changelist}
    assert browser.get(other).status_code == 403


@each_list
def test_who_is_not_of_the_staff_is_sent_to_the_login(people, browser, changelist):
    for client in (Client(), browser):
        assert client.get(changelist).headers["Location"].startswith(reverse("admin:login"))


def test_a_superuser_deletes_an_account_in_the_admin_and_the_record_stays(people):
    """What nobody may delete here must not keep the platform from deleting what it has."""
    learner, browser = people["consented"], operator()
    row = CoachingConsent.objects.get(user=learner)
    page = reverse("admin:auth_user_delete", args=[learner.pk])
    asked = browser.get(page)
    assert "Are you sure" in text(asked)
    assert str(row.partner_id) not in text(asked)
    assert browser.post(page, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=learner.pk).exists()
    row.refresh_from_db()
    assert row.user_id is None
    assert row.events.count() == 2


def test_accounts_are_deleted_by_the_lists_action_too(people):
    chosen = [learner.pk for learner in people.values()]
    data = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    operator().post(reverse("admin:auth_user_changelist"), data)
    assert not User.objects.filter(pk__in=chosen).exists()
    assert CoachingConsent.objects.filter(user=None).count() == len(chosen)


# What they cost


def test_events_are_sorted_by_what_has_an_index(people):
    """By any other column the whole ledger would be sorted for one page of it, whoever asks for that in an address."""
    browser = operator()
    page = soup(browser.get(EVENTS))
    assert [cell["class"] for cell in page.select("#result_list th.sortable")] == [["sortable", "column-occurred"]]
    newest_first = shown(browser, EVENTS)
    times = [cells[0] for cells in shown(browser, EVENTS, o="0")]
    assert times == sorted(times) == [cells[0] for cells in newest_first][::-1] != times[::-1]
    for column in range(1, 7):
        assert shown(browser, EVENTS, o=str(column)) == newest_first


@pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's optimizer is asked; the MariaDB run does")
@pytest.mark.parametrize(
    ("condition", "index"),
    [({"learner_id": 1}, "coaching_event_learner"), ({"door": "partner"}, "coaching_event_door")],
)
def test_what_events_are_filtered_by_has_an_index(people, condition, index):
    (row,) = plan_of(the_query_of(lambda: ConsentEvent.objects.filter(**condition).count()))
    assert row["key"] == index


QUERIES = {
    CONSENTS: [{}, {"status__exact": "declined"}, {"answered_at-since": "2026-01-01"}, {"o": "4"}, {"opted_out": "no"}],
    EVENTS: [{}, {"kind__exact": "declined", "door__exact": "page"}, {"occurred_at-since": "2026-01-01"}, {"o": "0"}],
}


@pytest.mark.parametrize(
    ("changelist", "query"),
    [(changelist, query) for changelist, queries in QUERIES.items() for query in queries],
    ids=[f"{name}-{'-'.join(query)}" for name, url in LISTS.items() for query in QUERIES[url]],
)
def test_a_list_costs_as_many_queries_whatever_is_in_it(changelist, query, django_assert_num_queries):
    browser = operator("change_coachingconsent", "change_consentevent")
    for _ in range(3):
        consent.decline(factories.eligible_learner(), evidence())
    browser.get(changelist, query)
    # Session, user, two kinds of permissions, the count and the rows; of the events in a transaction of the request.
    expected = {CONSENTS: 6, EVENTS: 8}[changelist]
    with django_assert_num_queries(expected):
        browser.get(changelist, query)
    for _ in range(30):
        consent.decline(factories.eligible_learner(), evidence())
    with django_assert_num_queries(expected):
        browser.get(changelist, query)
