"""The JSON API as the account MFE and others call it: through real logins, in the contract's words and shapes."""

import json
import logging
from datetime import timedelta

import pytest
from common.djangoapps.student.models import UserProfile
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openedx.core.djangoapps.oauth_dispatch.jwt import create_jwt_for_user
from rest_framework.throttling import SimpleRateThrottle

from coaching_plugin import consent, disclosures, ledger
from coaching_plugin.models import CoachingConsent, ConsentEvent, Disclosure, Door
from tests import factories
from tests.factories import CANADIAN, MB101, MB102, NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence

# Committed: DRF marks a surrounding transaction for rollback at each refusal, and so the test's own.
pytestmark = pytest.mark.usefixtures("committed")

API = "/api/coaching/v1"
Status = CoachingConsent.Status
WAYS = ["login", "session", "jwt_cookies", "bearer", "jwt_header"]
ERROR_KEYS = {"phone_number", "full_name", "partner_id", "reason", "coaching", "detail"}
NOBODY = 999_999_999
# As measured on SQLite: the session, its user, and the user of the JWT cookie. They are not ours.
LOGIN_QUERIES = 3
DECLINE = {"coaching_consent": False}
# What a database says of a value.
SECRET = "Key (phone_number)=(+14155552671) of lena@example.com"


# What the tests are made of


def users(user):
    return f"{API}/users/{getattr(user, 'id', user)}/"


def consent_form(user):
    return f"{API}/coaching_consent/{getattr(user, 'id', user)}/"


def eligibility(user):
    return f"{API}/eligibility/{getattr(user, 'id', user)}/"


def dashboard_card(user):
    return f"{API}/dashboard_card/{getattr(user, 'id', user)}/"


def receipts(user):
    return f"{API}/receipts/{getattr(user, 'id', user)}/"


def disclosure(user=None):
    return f"{API}/disclosure/"


ANSWERS = [pytest.param(users, id="account_settings"), pytest.param(consent_form, id="consent_form")]
EVERY_PATH = [
    *ANSWERS,
    pytest.param(dashboard_card, id="dashboard_card"),
    pytest.param(eligibility, id="eligibility"),
    pytest.param(receipts, id="receipts"),
    pytest.param(disclosure, id="disclosure"),
]


def as_mfe(client):
    """Have a client send what the account MFE sends along: the wish for JWT cookies, and a CSRF token."""
    client.defaults["HTTP_USE_JWT_COOKIE"] = "true"
    client.defaults["HTTP_X_CSRFTOKEN"] = client.get("/csrf/api/v1/token").json()["csrfToken"]
    return client


def with_session(user, **options):
    client = Client(enforce_csrf_checks=True, **options)
    client.force_login(user)
    return client


def send(client, method, path, body=None):
    return client.generic(method, path, json.dumps(body) if body else "", content_type="application/json")


def patch(client, path, body, **headers):
    return client.patch(path, body, content_type="application/json", **headers)


def assert_refused(response, status, *fields):
    """Hold a refusal against the contract: JSON, flat, lists of strings, and a reason that is about no field twice."""
    assert response.status_code == status, response.content[:500]
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert isinstance(body, dict)
    assert body
    assert set(body) <= ERROR_KEYS
    assert ("coaching" in body) == ("detail" in body)
    for key, value in body.items():
        texts = [value] if key == "detail" else value
        assert isinstance(texts, list)
        assert texts
        assert all(isinstance(text, str) and text.strip() for text in texts), body
    if fields:
        assert set(body) - {"detail"} == set(fields)
    return body


def stored():
    """Return every row that an answer may change: all of our tables, and the profiles with their history."""
    models = (*apps.get_app_config("coaching_plugin").get_models(), UserProfile)
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in models}


def standing(user):
    return CoachingConsent.objects.get(user=user)


def events(user):
    return list(ConsentEvent.objects.filter(learner_id=user.id).order_by("sequence").values_list("kind", "door"))


def profile(user):
    return UserProfile.objects.get(user_id=user.id)


def statements(queries):
    """Return the SQL of captured queries, without what opens and closes transactions."""
    boundaries = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET ", "START")
    return [query["sql"] for query in queries if not query["sql"].upper().startswith(boundaries)]


@pytest.fixture
def log_in_by(log_in, bearer_token):
    """Return a client that is logged in one of the ways that the LMS knows."""

    def log_in_as(user, way):
        if way == "bearer":
            return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {bearer_token(user)}"})
        if way == "jwt_header":
            return Client(enforce_csrf_checks=True, headers={"Authorization": f"JWT {create_jwt_for_user(user)}"})
        if way == "session":
            return as_mfe(with_session(user))
        client = as_mfe(log_in(user))
        if way == "jwt_cookies":
            del client.cookies["sessionid"]
        return client

    return log_in_as


@pytest.fixture
def mfe(learner, log_in):
    """The account MFE of the eligible learner."""
    return as_mfe(log_in(learner))


@pytest.fixture
def consented(learner):
    assert not consent.give(learner, TYPED, None, evidence()).is_refused
    return learner


# Where a learner stands (C1)


def standings(learner):
    """Return a learner in each state of asking and answering, brought there as the LMS would."""
    operator = evidence(Door.ADMIN, disclosure=None)
    steps = {
        "eligible": [],
        "asked": [lambda: consent.ask(learner, evidence())],
        "consented": [lambda: consent.give(learner, TYPED, None, evidence())],
        "declined": [lambda: consent.decline(learner, evidence())],
        "do not ask": [lambda: consent.do_not_ask(learner, operator, reason="asked")],
        "not eligible": [lambda: learner.courseenrollment_set.update(is_active=False)],
        "child": [lambda: UserProfile.objects.filter(user=learner).update(year_of_birth=timezone.now().year - 11)],
    }
    steps["withdrawn"] = [*steps["consented"], *steps["declined"]]
    steps["consented, then not eligible"] = [*steps["consented"], *steps["not eligible"]]
    return steps


@pytest.mark.parametrize(
    ("state", "coaching_consent", "eligible", "seen"),
    [
        ("eligible", False, True, False),
        ("asked", False, True, False),
        ("consented", True, True, True),
        ("declined", False, True, True),
        ("withdrawn", False, True, True),
        ("do not ask", False, True, True),
        ("not eligible", False, False, False),
        ("child", False, False, False),
        ("consented, then not eligible", True, False, True),
    ],
)
def test_where_a_learner_stands_is_told_in_four_keys(learner, mfe, state, coaching_consent, eligible, seen):
    for step in standings(learner)[state]:
        step()
    response = mfe.get(users(learner))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert body == {
        "user": learner.id,
        "coaching_consent": coaching_consent,
        "eligible_for_coaching": eligible,
        "consent_form_seen": seen,
    }
    assert [type(value) for value in body.values()] == [int, bool, bool, bool]


def test_looking_stores_nothing(learner, mfe):
    before = stored()
    mfe.get(users(learner))
    assert stored() == before


def test_no_answer_holds_a_phone_number(consented, mfe):
    for response in (
        mfe.get(users(consented)),
        patch(mfe, users(consented), {"phone_number": OTHER_TYPED}),
        patch(mfe, consent_form(consented), {"coaching_consent": True, "phone_number": TYPED}),
        mfe.get(eligibility(consented)),
    ):
        assert response.status_code == 200
        for digits in ("5552671", "555-2671", "5552368", "555-2368"):
            assert digits not in response.content.decode()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_logging_in_reads_and_answers(learner, log_in_by, way):
    client = log_in_by(learner, way)
    assert client.get(users(learner)).json()["user"] == learner.id
    assert patch(client, users(learner), {"coaching_consent": False}).status_code == 200
    assert standing(learner).status == Status.DECLINED


# The switch of account settings (C2)


def test_the_switch_turned_on_consents_with_the_profiles_number(learner, mfe):
    UserProfile.objects.filter(user=learner).update(phone_number="4155552671")
    body = {"user": learner.id, "eligible_for_coaching": True, "coaching_consent": True}
    assert patch(mfe, users(learner), body).status_code == 200
    assert (standing(learner).status, standing(learner).phone_number) == (Status.CONSENTED, NUMBER)
    assert profile(learner).phone_number == NUMBER
    assert events(learner) == [("consented", "account_settings")]
    assert mfe.get(users(learner)).json()["coaching_consent"] is True
    assert ledger.verify_one(standing(learner)) is None


@pytest.mark.parametrize("number", [None, "", CANADIAN, "18005550199", "12"], ids=["none", "empty", "CA", "800", "no"])
def test_the_switch_stays_off_where_the_profiles_number_cannot_be_texted(learner, mfe, number):
    UserProfile.objects.filter(user=learner).update(phone_number=number)
    body = {"user": learner.id, "eligible_for_coaching": True, "coaching_consent": True}
    assert_refused(patch(mfe, users(learner), body), 400, "phone_number")
    assert standing(learner).status == Status.UNDECIDED
    assert events(learner) == [("refused", "account_settings")]
    assert profile(learner).phone_number == number


def test_the_switch_turned_off_withdraws(consented, mfe):
    body = {"user": consented.id, "eligible_for_coaching": True, "coaching_consent": False}
    assert patch(mfe, users(consented), body).status_code == 200
    assert standing(consented).status == Status.WITHDRAWN
    assert events(consented)[-1] == ("withdrawn", "account_settings")
    assert profile(consented).phone_number == NUMBER


def test_who_is_no_longer_eligible_can_withdraw_but_not_come_back(consented, mfe):
    consented.courseenrollment_set.update(is_active=False)
    assert patch(mfe, users(consented), {"coaching_consent": False}).status_code == 200
    assert_refused(patch(mfe, users(consented), {"coaching_consent": True}), 400, "coaching")
    assert standing(consented).status == Status.WITHDRAWN


# The number edited while consent is on (C3), and the account API (A1)


def test_a_number_edited_while_consent_is_on_moves_the_consent_and_then_the_account_api_works(consented, mfe):
    held = mfe.get(users(consented)).json()
    assert patch(mfe, users(consented), {**held, "phone_number": OTHER_TYPED}).status_code == 200
    assert standing(consented).phone_number == profile(consented).phone_number == OTHER_NUMBER
    assert events(consented)[-1] == ("phone_changed", "account_settings")
    account = mfe.patch(
        f"/api/user/v1/accounts/{consented.username}",
        {"phone_number": OTHER_TYPED},
        content_type="application/merge-patch+json",
    )
    assert account.status_code == 200
    assert account.json()["phone_number"].endswith("2125552368")
    assert standing(consented).is_consented
    assert standing(consented).phone_number == OTHER_NUMBER
    assert mfe.get(users(consented)).json() == held


@pytest.mark.parametrize("number", [CANADIAN, "12", "call me", "415 555 2671 ext 5"], ids=["CA", "short", "words", "x"])
def test_while_consent_is_on_a_number_that_cannot_be_texted_is_refused(consented, mfe, number):
    held = mfe.get(users(consented)).json()
    for body in ({**held, "phone_number": number}, {"phone_number": number}):
        assert_refused(patch(mfe, users(consented), body), 400, "phone_number")
    assert standing(consented).phone_number == profile(consented).phone_number == NUMBER
    assert standing(consented).is_consented


@pytest.mark.parametrize("nothing", [None, "", "   "], ids=["null", "empty", "blank"])
@pytest.mark.parametrize("echoed", [True, False], ids=["with what C1 held", "alone"])
def test_while_consent_is_on_the_number_cannot_be_removed(consented, mfe, nothing, echoed):
    held = mfe.get(users(consented)).json() if echoed else {}
    assert_refused(patch(mfe, users(consented), {**held, "phone_number": nothing}), 400, "phone_number")
    assert standing(consented).phone_number == profile(consented).phone_number == NUMBER
    assert standing(consented).is_consented


@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
def test_while_consent_is_off_the_number_can_be_removed(consented, mfe, nothing):
    consent.decline(consented, evidence())
    assert patch(mfe, users(consented), {"phone_number": nothing}).status_code == 200
    assert not profile(consented).phone_number


def test_while_consent_is_off_a_number_of_any_country_will_do(learner, mfe):
    assert patch(mfe, users(learner), {"phone_number": CANADIAN}).status_code == 200
    assert profile(learner).phone_number == CANADIAN
    assert events(learner) == []
    assert mfe.get(users(learner)).json()["consent_form_seen"] is False


# The consent form (C4, C5)


@pytest.mark.parametrize("typed", ["(415) 555-2671", "415.555.2671", "+1 415 555 2671"], ids=["(", ".", "+"])
def test_the_form_accepted_consents_with_the_number_as_typed(learner, mfe, typed):
    body = {
        "coaching_consent": True,
        "consent_form_seen": True,
        "phone_number": typed,
        "full_name": "Lena Q. Learner",
    }
    assert patch(mfe, consent_form(learner), body).status_code == 200
    row, event = standing(learner), ConsentEvent.objects.get()
    assert (row.status, row.phone_number, row.disclosure) == (Status.CONSENTED, NUMBER, None)
    assert (event.kind, event.door, event.phone_number) == ("consented", "api", NUMBER)
    assert (event.disclosure, event.shown_sha256, event.ip) == (None, "", "127.0.0.1"), "not shown by us"
    assert (profile(learner).phone_number, profile(learner).name) == (NUMBER, "Lena Q. Learner")
    assert ledger.verify_one(row) is None


def test_the_form_declined_is_an_answer(learner, mfe):
    body = {"coaching_consent": False, "consent_form_seen": True}
    assert patch(mfe, consent_form(learner), body).status_code == 200
    assert standing(learner).status == Status.DECLINED
    assert events(learner) == [("declined", "api")]
    assert mfe.get(users(learner)).json()["consent_form_seen"] is True


def test_who_is_not_eligible_can_decline(learner, mfe):
    learner.courseenrollment_set.update(is_active=False)
    assert patch(mfe, consent_form(learner), {"coaching_consent": False}).status_code == 200
    assert events(learner) == [("declined", "api")]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"phone_number": "12"}, ["phone_number"]),
        ({"phone_number": ""}, ["phone_number"]),
        ({"phone_number": None}, ["phone_number"]),
        ({"full_name": ""}, ["full_name"]),
        ({"full_name": "Lena <b>"}, ["full_name"]),
        ({"full_name": "L" * 256}, ["full_name"]),
        ({"phone_number": CANADIAN, "full_name": " "}, ["phone_number", "full_name"]),
    ],
    ids=["short number", "no number", "null", "no name", "tags", "long name", "both"],
)
def test_the_form_says_what_is_wrong_under_its_field_and_changes_nothing(learner, mfe, fields, wrong):
    body = {"coaching_consent": True, "consent_form_seen": True, "phone_number": TYPED, "full_name": "Lena", **fields}
    assert_refused(patch(mfe, consent_form(learner), body), 400, *wrong)
    assert not CoachingConsent.objects.exclude(status=Status.UNDECIDED).exists()
    assert set(events(learner)) <= {("refused", "api")}
    assert (profile(learner).phone_number, profile(learner).name) == (None, "Lena Learner")


def test_a_managed_name_is_sent_and_not_overwritten(learner, mfe, manage_name):
    manage_name(learner)
    body = {"coaching_consent": True, "consent_form_seen": True, "phone_number": TYPED, "full_name": "Somebody Else"}
    assert patch(mfe, consent_form(learner), body).status_code == 200
    assert (profile(learner).phone_number, profile(learner).name) == (NUMBER, "Lena Learner")
    assert standing(learner).is_consented


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize(
    ("state", "wrong"), [("not eligible", "coaching"), ("child", "coaching")], ids=["not eligible", "child"]
)
def test_who_may_not_consent_is_told_so_as_reason_and_detail(learner, mfe, path, state, wrong):
    for step in standings(learner)[state]:
        step()
    body = assert_refused(patch(mfe, path(learner), {"coaching_consent": True, "phone_number": TYPED}), 400, wrong)
    assert body["detail"] == body["coaching"][0]
    assert standing(learner).status == Status.UNDECIDED
    assert profile(learner).phone_number is None


# What both take alike


@pytest.mark.parametrize("path", ANSWERS)
def test_what_the_client_echoes_is_neither_believed_nor_refused(learner, mfe, path):
    somebody = factories.eligible_learner()
    learner.courseenrollment_set.update(is_active=False)
    lies = {"user": somebody.id, "eligible_for_coaching": True, "consent_form_seen": False, "is_staff": True, "x": [{}]}
    accepted = {**lies, "coaching_consent": True, "phone_number": TYPED}
    assert_refused(patch(mfe, path(learner), accepted), 400, "coaching")
    assert patch(mfe, path(learner), {**lies, "coaching_consent": False}).status_code == 200
    assert standing(learner).status == Status.DECLINED
    assert not CoachingConsent.objects.filter(user=somebody).exists()
    assert mfe.get(users(learner)).json() == {
        "user": learner.id,
        "coaching_consent": False,
        "eligible_for_coaching": False,
        "consent_form_seen": True,
    }


REQUESTS = {
    "accept": {"coaching_consent": True, "consent_form_seen": True, "phone_number": TYPED, "full_name": "Lena Q."},
    "decline": {"coaching_consent": False, "consent_form_seen": True},
    "switch on": {"coaching_consent": True},
    "accept with another number": {"coaching_consent": True, "phone_number": OTHER_TYPED, "full_name": "Lena Q. L."},
    "another number": {"phone_number": OTHER_TYPED},
    "a number that cannot be texted": {"phone_number": CANADIAN},
    "no number": {"phone_number": None},
    "refused": {"coaching_consent": True, "phone_number": "12"},
    "refused number and name": {"coaching_consent": True, "phone_number": CANADIAN, "full_name": "<b>"},
}
# Where the first of two does nothing either.
IDLE = {("accept", "accept"), ("accept", "switch on"), ("decline", "decline"), ("decline", "no number")}


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize("before", [None, "accept", "decline"], ids=["undecided", "consented", "declined"])
@pytest.mark.parametrize("request_name", REQUESTS)
def test_the_same_request_twice_changes_and_records_nothing_new(learner, mfe, path, before, request_name):
    if before:
        assert patch(mfe, path(learner), REQUESTS[before]).status_code == 200
    start = stored()
    first = patch(mfe, path(learner), REQUESTS[request_name])
    rows = stored()
    assert (rows == start) == ((before, request_name) in IDLE)
    second = patch(mfe, path(learner), REQUESTS[request_name])
    assert stored() == rows
    assert (second.status_code, second.content) == (first.status_code, first.content)


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize(
    "body",
    [{}, {"consent_form_seen": True}, {"full_name": "Lena Q. Learner"}, {"user": 1, "eligible_for_coaching": True}],
    ids=["nothing", "seen", "name", "echo"],
)
def test_a_request_with_neither_answer_nor_number_is_refused(learner, mfe, path, body):
    before = stored()
    assert_refused(patch(mfe, path(learner), body), 400, "coaching")
    assert stored() == before


def test_a_withdrawal_needs_no_usable_number_nor_name(consented, mfe):
    body = {"coaching_consent": False, "phone_number": "12", "full_name": ""}
    assert patch(mfe, consent_form(consented), body).status_code == 200
    assert standing(consented).status == Status.WITHDRAWN


# The words beside the switch


@pytest.mark.parametrize(
    ("asked", "given", "direction"),
    [
        ("en", "en", "ltr"),
        ("es-419", "es-419", "ltr"),
        ("es", "es-419", "ltr"),
        ("ar", "ar", "rtl"),
        ("tlh", "en", "ltr"),
        ("", "en", "ltr"),
        ("x\0" * 500, "en", "ltr"),
    ],
    ids=["en", "es-419", "es", "ar", "unknown", "empty", "nonsense"],
)
def test_the_disclosure_is_given_in_the_language_asked_for_and_named_in_the_event(
    learner, mfe, asked, given, direction
):
    response = mfe.get(disclosure(), {"language": asked})
    assert response.status_code == 200
    shown = response.json()
    assert set(shown) == {"version", "language", "direction", "text", "sha256"}
    assert (shown["language"], shown["direction"]) == (given, direction)
    assert shown["sha256"] == Disclosure.digest(shown["text"])
    body = {"coaching_consent": True, "phone_number": TYPED, "disclosure": shown["sha256"]}
    assert patch(mfe, users(learner), body).status_code == 200
    event = ConsentEvent.objects.get()
    assert (event.kind, event.disclosure.language, event.shown_sha256) == ("consented", given, shown["sha256"])
    assert standing(learner).disclosure == event.disclosure
    assert ledger.verify_one(standing(learner)) is None


def test_without_a_language_the_disclosure_is_in_the_one_of_the_request(mfe, learner):
    assert mfe.get(disclosure(), headers={"Accept-Language": "ar"}).json()["language"] == "ar"


@pytest.fixture
def stale_digest(learner):
    """The digest of words that were shown before a new version was published."""
    old = disclosures.current()
    Disclosure.objects.create(
        version=old.disclosure.version + 1, language="en", body="New words.", published_at=timezone.now()
    )
    return old.sha256


@pytest.mark.parametrize("path", ANSWERS)
def test_words_that_have_changed_since_are_not_agreed_to(learner, mfe, path, stale_digest):
    for digest in (stale_digest, "0" * 64, "nonsense"):
        body = {"coaching_consent": True, "phone_number": TYPED, "disclosure": digest}
        assert_refused(patch(mfe, path(learner), body), 400, "coaching")
    assert not CoachingConsent.objects.exclude(status=Status.UNDECIDED).exists()
    assert profile(learner).phone_number is None


def test_words_that_have_changed_since_keep_nobody_from_saying_no(consented, mfe, stale_digest):
    body = {"coaching_consent": False, "disclosure": stale_digest}
    assert patch(mfe, users(consented), body).status_code == 200
    assert standing(consented).status == Status.WITHDRAWN


@pytest.mark.parametrize("path", ANSWERS)
def test_an_operator_may_require_that_the_words_are_named(learner, mfe, path, settings):
    settings.COACHING_REQUIRE_DISCLOSURE = True
    body = {"coaching_consent": True, "phone_number": TYPED}
    assert_refused(patch(mfe, path(learner), body), 400, "coaching")
    assert_refused(patch(mfe, path(learner), {**body, "disclosure": None}), 400, "coaching")
    assert profile(learner).phone_number is None
    shown = mfe.get(disclosure()).json()["sha256"]
    assert patch(mfe, path(learner), {**body, "disclosure": shown}).status_code == 200
    assert standing(learner).is_consented


def test_saying_no_and_changing_the_number_need_no_words(consented, mfe, settings):
    settings.COACHING_REQUIRE_DISCLOSURE = True
    assert patch(mfe, users(consented), {"phone_number": OTHER_TYPED}).status_code == 200
    assert patch(mfe, users(consented), {"coaching_consent": False}).status_code == 200


def test_without_a_published_disclosure_there_is_none(mfe, learner, monkeypatch):
    monkeypatch.setattr(disclosures, "_newest_version", lambda: [])
    assert_refused(mfe.get(disclosure()), 404, "coaching")


# Whose record


RESOURCES = [
    pytest.param("GET", users, id="get users"),
    pytest.param("PATCH", users, id="patch users"),
    pytest.param("PATCH", consent_form, id="patch coaching_consent"),
    pytest.param("GET", eligibility, id="get eligibility"),
]


@pytest.mark.parametrize(("method", "path"), [*RESOURCES, pytest.param("GET", disclosure, id="get disclosure")])
def test_who_is_not_logged_in_is_refused(learner, method, path):
    before = stored()
    for client in (
        Client(),
        Client(headers={"Authorization": "Bearer nonsense"}),
        Client(headers={"Authorization": "JWT nonsense"}),
    ):
        response = send(client, method, path(learner), DECLINE)
        assert_refused(response, 401, "coaching")
        assert response.headers["WWW-Authenticate"]
    assert stored() == before


def test_the_platforms_code_for_programs_is_no_message(learner):
    response = Client(headers={"Authorization": "Bearer nonsense"}).get(users(learner))
    message = "The provided access token does not match any valid tokens."
    assert assert_refused(response, 401, "coaching") == {"coaching": [message], "detail": message}


@pytest.mark.parametrize(("method", "path"), [*RESOURCES, pytest.param("GET", disclosure, id="get disclosure")])
@pytest.mark.parametrize("way", ["session", "bearer", "jwt_header"])
def test_an_account_that_is_not_activated_is_refused(coached, flags, log_in_by, method, path, way):
    learner = factories.eligible_learner(is_active=False)
    before = stored()
    assert_refused(send(log_in_by(learner, way), method, path(learner), DECLINE), 403, "coaching")
    assert stored() == before


# The verdict, explained


def test_ones_own_verdict_is_explained(learner, mfe):
    factories.enroll(learner, MB102, mode="audit")
    body = mfe.get(eligibility(learner)).json()
    runs = {run["course_key"]: run for run in body.pop("course_runs")}
    since = body.pop("active_since")
    assert since.startswith((timezone.now() - timedelta(days=90)).date().isoformat() + "T00:00:00")
    assert body == {
        "user": learner.id,
        "eligible": True,
        "may_consent": True,
        "reasons": [],
        "enrollment_modes": ["verified"],
    }
    assert set(runs) == {str(MB101), str(MB102)}
    good, bad = runs[str(MB101)], runs[str(MB102)]
    assert (good["eligible"], good["reasons"], good["mode"], good["is_active"]) == (True, [], "verified", True)
    assert bad["eligible"] is False
    assert bad["reasons"] == ["mode_does_not_count", "no_recent_activity"]
    assert set(good["activity"]) == {
        "enrolled_at",
        "last_completion_at",
        "last_engaged_on",
        "recent_courseware_state",
    }
    assert good["activity"]["last_completion_at"].startswith((timezone.now() - timedelta(days=1)).date().isoformat())
    assert good["activity"]["last_engaged_on"] is None


@pytest.mark.parametrize(
    ("state", "eligible", "reasons"),
    [("not eligible", False, ["no_eligible_course_run"]), ("child", True, ["under_age"])],
    ids=["not eligible", "child"],
)
def test_the_verdict_says_why_not(learner, mfe, state, eligible, reasons):
    for step in standings(learner)[state]:
        step()
    body = mfe.get(eligibility(learner)).json()
    assert (body["eligible"], body["may_consent"], body["reasons"]) == (eligible, False, reasons)


def test_who_never_enrolled_is_told_so(coached, flags, log_in_by):
    stranger = factories.user()
    body = log_in_by(stranger, "login").get(eligibility(stranger)).json()
    assert (body["eligible"], body["reasons"], body["course_runs"]) == (False, ["not_enrolled"], [])


@pytest.fixture
def supporter(db):
    """Support staff, who may see consents and nothing else."""
    someone = factories.user()
    someone.user_permissions.add(Permission.objects.get(codename="view_coachingconsent"))
    return someone


def test_support_staff_see_anybodys_verdict_and_nothing_more(learner, supporter, log_in_by):
    client = log_in_by(supporter, "login")
    body = client.get(eligibility(learner)).json()
    assert (body["user"], body["eligible"]) == (learner.id, True)
    assert client.get(eligibility(supporter)).json()["user"] == supporter.id
    assert_refused(client.get(users(learner)), 404, "coaching")
    assert_refused(patch(client, users(learner), {"coaching_consent": False}), 404, "coaching")
    for nobody in (NOBODY, 0, "abc", "-1", "1.0", "１", "9" * 5000):
        assert_refused(client.get(eligibility(nobody)), 404, "coaching")


def test_another_permission_shows_nobodys_verdict(learner, log_in_by):
    someone = factories.user(is_staff=True)
    someone.user_permissions.add(Permission.objects.get(codename="view_consentevent"))
    assert_refused(log_in_by(someone, "login").get(eligibility(learner)), 404, "coaching")


# How often


def test_the_fourth_of_three_requests_a_minute_is_refused(learner, mfe, settings):
    settings.COACHING_API_THROTTLE = "3/minute"
    for _ in range(3):
        assert mfe.get(users(learner)).status_code == 200
    for response in (
        mfe.get(users(learner)),
        patch(mfe, consent_form(learner), {"coaching_consent": False}),
        mfe.get(disclosure()),
    ):
        body = assert_refused(response, 429, "coaching")
        assert body["detail"] == body["coaching"][0]
        assert 0 < int(response.headers["Retry-After"]) <= 60
    assert not CoachingConsent.objects.exists()


def test_one_learners_share_is_not_anothers(learner, mfe, log_in_by, settings):
    settings.COACHING_API_THROTTLE = "1/minute"
    assert mfe.get(users(learner)).status_code == 200
    assert_refused(mfe.get(users(learner)), 429, "coaching")
    other = factories.eligible_learner()
    assert log_in_by(other, "login").get(users(other)).status_code == 200


@pytest.mark.parametrize(
    "rate",
    ["many", "", "3", "/minute", "3/fortnight", "-1/minute", "3/minute/2", "²/minute", None, 3, ["3/minute"]],
    ids=repr,
)
def test_a_rate_that_is_none_falls_back_to_the_default(learner, mfe, settings, rate):
    settings.COACHING_API_THROTTLE = rate
    for _ in range(5):
        assert mfe.get(users(learner)).status_code == 200


class DeadCache:
    def get(self, *args):
        raise ConnectionError(SECRET)


def test_while_the_cache_that_counts_is_down_requests_pass(learner, mfe, settings, monkeypatch, caplog):
    settings.COACHING_API_THROTTLE = "1/minute"
    monkeypatch.setattr(SimpleRateThrottle, "cache", DeadCache())
    for _ in range(2):
        assert mfe.get(users(learner)).status_code == 200
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert [line.splitlines()[0] for line in lines] == [f"User {learner.id} is not throttled: ConnectionError"] * 2


def test_by_default_a_learner_has_sixty_requests_a_minute(learner, mfe):
    assert [mfe.get(disclosure()).status_code for _ in range(61)] == [200] * 60 + [429]


# Coaching is off


@pytest.fixture
def off(set_flag):
    """Turn coaching off, by its master flag."""
    return lambda: set_flag("coaching.enabled", False)


def off_standing(learner):
    return {
        "user": learner.id,
        "coaching_consent": False,
        "eligible_for_coaching": False,
        "consent_form_seen": False,
    }


def test_while_coaching_is_off_everybody_is_not_eligible_and_not_asked(consented, mfe, off):
    off()
    assert mfe.get(users(consented)).json() == off_standing(consented)
    body = mfe.get(eligibility(consented)).json()
    assert (body["user"], body["eligible"], body["may_consent"]) == (consented.id, False, False)
    assert_refused(mfe.get(disclosure()), 404, "coaching")


@pytest.mark.parametrize("path", [users, eligibility], ids=["users", "eligibility"])
def test_while_coaching_is_off_looking_costs_no_query_of_ours(consented, mfe, off, path):
    off()
    mfe.get(path(consented))  # the flag is in the cache then
    with CaptureQueriesContext(connection) as queries:
        assert mfe.get(path(consented)).status_code == 200
    asked = statements(queries)
    assert len(asked) == LOGIN_QUERIES, asked
    for table in (
        "coaching_plugin_",
        "student_",
        "completion_",
        "course_goals_",
        "courseware_",
        "waffle_",
        "auth_userp",
    ):
        assert table not in " ".join(asked)


@pytest.mark.parametrize("path", ANSWERS)
def test_while_coaching_is_off_who_consented_can_withdraw(consented, mfe, off, path):
    off()
    for _ in range(2):
        response = patch(mfe, path(consented), {"coaching_consent": False, "consent_form_seen": True})
        assert response.status_code == 200
        assert response.json() == off_standing(consented)
    assert standing(consented).status == Status.WITHDRAWN
    assert [kind for kind, _ in events(consented)] == ["consented", "withdrawn"]


@pytest.mark.parametrize("path", ANSWERS)
def test_while_coaching_is_off_nobody_can_consent_and_no_number_changes(learner, mfe, off, path):
    off()
    before = stored()
    for body in ({"coaching_consent": True, "phone_number": TYPED}, {"phone_number": TYPED}):
        assert_refused(patch(mfe, path(learner), body), 400, "coaching")
    assert patch(mfe, path(learner), {"coaching_consent": False}).status_code == 200
    assert stored() == before, "there was nothing to withdraw"


# Account settings are off


@pytest.fixture
def settings_off(set_flag):
    """Turn account settings off; coaching itself stays on."""
    return lambda: set_flag("coaching.account_settings", False)


def test_while_settings_are_off_nobody_is_offered_the_switch_there(learner, mfe, settings_off):
    settings_off()
    assert mfe.get(users(learner)).json() == off_standing(learner)
    body = assert_refused(
        patch(mfe, users(learner), {"coaching_consent": True, "phone_number": TYPED}), 400, "coaching"
    )
    assert body["detail"] == "Coaching is not available to you at the moment."
    assert not CoachingConsent.objects.exists()


def test_while_settings_are_off_the_consent_form_works(learner, mfe, settings_off):
    settings_off()
    assert patch(mfe, consent_form(learner), {"coaching_consent": True, "phone_number": TYPED}).status_code == 200
    assert standing(learner).is_consented


def test_while_settings_are_off_who_consented_can_withdraw(consented, mfe, settings_off):
    settings_off()
    shown = mfe.get(users(consented)).json()
    assert (shown["coaching_consent"], shown["eligible_for_coaching"]) == (True, False)
    assert patch(mfe, users(consented), DECLINE).json() == shown | {"coaching_consent": False}
    assert events(consented)[-1] == ("withdrawn", "account_settings")


def test_while_settings_are_off_the_number_can_be_changed(consented, mfe, settings_off):
    settings_off()
    assert patch(mfe, users(consented), {"phone_number": OTHER_TYPED}).status_code == 200
    body = {"coaching_consent": True, "phone_number": TYPED}
    assert patch(mfe, users(consented), body).status_code == 200, "an echo of the consent that stands is no new one"
    assert standing(consented).phone_number == NUMBER


def test_while_coaching_is_off_others_are_still_nobodys_business(learner, supporter, mfe, log_in_by, off):
    off()
    other = factories.eligible_learner()
    for path in (users, eligibility):
        assert mfe.get(path(other)).content == mfe.get(path(NOBODY)).content
        assert_refused(mfe.get(path(other)), 404, "coaching")
    client = log_in_by(supporter, "login")
    assert client.get(eligibility(learner)).json()["user"] == learner.id
    assert_refused(client.get(eligibility(NOBODY)), 404, "coaching")


# Something goes wrong on our side

FAULTS = {
    "eligibility": ("GET", users, "coaching_plugin.eligibility.explain"),
    "standing": ("GET", users, "coaching_plugin.consent.standing"),
    "accepting": ("PATCH", users, "coaching_plugin.consent.give"),
    "writing the number": ("PATCH", consent_form, "coaching_plugin.lms.write_phone_number"),
    "the ledger": ("PATCH", consent_form, "coaching_plugin.ledger.append"),
    "the flags": ("GET", users, "coaching_plugin.toggles.is_enabled"),
    "the words": ("GET", disclosure, "coaching_plugin.disclosures.current"),
    "the explanation": ("GET", eligibility, "coaching_plugin.eligibility.explain"),
    "the cache": ("GET", users, "django.core.cache.cache.get"),
    "the bearer tokens": ("GET", users, "openedx.core.lib.api.authentication.BearerAuthentication.authenticate"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_is_json_and_tells_neither_client_nor_log_what_the_database_said(learner, monkeypatch, caplog, fault):
    def fail(*args, **kwargs):
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            raise RuntimeError(SECRET) from error

    client = as_mfe(with_session(learner, raise_request_exception=False))
    caplog.set_level(logging.DEBUG)
    before = stored()
    method, path, broken = FAULTS[fault]
    body = {"coaching_consent": True, "phone_number": TYPED} if method == "PATCH" else None
    with monkeypatch.context() as patched:
        patched.setattr(broken, fail)
        response = send(client, method, path(learner), body)
    assert_refused(response, 500, "coaching")
    assert stored() == before
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "coaching API failed: RuntimeError" in logged
    for personal in ("4155552671", "lena@", "555-2671", "Key ("):
        assert personal not in response.content.decode()
        assert personal not in logged


def test_no_log_holds_what_a_learner_sent(learner, mfe, caplog):
    caplog.set_level(logging.DEBUG)
    body = {"coaching_consent": True, "phone_number": TYPED, "full_name": "Lena Q. Learner"}
    for sent in (body, {**body, "phone_number": "415 555 26"}, {**body, "phone_number": 4155552671}):
        patch(mfe, consent_form(learner), sent)
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "555" not in logged
    assert "Lena Q." not in logged


# What it costs


def counted(client, method, path, body=None):
    with CaptureQueriesContext(connection) as queries:
        assert send(client, method, path, body).status_code == 200
    return statements(queries)


@pytest.mark.parametrize("state", ["eligible", "asked", "consented", "declined", "not eligible"])
def test_looking_costs_one_query_for_eligibility_and_one_for_the_standing(learner, mfe, state):
    for step in standings(learner)[state]:
        step()
    mfe.get(users(learner))  # the coached course runs and the flag are known then
    asked = counted(mfe, "GET", users(learner))
    assert len(asked) == LOGIN_QUERIES + 2, asked
    assert len([sql for sql in asked if "student_courseenrollment" in sql]) == 1
    assert len([sql for sql in asked if "coaching_plugin_coachingconsent" in sql]) == 1


def test_the_verdict_costs_one_query(learner, mfe):
    mfe.get(eligibility(learner))
    asked = counted(mfe, "GET", eligibility(learner))
    assert len(asked) == LOGIN_QUERIES + 1, asked
    assert len([sql for sql in asked if "student_courseenrollment" in sql]) == 1


def test_accepting_costs_sixteen_queries(learner, mfe):
    """
    The row: looked for, made, locked, saved. The profile: locked, then read and written by the platform's function,
    which asks for managed names too. Retirement: whether it began. Eligibility: judged, and told in the answer, with
    the standing. The event. And the profile, whoever writes it: what its number was, and, as that changed, whether the
    consent agrees with it.
    """
    mfe.get(users(learner))
    body = {"coaching_consent": True, "consent_form_seen": True, "phone_number": TYPED, "full_name": "Lena Learner"}
    asked = counted(mfe, "PATCH", consent_form(learner), body)
    assert len(asked) == LOGIN_QUERIES + 16, "\n".join(asked)
    again = counted(mfe, "PATCH", consent_form(learner), body)
    assert not [sql for sql in again if not sql.startswith("SELECT")], "a resent request writes nothing"


def test_asking_for_nobody_makes_nobody(learner, mfe):
    before = User.objects.count()
    mfe.get(users(NOBODY))
    patch(mfe, users(NOBODY), {"coaching_consent": False})
    assert User.objects.count() == before
