"""Whatever of ours breaks, the course opens and one line says so; page and API answer, and nothing is half stored."""

import io
import json
from collections import namedtuple
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup
from common.djangoapps.student.models import UserProfile
from django.apps import apps
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models.signals import post_save
from django.test import Client, override_settings
from lms.djangoapps.course_goals.models import UserActivity

from coaching_plugin import coached_courses, conf, consent, disclosures, ledger, signals
from coaching_plugin.models import CoachedCourse, CoachingConsent
from tests import factories
from tests.browser import ANSWERED, CONSENT, DOORS, PROGRESS, SITE, Browser
from tests.consent_pages import RECEIPT, SETTINGS
from tests.factories import MB101, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.test_coached_courses import SYNC, program, put
from tests.test_rest_api import API, assert_refused, stored

pytestmark = [pytest.mark.course_doors, pytest.mark.usefixtures("committed")]

SQLITE = connection.vendor == "sqlite"


# Breaking things


def execute(database, *statements):
    with database.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def our_tables():
    return [model._meta.db_table for model in apps.get_app_config("coaching_plugin").get_models()]


@contextmanager
def without_tables():
    """As while migrations lag behind a deploy."""
    execute(connection, *(f"ALTER TABLE {table} RENAME TO {table}_away" for table in our_tables()))
    try:
        yield
    finally:
        execute(connection, *(f"ALTER TABLE {table}_away RENAME TO {table}" for table in our_tables()))


@contextmanager
def with_broken_queries():
    """The connection breaks in every query of ours, and in none of the platform's."""

    def run(execute, sql, params, many, context):
        if "coaching_plugin_" in sql or "state_is_recent" in sql:
            raise OperationalError(2013, "Lost connection to server during query")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(run):
        yield


@contextmanager
def with_connection_settings(*statements):
    execute(connection, *statements)
    if SQLITE:
        # Or each page of the platform's would begin as a writer, and fail before it comes to us.
        connection.transaction_mode = "DEFERRED"
    try:
        yield
    finally:
        connection.close()


@contextmanager
def with_a_lock_held():
    """
    Somebody holds a lock for longer than our queries wait.

    On MariaDB it is on our tables, as a migration has them, and nobody reads them. SQLite locks nothing less than the
    database, from writers only: readers who waited would be the platform's own.
    """
    somebody = connection.copy()
    tables = ", ".join(f"{table} WRITE" for table in our_tables())
    execute(somebody, "BEGIN IMMEDIATE" if SQLITE else f"LOCK TABLES {tables}")
    try:
        with with_connection_settings("PRAGMA busy_timeout = 20" if SQLITE else "SET SESSION lock_wait_timeout = 0"):
            yield
    finally:
        somebody.close()


def with_a_read_only_database():
    return with_connection_settings("PRAGMA query_only = ON" if SQLITE else "SET SESSION TRANSACTION READ ONLY")


class DownCache(LocMemCache):
    """A cache at whose address nobody listens."""

    def _fail(self, *args, **kwargs):
        raise ConnectionError("Error 111 connecting to cache:6379. Connection refused.")

    add = get = set = touch = incr = has_key = delete = clear = get_many = set_many = delete_many = _fail


class FullCache(LocMemCache):
    """A cache that still gives what it has, and takes nothing."""

    def _fail(self, *args, **kwargs):
        raise ConnectionError("OOM command not allowed when used memory > 'maxmemory'.")

    add = set = touch = incr = set_many = _fail


def with_cache(backend):
    return lambda: override_settings(CACHES={"default": {"BACKEND": backend}})


def with_receiver(signal, **options):
    """A receiver of another plugin's raises."""

    def fail(**kwargs):
        raise RuntimeError("Another plugin broke.")

    @contextmanager
    def connected():
        signal.connect(fail, **options)
        try:
            yield
        finally:
            signal.disconnect(fail, **options)

    return connected


# What is asked of what is broken


def page(browser, learner):
    return browser.client.get(f"{CONSENT}?{urlencode({'next': PROGRESS})}")


def answered(browser, learner):
    return browser.client.get(f"{ANSWERED}?{urlencode({'next': PROGRESS})}")


def post(answer):
    def send(browser, learner):
        form = {"phone_number": OTHER_TYPED, "full_name": "Lena Q. Learner", "agree": "on", "next": PROGRESS}
        disclosure = browser.disclosure
        token = browser.client.cookies["csrftoken"].value
        data = {**form, "answer": answer, "disclosure": disclosure, "csrfmiddlewaretoken": token}
        return browser.client.post(CONSENT, data, headers={"Origin": SITE})

    return send


def settings_page(browser, learner):
    return browser.client.get(f"{SETTINGS}?{urlencode({'next': PROGRESS})}")


def post_settings(browser, learner):
    data = {"phone_number": OTHER_TYPED, "agree": "on", "next": PROGRESS, "disclosure": browser.disclosure}
    token = browser.client.cookies["csrftoken"].value
    return browser.client.post(SETTINGS, {**data, "csrfmiddlewaretoken": token}, headers={"Origin": SITE})


def receipt_page(browser, learner):
    return browser.client.get(f"{RECEIPT}?{urlencode({'next': PROGRESS})}")


def get(resource):
    return lambda browser, learner: browser.client.get(f"{API}/{resource.format(learner.id)}/")


def patch(resource, **body):
    def send(browser, learner):
        token = browser.client.cookies["csrftoken"].value
        path = f"{API}/{resource.format(learner.id)}/"
        return browser.client.patch(
            path, json.dumps(body), content_type="application/json", headers={"X-CSRFToken": token}
        )

    return send


ACCEPT = {"coaching_consent": True, "phone_number": OTHER_TYPED, "full_name": "Lena Q. Learner"}
DECLINE = {"coaching_consent": False}
READS = {
    "the confirmation": answered,
    "the settings": settings_page,
    "the receipt": receipt_page,
    "users": get("users/{}"),
    "disclosure": get("disclosure"),
    "eligibility": get("eligibility/{}"),
    "receipts": get("receipts/{}"),
}
WRITES_THE_PROFILE = {
    "changing the number": patch("users/{}", phone_number=OTHER_TYPED),
    "accepting on the page": post("accept"),
    "accepting in a form": patch("coaching_consent/{}", **ACCEPT),
    "accepting on the settings page": post_settings,
    "accepting in settings": patch("users/{}", **ACCEPT),
}
WRITES = {
    "the question": page,
    "declining on the page": post("decline"),
    "declining in a form": patch("coaching_consent/{}", **DECLINE),
    "declining in settings": patch("users/{}", **DECLINE),
    **WRITES_THE_PROFILE,
}
REQUESTS = {**READS, **WRITES}

# On entering a course: let in unasked; asked by a page that fails and leads on; or asked, and in after the answer.
UNASKED, LED_ON, ASKED = "unasked", "led on", "asked"

# What breaks, how learners enter then, which requests are stopped by it, and how many lines entering may make.
Fault = namedtuple("Fault", "broken entering stops lines", defaults=[{1}])
FAULTS = {
    "our tables are missing": Fault(without_tables, UNASKED, REQUESTS.keys()),
    "our queries break": Fault(with_broken_queries, UNASKED, REQUESTS.keys()),
    "a lock is held": Fault(
        with_a_lock_held, LED_ON if SQLITE else UNASKED, WRITES.keys() if SQLITE else REQUESTS.keys()
    ),
    "the database is read-only": Fault(with_a_read_only_database, LED_ON, WRITES.keys()),
    # The flags are in it. The confirmation and the receipt ask for none.
    "the cache is down": Fault(
        with_cache("tests.test_faults.DownCache"),
        UNASKED,
        REQUESTS.keys() - {"the confirmation", "the receipt", "receipts"},
    ),
    # It will not remember the answer; and only a door outside of a transaction tries to have it remembered.
    "the cache is full": Fault(with_cache("tests.test_faults.FullCache"), ASKED, set(), lines={0, 1}),
    # As memcached is, down, to a client that ignores its errors.
    "the cache forgets": Fault(with_cache("django.core.cache.backends.dummy.DummyCache"), ASKED, set(), lines={0}),
    # At the door before the question, and again after the answer.
    "a receiver at the doors raises": Fault(with_receiver(signals.course_access_requested), ASKED, set(), lines={2}),
    "a receiver of the profile's raises": Fault(
        with_receiver(post_save, sender=UserProfile), ASKED, WRITES_THE_PROFILE.keys(), lines={0}
    ),
}


def lines(caplog):
    """Return what we logged. That requests are not throttled while the cache is down is a line of its own."""
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("coaching_plugin")]
    return [message for message in messages if "is not throttled" not in message]


@pytest.fixture
def browser(learner):
    """The learner's browser, in a process that others came to before; the learner was in the course today already."""
    browser = Browser()
    browser.client.force_login(learner)
    browser.client.get("/csrf/api/v1/token")
    browser.disclosure = disclosures.current("en").sha256
    UserActivity.record_user_activity(learner, MB101)
    somebody = Client()
    other = factories.user()
    somebody.force_login(other)
    somebody.get(PROGRESS)
    somebody.get(f"{API}/users/{other.id}/")
    return browser


# The course


@pytest.mark.parametrize(
    ("fault", "door"),
    [
        (fault, door)
        for fault in FAULTS
        for door in DOORS
        # Opening the courseware writes; where nobody can, the platform itself fails.
        if not (FAULTS[fault].entering == LED_ON and door == "legacy courseware")
    ],
)
def test_the_course_opens_and_one_line_says_what_broke(browser, learner, caplog, fault, door):
    broken, entering, _, expected = FAULTS[fault]
    with broken():
        browser.open(DOORS[door])
        if entering == LED_ON:
            assert browser.response.status_code == 503
            browser.follow(browser.page.select_one("main a.coaching-button"))
        elif entering == ASKED:
            browser.press("No thanks").follow(browser.page.select_one("main a.coaching-button"))
        assert browser.url == DOORS[door]
        assert browser.is_in_course
    logged = lines(caplog)
    assert len(logged) in expected, logged
    for line in logged:
        assert f"User {learner.id}" in line
        assert str(MB101) in line or entering == LED_ON, "the page knows of no course"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if FAULTS[fault].entering != ASKED])
def test_once_it_is_over_the_learner_is_asked_again(browser, fault):
    with FAULTS[fault].broken():
        browser.open(PROGRESS)
    cache.clear()  # an hour later, where the page had to lead on
    assert browser.open(PROGRESS).heading == "Would you like a coach?"


def test_a_process_that_starts_without_our_tables_says_so_once_and_opens_every_course(browser, caplog, monkeypatch):
    monkeypatch.setattr(coached_courses, "_keys", coached_courses._KeySet())
    with without_tables():
        for door in DOORS.values():
            assert browser.open(door).is_in_course
    (line,) = lines(caplog)
    assert line.startswith("The coached course runs could not be read, and the 0 known stay")


def test_a_process_that_reads_the_set_anew_says_once_that_it_cannot(browser, learner, caplog):
    coached_courses.forget()
    with without_tables():
        for _ in range(2):
            assert browser.open(PROGRESS).is_in_course
    first, *others = lines(caplog)
    assert first.startswith("The coached course runs could not be read, and the 3 known stay")
    assert [line.startswith(f"User {learner.id} enters course {MB101} unasked") for line in others] == [True] * 2


# Page and API


def assert_says_so(response):
    """Hold a failed request to its word: a message, on the page with the way on, and nothing of what broke."""
    if response.headers["Content-Type"] == "application/json":
        assert_refused(response, 500, "coaching")
    else:
        assert response.status_code == 503
        page = BeautifulSoup(response.content, "html.parser")
        assert page.h1.text == "Something went wrong on our side"
        assert page.select_one("main a.coaching-button")["href"] == PROGRESS
    body = response.content.decode()
    for word in ("Traceback", "Error", "coaching_plugin_", "cache:6379", OTHER_TYPED, "Lena Q."):
        assert word not in body


@pytest.mark.parametrize("status", ["undecided", "consented"])
@pytest.mark.parametrize("fault", FAULTS)
def test_page_and_api_say_so_in_one_line_and_store_nothing(browser, learner, caplog, settings, fault, status):
    settings.DEBUG = True  # even then
    # Who consented is led past the question; who was never asked has no receipt to get.
    not_there = {"undecided": "receipts", "consented": "the question"}[status]
    requests = {name: send for name, send in REQUESTS.items() if name != not_there}
    if status == "consented":
        consent.give(learner, TYPED, None, evidence())
    stops = FAULTS[fault].stops & requests.keys()
    if (status, fault) == ("consented", "the cache is down"):
        # Shown whatever the flags say, which are in the cache.
        stops -= {"the settings"}
    before = stored()
    for name in stops:
        caplog.clear()
        with FAULTS[fault].broken():
            response = requests[name](browser, learner)
        assert_says_so(response)
        assert stored() == before, name
        (line,) = lines(caplog)
        assert line.startswith(f"User {learner.id}:"), name
    # What does not need what is broken works on.
    for name in requests.keys() - stops:
        caplog.clear()
        with FAULTS[fault].broken():
            assert requests[name](browser, learner).status_code in (200, 302), name
        assert lines(caplog) == [], name


@pytest.mark.parametrize("name", ["accepting on the page", "accepting in a form", "the question", "users"])
def test_a_process_that_never_read_the_coached_course_runs_calls_nobody_ineligible(
    browser, learner, caplog, monkeypatch, name
):
    """They could not be read when the process started, and are not due again; all the rest works."""
    monkeypatch.setattr(coached_courses, "_keys", coached_courses._KeySet())
    with without_tables():
        assert browser.open(PROGRESS).is_in_course
    before = stored()
    caplog.clear()
    assert_says_so(REQUESTS[name](browser, learner))
    assert stored() == before, "no refusal is on record"
    (line,) = lines(caplog)
    assert line.startswith(f"User {learner.id}:")


@pytest.mark.parametrize("name", ["declining in a form", "declining in settings"])
def test_what_fails_after_an_answer_is_stored_makes_no_error_of_it(browser, learner, caplog, monkeypatch, name):
    monkeypatch.setattr(coached_courses, "_keys", coached_courses._KeySet())
    with without_tables():
        browser.open(PROGRESS)
    caplog.clear()
    response = REQUESTS[name](browser, learner)
    assert (response.status_code, response.json()["consent_form_seen"]) == (200, True)
    assert CoachingConsent.objects.get(user=learner).status == "declined"
    (line,) = lines(caplog)
    assert line.startswith(f"User {learner.id} has answered")


@pytest.mark.parametrize("fault", FAULTS)
def test_once_it_is_over_the_answer_counts(browser, learner, fault):
    accept = REQUESTS["accepting on the page"]
    with FAULTS[fault].broken():
        accept(browser, learner)
    response = accept(browser, learner)
    assert response.headers["Location"] == f"/coaching/consent/answered/?{urlencode({'next': PROGRESS})}"
    row = CoachingConsent.objects.get(user=learner)
    assert (row.is_consented, row.phone_number) == (True, OTHER_NUMBER)
    assert [event.kind for event in row.events.all()] == ["consented"]
    assert ledger.verify_one(row) is None
    assert browser.open(PROGRESS).is_in_course


# Settings


# Each is bad for every setting, but that no number of days is a choice of its own. All the others that are bad for one
# are in test_settings.
BAD = {
    "none": None,
    "empty": "",
    "negative": -1,
    "a fraction": 1.5,
    "bytes": b"US",
    "nested": [["US"]],
    "odd": object(),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_settings_break_nothing_and_are_a_line_each_however_often_they_are_read(
    browser, learner, caplog, settings, kind
):
    for name in conf.DEFAULTS:
        setattr(settings, name, BAD[kind])
    put(program())
    conf._complain.cache_clear()
    caplog.clear()
    for door in (PROGRESS, DOORS["MFE home"]):
        assert browser.open(door).heading == "Would you like a coach?"
    browser.press("Sign up", phone_number="call me", agree="on")
    browser.press("Sign up", phone_number=TYPED, agree="on")
    assert browser.heading == "You are signed up for coaching"
    assert browser.follow(browser.page.select_one("main a.coaching-button")).is_in_course
    for name in (*READS, "changing the number", "declining on the page", "accepting in a form"):
        assert REQUESTS[name](browser, learner).status_code in (200, 302), name
    call_command("sync_coached_courses", stdout=io.StringIO())
    # No learner's path comes by these.
    for read in (conf.partner_max_attempts, conf.opt_out_secrets, conf.evidence_retention_days, conf.consent_goal):
        assert read() == read()
    unusable = set(conf.DEFAULTS) - ({"COACHING_EVIDENCE_RETENTION_DAYS"} if kind == "none" else set())
    assert sorted(line.split(" is not usable")[0] for line in lines(caplog)) == sorted(unusable)


# Shared with the platform, and read by us to tell the site's own addresses.
@pytest.mark.parametrize(
    ("name", "value"), [("LOGIN_REDIRECT_WHITELIST", None), ("ACCOUNT_MICROFRONTEND_URL", "http://[::1")]
)
def test_a_bad_setting_of_the_platforms_that_we_read_too(browser, learner, caplog, settings, name, value):
    setattr(settings, name, value)
    assert browser.open(PROGRESS).is_in_course
    (line,) = lines(caplog)
    assert f"User {learner.id} enters course {MB101} unasked" in line
    caplog.clear()
    response = page(browser, learner)
    assert response.status_code == 503
    assert BeautifulSoup(response.content, "html.parser").select_one("main a.coaching-button")["href"] == "/dashboard"
    assert len(lines(caplog)) == 1
    assert get("users/{}")(browser, learner).status_code == 200


# The catalog


def test_a_catalog_whose_cache_is_down_breaks_the_synchronization_alone(browser, learner, coached):
    operator = Client(raise_request_exception=False)
    operator.force_login(User.objects.create_superuser("operator", "operator@example.com", "edx"))
    put(program())
    before = list(CoachedCourse.objects.values())
    with FAULTS["the cache is down"].broken():
        with pytest.raises(CommandError) as caught:
            call_command("sync_coached_courses")
        response = operator.post(SYNC, follow=True)
    problem = "The catalog could not be read (ConnectionError)."
    assert str(caught.value) == f"Nothing was changed. {problem}"
    assert caught.value.returncode == 1
    assert [str(message) for message in response.context["messages"]] == [problem]
    assert list(CoachedCourse.objects.values()) == before
    assert browser.open(PROGRESS).heading == "Would you like a coach?"
