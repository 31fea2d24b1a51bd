"""All about a learner on one page: where they stand, the whole ledger, whether it holds, and why they are asked."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse
from django.utils import translation

from coaching_plugin import consent, ledger, receipts, support
from coaching_plugin.admin import learner_page
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door
from tests import factories
from tests.factories import OTHER_TYPED, TYPED, evidence
from tests.operators import CONSENTS, operator, page_of, soup, text

pytestmark = pytest.mark.usefixtures("coached", "flags")

HOLDS = "entries holds. The record stands where the entries left it."
NOT_EXPLAINED = "This could not be explained at the moment."


@pytest.fixture
def withdrawn(learner):
    """A learner with a ledger of many kinds of entries."""
    consent.ask(learner, evidence())
    consent.give(learner, "1-800-356-9377", None, evidence())
    consent.give(learner, TYPED, None, evidence())
    consent.change_phone(learner, OTHER_TYPED, evidence(disclosure=None))
    consent.opt_out(learner, evidence(Door.PARTNER, disclosure=None), "stop")
    consent.do_not_ask(learner, evidence(Door.ADMIN, disclosure=None, actor_id=4711), "asked us by letter")
    return learner


def entries(response):
    return [" ".join(row.get_text(" ").split()) for row in soup(response).select(".coaching-ledger tbody tr")]


def change(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def test_who_they_are_and_where_they_stand(learner):
    consent.ask(learner, evidence())
    consent.give(learner, TYPED, None, evidence())
    said = text(operator().get(page_of(learner)))
    assert f"Learner with LMS user id {learner.pk}" in said
    for word in (learner.username, learner.email, "Consented", "+1 415-555-2671", "version 1 (en)"):
        assert word in said
    assert str(learner.coaching_consent.partner_id) in said


def test_of_whom_nothing_was_recorded_that_is_said_and_nothing_is_made(learner):
    said = text(operator().get(page_of(learner)))
    assert "Nothing was ever recorded of this learner." in said
    assert "Undecided" in said
    assert "not yet" in said
    assert not CoachingConsent.objects.exists()


def test_the_whole_ledger_is_there_in_order(withdrawn):
    response = operator().get(page_of(withdrawn))
    found = entries(response)
    assert [entry.split()[0] for entry in found] == ["1", "2", "3", "4", "5", "6"]
    asked, refused, consented, moved, stopped, not_to_be_asked = found
    assert "Asked" in asked
    assert "Consent page" in asked
    assert "192.0.2.7" in asked
    assert "a browser" in asked
    assert "The phone number could not receive text messages (phone_type)" in refused
    assert "+14155552671" in consented
    assert "Words shown: version 1 (en)" in consented
    assert "Phone number changed" in moved
    assert "+12125552368" in moved
    assert "Opted out at the partner stop Coaching partner" in stopped
    assert "Not to be asked asked us by letter Administration by user 4711" in not_to_be_asked
    assert f"The chain of 6 {HOLDS}" in text(response)


def test_words_that_were_not_shown_by_us_are_told(learner):
    consent.give(learner, TYPED, None, evidence(Door.API, disclosure=None))
    assert "Words not shown by us" in entries(operator().get(page_of(learner)))[0]


def test_every_code_has_words_that_speak_of_the_learner_and_not_to_them():
    assert learner_page.REASONS.keys() == receipts.REASONS.keys()
    words = {str(text).lower() for text in learner_page.REASONS.values()}
    assert [text for text in words if "you" in text.split() or "your" in text.split()] == []


def test_an_operators_words_are_never_taken_for_a_code(learner):
    consent.do_not_ask(learner, consent.Evidence(door=Door.ADMIN, actor_id=4711), "retirement")
    (entry,) = entries(operator().get(page_of(learner)))
    assert "Not to be asked retirement Administration" in entry


def test_erased_entries_say_so_and_the_chain_holds(withdrawn):
    consent.erase(withdrawn, consent.Evidence(door=Door.RETIREMENT))
    response = operator().get(page_of(withdrawn))
    assert ["erased" in entry for entry in entries(response)[:-1]] == [True] * 6
    assert f"The chain of 7 {HOLDS}" in text(response)
    assert "Personal data erased" in text(response)


# The verdict


def test_an_edited_entry_is_named_and_marked(withdrawn):
    change(f"UPDATE {ConsentEvent._meta.db_table} SET door = 'api' WHERE sequence = 3")
    response = operator().get(page_of(withdrawn))
    assert "The chain is broken at entry 3: it was changed." in text(response)
    (marked,) = soup(response).select("tr.coaching-broken")
    assert marked.th.text == "3"


def test_a_row_that_was_changed_past_the_ledger_is_told_beside_a_chain_that_holds(withdrawn):
    change(f"UPDATE {CoachingConsent._meta.db_table} SET status = 'consented', do_not_ask = %s", False)
    said = text(operator().get(page_of(withdrawn)))
    assert "The chain of 6 entries holds." in said
    assert "It was changed past the ledger: status, do_not_ask." in said


def test_the_problem_is_told_in_the_language_of_the_operator(withdrawn, monkeypatch):
    change(f"UPDATE {ConsentEvent._meta.db_table} SET door = 'api' WHERE sequence = 3")
    asked_for = []
    monkeypatch.setattr(learner_page, "_", lambda message: asked_for.append(message) or message)
    with translation.override("en"):
        operator().get(page_of(withdrawn))
    assert "it was changed" in asked_for


# Long ledgers


def many_refusals(learner, count):
    consent.ask(learner, evidence())
    row = CoachingConsent.objects.get(user=learner)
    for number in range(count):
        ledger.append(row, "refused", door=Door.PAGE, reason="phone_type", user_agent=f"browser {number}")
    row.save()


def test_a_long_ledger_comes_in_pages_the_newest_first_shown(learner, django_assert_max_num_queries):
    many_refusals(learner, 450)
    browser = operator()
    response = browser.get(page_of(learner))
    assert [entries(response)[place].split()[0] for place in (0, -1)] == ["401", "451"]
    assert "The chain of 451 entries holds." in text(response)
    pages = [link["href"] for link in soup(response).select(".paginator a")]
    assert pages == ["?p=1#coaching-ledger", "?p=2#coaching-ledger"]
    first = browser.get(page_of(learner), {"p": "1"})
    assert [entries(first)[place].split()[0] for place in (0, -1)] == ["1", "200"]
    with django_assert_max_num_queries(12):
        browser.get(page_of(learner))


@pytest.mark.parametrize("number", ["0", "-1", "99", "x", ""])
def test_a_page_of_the_ledger_that_is_none_is_some_page(withdrawn, number):
    assert len(entries(operator().get(page_of(withdrawn), {"p": number}))) == 6


def test_a_short_one_has_no_pages(withdrawn):
    assert not soup(operator().get(page_of(withdrawn))).select(".paginator")


# The explanation


@pytest.fixture
def template(tmp_path, settings):
    """A template for the explanation that is found first."""
    path = tmp_path / "admin" / "coaching_plugin" / "explanation.html"
    path.parent.mkdir(parents=True)
    (django, *others) = settings.TEMPLATES
    settings.TEMPLATES = [{**django, "DIRS": [tmp_path, *django["DIRS"]]}, *others]
    return path


def test_the_explanation_is_shown(learner):
    response = operator().get(page_of(learner))
    explanation = support.explain(learner)
    assert explanation.summary in text(response)
    assert [str(run.course_key) in text(response) for run in explanation.runs] == [True] * len(explanation.runs) != []
    assert NOT_EXPLAINED not in text(response)


def test_an_explanation_that_fails_costs_only_itself(withdrawn, monkeypatch, caplog):
    def fail(user):
        raise RuntimeError(f"odd: {user.email}")

    monkeypatch.setattr(support, "explain", fail)
    response = operator().get(page_of(withdrawn))
    assert NOT_EXPLAINED in text(response)
    assert len(entries(response)) == 6
    (record,) = [record for record in caplog.records if record.name == "coaching_plugin.admin.learner_page"]
    assert f"User {withdrawn.pk}:" in record.message
    assert "RuntimeError" in record.message


def test_an_explanation_that_cannot_be_rendered_costs_only_itself(withdrawn, template, caplog):
    template.write_text("{% no_such_tag %}")
    response = operator().get(page_of(withdrawn))
    assert NOT_EXPLAINED in text(response)
    assert len(entries(response)) == 6
    assert "TemplateSyntaxError" in caplog.text


# Whose page


def test_an_id_that_nobody_ever_had_is_not_found(learner):
    browser = operator()
    for user_id in (999_999, 0, 3_000_000_001, 2**63, 10**30):
        assert browser.get(f"{CONSENTS}learner/{user_id}/").status_code == 404


def test_the_records_own_page_is_the_learners(withdrawn):
    row = withdrawn.coaching_consent
    response = operator().get(reverse("admin:coaching_plugin_coachingconsent_change", args=[row.pk]))
    assert (response.status_code, response.headers["Location"]) == (302, page_of(withdrawn))


def test_a_record_that_is_not_there_leads_back_to_the_admin(learner):
    response = operator().get(reverse("admin:coaching_plugin_coachingconsent_change", args=[999_999]))
    assert (response.status_code, response.headers["Location"]) == (302, reverse("admin:index"))


def test_the_record_of_a_deleted_account_has_all_but_what_the_account_had(withdrawn):
    row = withdrawn.coaching_consent
    username = withdrawn.username
    User.objects.get(pk=withdrawn.pk).delete()
    browser = operator()
    response = browser.get(reverse("admin:coaching_plugin_coachingconsent_change", args=[row.pk]))
    assert "Learner whose account was deleted" in text(response)
    assert f"The chain of 6 {HOLDS}" in text(response)
    assert len(entries(response)) == 6
    assert username not in text(response)
    assert not soup(response).select(".coaching-buttons a")
    assert "Asked, or not, and why" not in text(response)


# Who may see what


def test_who_may_see_consents_alone_sees_no_entries_and_no_buttons(withdrawn):
    response = operator("view_coachingconsent").get(page_of(withdrawn))
    assert "The chain of 6 entries holds." in text(response)
    assert "You may not see the entries" in text(response)
    assert entries(response) == []
    assert not soup(response).select(".coaching-buttons")
    assert "192.0.2.7" not in text(response)


def test_who_may_see_events_too_sees_them(withdrawn):
    assert len(entries(operator("view_coachingconsent", "view_consentevent").get(page_of(withdrawn)))) == 6


@pytest.mark.parametrize("permission", ["view_user", "change_user", None])
def test_the_account_is_linked_for_who_may_open_it(learner, permission):
    response = operator("view_coachingconsent", *filter(None, [permission])).get(page_of(learner))
    links = soup(response).select(f'a[href="{reverse("admin:auth_user_change", args=[learner.pk])}"]')
    assert len(links) == (1 if permission else 0)


@pytest.mark.parametrize("permission", ["view_partnerdelivery", "change_partnerdelivery", None])
def test_deliveries_are_linked_for_who_may_see_them(withdrawn, permission):
    response = operator("view_coachingconsent", *filter(None, [permission])).get(page_of(withdrawn))
    deliveries = reverse("admin:coaching_plugin_partnerdelivery_changelist")
    link = f"{deliveries}?partner_id={withdrawn.coaching_consent.partner_id}"
    assert len(soup(response).select(f'a[href="{link}"]')) == (1 if permission else 0)


def test_of_whom_the_partner_never_heard_there_are_no_deliveries(learner):
    consent.decline(learner, evidence())
    assert "deliveries to the partner" not in text(operator().get(page_of(learner)))


def test_who_may_not_see_consents_sees_no_page(withdrawn):
    browser = operator("view_user", "view_consentevent")
    row = withdrawn.coaching_consent
    for page in (page_of(withdrawn), reverse("admin:coaching_plugin_coachingconsent_change", args=[row.pk])):
        assert browser.get(page).status_code == 403


def test_names_are_shown_as_text(learner):
    learner.email = "<script>alert(1)</script>@example.com"
    learner.save()
    consent.do_not_ask(learner, evidence(Door.ADMIN, actor_id=1), "<img src=x onerror=alert(1)>")
    response = operator().get(page_of(learner))
    assert "<img src=x onerror=alert(1)>" in text(response)
    assert not soup(response).select("#content img[onerror], #content script")


def test_a_learners_page_costs_as_many_queries_whatever_the_ledger_holds(
    withdrawn, monkeypatch, django_assert_num_queries
):
    """Besides what the explanation asks."""
    explanation = support.explain(withdrawn)
    monkeypatch.setattr(support, "explain", lambda user: explanation)
    browser, short = operator(), factories.eligible_learner()
    consent.ask(short, evidence())
    browser.get(page_of(short))
    for learner in (short, withdrawn):
        with django_assert_num_queries(6):
            browser.get(page_of(learner))
