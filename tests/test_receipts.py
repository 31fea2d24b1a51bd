"""What a learner's receipt says, on the page and in the API: the agreement, its exact words, and all that is held."""

import ast
import itertools
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from freezegun import freeze_time
from openedx.core.djangoapps.user_api.models import UserRetirementStatus

import coaching_plugin
from coaching_plugin import consent, disclosures, receipts
from coaching_plugin.models import CoachingConsent, ConsentEvent, Disclosure, Door
from coaching_plugin.partner.roster import Entry
from tests import factories
from tests.consent_pages import ANSWERED, COURSE, RECEIPT, SETTINGS, page_of, with_next
from tests.factories import NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.pseudo_translation import mark_translations, unmarked
from tests.test_rest_api import LOGIN_QUERIES, as_mfe, assert_refused, statements
from tests.test_rest_api import receipts as resource

pytestmark = pytest.mark.usefixtures("committed")

Kind = ConsentEvent.Kind
PACKAGE = Path(coaching_plugin.__file__).parent


def elsewhere(door=Door.API):
    """Return what is known of an answer that came without our words."""
    return evidence(door, disclosure=None)


def get(client, learner):
    response = client.get(resource(learner))
    assert response.status_code == 200, response.content
    return response.json()


def page(client):
    response = client.get(with_next(RECEIPT))
    assert response.status_code == 200
    return page_of(response)


def text(client):
    return " ".join(page(client).main.get_text(" ").split())


def history(client):
    return [" ".join(row.get_text(" ").split()) for row in page(client).select(".coaching-history tbody tr")]


# The agreement


def test_a_standing_consent_says_what_was_agreed_when_for_whom_and_in_which_words(browser, learner):
    at = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
    with freeze_time(at):
        consent.give(learner, TYPED, None, evidence())
    answer = get(browser, learner)
    assert (answer["user"], answer["status"]) == (learner.id, "consented")
    record, row = answer["record"], CoachingConsent.objects.get()
    assert "modelled on ISO/IEC TS 27560:2023" in record["record_header"]["schema_version"]
    assert record["record_header"]["pii_principal_id"] == str(learner.id)
    assert record["record_header"]["record_id"] == f"{row.partner_id}-1"
    processing, shown = record["pii_processing"], disclosures.current()
    assert processing["privacy_notice"] == {
        "version": shown.disclosure.version,
        "language": "en",
        "direction": "ltr",
        "text": shown.text,
        "sha256": shown.sha256,
        "exact": True,
    }
    assert processing["language"] == "en"
    assert [purpose["lawful_basis"] for purpose in processing["purposes"]] == ["consent"]
    assert {party["party_id"]: party["party_name"] for party in record["party_identification"]} == {
        "site": "Sandbox Academy",
        "partner": "InsideTrack",
    }
    assert record["events"] == [
        {
            "event_time": "2026-11-26T23:30:00Z",
            "event_type": "expressed",
            "event_state": "given",
            "validity_duration": "until withdrawn",
            "entity_id": str(learner.id),
        }
    ]
    assert answer["held"]["phone_number"] == NUMBER


def test_the_page_says_the_same_to_a_person(browser, learner, settings):
    settings.TIME_ZONE = "America/New_York"
    with freeze_time("2026-11-26 23:30:15"):
        consent.give(learner, TYPED, None, evidence())
    said = text(browser)
    assert "On Nov. 26, 2026 you agreed that InsideTrack coaches you in the name of Sandbox Academy" in said
    assert "calls you at (415) 555-2671 ." in said
    assert "This stands until you end it." in said
    # As the clock of the site shows it, and as nobody can misread it.
    assert "Nov. 26, 2026, 6:30 p.m. (EST)" in said
    assert "Time zone: America/New_York" in said
    assert "2026-11-26 23:30:15 UTC" in said
    assert page(browser).select_one("dl time")["datetime"] == "2026-11-26T23:30:15+00:00"
    words = page(browser).select_one(".coaching-disclosure").get_text()
    assert "".join(words.split()) == "".join(disclosures.current().text.split())
    assert disclosures.current().sha256 in said


def test_the_kinds_of_data_that_are_shared_are_those_that_an_entry_holds(browser, learner):
    """And nothing of what only orders the messages, which is no data of the learner's."""
    consent.give(learner, TYPED, None, evidence())
    told = [kind["pii_type"] for kind in get(browser, learner)["record"]["pii_processing"]["pii_information"]]
    assert set(told) == Entry.__dataclass_fields__.keys() - {"sequence", "status"}
    shown = [item.get_text() for item in page(browser).select("dl .coaching-list li")]
    assert shown == list(receipts.shared_data().values())


def test_the_names_are_those_that_were_shown(browser, learner, settings):
    consent.give(learner, TYPED, None, evidence())
    before = disclosures.current().text
    settings.COACHING_PARTNER_NAME, settings.PLATFORM_NAME = "Another Partner", "Another Academy"
    answer = get(browser, learner)
    parties = [party["party_name"] for party in answer["record"]["party_identification"]]
    assert parties == ["Sandbox Academy", "InsideTrack"]
    assert answer["record"]["pii_processing"]["privacy_notice"]["text"] == before
    assert "InsideTrack coaches you" in text(browser)
    assert "Another Partner" not in text(browser)


def test_the_words_are_those_of_the_version_and_language_shown(learner, browser):
    shown = disclosures.current("ar")
    consent.give(learner, TYPED, None, evidence(disclosure=shown))
    Disclosure.objects.create(version=7, language="ar", body="Other words", published_at=datetime.now(UTC))
    words = get(browser, learner)["record"]["pii_processing"]["privacy_notice"]
    assert (words["version"], words["language"], words["direction"]) == (1, "ar", "rtl")
    element = page(browser).select_one(".coaching-disclosure")
    assert (element["lang"], element["dir"]) == ("ar", "rtl")
    assert "".join(element.get_text().split()) == "".join(shown.text.split())


def test_words_that_were_not_shown_by_us_are_said_to_be_unknown(browser, learner, settings):
    consent.give(learner, TYPED, None, elsewhere())
    record = get(browser, learner)["record"]
    assert record["pii_processing"]["privacy_notice"] is None
    assert record["pii_processing"]["language"] is None
    # By today's names, there being no others.
    assert [party["party_name"] for party in record["party_identification"]] == ["Sandbox Academy", "InsideTrack"]
    assert "The words were not shown by this site" in text(browser)
    assert not page(browser).select(".coaching-disclosure")


@pytest.mark.parametrize(
    "tampered", ['shown_with = \'{"site_name": "Elsewhere"}\'', f"shown_sha256 = '{'0' * 64}'", "shown_sha256 = ''"]
)
def test_words_that_do_not_digest_to_what_the_ledger_says_are_said_not_to(browser, learner, tampered):
    consent.give(learner, TYPED, None, evidence())
    assert "These words are not exactly" not in text(browser)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE coaching_plugin_consentevent SET {tampered}")
    words = get(browser, learner)["record"]["pii_processing"]["privacy_notice"]
    assert words["exact"] is False
    assert words["sha256"] == ConsentEvent.objects.get().shown_sha256
    assert "These words are not exactly those that you were shown" in text(browser)
    assert "You were shown these words" not in text(browser)


def test_a_consent_that_moved_to_another_number_says_both(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    consent.change_phone(learner, OTHER_TYPED, evidence())
    answer = get(browser, learner)
    assert [event["event_state"] for event in answer["record"]["events"]] == ["given", "given"]
    assert [event["phone_number"] for event in answer["held"]["history"]] == [NUMBER, OTHER_NUMBER]
    said = page(browser).select_one(".coaching-lead").get_text()
    assert "(212) 555-2368" in said


ENDINGS = {
    "the learner": (lambda learner: consent.decline(learner, evidence()), "learner", "You ended it"),
    "STOP": (
        lambda learner: consent.opt_out(learner, elsewhere(Door.PARTNER), "stop"),
        "partner",
        "You told the coaching partner to stop Your word for it: STOP",
    ),
    "the partner's judgement": (
        lambda learner: consent.opt_out(learner, elsewhere(Door.PARTNER), "revoked"),
        "partner",
        "in the judgement of the coaching partner",
    ),
    "a request for deletion": (
        UserRetirementStatus.create_retirement,
        "site",
        "You asked for your account to be deleted",
    ),
    "a number removed": (
        lambda learner: consent.withdraw(learner, elsewhere(Door.PROFILE), "phone_missing"),
        None,
        "There was no phone number",
    ),
    "an operator": (
        lambda learner: consent.withdraw(learner, elsewhere(Door.ADMIN), "asked by telephone"),
        "site",
        "asked by telephone",
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_consent_that_ended_says_when_by_whom_and_why(browser, learner, ending):
    end, party, why = ENDINGS[ending]
    with freeze_time("2026-11-20 10:00"):
        consent.give(learner, TYPED, None, evidence())
    with freeze_time("2026-11-24 10:00"):
        end(learner)
    answer = get(browser, learner)
    last = answer["record"]["events"][-1]
    assert (last["event_state"], last["validity_duration"]) == ("withdrawn", None)
    assert last["event_time"] == "2026-11-24T10:00:00Z"
    assert last["entity_id"] == (str(learner.id) if party == "learner" else party)
    assert answer["status"] == "withdrawn"
    said = text(browser)
    assert "On Nov. 20, 2026 you agreed" in said
    assert "This ended on Nov. 24, 2026: " in said
    assert "This stands" not in said
    assert why in history(browser)[-1]
    # A STOP is a kind of event, and what it says but a word.
    assert f": {'You told the coaching partner to stop' if party == 'partner' else why}. You are not" in said
    assert not page(browser).select("main a.coaching-button-primary"), "there is nothing to end"


def test_the_last_agreement_is_told_and_those_before_are_in_the_history(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    consent.decline(learner, evidence())
    consent.give(learner, OTHER_TYPED, None, evidence())
    answer = get(browser, learner)
    assert answer["record"]["record_header"]["record_id"].endswith("-3")
    assert [event["event_state"] for event in answer["record"]["events"]] == ["given"]
    assert [event["kind"] for event in answer["held"]["history"]] == ["consented", "withdrawn", "consented"]
    assert "This ended" not in text(browser)


def test_an_agreement_before_a_no_that_followed_on_being_asked_again_is_told(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    consent.decline(learner, evidence())
    consent.ask_again(learner, elsewhere(Door.ADMIN), "wished by the learner")
    assert (get(browser, learner)["status"], "You have not answered." in text(browser)) == ("undecided", True)
    consent.decline(learner, evidence())
    answer = get(browser, learner)
    assert (answer["status"], answer["record"]["events"][-1]["event_state"]) == ("declined", "withdrawn")
    assert "told nothing about you" not in text(browser)


# Without an agreement


def dismiss(learner):
    consent.dismiss_card(learner)


WITHOUT = {
    "asked": (lambda learner: consent.ask(learner, evidence()), "undecided", "You have not agreed to be coached"),
    "refused": (lambda learner: consent.give(learner, "12", None, evidence()), "undecided", "You have not agreed"),
    "declined": (lambda learner: consent.decline(learner, evidence()), "declined", "you do not want a coach"),
    "not to be asked": (
        lambda learner: consent.do_not_ask(learner, elsewhere(Door.ADMIN), "asked"),
        "undecided",
        "You are not to be asked",
    ),
    "the card dismissed": (dismiss, "undecided", "You dismissed the card"),
    "STOP": (
        lambda learner: consent.opt_out(learner, elsewhere(Door.PARTNER), "STOP"),
        "undecided",
        "You told the coaching partner to stop",
    ),
}


@pytest.mark.parametrize("state", WITHOUT)
def test_what_is_held_about_who_never_agreed_is_told_without_an_agreement(browser, learner, state):
    change, status, says = WITHOUT[state]
    change(learner)
    answer = get(browser, learner)
    assert (answer["status"], answer["record"]) == (status, None)
    assert says in text(browser)
    assert "InsideTrack was told nothing about you." in text(browser)
    assert not page(browser).select(".coaching-disclosure")


def test_who_was_never_asked_has_none(browser, learner):
    assert_refused(browser.get(resource(learner)), 404, "coaching")
    assert "nothing is kept about you" in text(browser)
    assert not page(browser).select("table, dl")
    assert not CoachingConsent.objects.exists(), "looking stores nothing"


# What is held


def test_the_history_holds_every_event_with_all_that_was_kept(browser, learner):
    consent.ask(learner, evidence())
    consent.give(learner, "12", None, evidence())
    consent.give(learner, TYPED, None, evidence())
    consent.do_not_ask(learner, evidence(Door.ADMIN, disclosure=None, actor_id=99), "asked")
    held = get(browser, learner)["held"]["history"]
    columns = ("sequence", "kind", "reason", "door", "phone_number", "ip", "user_agent")
    stored = ConsentEvent.objects.order_by("sequence").values(*columns)
    assert [{name: event[name] for name in columns} for event in held] == list(stored)
    assert [event["by_somebody_else"] for event in held] == [False, False, False, True]
    assert [event["disclosure_version"] for event in held] == [1, 1, 1, None]
    rows = history(browser)
    assert len(rows) == 4
    assert "You agreed By way of: Consent page Words shown: version 1 (en) +14155552671 192.0.2.7 a browser" in rows[2]
    assert "The phone number was not written in digits" in rows[1]
    assert "By somebody else" in rows[3]
    assert "99" not in rows[3], "who, is not the learner's to know"


def test_every_column_that_holds_something_of_the_learner_is_told(browser, learner):
    """What a new column holds has to be put on the receipt, or among what is no data of the learner's."""
    own = {"phone_number", "asked_at", "answered_at", "opted_out_at", "do_not_ask", "card_dismissed_at", "partner_id"}
    told = {"status", "erased_at"}
    ours = {"id", "user", "disclosure", "changed_at", "last_sequence", "last_hash"}
    assert {field.name for field in CoachingConsent._meta.fields} == own | told | ours
    consent.give(learner, TYPED, None, evidence())
    answer = get(browser, learner)
    row = CoachingConsent.objects.get()
    for name in own - {"asked_at", "answered_at", "opted_out_at", "card_dismissed_at", "partner_id"}:
        assert answer["held"][name] == getattr(row, name)
    event = {field.name for field in ConsentEvent._meta.fields} - {"id", "consent", "learner_id"}
    proof = {"salt", "personal_digest", "previous_hash", "hash"}
    in_words = {"disclosure", "shown_sha256", "shown_with", "actor_id"}
    assert event - proof - in_words == answer["held"]["history"][0].keys() - {
        "by_somebody_else",
        "disclosure_version",
        "disclosure_language",
    }


def codes_of_the_core():
    """Return every code that the core records as a reason, as its source writes them."""
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in ("Refusal", "InvalidPhoneNumber"):
                yield from (argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant))
            elif name == "_withdraw":
                yield from (argument.value for argument in node.args[2:] if isinstance(argument, ast.Constant))
            yield from (
                keyword.value.value
                for keyword in node.keywords
                if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant) and keyword.value.value
            )


def test_every_code_that_the_core_records_has_plain_words():
    codes = set(codes_of_the_core())
    assert {"learner", "retirement", "retention", "phone_region", "under_age", "retirement_requested"} <= codes
    # What a STOP says is told by the word itself, all but the partner's own judgement.
    assert codes | {"revoked"} == receipts.REASONS.keys()
    assert receipts.KINDS.keys() == set(Kind)


@pytest.mark.parametrize("language", ["es-419", "ar"])
def test_every_text_of_a_receipt_is_translated(browser, learner, monkeypatch, language):
    consent.ask(learner, evidence())
    consent.give(learner, TYPED, None, evidence())
    consent.decline(learner, evidence())
    mark_translations(monkeypatch)
    with translation.override(language):
        receipt = receipts.of(learner)
        texts = [receipts.retention(), receipts.withdrawal(), receipts.erasure(), *receipts.shared_data().values()]
        texts += [receipt.agreement.purpose]
        texts += [words for entry in receipt.history for words in (entry.what, *entry.why)]
    assert unmarked(texts) == []


# Rights


def test_the_receipt_says_how_to_withdraw_and_leads_there(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    answer = get(browser, learner)["record"]["pii_processing"]
    assert "reply STOP" in answer["withdrawal_method"]
    links = [link["href"] for link in page(browser).select("main a")]
    assert with_next(SETTINGS) in links
    assert "Delete your account" in text(browser)
    assert "http://127.0.0.1:8000/account/settings" in links


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (None, "As long as your account."),
        (1, "then for 1 day after the last entry"),
        (730, "then for 730 days after the last entry"),
        (-5, "As long as your account."),
    ],
)
def test_how_long_it_is_kept_is_what_the_operator_has_set(browser, learner, settings, days, says):
    settings.COACHING_EVIDENCE_RETENTION_DAYS = days
    consent.give(learner, TYPED, None, evidence())
    assert says in get(browser, learner)["record"]["pii_processing"]["retention_period"]
    assert says in text(browser)


@pytest.mark.parametrize("by", ["retirement", "retention"])
def test_what_is_left_of_an_erased_learner_is_dates_doors_and_that_it_was_erased(browser, learner, by):
    consent.ask(learner, evidence())
    consent.give(learner, TYPED, None, evidence())
    consent.decline(learner, evidence())
    if by == "retirement":
        consent.erase(learner, consent.Evidence(door=Door.RETIREMENT))
    else:
        later = datetime.now(UTC) + timedelta(days=1)
        consent.erase_expired(CoachingConsent.objects.get(), later, consent.Evidence(door=Door.ADMIN))
    answer, said = browser.get(resource(learner)), text(browser)
    for personal in (NUMBER, NUMBER[2:], "(415)", "192.0.2.7", "a browser"):
        assert personal not in answer.content.decode()
        assert personal not in said
    held = answer.json()["held"]
    assert [event["kind"] for event in held["history"]] == ["asked", "consented", "withdrawn", "erased"]
    assert held["erased_at"] == held["history"][-1]["occurred_at"]
    assert answer.json()["record"]["pii_processing"]["privacy_notice"]["exact"] is True
    assert "the phone numbers, IP addresses and browsers that were kept about you were erased" in said
    door, why = {"retirement": ("Account retirement", ""), "retention": ("Administration", "kept was over")}[by]
    assert f"By way of: {door}" in history(browser)[-1]
    assert why in history(browser)[-1]


def test_who_agrees_again_after_an_erasure_has_a_receipt_like_anybody(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    consent.erase(learner, consent.Evidence(door=Door.RETIREMENT))
    consent.give(learner, OTHER_TYPED, None, evidence())
    assert get(browser, learner)["held"]["phone_number"] == OTHER_NUMBER
    assert "were kept about you were erased" not in page(browser).select_one("main").get_text()


# The ways to it


def test_coaching_may_be_off(browser, learner, set_flag):
    consent.give(learner, TYPED, None, evidence())
    set_flag("coaching.enabled", False)
    assert get(browser, learner)["status"] == "consented"
    assert "This stands until you end it." in text(browser)


@pytest.mark.parametrize("state", ["consented", "withdrawn", "declined"])
def test_the_confirmation_and_account_settings_lead_to_it_and_on(browser, learner, state):
    consent.give(learner, TYPED, None, evidence()) if state != "declined" else consent.decline(learner, evidence())
    if state == "withdrawn":
        consent.decline(learner, evidence())
    words = "What is kept about you" if state == "declined" else "Your receipt"
    for path in (ANSWERED, SETTINGS):
        (link,) = page_of(browser.get(with_next(path))).select("main a[href*='/receipt/']")
        assert link["href"] == with_next(RECEIPT)
        assert link.get_text().startswith(words)
    assert page_of(browser.get(with_next(RECEIPT))).select("main a.coaching-button")[-1]["href"] == COURSE


def test_account_settings_lead_to_it_where_coaching_is_not_available_any_more(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    consent.decline(learner, evidence())
    learner.courseenrollment_set.update(is_active=False)
    settings_page = page_of(browser.get(with_next(SETTINGS)))
    assert "not available" in settings_page.main.get_text()
    assert settings_page.select_one("main a[href*='/receipt/']")["href"] == with_next(RECEIPT)


def test_of_whom_nothing_is_held_account_settings_have_no_link(browser, learner):
    assert not page_of(browser.get(SETTINGS)).select("a[href*='/receipt/']")


def test_a_theme_shows_the_link_that_comes_back_to_its_page(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    (link,) = page_of(browser.get("/account/settings")).select("#coaching a[href*='/receipt/']")
    assert link["href"] == with_next(RECEIPT, "/account/settings")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_page_only_shows(browser, learner, method):
    assert getattr(browser, method)(RECEIPT).status_code in (403, 405)


def test_looking_changes_nothing(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    before = list(CoachingConsent.objects.values()), list(ConsentEvent.objects.values())
    get(browser, learner)
    page(browser)
    assert (list(CoachingConsent.objects.values()), list(ConsentEvent.objects.values())) == before


# What it costs


def counted(client, path):
    client.get(path)  # the site is known then
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return statements(queries)


@pytest.mark.parametrize("events", [1, 12])
def test_a_receipt_costs_two_queries_however_long_its_history(learner, log_in, events):
    for number in itertools.islice(itertools.cycle([TYPED, OTHER_TYPED]), events):
        consent.give(learner, number, None, evidence())
    assert ConsentEvent.objects.count() == events
    mfe = as_mfe(log_in(learner))
    asked = counted(mfe, resource(learner))
    assert len(asked) == LOGIN_QUERIES + 2, "\n".join(asked)
    browser = Client()
    browser.force_login(learner)
    asked = counted(browser, RECEIPT)
    # The session, its user, and the site's configuration, which are not ours.
    assert len(asked) == 3 + 2, "\n".join(asked)


def test_the_words_of_a_page_are_escaped_once(browser, learner, settings):
    settings.PLATFORM_NAME = "Tom & Ana’s Academy"
    consent.give(learner, TYPED, None, evidence())
    content = browser.get(RECEIPT).content.decode()
    assert "Tom &amp; Ana’s Academy" in content
    assert "&amp;amp;" not in content
    assert "in the name of Tom & Ana’s Academy" in unescape(content)


def test_a_learner_who_was_retired_is_known_by_nothing_personal(learner):
    consent.give(learner, TYPED, None, evidence())
    consent.erase(learner, consent.Evidence(door=Door.RETIREMENT))
    receipt = receipts.of(factories.User.objects.get(pk=learner.pk))
    assert receipt.standing.status == "withdrawn"
    assert receipt.agreement.phone_number == ""
    assert receipt.agreement.words.are_exact
