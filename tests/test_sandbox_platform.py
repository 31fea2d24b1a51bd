"""The sandbox behaves as the platform does where the plugin leans on it."""

import json
import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from common.djangoapps.student.models import CourseEnrollment
from completion.models import BlockCompletion
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db.models.signals import post_save
from django.http import HttpResponse
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.test import Client
from django.utils import timezone
from edx_rest_framework_extensions.auth.jwt.decoder import jwt_decode_handler
from lms.djangoapps.course_goals.models import UserActivity
from lms.djangoapps.courseware.models import StudentModule
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.catalog.utils import course_run_keys_for_program, get_programs
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.user_api.accounts.api import update_account_settings
from openedx.core.djangoapps.user_api.accounts.signals import USER_RETIRE_LMS_CRITICAL
from openedx.core.djangoapps.user_api.errors import AccountValidationError, UserNotAuthorized
from openedx.core.djangoapps.user_api.models import UserRetirementStatus
from openedx_filters import PipelineStep
from openedx_filters.learning.filters import DashboardRenderStarted
from sandbox_demo.cast import MB101, MB102, PEOPLE, PLAIN, PROGRAM

from tests.fixtures_sandbox import log_in, logged_in, seed

pytestmark = pytest.mark.django_db

MB101_KEY = CourseKey.from_string(MB101)
JWT_COOKIES = ("edx-jwt-cookie-header-payload", "edx-jwt-cookie-signature")
METADATA = "/api/course_home/course_metadata/"


@pytest.fixture(autouse=True)
def _seeded(db):
    seed()


def _user(username):
    return User.objects.get(username=username)


# Logging in ----------------------------------------------------------------------------------------------------------


def test_login_sets_session_and_jwt_cookies():
    response = log_in("eligible")

    assert response.status_code == 200
    assert response.json()["success"] is True
    assert {"sessionid", *JWT_COOKIES} <= set(response.cookies)
    assert not response.cookies[JWT_COOKIES[0]]["httponly"]
    assert response.cookies[JWT_COOKIES[1]]["httponly"]


@pytest.mark.logs_personal_data("the platform's tracking middleware logs what is sent to its login")
def test_login_by_email_address():
    assert log_in("eligible@example.com").status_code == 200


def test_login_needs_a_csrf_token():
    client = Client(enforce_csrf_checks=True)
    fields = {"email_or_username": "eligible", "password": "edx"}

    assert client.post("/api/user/v2/account/login_session/", fields).status_code == 403


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("eligible", "wrong", "incorrect-email-or-password"),
        ("nobody", "edx", "incorrect-email-or-password"),
        ("inactive", "edx", "inactive-user"),
    ],
)
def test_login_is_refused(username, password, code):
    response = log_in(username, password)

    assert response.status_code == 400
    assert response.json()["success"] is False
    assert response.json()["error_code"] == code
    assert "sessionid" not in response.cookies


def test_an_older_session_of_an_inactive_account_still_calls():
    client = Client()
    client.force_login(_user("inactive"))

    assert client.get("/api/user/v1/accounts/inactive").json()["is_active"] is False


def test_login_page_works_without_scripts_and_keeps_next():
    client = Client(enforce_csrf_checks=True)
    page = client.get("/login", {"next": f"/courses/{PLAIN}/progress?a=1&b=2"})
    fields = {
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
        "email_or_username": "plain",
        "password": "edx",
        "next": page.context["next"],
    }

    response = client.post("/login", fields)

    assert response.status_code == 302
    assert response.url == f"/courses/{PLAIN}/progress?a=1&b=2"
    assert set(JWT_COOKIES) <= set(response.cookies)


@pytest.mark.parametrize(
    "hostile", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_login_page_leads_nowhere_else(hostile):
    assert Client().get("/login", {"next": hostile}).context["next"] == "/dashboard"


def test_jwt_cookies_alone_open_an_api_and_need_csrf_for_writing():
    cookies = log_in("eligible").cookies
    client = Client(enforce_csrf_checks=True)
    for name in JWT_COOKIES:
        client.cookies[name] = cookies[name].value
    address, body = "/api/user/v1/accounts/eligible", json.dumps({"phone_number": "1"})

    assert client.get(address, headers={"USE-JWT-COOKIE": "true"}).json()["id"] == _user("eligible").id
    assert client.patch(address, body, content_type="application/merge-patch+json").status_code in (401, 403)


def test_a_jwt_that_somebody_else_signed_is_refused():
    cookies = log_in("eligible").cookies
    client = Client()
    client.cookies[JWT_COOKIES[0]] = cookies[JWT_COOKIES[0]].value
    client.cookies[JWT_COOKIES[1]] = cookies[JWT_COOKIES[1]].value[::-1]

    assert client.get("/api/user/v1/accounts/eligible").status_code == 401


def test_login_refresh():
    assert Client().post("/login_refresh").status_code == 401

    response = logged_in("eligible").post("/login_refresh")

    assert response.status_code == 200
    assert set(JWT_COOKIES) <= set(response.cookies)


def test_the_service_account_gets_a_bearer_token():
    fields = {"grant_type": "client_credentials", "client_id": "coach_api", "client_secret": "edx"}
    token = Client(enforce_csrf_checks=True).post("/oauth2/access_token", fields).json()["access_token"]

    account = Client().get("/api/user/v1/accounts/coach_api", headers={"Authorization": f"Bearer {token}"})

    assert account.json()["username"] == "coach_api"
    assert Client().get("/api/user/v1/accounts/coach_api", headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize("how", ["field", "header"])
def test_the_service_account_gets_a_jwt_with_the_platforms_claims(how):
    fields = {"grant_type": "client_credentials", "client_id": "coach_api", "client_secret": "edx"}
    asked = {"field": ({"token_type": "JWT"}, {}), "header": ({}, {"X-Token-Type": "jwt"})}[how]
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/oauth2/access_token", {**fields, **asked[0]}, headers=asked[1]).json()

    assert (answer["token_type"], answer["expires_in"]) == ("JWT", 3600)
    claims = jwt_decode_handler(answer["access_token"])
    told = {name: claims[name] for name in ("preferred_username", "grant_type", "filters", "is_restricted", "scopes")}
    assert told == {
        "preferred_username": "coach_api",
        "grant_type": "client-credentials",
        "filters": [],
        "is_restricted": False,
        "scopes": answer["scope"].split(),
    }
    assert "user_id" not in claims, "a scope that such tokens lack"
    for scheme, allowed in [("JWT", True), ("Bearer", False)]:
        headers = {"Authorization": f"{scheme} {answer['access_token']}"}
        assert (Client().get("/api/user/v1/accounts/coach_api", headers=headers).status_code == 200) is allowed


def test_who_has_no_secret_gets_no_token():
    fields = {"grant_type": "client_credentials", "client_id": "coach_api", "client_secret": "x", "token_type": "jwt"}
    response = Client(enforce_csrf_checks=True).post("/oauth2/access_token", fields)
    assert response.status_code == 401
    assert response.json() == {"error": "invalid_client"}


# Accounts ------------------------------------------------------------------------------------------------------------


def _patch(username, update, content_type="application/merge-patch+json", client=None):
    client = client or logged_in(username)
    token = {"X-CSRFToken": client.cookies["csrftoken"].value}
    return client.patch(f"/api/user/v1/accounts/{username}", json.dumps(update), content_type, headers=token)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("+1 (555) 010-9999", "+15550109999"),
        ("abc", None),
        ("", None),
        ("0049 151 123", "0049151123"),
        (None, None),
    ],
)
def test_any_phone_number_is_taken_for_its_digits(typed, stored):
    response = _patch("eligible2", {"phone_number": typed})

    assert response.status_code == 200
    assert response.json()["phone_number"] == stored


@pytest.mark.parametrize("name", ["", "x" * 256, "<b>", "http://a.example"])
def test_malformed_names_are_refused(name):
    response = _patch("eligible", {"name": name})

    assert response.status_code == 400
    assert set(response.json()["field_errors"]["name"]) == {"developer_message", "user_message"}


def test_old_names_are_kept():
    _patch("eligible", {"name": "Elena G."})

    profile = _user("eligible").profile
    assert profile.name == "Elena G."
    assert profile.get_meta()["old_names"][0][0] == "Elena Garcia"


def test_names_that_are_managed_or_need_verification_stay():
    assert "name" in _patch("managed", {"name": "Other"}).json()["field_errors"]

    learner = _user("eligible")
    learner.profile.set_meta({"sandbox_name_locked": True})
    learner.profile.save()
    with pytest.raises(AccountValidationError) as refusal:
        update_account_settings(learner, {"name": "Other"})
    assert "ID verification" in refusal.value.field_errors["name"]["user_message"]


def test_accounts_of_others_are_not_for_writing_and_hardly_for_reading():
    assert set(logged_in("eligible").get("/api/user/v1/accounts/plain").json()) == {
        "account_privacy",
        "profile_image",
        "username",
    }
    assert _patch("eligible", {"name": "X"}, client=logged_in("staff")).status_code == 403
    with pytest.raises(UserNotAuthorized):
        update_account_settings(_user("staff"), {"name": "X"}, username="eligible")


def test_account_takes_merge_patch_only():
    assert _patch("eligible", {"name": "X"}, "application/json").status_code == 415


# Enrollments and courses ---------------------------------------------------------------------------------------------


def test_enrolling_saves_twice_first_as_audit():
    saves = []

    def note(instance, created, **kwargs):
        saves.append((created, instance.mode, instance.is_active))

    post_save.connect(note, sender=CourseEnrollment)
    try:
        CourseEnrollment.enroll(_user("plain"), MB101_KEY, mode="verified")
    finally:
        post_save.disconnect(note, sender=CourseEnrollment)

    assert saves == [(True, "audit", False), (False, "verified", True)]


LEGACY_PAGES = ["courseware", "courseware/ch1/", "courseware/ch1/seq1/", "courseware/ch1/seq1/2", "progress"]


@pytest.mark.course_doors
@pytest.mark.parametrize("page", [*LEGACY_PAGES, "course_wiki", "tab/notes/"])
def test_legacy_pages(page):
    client = logged_in("plain")
    address = f"/courses/{PLAIN}/{page}"

    assert client.get(address).status_code == 200
    assert Client().get(address).url.startswith("/login?next=")
    assert client.get(address.replace(PLAIN, MB102)).url == f"/courses/{MB102}/about"


@pytest.mark.course_doors
@pytest.mark.parametrize("key", ["no+such+course", "course-v1:No+Such+Course"])
@pytest.mark.parametrize("address", ["/courses/{}/courseware", "/courses/{}/progress", METADATA + "{}"])
def test_what_is_no_course_is_not_found(key, address):
    assert logged_in("plain").get(address.format(key)).status_code == 404


def test_pages_that_lead_to_the_learning_mfe():
    for page in ("course/", "dates", f"jump_to/{MB101_KEY.make_usage_key('html', 'a')}"):
        response = Client().get(f"/courses/{MB101}/{page}")
        assert response.url.startswith(f"{settings.LEARNING_MICROFRONTEND_URL}/course/{MB101}/")


@pytest.mark.course_doors
def test_merely_opening_courseware_writes_state():
    StudentModule.objects.all().delete()

    logged_in("plain").get(f"/courses/{PLAIN}/courseware/ch1/seq1/")

    assert sorted(StudentModule.objects.values_list("module_type", flat=True)) == ["chapter", "course"]


@pytest.mark.course_doors
def test_course_metadata_records_the_visit_and_refuses_who_is_not_enrolled():
    UserActivity.objects.all().delete()
    client = logged_in("plain")

    assert client.get(METADATA + PLAIN).json()["course_access"]["has_access"] is True
    assert client.get(METADATA + MB102).json()["course_access"]["error_code"] == "enrollment_required"
    assert Client().get(METADATA + PLAIN).json()["course_access"]["error_code"] == "authentication_required"
    # Recorded even where access is denied.
    assert UserActivity.objects.filter(user__username="plain", date=timezone.now().date()).count() == 2


def test_the_stand_in_mfe_shows_a_page():
    for page in ("home", "block-v1:DemoX+MB101+2026+type@sequential+block@seq1"):
        response = Client().get(f"/learning/course/{MB101}/{page}")
        assert response.status_code == 200
        assert MB101 in response.content.decode()


# Masquerading --------------------------------------------------------------------------------------------------------


def _masquerade(client, username, course=MB101):
    body = json.dumps({"role": "student", "user_name": username})
    token = {"X-CSRFToken": client.cookies["csrftoken"].value}
    return client.post(f"/courses/{course}/masquerade", body, "application/json", headers=token).json()["success"]


@pytest.mark.course_doors
@pytest.mark.parametrize("username", ["staff", "courseteam"])
def test_staff_see_a_course_as_a_learner_and_leave_no_trace(username):
    UserActivity.objects.all().delete()
    client = logged_in(username)

    assert _masquerade(client, "plain") is False
    assert _masquerade(client, "dormant") is True
    metadata = client.get(METADATA + MB101).json()

    assert metadata["username"] == "dormant"
    assert metadata["original_user_is_staff"] is True
    assert metadata["is_staff"] is False
    assert not UserActivity.objects.exists()
    assert "dormant" in client.get(f"/courses/{MB101}/progress").content.decode()


def test_learners_do_not_masquerade():
    assert _masquerade(logged_in("eligible"), "dormant") is False


# Tracking ------------------------------------------------------------------------------------------------------------


def test_parameters_are_logged_without_passwords(caplog):
    caplog.set_level(logging.INFO, logger="tracking")

    log_in("eligible")
    Client().get("/", {"q": "shown"})

    assert '"/api/user/v2/account/login_session/"' in caplog.text
    assert "********" in caplog.text
    assert "edx" not in caplog.text.replace("example", "")
    assert "shown" in caplog.text


def test_what_plugins_ask_to_ignore_is_not_logged(caplog):
    caplog.set_level(logging.INFO, logger="tracking")

    Client().post("/coaching/consent/", {"phone_number": "4155552671"})

    assert "4155552671" not in caplog.text
    assert "^/coaching/" in settings.TRACKING_IGNORE_URL_PATTERNS


# Catalog -------------------------------------------------------------------------------------------------------------


def test_programs_come_from_the_cache_and_a_miss_looks_like_none():
    assert get_programs(course=MB101) == [PROGRAM]
    assert get_programs(uuid=PROGRAM["uuid"]) == PROGRAM
    assert get_programs(uuids=[PROGRAM["uuid"]]) == [PROGRAM]
    assert get_programs(organization="DemoX") == [PROGRAM]
    assert get_programs(course=PLAIN) == []

    cache.clear()

    assert get_programs(course=MB101) == []
    assert get_programs(uuid=PROGRAM["uuid"]) is None


def test_programs_of_a_site_need_its_catalog_address():
    from django.contrib.sites.models import Site

    site = Site.objects.get()
    assert get_programs(site=site) == [PROGRAM]

    site.configuration.site_values = {}
    assert get_programs(site=site) == []


@pytest.mark.parametrize("arguments", [{}, {"course": MB101, "uuid": PROGRAM["uuid"]}])
def test_get_programs_takes_exactly_one_argument(arguments):
    with pytest.raises(TypeError):
        get_programs(**arguments)


def test_course_runs_of_curricula_and_child_programs():
    def courses(*keys):
        return [{"course_runs": [{"key": key} for key in keys]}]

    child = {"courses": courses("c")}
    curricula = [
        {"is_active": False, "courses": courses("old")},
        {"is_active": True, "courses": courses("b"), "programs": [child]},
    ]

    assert course_run_keys_for_program({"courses": courses("a"), "curricula": curricula}) == {"a", "b", "c"}


# Retirement ----------------------------------------------------------------------------------------------------------


def test_retirement_in_the_platforms_order():
    client = logged_in("plain")
    token = {"X-CSRFToken": client.cookies["csrftoken"].value}
    closing = client.post("/api/user/v1/accounts/deactivate_logout/", {"password": "edx"}, headers=token)
    assert closing.status_code == 204
    assert UserRetirementStatus.objects.get().original_username == "plain"

    seen = []

    def look(user, **kwargs):
        seen.append((user.username, user.email.startswith("retired"), user.profile.name, user.profile.phone_number))

    USER_RETIRE_LMS_CRITICAL.connect(look)
    superuser = logged_in("staff")
    token = {"X-CSRFToken": superuser.cookies["csrftoken"].value}
    try:
        retired = superuser.post("/api/user/v1/accounts/retire/", {"username": "plain"}, headers=token)
    finally:
        USER_RETIRE_LMS_CRITICAL.disconnect(look)

    assert retired.status_code == 204
    assert seen == [("plain", True, "", None)]
    assert not User.objects.filter(username="plain").exists()


def test_a_receiver_that_fails_fails_the_retirement():
    UserRetirementStatus.create_retirement(_user("plain"))

    def fail(**kwargs):
        raise RuntimeError("not now")

    USER_RETIRE_LMS_CRITICAL.connect(fail)
    superuser = logged_in("staff")
    token = {"X-CSRFToken": superuser.cookies["csrftoken"].value}
    try:
        response = superuser.post("/api/user/v1/accounts/retire/", {"username": "plain"}, headers=token)
    finally:
        USER_RETIRE_LMS_CRITICAL.disconnect(fail)

    assert response.status_code == 500
    assert User.objects.filter(username="plain").exists()


# Plugins and hooks ---------------------------------------------------------------------------------------------------


def test_plugins_come_in_through_their_entry_points():
    assert "coaching_plugin.apps.CoachingPluginConfig" in settings.INSTALLED_APPS
    assert "completion.apps.CompletionAppConfig" in settings.INSTALLED_APPS
    assert Client().get("/coaching/consent/").status_code == 302


PROBE = """
import inspect, json, django
django.setup()
from django.conf import settings
from lms.djangoapps.courseware.courses import check_course_access
try:
    from lms.djangoapps.courseware.decorators import courseware_view_hooks
    importable = True
except ImportError:
    importable = False
print(json.dumps({
    "importable": importable,
    "priority": "apply_priority_access_checks" in inspect.signature(check_course_access).parameters,
    "throttle": settings.COACHING_API_THROTTLE,
    "days": settings.COACHING_ACTIVITY_WINDOW_DAYS,
    "regions": settings.COACHING_PHONE_REGIONS,
    "name": settings.COACHING_PARTNER_NAME,
}))
"""


def _probe(**environment):
    """Return what a sandbox of its own, started with this environment, says of itself."""
    sandbox = Path(settings.REPO_ROOT)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "lms.envs.sandbox",
        "SANDBOX_CACHE": "locmem",
        "PYTHONPATH": os.pathsep.join([str(sandbox.parent), str(sandbox)]),
        **environment,
    }
    run = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.once
@pytest.mark.parametrize("hooks", ["none", "filters"])
def test_the_two_kinds_of_platform(hooks):
    if hooks == "filters":
        filters = pytest.importorskip("openedx_filters.learning.filters")
        if not hasattr(filters, "CoursewareViewStarted"):
            pytest.skip("this openedx-filters is older than the courseware filters")

    found = _probe(SANDBOX_COURSEWARE_HOOKS=hooks)

    assert found["importable"] is found["priority"] is (hooks == "filters")


@pytest.mark.once
def test_operators_settings_come_from_the_environment():
    found = _probe(
        COACHING_API_THROTTLE="600/minute",
        COACHING_ACTIVITY_WINDOW_DAYS="30",
        COACHING_PHONE_REGIONS='["US", "CA"]',
        COACHING_PARTNER_NAME="A Partner",
    )

    assert (found["throttle"], found["days"], found["regions"]) == ("600/minute", 30, ["US", "CA"])
    assert found["name"] == "A Partner"


# The demo ------------------------------------------------------------------------------------------------------------


def _newest_activity(username):
    """Return how many days ago each source of activity last saw a learner."""
    user, today = _user(username), timezone.now().date()
    moments = {
        "enrollment": CourseEnrollment.objects.filter(user=user).values_list("created", flat=True),
        "state": StudentModule.objects.filter(student=user).values_list("modified", flat=True),
        "completion": BlockCompletion.objects.filter(user=user).values_list("modified", flat=True),
    }
    days = {source: [moment.date() for moment in found] for source, found in moments.items()}
    days["engagement"] = list(UserActivity.objects.filter(user=user).values_list("date", flat=True))
    return {source: (today - max(found)).days for source, found in days.items()}


@pytest.mark.course_doors
def test_seeding_again_keeps_accounts_and_moves_activity():
    counts = [model.objects.count() for model in (User, CourseEnrollment, StudentModule, BlockCompletion)]
    # Time passes, and people come by.
    CourseEnrollment.objects.update(created=timezone.now())
    UserActivity.objects.update(date=timezone.now().date() - timedelta(days=5))
    logged_in("dormant").get(METADATA + PLAIN)
    _patch("eligible", {"name": "Elena G."})

    seed()

    assert [model.objects.count() for model in (User, CourseEnrollment, StudentModule, BlockCompletion)] == counts
    assert _user("eligible").profile.name == "Elena G."
    for person in PEOPLE:
        if person.modes:
            newest = _newest_activity(person.username)
            assert newest.pop("enrollment") > 180
            assert set(newest.values()) == {person.active}, person.username


def test_answers_are_given_once():
    from coaching_plugin.models import CoachingConsent, ConsentEvent

    events = ConsentEvent.objects.count()
    assert sorted(CoachingConsent.objects.values_list("user__username", "status")) == [
        ("consented", "consented"),
        ("declined", "declined"),
    ]

    seed()

    assert ConsentEvent.objects.count() == events


def test_the_start_page_logs_in_with_a_click_only_as_a_demo_learner():
    page = Client().get("/")
    client = Client()

    assert all(person.username in page.content.decode() for person in PEOPLE)
    response = client.post("/sandbox/login/eligible")
    assert response.url == "/dashboard"
    assert set(JWT_COOKIES) <= set(response.cookies)
    assert client.get("/dashboard").status_code == 200
    assert client.post("/sandbox/login/nobody").status_code == 404
    assert client.post("/sandbox/login/inactive").status_code == 404
    assert Client(enforce_csrf_checks=True).post("/sandbox/login/eligible").status_code == 403
    assert client.get("/sandbox/login/eligible").status_code == 405


def test_the_start_page_leads_to_the_partners_page_where_there_is_one(settings):
    text = "What the coaching partner sees"
    assert text not in Client().get("/").content.decode()
    settings.SANDBOX_PARTNER_URL = "http://127.0.0.1:8001"
    page = BeautifulSoup(Client().get("/").content, "html.parser")
    assert page.find("a", string=text)["href"] == "http://127.0.0.1:8001/"


def test_who_answered_before_there_was_a_way_to_the_partner_is_told(settings):
    from coaching_plugin.models import PartnerDelivery

    settings.COACHING_PARTNER_CHANNELS = {"webhook": {"BACKEND": "no.such.Channel"}}
    for _ in range(2):
        seed()
        delivery = PartnerDelivery.objects.get()
        assert delivery.partner_id == _user("consented").coaching_consent.partner_id
    assert delivery.status == "waiting"


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("es-419", "ltr"), ("ar", "rtl")])
def test_the_language_cookie_sets_language_and_direction(language, direction):
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language

    assert f'<html lang="{language}" dir="{direction}">' in client.get("/").content.decode()


# The legacy dashboard -------------------------------------------------------------------------------------------------


class OtherContext(PipelineStep):
    def run_filter(self, context, template_name, **kwargs):
        assert context["plugins"], "plugins have added theirs before"
        assert template_name == "dashboard.html"
        return {"template_name": "dashboard.html", "context": {**context, "course_enrollments": []}}


class InvalidDashboard(PipelineStep):
    def run_filter(self, context, template_name, **kwargs):
        raise DashboardRenderStarted.RenderInvalidDashboard(
            "No.", dashboard_template="dashboard.html", template_context={"course_enrollments": []}
        )


class Redirect(PipelineStep):
    def run_filter(self, context, template_name, **kwargs):
        raise DashboardRenderStarted.RedirectToPage("Elsewhere.", redirect_to="/privacy")


class RedirectNowhere(PipelineStep):
    def run_filter(self, context, template_name, **kwargs):
        raise DashboardRenderStarted.RedirectToPage("Elsewhere.")


class CustomResponse(PipelineStep):
    def run_filter(self, context, template_name, **kwargs):
        raise DashboardRenderStarted.RenderCustomResponse("Mine.", response=HttpResponse("Mine.", status=418))


@pytest.fixture
def dashboard_with(settings):
    """Return what opens the dashboard of a learner with this one step."""

    def open_with(step):
        path = f"{__name__}.{step.__name__}"
        settings.OPEN_EDX_FILTERS_CONFIG = {DashboardRenderStarted.filter_type: {"pipeline": [path]}}
        settings.OPEN_EDX_FILTERS_CONFIG[DashboardRenderStarted.filter_type]["fail_silently"] = False
        return logged_in("plain").get("/dashboard")

    return open_with


def test_the_dashboard_shows_the_learners_courses_beside_a_side_column():
    page = logged_in("eligible").get("/dashboard").content.decode()

    assert "Statistics Fundamentals I<" in page
    assert "Statistics Fundamentals II<" in page
    assert "Introduction to Astronomy" not in page
    assert page.index('class="main-container"') < page.index('<div class="side-container" role="complementary">')


def test_a_filter_changes_the_context_after_the_plugins_have(dashboard_with):
    assert "Introduction to Astronomy" in logged_in("plain").get("/dashboard").content.decode()

    assert "You are not enrolled in any courses yet." in dashboard_with(OtherContext).content.decode()


@pytest.mark.parametrize(
    ("step", "status", "said"),
    [
        (InvalidDashboard, 200, "You are not enrolled in any courses yet."),
        (Redirect, 302, "/privacy"),
        (RedirectNowhere, 302, "/account"),
        (CustomResponse, 418, "Mine."),
    ],
)
def test_a_filter_may_have_something_else_answered(dashboard_with, step, status, said):
    response = dashboard_with(step)

    assert response.status_code == status
    assert said in (response.headers["Location"] if status == 302 else response.content.decode())


def test_mako_pages_and_django_pages_have_one_frame():
    """Header and footer are the same, to the letter."""
    client = logged_in("plain")
    frames = []
    for path in ("/dashboard", "/privacy"):
        page = BeautifulSoup(client.get(path).content, "html.parser")
        for token in page.select("[name=csrfmiddlewaretoken]"):
            token.decompose()
        parts = page.select("head > link[href*='theme.css'], .skip-link, .site-header, .site-footer")
        frames.append([str(part) for part in parts])
        assert len(parts) == 4
        assert page.title.text.strip().endswith("| Sandbox Academy")
    assert frames[0] == frames[1]


@pytest.mark.parametrize(
    ("language", "direction", "heading"), [("es-419", "ltr", "Mis cursos"), ("ar", "rtl", "مقرراتي")]
)
def test_mako_pages_are_translated(language, direction, heading):
    client = logged_in("plain")
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    page = BeautifulSoup(client.get("/dashboard").content, "html.parser")

    assert (page.html["lang"], page.html["dir"]) == (language, direction)
    assert page.h1.text == heading
    assert page.title.text.startswith({"ar": "لوحة المعلومات", "es-419": "Panel"}[language])


def test_mako_escapes_where_a_template_says_so():
    CourseOverview.objects.filter(id=PLAIN).update(display_name="<script>alert(1)</script>${7 * 2}")

    page = logged_in("plain").get("/dashboard").content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;${7 * 2}" in page


def test_a_mako_template_that_is_not_there_is_told_as_django_tells_it():
    with pytest.raises(TemplateDoesNotExist):
        get_template("no_such_template.html", using="mako")
