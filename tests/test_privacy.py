"""
No log and no address holds what a learner typed or where they sat: the whole path, under the watch of the suite.

The watch (``tests/watch.py``) fails any test in which something personal comes out, and so these, which put in all that
there is. The first ones show that it would.
"""

import json
import logging
import logging.config
from dataclasses import replace
from urllib.parse import quote, quote_plus

import pytest
from celery import Celery
from django.conf import settings
from django.contrib.auth.models import User
from django.db.utils import DataError
from openedx_events.tooling import OpenEdxPublicSignal

from coaching_plugin import consent, eligibility, lms, phone, refusals
from coaching_plugin.forms import ConsentForm
from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests import factories
from tests.browser import ANSWERED, CONSENT, LEGACY, MFE_UNIT, SITE, Browser
from tests.factories import MB101, evidence
from tests.fixtures_sandbox import seed
from tests.watch import messages

pytestmark = pytest.mark.usefixtures("committed", "demo")

USERNAME = "eligible"
EMAIL = "elena.zwetschge@private.example.org"
OLD_NAME, NEW_NAME = "Elena Zwetschge-García", "Elena Q. Zwetschge-García"
IP = "198.51.100.23"

# The right number as it is typed, with what people put around it, and the wrong ones.
TYPED = [
    "(415) 555-2671",
    "415.555.2671",
    "415 555 2671",
    "+1 415-555-2671",
    "4155552671",
    "\u202a+1 (415) 555‑2671\u202c",
    "４１５５５５２６７１",
    "٤١٥٥٥٥٢٦٧١",
]
WRONG = ["(613) 555-0123", "415-555-2671 ext. 9", "1-800-356-9377", "415 555 267", "call me: 415-555-2671"]
CHANGED = "212 555 2368"

DIGITS = ["4155552671", "2125552368", "6135550123", "8003569377", "415555267", "555-2671", "555 2671", "555.2671"]
PERSONAL = [*TYPED, *WRONG, CHANGED, *DIGITS, OLD_NAME, NEW_NAME, "Zwetschge", EMAIL, IP]


@pytest.fixture
def demo():
    seed()
    user = User.objects.get(username=USERNAME)
    user.email = EMAIL
    user.save()
    user.profile.name = OLD_NAME
    user.profile.save()


@pytest.fixture
def learner(demo):
    return User.objects.get(username=USERNAME)


def a_browser():
    """A browser at the learner's own address, with one of those headers that proxies add."""
    browser = Browser()
    browser.client.defaults.update(REMOTE_ADDR=IP, HTTP_X_FORWARDED_FOR=IP)
    return browser


def at_the_question(door=LEGACY):
    browser = a_browser().open(door)
    browser.log_in(USERNAME)
    assert browser.url.startswith(f"{CONSENT}?")
    return browser


def patch(browser, learner, resource="coaching_consent", **data):
    return browser.client.patch(
        f"/api/coaching/v1/{resource}/{learner.id}/",
        json.dumps(data),
        content_type="application/json",
        headers={"X-CSRFToken": browser.client.cookies["csrftoken"].value},
    )


# So that the watch can fail a test, here and everywhere


def test_the_tracking_middleware_does_log_the_parameters_of_another_page(watch):
    a_browser().open(f"{SITE}/?q={quote(TYPED[0])}")
    assert "log tracking" in {source for source, _ in watch.found()}


@pytest.mark.parametrize("word", PERSONAL, ids=range(len(PERSONAL)))
def test_every_word_would_be_found_however_it_is_logged(word, watch):
    def caused():
        try:
            raise KeyError(word)
        except KeyError as error:
            raise ValueError("odd") from error

    logger = logging.getLogger("some.plugin")
    for write in (
        lambda: logger.debug("Learner %s.", word),
        lambda: logger.info("%(data)s", {"data": {"x": [word]}}),
        lambda: logger.warning(json.dumps({"x": word})),
        lambda: logger.error(quote_plus(word)),
        lambda: logger.error(quote(f"/login?next={quote(word)}")),
        lambda: logger.error("Failed.", extra={"learner": word}),
        lambda: logger.error("Failed.", exc_info=ValueError(word)),
    ):
        write()
        assert [source for source, _ in watch.found()] == ["log some.plugin"]
    with pytest.raises(ValueError, match="odd") as raised:
        caused()
    logger.error("Failed.", exc_info=raised.value)
    assert watch.found()


@pytest.mark.parametrize(
    ("text", "traces"),
    [("task 88255548-1a2b-4c3d-8e4f-0a1b2c3d4e5f", set()), ("882 555 48", {"882 555 48"}), ("88255548-", {"88255548"})],
    ids=["a random id", "digits", "digits with a dash"],
)
def test_a_random_id_whose_first_digits_look_like_a_number_is_none(watch, text, traces):
    assert watch.traces(text) == traces


@pytest.mark.course_doors
def test_the_evidence_really_holds_what_the_logs_must_not(learner):
    at_the_question().press("Sign up", phone_number=TYPED[0], agree="on", full_name=NEW_NAME)
    event = ConsentEvent.objects.get(kind="consented", learner_id=learner.id)
    assert (event.phone_number, event.ip) == ("+14155552671", IP)
    learner.profile.refresh_from_db()
    assert learner.profile.name == NEW_NAME


def test_whoever_a_test_makes_is_known(watch):
    factories.user(name="Quirin Quast", phone_number="+302101234567", username="quirin")
    for word in ("Quirin Quast", "+302101234567", "302101234567", "quirin@example.com"):
        logging.getLogger("some.plugin").info(word)
        assert watch.found(), word


def test_a_browser_that_hangs_up_on_the_server_of_the_tests_is_none_of_ours(watch):
    """No LMS has that server, and a browser may hang up while another test runs."""
    server = logging.getLogger("django.server")
    server.info("- Broken pipe from %s", ("127.0.0.1", 37176))
    assert watch.found() == []
    server.info("- Somebody else from %s", ("127.0.0.1", 37176))
    assert watch.found()


def test_the_silenced_and_the_secluded_are_heard_too(watch):
    silenced = logging.getLogger("some.silenced")
    silenced.setLevel(logging.CRITICAL)
    secluded = logging.getLogger("some.secluded")
    secluded.propagate = False
    watch.forget()
    silenced.debug(EMAIL)
    secluded.debug(EMAIL)
    assert [source for source, _ in watch.found()] == ["log some.silenced", "log some.secluded"]


def test_it_hears_the_next_test_after_one_that_has_set_logging_up_anew(watch):
    """As every call of ``django.setup()`` does, whatever stood there before."""
    logging.config.dictConfig(settings.LOGGING)
    assert watch not in logging.getLogger().handlers
    watch.forget()
    logging.getLogger("some.plugin").debug(EMAIL)
    assert watch.found()


@pytest.mark.parametrize("eager", [True, False], ids=["run at once", "sent to a broker"])
def test_what_a_task_is_given_is_watched(watch, eager):
    app = Celery(broker="memory://", task_always_eager=eager, set_as_current=False)

    @app.task(name="some.task", shared=False)
    def task(*args, **kwargs):
        pass

    task.delay(7, to="somebody")
    assert watch.found() == []
    for arguments, named in (((TYPED[0],), {}), ((), {"number": TYPED[0]})):
        task.apply_async(arguments, named)
        assert {source for source, _ in watch.found()} >= {"task some.task"}


def test_what_an_event_carries_is_watched(watch):
    event = OpenEdxPublicSignal("org.openedx.coaching.thrown_away.v1", data={"learner": dict})
    event.send_event(learner={"id": 7})
    assert watch.found() == []
    event.send_event(learner={"email": EMAIL})
    assert "event org.openedx.coaching.thrown_away.v1" in {source for source, _ in watch.found()}


def test_addresses_are_watched(watch):
    a_browser().client.get("/coaching/consent/", {"next": "/?q=4155552671"})
    assert {source for source, _ in watch.found()} == {"address", "redirect"}


# What goes out in a traceback with the values of variables, as error trackers show it


@pytest.mark.parametrize("number", [*WRONG, *TYPED], ids=range(len(WRONG + TYPED)))
def test_no_refusal_of_a_number_holds_it(number, watch):
    for judge in (phone.textable, phone.valid):
        _, refused = refusals.judge_number(judge, number)
        assert watch.traces(repr(refused)) == set()
        with pytest.raises(phone.InvalidPhoneNumber) as raised:
            judge(f"{number} x", ["MX"])
        assert watch.traces(" ".join(messages(raised.value))) == set()


@pytest.mark.parametrize("name", ["Zwetschge <b>", "Zwetschge " * 40, "https://zwetschge.example.org Zwetschge", " "])
def test_no_refusal_of_a_name_holds_it(name, learner, watch):
    (refusal,) = refusals.judge_name(learner, name)[1]
    assert watch.traces(repr(refusal)) == set()


def test_no_value_that_the_core_passes_around_shows_what_it_holds(learner, watch):
    given = replace(evidence(), ip=IP, user_agent=f"{NEW_NAME}'s browser")
    outcome = consent.give(learner, TYPED[0], NEW_NAME, given)
    form = ConsentForm({"phone_number": TYPED[0], "full_name": NEW_NAME})
    shown = (given, outcome, form, lms.profile(learner), eligibility.explain(learner), *outcome.consent.events.all())
    assert lms.profile(learner).name == NEW_NAME
    for value in shown:
        assert watch.traces(repr(value)) == set(), type(value)


# The path


@pytest.mark.course_doors
@pytest.mark.parametrize("door", [LEGACY, MFE_UNIT], ids=["legacy", "MFE"])
@pytest.mark.parametrize("typed", TYPED, ids=range(len(TYPED)))
def test_signing_up_after_every_kind_of_wrong_answer(door, typed, watch):
    browser = at_the_question(door)
    for wrong in WRONG:
        browser.press("Sign up", phone_number=wrong, full_name=NEW_NAME, agree="on")
        assert browser.response.status_code == 200
    browser.press("Sign up", phone_number=typed, full_name=f"{NEW_NAME} <b>", agree="on")
    browser.press("Sign up", phone_number=typed, full_name=NEW_NAME, agree="on")
    assert browser.url.startswith(f"{ANSWERED}?")
    browser.follow(browser.page.select_one("main a.coaching-button"))
    assert browser.is_in_course
    assert CoachingConsent.objects.get(user__username=USERNAME).is_consented
    assert watch.records, "it is logged at all"


@pytest.mark.course_doors
def test_declining_with_a_number_in_the_form():
    browser = at_the_question()
    browser.press("No thanks", phone_number=TYPED[0], full_name=NEW_NAME)
    assert browser.heading == "Your answer is saved"


@pytest.mark.course_doors
@pytest.mark.parametrize("resource", ["users", "coaching_consent"])
def test_every_answer_through_the_api(resource, learner):
    browser = at_the_question()
    answers = [patch(browser, learner, resource, coaching_consent=True, phone_number=wrong) for wrong in WRONG]
    answers += [
        patch(browser, learner, resource, coaching_consent=True, phone_number=TYPED[0], full_name=NEW_NAME),
        patch(browser, learner, resource, phone_number=CHANGED),
        patch(browser, learner, resource, phone_number=WRONG[0]),
        patch(browser, learner, resource, coaching_consent=False, phone_number=TYPED[0]),
        patch(browser, learner, resource, phone_number=[TYPED[0]], full_name={"x": NEW_NAME}),
    ]
    assert [response.status_code for response in answers] == [*[400] * len(WRONG), 200, 200, 400, 200, 400]
    browser._fetch("get", f"{SITE}/api/coaching/v1/{resource}/{learner.id}/")


@pytest.mark.course_doors
def test_malformed_bodies(learner):
    browser = at_the_question()
    token = browser.client.cookies["csrftoken"].value
    path = f"/api/coaching/v1/coaching_consent/{learner.id}/"
    for body, content_type in (
        (f'{{"phone_number": "{TYPED[0]}", "full_name": "{NEW_NAME}"', "application/json"),
        (f"phone_number={quote_plus(TYPED[0])}&coaching_consent=true", "application/x-www-form-urlencoded"),
        (f'["{TYPED[0]}", "{EMAIL}"]', "application/json"),
        (f'"{TYPED[0]}\0"', "application/json"),
        (f'{{"{TYPED[0]}": "{NEW_NAME}"}}', "application/json"),
        (TYPED[0].encode("utf-16"), "application/json"),
    ):
        response = browser.client.patch(path, body, content_type=content_type, headers={"X-CSRFToken": token})
        assert 400 <= response.status_code < 500, (body, response.status_code)


@pytest.mark.course_doors
def test_refused_requests(learner):
    """Without a token, with another learner's id, by somebody who is logged out."""
    browser = at_the_question()
    data = json.dumps({"coaching_consent": True, "phone_number": TYPED[0], "full_name": NEW_NAME})
    for path, token in (
        (f"/api/coaching/v1/coaching_consent/{learner.id}/", ""),
        (f"/api/coaching/v1/coaching_consent/{learner.id + 1}/", browser.client.cookies["csrftoken"].value),
    ):
        response = browser.client.patch(path, data, content_type="application/json", headers={"X-CSRFToken": token})
        assert response.status_code in (403, 404)
    browser.press("Sign up", phone_number=TYPED[0], full_name=NEW_NAME, agree="on", csrfmiddlewaretoken="x" * 64)
    assert browser.response.status_code == 403
    anonymous = a_browser()
    anonymous.open(f"{SITE}/login")
    token = {"X-CSRFToken": anonymous.client.cookies["csrftoken"].value}
    typed = {"phone_number": TYPED[0], "full_name": NEW_NAME, "answer": "accept"}
    assert anonymous.client.post("/coaching/consent/", typed, headers=token).status_code == 302
    assert anonymous.client.patch(path, data, content_type="application/json", headers=token).status_code == 401


@pytest.mark.course_doors
@pytest.mark.parametrize("broken", ["lms.write_phone_number", "lms.write_full_name", "ledger.append", "phone.textable"])
@pytest.mark.parametrize("door", ["page", "API"])
def test_what_breaks_on_the_way_is_logged_without_what_it_broke_on(broken, door, learner, watch, monkeypatch):
    browser = at_the_question()

    # As a database says it.
    message = f"Data too long for column: '{TYPED[0]}', '+1{DIGITS[0]}', '{NEW_NAME}', '{EMAIL}', '{IP}'"

    def fail(*args, **kwargs):
        raise DataError(message)

    monkeypatch.setattr(f"coaching_plugin.{broken}", fail)
    if door == "page":
        browser.press("Sign up", phone_number=TYPED[0], full_name=NEW_NAME, agree="on")
        assert browser.response.status_code == 503
    else:
        response = patch(browser, learner, coaching_consent=True, phone_number=TYPED[0], full_name=NEW_NAME)
        assert response.status_code == 500
        assert watch.traces(response.content.decode()) == set()
    assert any(record.name.startswith("coaching_plugin") for record in watch.records), "it is logged"


@pytest.mark.course_doors
@pytest.mark.parametrize("broken", ["eligibility.explain", "answered.has_answered", "lms.is_masquerading"])
def test_a_door_that_breaks_is_logged_without_what_it_broke_on(broken, watch, monkeypatch):
    browser = at_the_question()

    def fail(*args, **kwargs):
        raise DataError(f"'{OLD_NAME}', '{EMAIL}', '{IP}'")

    monkeypatch.setattr(f"coaching_plugin.{broken}", fail)
    browser.open(LEGACY)
    assert browser.is_in_course
    lines = [record for record in watch.records if record.name.startswith("coaching_plugin")]
    assert len(lines) == 1
    assert str(MB101) in lines[0].getMessage()


@pytest.mark.course_doors
def test_retirement(learner):
    browser = at_the_question()
    browser.press("Sign up", phone_number=TYPED[0], full_name=NEW_NAME, agree="on")
    token = {"X-CSRFToken": browser.client.cookies["csrftoken"].value}
    closing = browser.client.post("/api/user/v1/accounts/deactivate_logout/", {"password": "edx"}, headers=token)
    assert closing.status_code == 204
    service = Browser().open(f"{SITE}/login").log_in("staff")
    token = {"X-CSRFToken": service.client.cookies["csrftoken"].value}
    retired = service.client.post("/api/user/v1/accounts/retire/", {"username": USERNAME}, headers=token)
    assert retired.status_code == 204
