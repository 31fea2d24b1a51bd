"""What the consent page does with what no browser sends: a message or a refusal, and nothing stored by halves."""

from urllib.parse import urlencode

import pytest
from common.djangoapps.student.models import UserProfile
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coaching_plugin import consent, disclosures
from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests.consent_pages import ACCEPT, ANSWERED, DASHBOARD, PAGE, page_of, way_on
from tests.factories import NUMBER

pytestmark = pytest.mark.usefixtures("committed")

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"


@pytest.fixture
def browser(learner, settings):
    """The learner's browser; what fails in the server is answered, as in production."""
    settings.COACHING_API_THROTTLE = "100000/minute"
    client = Client(raise_request_exception=False)
    client.force_login(learner)
    return client


def post(browser, body, content_type=FORM):
    return browser.generic("POST", PAGE, body, content_type=content_type)


def form(**typed):
    """Return a form that would be taken, but for what was typed."""
    whole = {**ACCEPT, "disclosure": disclosures.current().sha256, **typed}
    return urlencode(whole, doseq=True, errors="surrogatepass").encode()


def multipart(*parts):
    """Return a form in parts that would be taken, with further parts."""
    fields = {**ACCEPT, "disclosure": disclosures.current().sha256}
    whole = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    return "".join(f"--x\r\n{part}\r\n" for part in [*whole, *parts]).encode() + b"--x--\r\n"


def upload(name, content="x", filename="x.txt"):
    return f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n{content}'


def assert_nothing_given(learner):
    """Only that something was refused may be on record."""
    assert consent.standing(learner).status == CoachingConsent.Status.UNDECIDED
    assert not ConsentEvent.objects.exclude(kind="refused").exists()
    profile = UserProfile.objects.get(user=learner)
    assert (profile.phone_number, profile.name) == (None, "Lena Learner")


# What is wrong with one field is a message on the page

MEGABYTE = "4" * 1_000_000
TYPED_IN = {
    "null in the number": {"phone_number": "\0"},
    "null in the name": {"full_name": "a\0b"},
    "null in the digest": {"disclosure": "\0"},
    "a number of a megabyte": {"phone_number": MEGABYTE},
    "a name of a megabyte": {"full_name": MEGABYTE},
    "a digest of a megabyte": {"disclosure": MEGABYTE},
    "half a character in the number": {"phone_number": "415\udfff"},
    "line ends in the number": {"phone_number": "415\r\n\r\n"},
    "a number twice, the last of them wrong": {"phone_number": [NUMBER, "12"]},
    "no number": {"phone_number": []},
    "a template": {"phone_number": "{{ 7|add:7 }}", "full_name": "{% load i18n %}<b>"},
    "SQL": {"phone_number": "'; DROP TABLE auth_user; --"},
}


@pytest.mark.parametrize("typed", TYPED_IN)
def test_bad_input_is_an_error_on_the_page(browser, learner, typed):
    response = post(browser, form(**TYPED_IN[typed]))
    assert response.status_code == 200
    assert page_of(response).select_one("[role=alert] li").text.strip()
    assert_nothing_given(learner)


def test_a_way_on_of_a_megabyte_leads_home(browser):
    assert way_on(post(browser, form(next="/" + MEGABYTE))) == DASHBOARD


# What is no form, or too much of one, is refused as a whole

REFUSED = {
    "ten thousand fields": lambda: (FORM, form(**{f"field{number}": "x" for number in range(10_000)})),
    "one field ten thousand times": lambda: (FORM, form() + b"&agree=on" * 10_000),
    "ten thousand empty fields": lambda: (FORM, form() + b"&=" * 10_000),
    "ten thousand parts": lambda: (
        MULTIPART,
        multipart(*[f'Content-Disposition: form-data; name="{number}"\r\n\r\nx' for number in range(10_000)]),
    ),
    "a thousand files": lambda: (MULTIPART, multipart(*[upload(f"file{number}") for number in range(1_000)])),
    "more than the LMS takes": lambda: (FORM, form(full_name="x" * 3_000_000)),
    "parts without a boundary": lambda: ("multipart/form-data", multipart()),
    "parts with a long boundary": lambda: ("multipart/form-data; boundary=" + "x" * 300, multipart()),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_form_or_too_much_of_one_is_refused(browser, learner, kind):
    content_type, body = REFUSED[kind]()
    response = post(browser, body, content_type)
    assert response.status_code in (400, 413)
    assert "Traceback" not in response.content.decode()
    assert_nothing_given(learner)


# What is not read is nothing: no number was typed, no box was ticked

UNREAD = {
    "JSON": lambda: ("application/json", b'{"answer": "accept", "agree": "on", "phone_number": "4155552671"}'),
    "text": lambda: ("text/plain", form()),
    "no type": lambda: ("", form()),
    "a type that is none": lambda: ("\xff/;;;=", form()),
    "bytes": lambda: (FORM, bytes(range(256)) * 4),
    "parts that do not end": lambda: (MULTIPART, b"--x\r\nContent-Disposition: form-data; name=answer"),
    "files in place of fields": lambda: (
        MULTIPART,
        "".join(f"--x\r\n{upload(name)}\r\n" for name in ACCEPT).encode() + b"--x--\r\n",
    ),
    "names with brackets": lambda: (FORM, b"answer[]=accept&agree[0]=on&phone_number[number]=4155552671"),
    "nothing": lambda: (FORM, b""),
}


@pytest.mark.parametrize("kind", UNREAD)
def test_what_is_not_read_is_no_answer(browser, learner, kind):
    content_type, body = UNREAD[kind]()
    response = post(browser, body, content_type)
    assert response.status_code == 200
    assert page_of(response).select_one("[role=alert] li").text.strip()
    assert_nothing_given(learner)


def test_files_beside_an_answer_are_left_where_they_are(browser, learner):
    files = [
        upload("file", "x" * 1_000_000, "../../etc/passwd"),
        upload("phone_number", "12"),
        upload("next", "//evil"),
    ]
    response = post(browser, multipart(*files), MULTIPART)
    assert response.status_code == 302
    assert way_on(response) == DASHBOARD
    assert consent.standing(learner).phone_number == NUMBER


def test_a_few_hundred_fields_beside_an_answer_are_ignored(browser, learner):
    assert post(browser, form(**{f"field{number}": "x" for number in range(500)})).status_code == 302
    assert consent.standing(learner).is_consented


# Anything at all

NAMES = st.sampled_from([*ACCEPT, "disclosure", "next", "csrfmiddlewaretoken"]) | st.text(max_size=5)
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=60) | st.sampled_from([*ACCEPT.values(), "decline"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.lists(st.tuples(NAMES, TEXTS), max_size=8), raw=st.none() | st.binary(max_size=80))
def test_whatever_is_posted_is_answered(browser, learner, typed, raw):
    body = raw if raw is not None else urlencode(typed, errors="surrogatepass").encode()
    response = post(browser, body)
    assert response.status_code in (200, 302)
    assert not consent.standing(learner).is_consented, "no digest names the words that were shown"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "CONNECT"])
def test_other_methods_are_refused(browser, learner, method):
    for path in (PAGE, ANSWERED):
        assert browser.generic(method, path, form(), content_type=FORM).status_code == 405
    assert browser.generic("POST", ANSWERED, form(), content_type=FORM).status_code == 405
    assert_nothing_given(learner)
