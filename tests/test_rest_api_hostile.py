"""What the API does with what no well-meaning client sends: a refusal in the contract's shape, and nothing stored."""

import base64
import bz2
import codecs
import json
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests import factories
from tests.factories import NUMBER, TYPED, evidence
from tests.test_rest_api import (
    ANSWERS,
    EVERY_PATH,
    as_mfe,
    assert_refused,
    consent_form,
    dashboard_card,
    disclosure,
    profile,
    standing,
    stored,
    users,
    with_session,
)

pytestmark = pytest.mark.usefixtures("committed")

JSON = "application/json"
ACCEPT = {"coaching_consent": True, "consent_form_seen": True, "phone_number": TYPED, "full_name": "Lena Q. Learner"}


@pytest.fixture
def mfe(learner, log_in):
    """The account MFE of the eligible learner; what fails in the server is answered, as in production."""
    client = as_mfe(log_in(learner))
    client.raise_request_exception = False
    return client


def send(client, path, raw, content_type=JSON, method="PATCH", **headers):
    return client.generic(method, path, raw, content_type=content_type, **headers)


def assert_nothing_given(learner):
    """Only that something was refused may be on record."""
    assert not CoachingConsent.objects.exclude(status=CoachingConsent.Status.UNDECIDED).exists()
    assert not ConsentEvent.objects.exclude(kind="refused").exists()
    assert (profile(learner).phone_number, profile(learner).name) == (None, "Lena Learner")


# Bodies that are no JSON object

BODIES = {
    "empty": b"",
    "blank": b"   ",
    "half an object": b'{"coaching_consent": true',
    "single quotes": b"{'coaching_consent': true}",
    "trailing comma": b'{"coaching_consent": true,}',
    "two objects": b'{"coaching_consent": true}{"coaching_consent": true}',
    "script": b'<script>{"coaching_consent": true}</script>',
    "form": b"coaching_consent=true",
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"coaching_consent"',
    "empty list": b"[]",
    "list": b'[{"coaching_consent": true}]',
    "list of pairs": b'[["coaching_consent", true]]',
    "null byte": b"\0",
    "null byte inside": b'{"coaching_consent"\0: true}',
    "invalid UTF-8": b'{"coaching_consent": true, "full_name": "\xff\xfe"}',
    "half a character": b'{"coaching_consent": true, "full_name": "\xc3"}',
    "UTF-16": json.dumps(ACCEPT).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(ACCEPT).encode(),
    "NaN": b'{"coaching_consent": NaN}',
    "NaN beside an answer": b'{"coaching_consent": true, "x": NaN}',
    "Infinity": b'{"coaching_consent": true, "x": Infinity}',
    "-Infinity": b'{"coaching_consent": true, "x": -Infinity}',
    "more digits than an integer takes": b'{"coaching_consent": true, "x": ' + b"1" * 5000 + b"}",
    "more than any float": b'{"coaching_consent": 1e999}',
    "control character": b'{"coaching_consent": true, "full_name": "a\x01b"}',
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "open brackets": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep value of an answer": b'{"coaching_consent": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep value beside an answer": b'{"coaching_consent": true, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", BODIES)
def test_what_is_no_json_object_is_refused(learner, mfe, body):
    before = stored()
    for path in (users, consent_form, dashboard_card):
        assert_refused(send(mfe, path(learner), BODIES[body]), 400, "coaching")
    assert stored() == before


# Values of the wrong type

NOT_BOOLEAN = {
    "null": None,
    "one": 1,
    "zero": 0,
    "float": 1.0,
    "true in words": "true",
    "on": "on",
    "empty text": "",
    "list": [True],
    "empty list": [],
    "object": {"coaching_consent": True},
    "empty object": {},
}
NOT_TEXT = {
    "integer": 4155552671,
    "float": 4155552671.0,
    "boolean": True,
    "list": [TYPED],
    "empty list": [],
    "object": {"phone_number": TYPED},
    "empty object": {},
    "deep": [[[[{"a": [None]}]]]],
}
BAD_TEXT = {
    "null byte": "415\0" + TYPED,
    "lone high surrogate": "\ud800",
    "lone low surrogate": TYPED + "\udfff",
    "long": "4" * 1_000_000,
    "long and blank inside": "4" + " " * 1_000_000 + "4",
}


@pytest.mark.parametrize("value", NOT_BOOLEAN)
def test_consent_is_true_or_false_and_nothing_else(learner, mfe, value):
    before = stored()
    body = {**ACCEPT, "coaching_consent": NOT_BOOLEAN[value]}
    for path in (users, consent_form):
        assert_refused(send(mfe, path(learner), json.dumps(body)), 400, "coaching")
    assert stored() == before


@pytest.mark.parametrize("field", ["phone_number", "full_name"])
@pytest.mark.parametrize("value", NOT_TEXT)
def test_what_is_no_text_is_refused_under_its_field(learner, mfe, field, value):
    before = stored()
    body = {**ACCEPT, field: NOT_TEXT[value]}
    for path in (users, consent_form):
        assert_refused(send(mfe, path(learner), json.dumps(body)), 400, field)
    assert stored() == before


@pytest.mark.parametrize("field", ["phone_number", "full_name"])
@pytest.mark.parametrize("value", BAD_TEXT)
def test_text_that_cannot_be_stored_is_refused_under_its_field(learner, mfe, field, value):
    body = {**ACCEPT, field: BAD_TEXT[value]}
    for path in (users, consent_form):
        assert_refused(send(mfe, path(learner), json.dumps(body)), 400, field)
    assert_nothing_given(learner)


@pytest.mark.parametrize("value", [*NOT_TEXT, *BAD_TEXT])
def test_what_is_no_digest_is_refused(learner, mfe, value):
    body = {**ACCEPT, "disclosure": {**NOT_TEXT, **BAD_TEXT}[value]}
    for path in (users, consent_form):
        assert_refused(send(mfe, path(learner), json.dumps(body)), 400, "coaching")
    assert_nothing_given(learner)


@pytest.mark.parametrize("path", ANSWERS)
def test_everything_wrong_at_once_is_told_at_once(learner, mfe, path):
    body = {"coaching_consent": "yes", "phone_number": [], "full_name": {}, "disclosure": 1}
    body = assert_refused(send(mfe, path(learner), json.dumps(body)), 400, "phone_number", "full_name", "coaching")
    assert len(body["coaching"]) == 2


@pytest.mark.parametrize(
    "number",
    ["\u202e\u202d", "\u200b" * 60, "'; DROP TABLE auth_user; --", "{{7*7}}", "${jndi:x}", "%s%n", "😀" * 10],
    ids=["directions", "invisible", "SQL", "template", "lookup", "format", "emoji"],
)
def test_a_number_that_is_a_trick_is_refused_under_its_field(learner, mfe, number):
    for path in (users, consent_form):
        assert_refused(send(mfe, path(learner), json.dumps({**ACCEPT, "phone_number": number})), 400, "phone_number")
    assert_nothing_given(learner)


def test_a_refusal_does_not_repeat_what_was_sent(learner, mfe):
    for value in ("<script>alert(1)</script>", "x" * 1000):
        for field in ("phone_number", "full_name", "disclosure", "coaching_consent"):
            response = send(mfe, users(learner), json.dumps({**ACCEPT, field: value}))
            assert_refused(response, 400)
            assert value not in response.content.decode()


# Too much, and twice


@pytest.mark.parametrize("path", ANSWERS)
def test_ten_thousand_fields_are_ignored_like_one(learner, mfe, path):
    before = stored()
    fields = {f"field{number}": number for number in range(10_000)}
    assert_refused(send(mfe, path(learner), json.dumps(fields)), 400, "coaching")
    assert stored() == before
    assert send(mfe, path(learner), json.dumps({**fields, "coaching_consent": False})).status_code == 200


@pytest.mark.parametrize("path", ANSWERS)
def test_a_field_sent_twice_counts_as_the_last_as_everywhere_in_json(learner, mfe, path):
    before = stored()
    for twice in (
        b'{"coaching_consent": true, "coaching_consent": "true"}',
        b'{"coaching_consent": true, "phone_number": "4155552671", "phone_number": 1}',
    ):
        assert_refused(send(mfe, path(learner), twice), 400)
    assert stored() == before
    twice = b'{"coaching_consent": true, "phone_number": "4155552671", "coaching_consent": false}'
    assert send(mfe, path(learner), twice).status_code == 200
    assert standing(learner).status == CoachingConsent.Status.DECLINED


@pytest.mark.parametrize("path", ANSWERS)
def test_a_body_larger_than_the_lms_takes_is_refused(learner, mfe, path):
    before = stored()
    response = send(mfe, path(learner), json.dumps({**ACCEPT, "full_name": "x" * 4_000_000}))
    assert_refused(response, response.status_code)
    assert response.status_code in (400, 413)
    assert stored() == before


# Other content types, methods and wishes

TYPES = {
    "form": ("application/x-www-form-urlencoded", b"coaching_consent=true&phone_number=4155552671"),
    "form beyond all limits": ("application/x-www-form-urlencoded", b"a=" + b"x" * 3_000_000),
    "form of many fields": ("application/x-www-form-urlencoded", b"a=1&" * 10_000),
    "form in another charset": ("application/x-www-form-urlencoded; charset=latin-1", b"a=1"),
    "multipart": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="coaching_consent"\r\n\r\ntrue\r\n--x--\r\n',
    ),
    "multipart without a boundary": ("multipart/form-data", b"x"),
    "multipart with a long boundary": ("multipart/form-data; boundary=" + "x" * 300, b"x"),
    "text": ("text/plain", json.dumps(ACCEPT).encode()),
    "HTML": ("text/html", json.dumps(ACCEPT).encode()),
    "merge patch": ("application/merge-patch+json", json.dumps(ACCEPT).encode()),
    "JSON patch": ("application/json-patch+json", json.dumps([ACCEPT]).encode()),
    "XML": ("application/xml", b"<coaching_consent>true</coaching_consent>"),
    "bytes": ("application/octet-stream", json.dumps(ACCEPT).encode()),
    "nonsense": ("\xff/;;;=", json.dumps(ACCEPT).encode("latin-1")),
    "none": ("", json.dumps(ACCEPT).encode()),
}


@pytest.mark.parametrize("kind", TYPES)
def test_only_json_is_read(learner, mfe, kind):
    before = stored()
    content_type, body = TYPES[kind]
    for path in (users, consent_form, dashboard_card):
        assert_refused(send(mfe, path(learner), body, content_type), 415, "coaching")
    assert stored() == before


# Python takes more for a charset than texts are written in: it would unpack archives.
CODECS = {
    "utf-16": b"\x00",
    "utf-32": b"\x00",
    "undefined": b"{}",
    "nonsense": b"\xff",
    "idna": b"\xff",
    "zlib": zlib.compress(json.dumps(ACCEPT).encode()),
    "bz2": bz2.compress(json.dumps(ACCEPT).encode()),
    "hex": json.dumps(ACCEPT).encode().hex().encode(),
    "base64": base64.b64encode(json.dumps(ACCEPT).encode()),
    "rot13": codecs.encode(json.dumps(ACCEPT), "rot13").encode(),
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_a_charset_in_which_no_text_is_written_is_refused(learner, mfe, codec, broken):
    body = CODECS[codec][: -3 if broken else None] + b"!" * broken
    assert_refused(send(mfe, users(learner), body, f"application/json; charset={codec}"), 400, "coaching")
    assert_nothing_given(learner)


def test_json_that_says_it_is_utf_8_is_read(learner, mfe):
    body = json.dumps({"coaching_consent": False})
    assert send(mfe, users(learner), body, "application/json; charset=utf-8").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "PROPFIND"])
def test_other_methods_are_refused(learner, mfe, method):
    before = stored()
    for path in (users, consent_form, dashboard_card):
        assert_refused(send(mfe, path(learner), json.dumps(ACCEPT), method=method), 405, "coaching")
    assert stored() == before


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_form_posts_is_refused_whatever_it_holds(learner, kind):
    """Only a POST has Django read the body itself, in search of a CSRF token."""
    content_type, body = TYPES[kind]
    without_token, with_token = (with_session(learner, raise_request_exception=False) for _ in range(2))
    for client in (without_token, as_mfe(with_token)):
        response = send(client, users(learner), body, content_type, method="POST")
        assert response.status_code in (400, 403, 405, 413), response.status_code
        assert_refused(response, response.status_code, "coaching")


def test_reading_what_is_only_written_is_refused(learner, mfe):
    assert_refused(mfe.get(consent_form(learner)), 405, "coaching")


@pytest.mark.parametrize("path", EVERY_PATH)
def test_options_and_head_are_json_and_store_nothing(learner, mfe, path):
    consent.ask(learner, evidence())  # or there is no receipt
    before = stored()
    response = mfe.options(path(learner))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == JSON
    assert isinstance(response.json(), dict)
    response = mfe.head(path(learner))
    assert response.status_code == (405 if path is consent_form else 200)
    assert response.headers["Content-Type"] == JSON
    assert stored() == before


@pytest.mark.parametrize("wish", ["text/html", "text/html,application/xhtml+xml;q=0.9", "application/xml", "nonsense"])
def test_whatever_is_asked_for_the_answer_is_json(learner, mfe, wish):
    before = stored()
    for response in (
        mfe.get(users(learner), HTTP_ACCEPT=wish),
        send(mfe, users(learner), json.dumps(ACCEPT), HTTP_ACCEPT=wish),
        send(mfe, consent_form(learner), json.dumps(ACCEPT), HTTP_ACCEPT=wish),
    ):
        assert_refused(response, 406, "coaching")
    assert_refused(mfe.get(users(factories.user()), HTTP_ACCEPT=wish), 404, "coaching")
    assert stored()["CoachingConsent"] == before["CoachingConsent"]


@pytest.mark.parametrize("wish", ["text/html,application/json;q=0.9,*/*;q=0.8", "*/*", "application/*"])
def test_a_browser_that_takes_anything_gets_json(learner, mfe, wish):
    response = mfe.get(users(learner), HTTP_ACCEPT=wish)
    assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)


@pytest.mark.parametrize("form", ["json", "api", "html", "xml", "\0", ""])
def test_a_format_in_the_address_changes_nothing_about_json(learner, mfe, form):
    response = mfe.get(users(learner), {"format": form})
    assert response.headers["Content-Type"] == JSON
    if response.status_code != 200:
        assert_refused(response, 404, "coaching")


@pytest.mark.parametrize(
    "asked",
    ["\0", b"\xed\xa0\x80", "x" * 10_000, "../../etc", "en\r\nX: y"],
    ids=["null byte", "no UTF-8", "long", "path", "lines"],
)
def test_a_language_that_is_none_gets_the_default_disclosure(learner, mfe, asked):
    response = mfe.get(disclosure(), {"language": asked})
    assert (response.status_code, response.json()["language"]) == (200, "en")


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_USER_AGENT": "\0" * 10},
        {"HTTP_USER_AGENT": "x" * 10_000},
        {"HTTP_USER_AGENT": "\xff\xfe \x01"},
        {"HTTP_X_FORWARDED_FOR": "nonsense, 999.999.999.999, ::ffff:192.0.2.1%eth0"},
        {"HTTP_X_FORWARDED_FOR": "'; DROP TABLE auth_user; --"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "fe80::1%eth0"},
        {"HTTP_ACCEPT_LANGUAGE": "\0, xx;q=nonsense, " + "a-" * 5000},
    ],
    ids=["null", "long", "bytes", "proxies", "injection", "no address", "zone", "languages"],
)
def test_strange_headers_keep_nobody_from_answering(learner, mfe, headers):
    response = send(mfe, consent_form(learner), json.dumps(ACCEPT), **headers)
    assert response.status_code == 200, response.content
    assert standing(learner).phone_number == NUMBER


# Who calls, with nonsense


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer \xff",
        "JWT",
        "JWT a.b.c",
        "JWT a b",
        "JWT \xff",
        "JWT " + "x" * 10_000,
    ],
    ids=[
        *("no token", "empty token", "two tokens", "no ASCII"),
        *("no JWT", "malformed JWT", "two JWTs", "JWT not ASCII", "long JWT"),
    ],
)
def test_credentials_that_are_none_are_refused(learner, client, authorization):
    client.raise_request_exception = False
    for path in (users, consent_form, dashboard_card):
        response = send(client, path(learner), json.dumps(ACCEPT), HTTP_AUTHORIZATION=authorization)
        assert_refused(response, 401, "coaching")
    assert_nothing_given(learner)


def test_cookies_that_are_none_are_refused(learner, client):
    client.raise_request_exception = False
    for name in ("sessionid", "edx-jwt-cookie-header-payload", "edx-jwt-cookie-signature", "csrftoken"):
        client.cookies[name] = "x" * 500
    assert_refused(client.get(users(learner), HTTP_USE_JWT_COOKIE="true"), 401, "coaching")


# Anything at all

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=80)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = LEAVES | st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8)
FIELDS = ["coaching_consent", "phone_number", "full_name", "disclosure", "user", "eligible_for_coaching", "\0"]
ANYTHING = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES))
# Mostly right, so that what is arbitrary gets past the first check.
NEARLY = st.fixed_dictionaries(
    {"coaching_consent": st.booleans()},
    optional={"phone_number": st.sampled_from([TYPED, None]) | TEXTS, "full_name": TEXTS, "disclosure": TEXTS},
)


@pytest.fixture
def unthrottled(settings):
    settings.COACHING_API_THROTTLE = "100000/minute"


@pytest.mark.usefixtures("unthrottled")
@pytest.mark.parametrize("path", ANSWERS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=ANYTHING | NEARLY)
def test_whatever_is_sent_is_answered_or_refused_in_shape(learner, mfe, path, body):
    before = stored()
    response = send(mfe, path(learner), json.dumps(body))
    if response.status_code == 200:
        assert set(response.json()) == {"user", "coaching_consent", "eligible_for_coaching", "consent_form_seen"}
    else:
        assert_refused(response, 400)
        assert stored()["UserProfile"] == before["UserProfile"]
    if body.get("coaching_consent") is not True:
        row = CoachingConsent.objects.filter(user=learner).first()
        assert row is None or not row.is_consented or _was_consented(before)


def _was_consented(rows):
    return [row["status"] for row in rows["CoachingConsent"]] == [CoachingConsent.Status.CONSENTED]


@pytest.mark.usefixtures("unthrottled")
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_whatever_bytes_are_sent_are_refused_in_shape_and_keep_a_consent_as_it_is(learner, mfe, raw):
    if not CoachingConsent.objects.exists():
        assert not consent.give(learner, TYPED, None, evidence()).is_refused
    before = stored()
    assert_refused(send(mfe, users(learner), raw), 400)
    assert stored() == before
