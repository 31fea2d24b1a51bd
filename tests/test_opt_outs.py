"""The partner reports a STOP: who may, what it does, that it does so once, and what becomes of any other message."""

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import phonenumbers
import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from coaching_plugin import consent, disclosures, ledger
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door, PartnerDelivery, PartnerOptOut
from coaching_plugin.partner import opt_outs, signatures
from tests import factories
from tests.consent_pages import ACCEPT, PAGE, page_of, with_next
from tests.factories import CANADIAN, NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.story import assert_told, events, kinds
from tests.test_concurrency import isolation, meanwhile  # noqa: F401 (a fixture)
from tests.test_partner_signatures import NEW, OLD, STRANGE, by_hand
from tests.test_rest_api import assert_refused, statements, stored

pytestmark = pytest.mark.usefixtures("committed")

OPT_OUTS = "/api/coaching/v1/partner/opt-outs/"
TAKEN = "STOP, STOPALL, QUIT, END, CANCEL, UNSUBSCRIBE, REVOKE, OPT OUT or revoked"
CHANNELS = {name: {"BACKEND": "a.Class"} for name in ("webhook", "roster")}
on_mariadb = pytest.mark.skipif(connection.vendor != "mysql", reason="what MariaDB does; its run shows it")


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [OLD]


@pytest.fixture
def consented(learner):
    """A learner who agreed through the page, and their standing."""
    return consent.give(learner, TYPED, None, evidence()).consent


def another(number=TYPED):
    return consent.give(factories.eligible_learner(), number, None, evidence()).consent


def message(**content):
    return json.dumps({"reason": "STOP", **{name: str(value) for name, value in content.items()}}).encode()


def post(body, signed=None, client=None, **more):
    """Post a body with the headers that sign it."""
    client = client or Client(enforce_csrf_checks=True, raise_request_exception=False)
    content_type = more.pop("content_type", "application/json")
    return client.generic("POST", OPT_OUTS, body, content_type=content_type, headers=signed, **more)


def send(body, message_id=None, secrets=(OLD,), **more):
    """Post a body as the partner does, under an id of its own."""
    return post(body, signatures.sign(list(secrets), message_id or f"msg_{uuid4().hex}", body), **more)


def report(**content):
    return send(message(**content))


def results(response):
    assert response.status_code == 200, response.content
    assert response.json().keys() == {"results"}
    return [(entry["partner_id"], entry["result"]) for entry in response.json()["results"]]


def again(row):
    row.refresh_from_db()
    return row


# What it does


def test_a_report_withdraws_at_once_and_records_the_event(learner, consented, settings):
    settings.COACHING_PARTNER_CHANNELS = CHANNELS
    response = report(partner_id=consented.partner_id)
    assert results(response) == [(str(consented.partner_id), "withdrawn")]
    row = assert_told(learner)
    assert row.status == CoachingConsent.Status.WITHDRAWN
    assert row.answered_at == row.opted_out_at
    event = events(learner)[-1]
    assert (event.kind, event.reason, event.door, event.actor_id) == ("opted_out", "stop", "partner", None)
    deliveries = PartnerDelivery.objects.filter(partner_id=row.partner_id).values_list("channel", "sequence", "status")
    assert sorted(deliveries) == [("roster", event.sequence, "waiting"), ("webhook", event.sequence, "waiting")]


def test_the_partners_own_server_is_no_evidence_of_the_learner(learner, consented):
    body = message(partner_id=consented.partner_id)
    assert send(body, REMOTE_ADDR="198.51.100.7", HTTP_USER_AGENT="partner/1.0").status_code == 200
    event = events(learner)[-1]
    assert (event.ip, event.user_agent, event.phone_number, event.disclosure) == (None, "", "", None)


@pytest.mark.parametrize("written", [NUMBER, TYPED, "+1 415 555 2671", "\u202a+14155552671\u202c", "4155552671"])
def test_by_the_number_as_anybody_writes_it(consented, written):
    assert results(report(phone_number=written)) == [(str(consented.partner_id), "withdrawn")]
    assert again(consented).status == "withdrawn"


def test_a_number_means_everybody_who_ever_consented_with_it(learner, consented):
    sharing, moved_away, moved_here, elsewhere = another(), another(), another(OTHER_TYPED), another(OTHER_TYPED)
    consent.change_phone(moved_away.user, OTHER_TYPED, evidence())
    consent.change_phone(moved_here.user, TYPED, evidence())
    found = results(report(phone_number=NUMBER))
    assert found == [(str(row.partner_id), "withdrawn") for row in (consented, sharing, moved_away, moved_here)]
    assert again(elsewhere).is_consented


def test_a_number_in_the_profile_of_somebody_who_never_consented_means_nobody(learner):
    factories.user(phone_number=NUMBER)
    consent.decline(learner, evidence())
    assert_refused(report(phone_number=NUMBER), 404, "coaching")


def test_a_number_that_an_event_holds_for_another_cause_means_nobody(consented):
    ledger.append(consented, "refused", door=Door.PAGE, phone_number=OTHER_NUMBER)
    consented.save()
    assert_refused(report(phone_number=OTHER_NUMBER), 404, "coaching")
    assert again(consented).is_consented


def test_a_number_that_has_gone_out_of_use_since_is_still_known(consented, monkeypatch):
    monkeypatch.setattr(phonenumbers, "is_valid_number", lambda number: False)
    assert results(report(phone_number=NUMBER)) == [(str(consented.partner_id), "withdrawn")]


@pytest.mark.parametrize("name", ["partner_id", "phone_number"])
def test_a_name_that_is_null_is_not_there(consented, name):
    sent = {"partner_id": str(consented.partner_id), "phone_number": NUMBER, "reason": "STOP", name: None}
    assert results(send(json.dumps(sent).encode())) == [(str(consented.partner_id), "withdrawn")]


def test_who_does_not_consent_now_is_not_withdrawn_and_it_is_recorded_once(learner, consented):
    consent.withdraw(learner, evidence(), "learner")
    for _ in range(2):
        assert results(report(partner_id=consented.partner_id)) == [(str(consented.partner_id), "not_consented")]
    assert kinds(learner) == ["consented", "withdrawn", "opted_out"]
    assert_told(learner)


def test_who_consents_anew_can_be_opted_out_anew(learner, consented):
    report(partner_id=consented.partner_id)
    consent.give(learner, TYPED, None, evidence())
    assert results(report(partner_id=consented.partner_id)) == [(str(consented.partner_id), "withdrawn")]
    assert kinds(learner) == ["consented", "opted_out", "consented", "opted_out"]


def test_while_coaching_is_off_too(consented, set_flag):
    set_flag("coaching.enabled", False)
    assert results(report(partner_id=consented.partner_id)) == [(str(consented.partner_id), "withdrawn")]


def test_no_share_of_requests_is_drawn_on(consented, settings):
    settings.COACHING_API_THROTTLE = "1/day"
    for _ in range(3):
        assert report(partner_id=consented.partner_id).status_code == 200


def test_through_the_doors_from_consent_to_start(browser, learner, settings):
    settings.COACHING_PARTNER_CHANNELS = CHANNELS
    shown = {**ACCEPT, "disclosure": disclosures.current().sha256}
    assert browser.post(with_next(PAGE), shown).status_code == 302
    assert "text START" not in page_of(browser.get(with_next("/coaching/consent/answered/"))).main.text
    assert report(phone_number=NUMBER).status_code == 200
    page = page_of(browser.get(with_next(PAGE)))
    assert "text START" in page.main.text
    assert page.find("input", {"name": "phone_number"})
    row = CoachingConsent.objects.get(user=learner)
    assert row.status == "withdrawn"
    assert PartnerDelivery.objects.filter(channel="webhook", sequence=row.last_sequence, status="waiting").exists()


# Words


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("STOP", "stop"), ("stop", "stop"), (" Stop\n", "stop"), ("STOPALL", "stop_all"), ("stop all", "stop_all"),
        ("Stop-All", "stop_all"), ("QUIT", "quit"), ("end", "end"), ("Cancel", "cancel"),
        ("UNSUBSCRIBE", "unsubscribe"), ("revoke", "revoke"), ("OPT OUT", "opt_out"), ("opt-out", "opt_out"),
        ("OptOut", "opt_out"), ("opt\u2011out", "opt_out"), ("opt \u00a0 out", "opt_out"), ("opt_out", "opt_out"),
        ("revoked", "revoked"), ("REVOKED", "revoked"),
    ],
)  # fmt: skip
def test_the_words_by_which_people_opt_out(learner, consented, word, code):
    assert results(send(message(partner_id=consented.partner_id, reason=word)))[0][1] == "withdrawn"
    assert events(learner)[-1].reason == code


def test_every_word_that_is_told_is_taken_and_the_other_way_round():
    told = TAKEN.replace(" or ", ", ").split(", ")
    assert {opt_outs.reason_code(word) for word in told} == set(opt_outs.REASONS.values())


@pytest.mark.parametrize(
    "word", ["START", "HELP", "STOPP", "S", "please stop", "STOP!", "ＳＴＯＰ", "<b>no</b>", "stop\0"]
)
def test_another_word_is_refused_with_those_that_are_taken(consented, word):
    refused = assert_refused(send(message(partner_id=consented.partner_id, reason=word)), 400, "reason")
    assert refused["reason"] == ["Null characters are not allowed." if "\0" in word else f"Send one of: {TAKEN}."]
    assert again(consented).is_consented


# What is no report

BY_ID = {"partner_id": "0f8fad5b-d9cb-469f-a165-70867728950e", "reason": "STOP"}
WRONG = {
    "nobody": ({"reason": "STOP"}, "coaching"),
    "nobody, as null": ({"partner_id": None, "phone_number": None, "reason": "STOP"}, "coaching"),
    "both": ({**BY_ID, "phone_number": NUMBER}, "coaching"),
    "no reason": ({"phone_number": NUMBER}, "reason"),
    "null as reason": ({**BY_ID, "reason": None}, "reason"),
    "true as reason": ({**BY_ID, "reason": True}, "reason"),
    "a long reason": ({**BY_ID, "reason": "STOP" * 100}, "reason"),
    "an empty id": ({"partner_id": "", "reason": "STOP"}, "partner_id"),
    "an id that is none": ({"partner_id": "0f8fad5b", "reason": "STOP"}, "partner_id"),
    "a number as id": ({"partner_id": 7, "reason": "STOP"}, "partner_id"),
    "a list of ids": ({"partner_id": [BY_ID["partner_id"]], "reason": "STOP"}, "partner_id"),
    "an empty number": ({"phone_number": " ", "reason": "STOP"}, "phone_number"),
    "a number as JSON": ({"phone_number": 14155552671, "reason": "STOP"}, "phone_number"),
    "half a number": ({"phone_number": "+1415", "reason": "STOP"}, "phone_number"),
    "letters": ({"phone_number": "+1415555CALL", "reason": "STOP"}, "phone_number"),
    "a long number": ({"phone_number": "+1" * 50, "reason": "STOP"}, "phone_number"),
    "NUL in the number": ({"phone_number": "+1415\0", "reason": "STOP"}, "phone_number"),
}


@pytest.mark.parametrize(("content", "field"), WRONG.values(), ids=WRONG)
def test_what_is_no_report_is_refused_under_its_field(consented, content, field):
    refused = assert_refused(send(json.dumps(content).encode()), 400, field)
    assert "1415" not in str(refused)
    assert again(consented).is_consented
    assert not PartnerOptOut.objects.exists()


BODIES = {
    "nothing": b"",
    "half an object": b'{"reason": "STOP"',
    "null": b"null",
    "a list": b"[]",
    "a string": b'"STOP"',
    "a form": b"reason=STOP",
    "NUL": b"\0",
    "UTF-16": json.dumps(BY_ID).encode("utf-16"),
    "deep": b"[" * 100_000,
    "infinity": b'{"reason": Infinity}',
    "a long integer": b'{"partner_id": ' + b"9" * 10_000 + b"}",
    "half a surrogate": b'{"reason": "\\ud800"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_json_object_is_refused(consented, body):
    # What is no UTF-8 can be signed by nobody.
    signable = body if _is_utf_8(body) else b"{}"
    response = post(body, signatures.sign([OLD], "msg_1", signable))
    assert_refused(response, 400 if signable is body else 401)
    assert again(consented).is_consented


def _is_utf_8(body):
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json; charset=utf-7", 200),
        ("application/json; charset=no-such", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
def test_json_is_read_as_utf_8_whatever_is_claimed(consented, content_type, status):
    response = send(message(partner_id=consented.partner_id), content_type=content_type)
    assert response.status_code == status
    assert again(consented).is_consented == (status != 200)


def test_a_huge_body_is_refused_unread(settings):
    body = b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    assert_refused(send(body), 413, "coaching")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_nothing_but_post_is_answered(method):
    headers = signatures.sign([OLD], "msg_1", b"")
    assert_refused(getattr(Client(), method)(OPT_OUTS, headers=headers), 405, "coaching")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.one_of(st.sampled_from([*opt_outs.REASONS, "opt out"]), JSON_VALUES)
REPORTS = st.fixed_dictionaries(
    {}, optional={"partner_id": JSON_VALUES | st.uuids().map(str), "phone_number": JSON_VALUES, "reason": WORDS}
)


@given(REPORTS | JSON_VALUES)
@example({"reason": "STOP", "phone_number": "\ud800"})
@example({"reason": "STOP", "partner_id": "urn:0f8fad5bd9cb469fa16570867728950e"})
@example({"reason": "STOP", "phone_number": CANADIAN})
@hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_signed_is_refused_in_shape(content):
    response = send(json.dumps(content).encode())
    assert response.status_code in (400, 404)
    assert_refused(response, response.status_code)
    assert not PartnerOptOut.objects.exists()


# Unknown learners


@pytest.mark.parametrize(
    "unknown", [{"partner_id": UUID(int=7)}, {"phone_number": OTHER_NUMBER}, {"phone_number": CANADIAN}]
)
def test_an_unknown_learner_is_not_found(consented, unknown):
    assert_refused(report(**unknown), 404, "coaching")
    assert again(consented).is_consented


def test_the_id_of_a_report_about_nobody_may_come_again(learner):
    body = message(phone_number=NUMBER)
    assert send(body, "msg_1").status_code == 404
    row = consent.give(learner, TYPED, None, evidence()).consent
    assert results(send(body, "msg_1")) == [(str(row.partner_id), "withdrawn")]


@pytest.mark.parametrize("name", ["partner_id", "phone_number"])
def test_one_whose_account_was_deleted_is_unknown(learner, consented, name):
    learner.delete()
    assert_refused(report(**{name: getattr(consented, name)}), 404, "coaching")
    assert ledger.verify_one(again(consented)) is None


def test_of_one_who_was_erased_the_number_is_unknown_and_the_id_is_not(learner, consented):
    consent.erase(learner, evidence(Door.RETIREMENT))
    assert_refused(report(phone_number=NUMBER), 404, "coaching")
    assert results(report(partner_id=consented.partner_id)) == [(str(consented.partner_id), "not_consented")]


# Signatures


def unsigned(body):
    return {}


def with_another_secret(body):
    return signatures.sign([STRANGE], "msg_1", body)


def of_another_body(body):
    return signatures.sign([OLD], "msg_1", body + b" ")


def with_another_id(body):
    return signatures.sign([OLD], "msg_1", body) | {"webhook-id": "msg_2"}


def at(body, seconds):
    timestamp = int(datetime.now(UTC).timestamp()) + seconds
    signature = by_hand(OLD, "msg_1", timestamp, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def older_than_five_minutes(body):
    return at(body, -310)


def of_the_future(body):
    return at(body, 310)


def in_rubbish(body):
    return {"webhook-id": "msg_1", "webhook-timestamp": "1e400", "webhook-signature": "v1,\xff no,"}


FORGERIES = [
    unsigned, with_another_secret, of_another_body, with_another_id, older_than_five_minutes, of_the_future, in_rubbish,
]  # fmt: skip


@pytest.mark.parametrize("forged", FORGERIES)
def test_what_is_not_signed_is_refused_alike_for_known_and_unknown_without_a_look(consented, forged):
    post(b"{}")  # after which the process knows its site
    answers = []
    for body in (
        message(phone_number=NUMBER),
        message(phone_number=OTHER_NUMBER),
        message(partner_id=consented.partner_id),
        message(partner_id=UUID(int=7), reason="START"),
        b"no JSON",
    ):
        with CaptureQueriesContext(connection) as queries:
            response = post(body, forged(body))
        assert len(queries) == 0
        assert response.headers["WWW-Authenticate"] == "StandardWebhooks"
        assert_refused(response, 401, "coaching")
        del response.headers["Expires"]  # which is now
        answers.append((response.content, sorted(response.headers.items())))
    assert len({str(answer) for answer in answers}) == 1
    assert again(consented).is_consented
    assert not PartnerOptOut.objects.exists()


def test_every_forgery_gets_the_same_answer(consented):
    body = message(phone_number=NUMBER)
    assert len({post(body, forged(body)).content for forged in FORGERIES}) == 1


@pytest.mark.parametrize("secrets", [[], None, "abc", ["whsec_c2hvcnQ="]])
def test_without_a_usable_secret_nothing_is_taken(consented, settings, secrets):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = secrets
    body = message(partner_id=consented.partner_id)
    for signed in ({}, signatures.sign([OLD], "msg_1", body)):
        assert_refused(post(body, signed), 401, "coaching")


def test_one_that_is_nearly_as_old_is_taken(consented):
    """So that the tests above can fail."""
    body = message(partner_id=consented.partner_id)
    assert results(post(body, at(body, -290)))[0][1] == "withdrawn"


def test_while_secrets_are_changed_either_will_do(learner, consented, settings):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [NEW, OLD]
    body = message(partner_id=consented.partner_id)
    for secrets in ([OLD], [NEW], [NEW, OLD], [STRANGE, OLD]):
        consent.give(learner, TYPED, None, evidence())
        assert results(send(body, secrets=secrets))[0][1] == "withdrawn"
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [NEW]
    assert send(body, secrets=[OLD]).status_code == 401


def test_nobody_who_is_logged_in_needs_no_signature(learner, consented):
    for user in (learner, factories.user(is_staff=True, is_superuser=True)):
        client = Client()
        client.force_login(user)
        assert_refused(post(message(partner_id=consented.partner_id), client=client), 401, "coaching")
    assert again(consented).is_consented


def test_a_signature_is_enough_whatever_else_is_sent(consented):
    """No session is looked at, and so no CSRF token is asked for."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user())
    response = send(message(partner_id=consented.partner_id), client=client, HTTP_AUTHORIZATION="JWT rubbish")
    assert results(response)[0][1] == "withdrawn"


# Once


def test_a_report_that_comes_again_gets_the_answer_that_it_got_and_does_nothing(learner, consented):
    body = message(phone_number=NUMBER)
    first = send(body, "msg_1")
    consent.give(learner, TYPED, None, evidence())
    before = stored()
    second = send(body, "msg_1")
    assert second.json() == first.json()
    assert results(second) == [(str(consented.partner_id), "withdrawn")]
    assert again(consented).is_consented
    assert stored() == before
    # The next STOP is another message.
    assert results(send(body, "msg_2"))[0][1] == "withdrawn"


def test_of_its_id_only_a_digest_is_kept(consented):
    send(message(partner_id=consented.partner_id), f"stop from {NUMBER}")
    (row,) = PartnerOptOut.objects.all()
    assert NUMBER not in str(vars(row))
    assert len(row.message_digest) == 64
    assert row.answer == {"results": [{"partner_id": str(consented.partner_id), "result": "withdrawn"}]}
    assert str(row) == row.message_digest


def test_opt_out_and_answer_are_stored_together_or_not_at_all(learner, consented, monkeypatch):
    def fail(**fields):
        raise DatabaseError("no room")

    other = another()
    with monkeypatch.context() as broken:
        broken.setattr(PartnerOptOut.objects, "create", fail)
        assert_refused(send(message(phone_number=NUMBER), "msg_1"), 500, "coaching")
    assert (again(consented).is_consented, again(other).is_consented) == (True, True)
    assert [result for _, result in results(send(message(phone_number=NUMBER), "msg_1"))] == ["withdrawn", "withdrawn"]


@on_mariadb
@pytest.mark.usefixtures("isolation")
def test_the_same_report_twice_at_the_same_moment_counts_once(coached, flags):
    for number in range(10):
        rows = [another(), another()]
        body, message_id = message(phone_number=NUMBER), f"msg_{number}"
        answers = meanwhile(*[lambda: send(body, message_id) for _ in range(4)])  # noqa: B023
        assert len({answer.content for answer in answers}) == 1
        assert {answer.status_code for answer in answers} == {200}
        outcome = dict(results(answers[0]))
        assert [outcome[str(row.partner_id)] for row in rows] == ["withdrawn", "withdrawn"]
        for row in rows:
            assert kinds(row.user) == ["consented", "opted_out"]
            assert_told(row.user)
    assert PartnerOptOut.objects.count() == 10


@on_mariadb
@pytest.mark.usefixtures("isolation")
def test_reports_and_answers_at_the_same_moment_wait_for_each_other(coached, flags):
    for _ in range(10):
        rows = [another(), another(), another()]
        works = [lambda: report(phone_number=NUMBER).status_code for _ in range(3)]
        works += [lambda row=row: report(partner_id=row.partner_id).status_code for row in rows]
        works += [lambda row=row: consent.give(row.user, TYPED, None, evidence()) and 200 for row in rows[:2]]
        assert set(meanwhile(*works)) == {200}
        for row in rows:
            assert_told(row.user)


# Cost


def queries_of(body, message_id):
    with CaptureQueriesContext(connection) as queries:
        assert send(body, message_id).status_code == 200
    return statements(queries)


def test_what_a_report_costs(learner, consented):
    post(b"{}")  # after which the process knows its site
    by_id = message(partner_id=consented.partner_id)
    # The answer given before, and who it is; then, as for every change, whether there is a row, it, event and row; and
    # the answer.
    assert len(queries_of(by_id, "msg_1")) == 7
    assert len(queries_of(by_id, "msg_1")) == 1
    consent.give(learner, TYPED, None, evidence())
    by_number = message(phone_number=NUMBER)
    assert len(queries_of(by_number, "msg_2")) == 7
    another()
    assert len(queries_of(by_number, "msg_3")) == 2 + 2 + 4 + 1, "four for each who is changed, two for another"


@on_mariadb
def test_a_number_is_found_by_its_index(consented):
    for _ in range(3):
        another(OTHER_TYPED)
    found = opt_outs._learners(opt_outs.Report("stop", phone_number=NUMBER))
    assert "coaching_event_number" in found.explain()
    assert [row.pk for row in found] == [consented.pk]
    assert ConsentEvent.objects.count() == 4
