"""The ways into a course, through HTTP, on both kinds of platform: who is redirected where, and who enters."""

from datetime import timedelta

import pytest
from common.djangoapps.student.models import CourseAccessRole
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from django.utils import timezone
from edx_django_utils.plugins import get_plugin_apps
from edx_rest_framework_extensions.auth.jwt.authentication import JwtAuthentication
from lms.djangoapps.course_goals.models import UserActivity
from lms.djangoapps.courseware.models import StudentModule
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from rest_framework.exceptions import AuthenticationFailed

from coaching_plugin import answered, consent, course_doors, lms, signals
from coaching_plugin.models import CoachedCourse, CoachingConsent
from tests import factories
from tests.cost import counted
from tests.factories import MB101, PLAIN, evidence

pytestmark = [pytest.mark.course_doors, pytest.mark.usefixtures("committed", "courses")]

COURSE = f"/courses/{MB101}"
LEGACY_PAGES = [
    f"{COURSE}/courseware",
    f"{COURSE}/courseware/",
    f"{COURSE}/courseware/week1/",
    f"{COURSE}/courseware/week1/lesson1/",
    f"{COURSE}/courseware/week1/lesson1/2",
    f"{COURSE}/progress",
    f"{COURSE}/tab/discussion/",
    f"{COURSE}/course_wiki",
]
METADATA = f"/api/course_home/course_metadata/{MB101}"
COURSE_HOME = "http%3A%2F%2F127.0.0.1%3A8000%2Flearning%2Fcourse%2Fcourse-v1%3ADemoX%2BMB101%2B2026%2Fhome"
OPEN = {
    "has_access": True,
    "error_code": None,
    "developer_message": None,
    "user_message": None,
    "additional_context_user_message": None,
    "user_fragment": None,
}


@pytest.fixture
def courses(coached):
    for key in (MB101, PLAIN):
        factories.overview(key)


def course_access(client, path=METADATA, **headers):
    response = client.get(path, **headers)
    assert response.status_code == 200
    return response.json()["course_access"]


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


def test_the_platform_is_what_the_run_says(settings):
    """So that the two passes of the suite really are two."""
    assert lms.calls_courseware_filters() is (settings.SANDBOX_COURSEWARE_HOOKS == "filters")


@pytest.mark.parametrize(
    ("path", "is_door"), [(LEGACY_PAGES[0], True), (METADATA, True), (f"{COURSE}/about", False), ("/dashboard", False)]
)
def test_whoever_comes_to_a_course_door_is_noticed(browser, watch, path, is_door):
    """So that no test which does is left out of the second pass."""
    browser.get(path)
    assert watch.saw_course_door is is_door


def test_the_plugin_came_through_its_entry_point():
    assert "coaching_plugin.apps.CoachingPluginConfig" in get_plugin_apps("lms.djangoapp")


# Legacy pages


@pytest.mark.parametrize("page", LEGACY_PAGES)
def test_every_legacy_page_leads_to_the_question_and_back_to_itself(browser, page):
    response = browser.get(f"{page}?a=1&b=%2B")
    assert response.status_code == 302
    path = page.replace(":", "%3A").replace("+", "%2B").replace("/", "%2F")
    assert response.headers["Location"] == f"/coaching/consent/?next={path}%3Fa%3D1%26b%3D%252B"


def test_the_constant_names_every_legacy_page():
    assert {resolve(page).view_name for page in LEGACY_PAGES} <= course_doors.LEGACY_COURSE_VIEWS


def test_nothing_of_the_visit_is_recorded_when_it_is_redirected(browser):
    browser.get(LEGACY_PAGES[0])
    assert not StudentModule.objects.exists()
    assert not CoachingConsent.objects.exists(), "asked is who saw the question"


@pytest.mark.parametrize("page", LEGACY_PAGES)
def test_other_courses_open(browser, learner, page):
    factories.enroll(learner, PLAIN)
    location = browser.get(page.replace("MB101", "PLAIN")).headers.get("Location", "")
    assert "coaching" not in location


def test_only_a_person_opening_a_page_is_asked(browser):
    for response in (
        browser.get(LEGACY_PAGES[0], HTTP_X_REQUESTED_WITH="XMLHttpRequest"),
        browser.get(LEGACY_PAGES[0], HTTP_AUTHORIZATION="Bearer abc"),
        browser.post(LEGACY_PAGES[5]),
        browser.head(LEGACY_PAGES[5]),
    ):
        assert "coaching" not in response.headers.get("Location", "")


def test_a_malformed_course_key_is_left_to_the_platform(browser):
    assert browser.get("/courses/nonsense/courseware").status_code in (302, 404)


def test_the_consent_page_and_the_dashboard_are_never_gated(browser):
    assert browser.get("/coaching/consent/?next=%2Fdashboard").status_code == 200
    assert browser.get("/dashboard").status_code == 200


# The learning MFE


def test_the_learning_mfe_is_sent_to_the_question_in_the_one_way_it_knows(browser):
    refused = course_access(browser)
    assert refused.pop("user_message")
    assert refused == {
        "has_access": False,
        "error_code": "data_sharing_access_required",
        "developer_message": f"/coaching/consent/?next={COURSE_HOME}",
        "additional_context_user_message": None,
        "user_fragment": None,
    }


def test_a_deep_page_is_come_back_to_where_the_browser_names_it(browser):
    page = f"http://127.0.0.1:8000/learning/course/{MB101}/week1/unit2?x=1"
    path = course_access(browser, HTTP_REFERER=page)["developer_message"]
    assert path.startswith("/coaching/consent/?next=http%3A%2F%2F127.0.0.1%3A8000%2Flearning%2Fcourse%2F")
    assert path.endswith("%2Fweek1%2Funit2%3Fx%3D1")


@pytest.mark.parametrize(
    "page",
    [
        "http://127.0.0.1:8000/learning/",
        f"http://evil.example.com/learning/course/{MB101}/home",
        f"http://127.0.0.1:8000/learning/course/{PLAIN}/home",
        "not an address",
        "",
    ],
)
def test_any_other_referer_leads_to_the_course_home(browser, page):
    assert course_access(browser, HTTP_REFERER=page)["developer_message"] == f"/coaching/consent/?next={COURSE_HOME}"


def test_who_answered_enters(browser, learner):
    consent.decline(learner, evidence())
    assert course_access(browser) == OPEN


def test_a_refusal_of_the_platform_itself_stays(coached, flags):
    learner = factories.eligible_learner()
    learner.courseenrollment_set.update(is_active=False)
    assert course_access(logged_in(learner))["error_code"] == "enrollment_required"


def test_a_refusal_of_the_platform_stays_for_a_learner_who_would_be_asked(browser):
    CourseOverview.objects.filter(id=MB101).update(start=timezone.now() + timedelta(days=30))
    assert course_access(browser)["error_code"] == "course_not_started"


def test_scripts_and_mobile_apps_are_not_asked(browser, learner, bearer_token):
    assert course_access(Client(), HTTP_AUTHORIZATION=f"Bearer {bearer_token(learner)}") == OPEN
    assert course_access(browser, HTTP_AUTHORIZATION=f"Bearer {bearer_token(learner)}") == OPEN


def test_jwt_cookies_without_a_session_are_a_person(learner, log_in):
    client = log_in(learner)
    del client.cookies["sessionid"]
    assert course_access(client, HTTP_USE_JWT_COOKIE="true")["has_access"] is False


def test_jwt_cookies_that_are_none_are_nobody(learner, log_in):
    client = log_in(learner)
    del client.cookies["sessionid"]
    client.cookies["edx-jwt-cookie-signature"] = "nonsense"
    assert course_access(client, HTTP_USE_JWT_COOKIE="true")["error_code"] == "authentication_required"


def test_jwt_cookies_that_break_are_the_platforms_to_refuse(learner, log_in, monkeypatch):
    client = log_in(learner)
    del client.cookies["sessionid"]

    def refuse(*args):
        raise AuthenticationFailed

    monkeypatch.setattr(JwtAuthentication, "authenticate", refuse)
    assert client.get(METADATA, HTTP_USE_JWT_COOKIE="true").status_code == 401


def test_other_api_calls_of_the_mfe_are_not_touched(browser):
    assert browser.get(f"/api/course_home/outline/{MB101}").status_code == 200


def test_a_returning_learner_is_let_through_and_asked_the_next_time(coached, flags):
    learner = factories.user()
    factories.enroll(learner)
    client = logged_in(learner)
    assert course_access(client) == OPEN
    assert UserActivity.objects.filter(user=learner).exists(), "the platform recorded the visit"
    assert course_access(client)["has_access"] is False


# Staff and masquerade


@pytest.fixture
def instructor(learner):
    teacher = factories.user()
    CourseAccessRole.objects.create(user=teacher, org="DemoX", course_id=MB101, role="instructor")
    return teacher


def masquerade(client, as_whom):
    response = client.post(
        f"{COURSE}/masquerade", {"user_name": as_whom.username, "role": "student"}, content_type="application/json"
    )
    assert response.status_code == 200
    assert response.json()["success"]


@pytest.mark.parametrize("global_staff", [True, False])
def test_who_masquerades_as_an_eligible_learner_is_let_through_and_marks_nobody(
    learner, instructor, global_staff, django_user_model
):
    teacher = factories.user(is_staff=True) if global_staff else instructor
    client = logged_in(teacher)
    masquerade(client, learner)
    body = client.get(METADATA).json()
    assert body["username"] == learner.username, "the masquerade is on"
    assert body["course_access"] == OPEN
    for page in LEGACY_PAGES:
        assert "coaching" not in client.get(page).headers.get("Location", "")
    assert not CoachingConsent.objects.exists()


def test_a_masquerade_spares_even_one_whom_no_rule_about_roles_spares(browser, learner, monkeypatch):
    """A safety net of its own: nothing but the session says that it is a masquerade."""
    monkeypatch.setattr("coaching_plugin.lms.is_masquerading", lambda request, course_key: True)
    assert course_access(browser) == OPEN


# Cost, at the door itself


def queries_of_metadata(client):
    """Return how many queries ``course_metadata`` asks, warm."""
    course_access(client)
    with CaptureQueriesContext(connection) as queries:
        course_access(client)
    return len(queries)


@pytest.mark.parametrize(
    ("state", "more"), [("nothing coached", 0), ("answered", 0), ("not eligible", 0), ("to be asked", 2)]
)
def test_what_the_door_adds_to_course_metadata(learner, browser, set_flag, state, more):
    if state == "nothing coached":
        CoachedCourse.objects.all().delete()
    elif state == "answered":
        consent.decline(learner, evidence())
    elif state == "not eligible":
        learner.courseenrollment_set.update(mode="audit")
    with_plugin = queries_of_metadata(browser)
    set_flag("coaching.enabled", False)
    assert with_plugin - queries_of_metadata(browser) == more


def test_an_answer_from_before_costs_a_legacy_page_two_queries_once(browser, learner):
    """On platforms with hooks the page decides within its own transaction (``ATOMIC_REQUESTS``)."""
    consent.decline(learner, evidence())
    costs = []
    for remembered in (True, False, True):
        if not remembered:
            cache.delete(answered.key(learner.id))
        with counted() as cost:
            assert browser.get(f"{COURSE}/progress").status_code == 200
        costs.append(cost.queries)
    assert costs[1] - costs[2] == 2


# Others, and faults


@pytest.fixture
def receiver():
    """Connect a function as another plugin's receiver."""
    connected = []

    def connect(function):
        signals.course_access_requested.connect(function, weak=False)
        connected.append(function)

    yield connect
    for function in connected:
        signals.course_access_requested.disconnect(function)


def test_another_plugin_may_send_learners_elsewhere(browser, learner, receiver):
    consent.decline(learner, evidence())
    receiver(lambda **kwargs: "/survey/")
    assert browser.get(LEGACY_PAGES[0]).headers["Location"] == "/survey/"
    assert course_access(browser)["developer_message"] == "/survey/"


@pytest.mark.parametrize("door", [LEGACY_PAGES[0], METADATA])
def test_the_way_back_is_of_one_class_at_all_requests(browser, receiver, door):
    ways_back = []
    receiver(lambda next_url, **kwargs: ways_back.append(next_url))
    for _ in range(2):
        browser.get(door)
    first, second = ways_back
    assert type(first) is type(second)


@pytest.mark.logs_personal_data("Django itself logs the message of another plugin's receiver")
def test_a_receiver_that_fails_is_logged_and_passed_over(browser, learner, receiver, caplog):
    def broken(**kwargs):
        raise RuntimeError("+14155550100")

    receiver(broken)
    assert course_access(browser)["has_access"] is False, "our own answer counts"
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert len(lines) == 1
    assert f"User {learner.id}" in lines[0]
    assert str(MB101) in lines[0]
    assert "RuntimeError" in lines[0]
    assert "+1415" not in lines[0]


FAULTS = {
    "the query": "coaching_plugin.enrollments.facts",
    "the answer": "coaching_plugin.answered.has_answered",
    "the cache": "django.core.cache.cache.get_many",
    "the flags": "coaching_plugin.toggles.redirects_on_course_entry",
    "the way back": "coaching_plugin.lms.course_home_url",
    "the masquerade": "coaching_plugin.lms.is_masquerading",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_fails_the_course_opens_and_one_line_says_so(browser, learner, monkeypatch, caplog, fault):
    def fail(*args, **kwargs):
        raise RuntimeError

    assert course_access(browser)["has_access"] is False
    monkeypatch.setattr(FAULTS[fault], fail)
    caplog.clear()
    assert course_access(browser) == OPEN
    lines = [record for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert len(lines) == 1
    assert f"User {learner.id}" in lines[0].getMessage()
    assert str(MB101) in lines[0].getMessage()


@pytest.mark.parametrize("name", ["coaching.enabled", "coaching.course_redirect"])
def test_with_a_flag_off_the_course_opens(browser, set_flag, name):
    set_flag(name, False)
    assert course_access(browser) == OPEN
    assert "coaching" not in browser.get(LEGACY_PAGES[0]).headers.get("Location", "")
