"""No log and no address holds what a learner typed or where they sat: the whole path, with everything logged."""

import json
import logging
from urllib.parse import quote, quote_plus, unquote

import pytest
from django.contrib.auth.models import User
from django.db.utils import DataError

from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests.browser import ANSWERED, CONSENT, LEGACY, MFE_UNIT, SITE, Browser
from tests.factories import MB101
from tests.fixtures_sandbox import seed

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
# As it is, as JSON writes it, and as a URL does.
FORMS = sorted(
    {
        form
        for word in PERSONAL
        for form in (word, json.dumps(word)[1:-1], repr(word)[1:-1], quote(word), quote_plus(word))
    }
)


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


class Records(logging.Handler):
    """Keeps every record that comes, as it came."""

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def log(demo):
    """Everything that is logged from now on, by every logger: by those too that hand nothing on to the root."""
    handler = Records()
    root = logging.getLogger()
    known = [logging.getLogger(name) for name in list(root.manager.loggerDict)]
    sources = [root, *(logger for logger in known if not logger.propagate)]
    levels = {logger: logger.level for logger in [root, *known]}
    for logger in known:
        logger.setLevel(logging.NOTSET)
    # What the platform silences, an operator may turn on. (Queries are not logged without DEBUG, at any level.)
    for logger in sources:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
    yield handler
    for logger in sources:
        logger.removeHandler(handler)
    for logger, level in levels.items():
        logger.setLevel(level)


def traces(text):
    return {form for form in FORMS if form in text}


def held_by(record):
    """Return all text of a record: its message, what it was made from, its traceback."""
    formatted = logging.Formatter().format(record)
    return f"{record.getMessage()}\n{record.msg}\n{record.args!r}\n{record.exc_text}\n{formatted}"


def assert_nothing_personal_is_logged(log):
    found = [(record.name, traces(held_by(record))) for record in log.records if traces(held_by(record))]
    assert found == []


def assert_nothing_personal_was_in_an_address(browser):
    found = [url for url in browser.visited if traces(url) or traces(unquote(url))]
    assert found == []


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


# So that the tests below can fail


def test_the_tracking_middleware_does_log_the_parameters_of_another_page(log):
    a_browser().open(f"{SITE}/?q={quote(TYPED[0])}")
    with pytest.raises(AssertionError):
        assert_nothing_personal_is_logged(log)
    assert any(record.name == "tracking" and TYPED[0] in record.getMessage() for record in log.records)


@pytest.mark.parametrize("word", PERSONAL, ids=range(len(PERSONAL)))
def test_every_word_would_be_found_however_it_is_logged(word, log):
    for write in (
        lambda logger: logger.debug("Learner %s.", word),
        lambda logger: logger.info("%(data)s", {"data": {"x": [word]}}),
        lambda logger: logger.warning(json.dumps({"x": word})),
        lambda logger: logger.error(quote_plus(word)),
        lambda logger: logger.error("Failed.", exc_info=ValueError(word)),
    ):
        log.records.clear()
        write(logging.getLogger("some.plugin"))
        with pytest.raises(AssertionError):
            assert_nothing_personal_is_logged(log)


def test_the_evidence_really_holds_what_the_logs_must_not(learner):
    at_the_question().press("Sign up", phone_number=TYPED[0], agree="on", full_name=NEW_NAME)
    event = ConsentEvent.objects.get(kind="consented", learner_id=learner.id)
    assert (event.phone_number, event.ip) == ("+14155552671", IP)
    learner.profile.refresh_from_db()
    assert learner.profile.name == NEW_NAME


# The path


@pytest.mark.parametrize("door", [LEGACY, MFE_UNIT], ids=["legacy", "MFE"])
@pytest.mark.parametrize("typed", TYPED, ids=range(len(TYPED)))
def test_signing_up_after_every_kind_of_wrong_answer(door, typed, log):
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
    assert log.records, "it is logged at all"
    assert_nothing_personal_is_logged(log)
    assert_nothing_personal_was_in_an_address(browser)


def test_declining_with_a_number_in_the_form(log):
    browser = at_the_question()
    browser.press("No thanks", phone_number=TYPED[0], full_name=NEW_NAME)
    assert browser.heading == "Your answer is saved"
    assert_nothing_personal_is_logged(log)
    assert_nothing_personal_was_in_an_address(browser)


@pytest.mark.parametrize("resource", ["users", "coaching_consent"])
def test_every_answer_through_the_api(resource, learner, log):
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
    assert_nothing_personal_is_logged(log)


def test_malformed_bodies(learner, log):
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
    assert_nothing_personal_is_logged(log)


def test_refused_requests(learner, log):
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
    assert_nothing_personal_is_logged(log)
    assert_nothing_personal_was_in_an_address(browser)


@pytest.mark.parametrize("broken", ["lms.write_phone_number", "lms.write_full_name", "ledger.append", "phone.textable"])
@pytest.mark.parametrize("door", ["page", "API"])
def test_what_breaks_on_the_way_is_logged_without_what_it_broke_on(broken, door, learner, log, monkeypatch):
    browser = at_the_question()

    # As a database says it. Made here, since a traceback shows the line that raises.
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
        assert traces(response.content.decode()) == set()
    assert any(record.name.startswith("coaching_plugin") for record in log.records), "it is logged"
    assert_nothing_personal_is_logged(log)
    assert_nothing_personal_was_in_an_address(browser)


@pytest.mark.parametrize("broken", ["eligibility.explain", "consent.has_answered", "lms.is_masquerading"])
def test_a_door_that_breaks_is_logged_without_what_it_broke_on(broken, log, monkeypatch):
    browser = at_the_question()

    def fail(*args, **kwargs):
        raise DataError(f"'{OLD_NAME}', '{EMAIL}', '{IP}'")

    monkeypatch.setattr(f"coaching_plugin.{broken}", fail)
    browser.open(LEGACY)
    assert browser.is_in_course
    lines = [record for record in log.records if record.name.startswith("coaching_plugin")]
    assert len(lines) == 1
    assert str(MB101) in lines[0].getMessage()
    assert_nothing_personal_is_logged(log)


def test_retirement(learner, log):
    browser = at_the_question()
    browser.press("Sign up", phone_number=TYPED[0], full_name=NEW_NAME, agree="on")
    token = {"X-CSRFToken": browser.client.cookies["csrftoken"].value}
    closing = browser.client.post("/api/user/v1/accounts/deactivate_logout/", {"password": "edx"}, headers=token)
    assert closing.status_code == 204
    service = Browser().open(f"{SITE}/login").log_in("staff")
    token = {"X-CSRFToken": service.client.cookies["csrftoken"].value}
    retired = service.client.post("/api/user/v1/accounts/retire/", {"username": USERNAME}, headers=token)
    assert retired.status_code == 204
    assert_nothing_personal_is_logged(log)
