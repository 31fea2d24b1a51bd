"""What operators do on behalf of learners: with a reason, each in the ledger, and told as it came out."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from coaching_plugin import consent, phone
from coaching_plugin.admin.consents import MOST_AT_ONCE
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door, PartnerDelivery
from tests import factories
from tests.consent_pages import RECEIPT
from tests.factories import TYPED, evidence
from tests.operators import CONSENTS, action_on, operator, page_of, soup, text
from tests.story import assert_told, events, kinds

pytestmark = pytest.mark.usefixtures("committed", "coached", "flags")

REASON = "asked us by letter"
NAMES = ["withdraw", "do_not_ask", "ask_again"]


def consented():
    learner = factories.eligible_learner()
    assert not consent.give(learner, TYPED, None, evidence()).is_refused
    return learner


def declined():
    learner = factories.eligible_learner()
    consent.decline(learner, evidence())
    return learner


def rows(*learners):
    return CoachingConsent.objects.filter(user__in=learners)


def choose(browser, name, chosen, query="", **more):
    data = {"action": name, "_selected_action": [row.pk for row in chosen], **more}
    return browser.post(CONSENTS + query, data)


def go_through(browser, name, chosen, reason=REASON, query=""):
    """Choose learners in the list, fill in the form that comes, and send it as it stands."""
    asked = soup(choose(browser, name, chosen, query))
    form = asked.select_one("#content form")
    assert form, asked.select_one("#content").text
    fields = {}
    for field in form.select("input[name]"):
        fields.setdefault(field["name"], []).append(field.get("value", ""))
    response = browser.post(form.get("action") or CONSENTS + query, {**fields, "reason": reason}, follow=True)
    assert response.redirect_chain == [(CONSENTS + query, 302)]
    return response


def said(response):
    return [message.text for message in soup(response).select(".messagelist li")]


# On one learner's page


def test_a_consent_is_withdrawn_with_operator_and_reason(partner):
    learner, browser = consented(), operator()
    asked = browser.get(action_on(learner, "withdraw"))
    assert "This is done for 1 learner." in text(asked)
    assert "The consent ends at once, the coaching partner is told" in text(asked)
    assert "The learner can read it on their receipt" in text(asked)
    assert kinds(learner) == ["consented"], "a look changes nothing"
    response = browser.post(action_on(learner, "withdraw"), {"reason": REASON}, follow=True)
    assert response.redirect_chain == [(page_of(learner), 302)]
    assert said(response) == ["Withdraw on behalf of the learner: done for 1 learner."]
    event = events(learner)[-1]
    assert (event.kind, event.door, event.actor_id, event.reason) == ("withdrawn", "admin", browser.account.pk, REASON)
    assert (event.ip, event.user_agent) == (None, ""), "an operator's browser proves nothing of the learner"
    assert_told(learner)
    assert partner.held[str(learner.coaching_consent.partner_id)]["status"] == "withdrawn"


def test_a_learner_without_a_record_can_be_left_alone(learner):
    browser = operator()
    response = browser.post(action_on(learner, "do_not_ask"), {"reason": REASON}, follow=True)
    assert said(response) == ["Do not ask: done for 1 learner."]
    assert kinds(learner) == ["do_not_ask"]
    assert assert_told(learner).do_not_ask


def test_who_answered_is_asked_again(learner):
    consent.decline(learner, evidence())
    response = operator().post(action_on(learner, "ask_again"), {"reason": REASON}, follow=True)
    assert said(response) == ["Ask again: done for 1 learner."]
    assert kinds(learner) == ["declined", "ask_again"]
    assert not assert_told(learner).has_answered


@pytest.mark.parametrize(
    ("stands", "offered"),
    [
        ("never asked", ["do_not_ask"]),
        ("consented", ["withdraw", "do_not_ask"]),
        ("declined", ["do_not_ask", "ask_again"]),
        ("not to be asked", ["ask_again"]),
        ("consented, and not to be asked", ["withdraw"]),
    ],
)
def test_the_page_offers_what_would_change_something(learner, stands, offered):
    if "consented" in stands:
        consent.give(learner, TYPED, None, evidence())
    if "declined" in stands:
        consent.decline(learner, evidence())
    if "not to be asked" in stands:
        consent.do_not_ask(learner, evidence(Door.ADMIN), REASON)
    page = soup(operator().get(page_of(learner)))
    assert [link["href"] for link in page.select(".coaching-buttons a")] == [
        action_on(learner, name) for name in offered
    ]


def test_ask_again_leaves_a_consent_that_stands_and_says_so(learner):
    consent.give(learner, TYPED, None, evidence())
    browser = operator()
    asked = browser.get(action_on(learner, "ask_again"))
    assert "Nothing changes for 1 learner: a consent stands, which stays as it is" in text(asked)
    assert not soup(asked).select("input[name=reason]")
    response = browser.post(action_on(learner, "ask_again"), {"reason": REASON}, follow=True)
    assert "Nothing changes for 1 learner: a consent stands" in text(response)
    assert kinds(learner) == ["consented"]


def test_sent_twice_it_is_done_once_and_the_second_time_says_so(learner):
    browser = operator()
    for expected in ("done for 1 learner", "Nothing changes for 1 learner: they are not to be asked already."):
        assert expected in text(browser.post(action_on(learner, "do_not_ask"), {"reason": REASON}, follow=True))
    assert kinds(learner) == ["do_not_ask"]


# The reason


BAD_REASONS = {
    "none": ("", "This field is required."),
    "blank": (" \t ", "This field is required."),
    "too long": ("x" * 201, "at most 200 characters"),
    "an address": ("wrote from lena@example.com", "Leave the e-mail address out"),
    "a number": ("called from (415) 555-2671 today", "Leave the phone number out"),
    "a number from abroad": ("called from +44 20 7946 0958", "Leave the phone number out"),
    "a number in other digits": ("٤١٥٥٥٥٢٦٧١", "Leave the phone number out"),
    "a NUL": ("x\0y", "Null characters are not allowed."),
}


@pytest.mark.parametrize(("reason", "problem"), BAD_REASONS.values(), ids=list(BAD_REASONS))
def test_a_reason_that_will_not_do_is_refused_and_kept(learner, reason, problem):
    response = operator().post(action_on(learner, "do_not_ask"), {"reason": reason})
    assert problem in text(response)
    assert soup(response).select_one("#id_reason").get("value", "") == reason
    assert soup(response).title.text.startswith("Error:")
    assert not CoachingConsent.objects.exists()


@pytest.mark.parametrize(
    "reason", ["x" * 200, "ticket 4711-12345678", "as agreed on 2026-11-27 at 10:30", "SR #20261127001", "ñ 好 ع"]
)
def test_an_ordinary_reason_is_kept_as_it_is(learner, reason):
    operator().post(action_on(learner, "do_not_ask"), {"reason": f"  {reason} "})
    assert [event.reason for event in events(learner)] == [reason]


@pytest.mark.parametrize("text_", ["call (415) 555-2671", "+44 20 7946 0958", "４１５５５５２６７１"], ids=range(3))
def test_a_number_is_seen_in_a_text(text_):
    assert phone.is_in(text_, ["US"])


def test_a_number_of_any_allowed_region_is_seen():
    assert phone.is_in("ring 020 7946 0958", ["US", "GB"])
    assert not phone.is_in("ring 020 7946 0958", ["US"])


@pytest.mark.parametrize("reason", [REASON, "retirement", "learner", "<b>moved</b>"])
def test_the_learner_reads_the_operators_words_on_the_receipt(learner, browser, reason):
    consent.give(learner, TYPED, None, evidence())
    operator().post(action_on(learner, "withdraw"), {"reason": reason})
    page = soup(browser.get(RECEIPT))
    said = " ".join(page.select(".coaching-history tbody tr")[-1].get_text(" ").split())
    assert f"Your agreement ended {reason} By way of: Administration By somebody else" in said
    assert f": {reason}. You are not coached now." in " ".join(page.main.get_text(" ").split())


# On several, from the list


def test_what_will_happen_to_how_many_is_said_before_and_what_happened_after():
    learners = [consented(), consented(), declined()]
    gone = consented()
    gone_row = gone.coaching_consent
    User.objects.get(pk=gone.pk).delete()
    browser, chosen = operator(), [*rows(*learners), gone_row]
    asked = text(choose(browser, "withdraw", chosen))
    assert "This is done for 2 learners." in asked
    assert "Nothing changes for 1 learner: no consent stands." in asked
    assert "1 record is of a deleted account and stays as it is." in asked
    assert [row.status for row in CoachingConsent.objects.order_by("pk")][:2] == ["consented"] * 2
    assert said(go_through(browser, "withdraw", chosen)) == [
        "Withdraw on behalf of the learner: done for 2 learners.",
        "Nothing changes for 1 learner: no consent stands.",
        "1 record is of a deleted account and stays as it is.",
    ]
    for learner in learners[:2]:
        assert_told(learner)
        assert (events(learner)[-1].reason, events(learner)[-1].actor_id) == (REASON, browser.account.pk)
    assert kinds(learners[2]) == ["declined"]
    assert list(gone_row.events.values_list("kind", flat=True)) == ["consented"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_an_action_of_the_list(name):
    learners = [consented(), declined()]
    go_through(operator(), name, rows(*learners))
    assert [kinds(learner)[1:] for learner in learners] == {
        "withdraw": [["withdrawn"], []],
        "do_not_ask": [["do_not_ask"], ["do_not_ask"]],
        "ask_again": [[], ["ask_again"]],
    }[name]


def test_the_filters_of_the_list_stay(learner):
    consent.decline(learner, evidence())
    go_through(operator(), "do_not_ask", rows(learner), query="?status__exact=declined")
    assert kinds(learner) == ["declined", "do_not_ask"]


def test_all_that_a_filter_shows_can_be_chosen_across_pages():
    learners = [declined(), declined(), consented()]
    browser = operator()
    query = "?status__exact=declined"
    asked = soup(choose(browser, "ask_again", rows(learners[0]), query, select_across="1"))
    chosen = [field["value"] for field in asked.select("input[name=_selected_action]")]
    assert sorted(map(int, chosen)) == sorted(row.pk for row in rows(*learners[:2]))


def test_a_refused_reason_keeps_who_was_chosen():
    learners = [declined(), declined()]
    browser = operator()
    response = choose(browser, "ask_again", rows(*learners), reason="")
    assert "This field is required." in text(response)
    assert len(soup(response).select("input[name=_selected_action]")) == 2


def test_too_many_at_once_are_refused(monkeypatch):
    monkeypatch.setattr("coaching_plugin.admin.consents.MOST_AT_ONCE", 2)
    learners = [declined() for _ in range(3)]
    response = operator().post(
        CONSENTS, {"action": "ask_again", "_selected_action": [row.pk for row in rows(*learners)]}, follow=True
    )
    assert said(response) == ["Choose at most 2 learners at a time. Nothing was changed."]
    assert [kinds(learner) for learner in learners] == [["declined"]] * 3


def test_as_many_as_may_be_chosen_are_sent_back_by_the_form(settings):
    assert MOST_AT_ONCE + 10 < settings.DATA_UPLOAD_MAX_NUMBER_FIELDS


def test_a_failure_stops_nobody_else_and_is_counted_and_logged(monkeypatch, caplog):
    learners = [consented() for _ in range(3)]
    breaking = learners[1].pk
    record = consent._record

    def fail_for_one(row, *args, **kwargs):
        record(row, *args, **kwargs)
        if row.user_id == breaking:
            raise RuntimeError(f"odd: {TYPED}")

    monkeypatch.setattr(consent, "_record", fail_for_one)
    response = go_through(operator(), "withdraw", rows(*learners))
    assert said(response) == [
        "Withdraw on behalf of the learner: done for 2 learners.",
        "It failed for 1 learner, whose user id the log names. Try again.",
    ]
    assert [assert_told(learner).status for learner in learners] == ["withdrawn", "consented", "withdrawn"]
    (record,) = [record for record in caplog.records if record.name == "coaching_plugin.admin.operator_actions"]
    assert f"User {breaking}: an operator's withdraw failed: RuntimeError" in record.message


def test_each_is_committed_by_itself(monkeypatch):
    """Nobody else waits for five hundred others, and what was done stays done if the server then goes down."""
    learners = [consented() for _ in range(2)]
    seen = []
    withdraw = consent._withdraw

    def look(row, *args):
        seen.append(len(connection.atomic_blocks))
        withdraw(row, *args)

    monkeypatch.setattr(consent, "_withdraw", look)
    go_through(operator(), "withdraw", rows(*learners))
    # Its own block, and none of the request around it.
    assert seen == [1, 1]


def test_the_partner_hears_of_each(partner):
    learners = [consented() for _ in range(3)]
    go_through(operator(), "withdraw", rows(*learners))
    assert {held["status"] for held in partner.held.values()} == {"withdrawn"}
    assert PartnerDelivery.objects.exclude(status="sent").count() == 0


# Who may


def test_who_may_only_look_is_offered_nothing_and_may_do_nothing(learner):
    consent.give(learner, TYPED, None, evidence())
    browser = operator("view_coachingconsent", "view_consentevent")
    assert not soup(browser.get(page_of(learner))).select(".coaching-buttons")
    assert not soup(browser.get(CONSENTS)).select("select[name=action]")
    for name in NAMES:
        assert browser.get(action_on(learner, name)).status_code == 403
        assert browser.post(action_on(learner, name), {"reason": REASON}).status_code == 403
        choose(browser, name, rows(learner), reason=REASON)
    assert kinds(learner) == ["consented"]


def test_who_may_change_may_do_each(learner):
    consent.give(learner, TYPED, None, evidence())
    browser = operator("change_coachingconsent")
    for name in NAMES:
        browser.post(action_on(learner, name), {"reason": REASON})
    assert kinds(learner) == ["consented", "withdrawn", "do_not_ask", "ask_again"]


def test_who_is_not_logged_in_is_sent_to_the_login(learner):
    for name in NAMES:
        response = Client().post(action_on(learner, name), {"reason": REASON})
        assert response.headers["Location"].startswith(reverse("admin:login"))
    assert not ConsentEvent.objects.exists()


def test_an_id_that_nobody_has_is_not_found():
    browser = operator()
    for name in NAMES:
        assert browser.post(action_on(User(pk=999_999), name), {"reason": REASON}).status_code == 404


def test_of_a_deleted_account_nothing_can_be_done():
    learner = consented()
    user_id = learner.pk
    learner.delete()
    browser = operator()
    said = text(browser.get(action_on(User(pk=user_id), "withdraw")))
    assert "1 record is of a deleted account and stays as it is." in said
    browser.post(action_on(User(pk=user_id), "withdraw"), {"reason": REASON})
    assert list(ConsentEvent.objects.values_list("kind", flat=True)) == ["consented"]
