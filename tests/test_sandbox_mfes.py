"""The sandbox answers MFEs: those that its environment names, and no page of anywhere else."""

import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from common.djangoapps.student.models import UserProfile
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from lms.envs import mfes
from openedx.core.djangoapps.user_api.models import UserPreference
from sandbox_demo.cast import MB101, MB102

from coaching_plugin.models import ConsentEvent
from tests.fixtures_sandbox import logged_in, seed


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", []),
        (" , ", []),
        ("http://localhost:1997", ["http://localhost:1997"]),
        ("http://localhost:1997,http://localhost:2000", ["http://localhost:1997", "http://localhost:2000"]),
        (" http://localhost:1997 ,\n http://localhost:1997/", ["http://localhost:1997"]),
        ("HTTP://LocalHost:80 https://localhost:443/", ["http://localhost", "https://localhost"]),
        ("http://127.0.0.1:1997", ["http://127.0.0.1:1997"]),
    ],
)
def test_origins_are_read_as_browsers_send_them(value, origins):
    assert mfes.allowed_origins({"MFE_ORIGINS": value}) == origins


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("localhost:1997", "no address like http"),
        ("//localhost:1997", "no address like http"),
        ("ftp://localhost", "no address like http"),
        ("http://", "no address like http"),
        ("null", "no address like http"),
        ("*", "wildcard"),
        ("http://*:1997", "wildcard"),
        ("http://localhost:1997/account", "which is http://localhost:1997"),
        ("http://localhost:1997?a=1", "more than an origin"),
        ("http://localhost:1997#a", "more than an origin"),
        ("http://localhost:0", "not at 127.0.0.1 or localhost"),
        ("http://localhost:99999", "no address: Port out of range"),
        ("http://localhost:port", "no address"),
        ("http://[::1", "no address"),
        ("http://[::1]:1997", "not at 127.0.0.1 or localhost"),
        ("http://user@localhost:1997", "not at 127.0.0.1 or localhost"),
        ("http://localhost.example.com", "not at 127.0.0.1 or localhost"),
        ("http://localhost:1997,https://mfe.example.com", "https://mfe.example.com is not at"),
    ],
)
def test_what_is_no_origin_is_named(value, complaint):
    with pytest.raises(ImproperlyConfigured, match="^MFE_ORIGINS: ") as refusal:
        mfes.allowed_origins({"MFE_ORIGINS": value})
    assert complaint in str(refusal.value)


def test_the_address_of_an_mfe_allows_its_origin():
    environ = {
        "MFE_ORIGINS": "http://localhost:1997",
        "LEARNING_MICROFRONTEND_URL": "http://LOCALHOST:2000/learning/",
        "ACCOUNT_MICROFRONTEND_URL": " http://localhost:1997/ ",
        "LEARNER_HOME_MICROFRONTEND_URL": "",
        "OTHER_URL": "http://elsewhere.example.com",
    }

    assert mfes.microfrontend_urls(environ) == {
        "LEARNING_MICROFRONTEND_URL": "http://localhost:2000/learning",
        "ACCOUNT_MICROFRONTEND_URL": "http://localhost:1997",
    }
    assert mfes.allowed_origins(environ) == ["http://localhost:1997", "http://localhost:2000"]


@pytest.mark.parametrize(
    "value", ["localhost:2000", "http://mfe.example.com", "http://localhost:2000?a=1", "http://localhost:2000/#a", "*"]
)
def test_what_is_no_address_of_an_mfe_is_named(value):
    for read in (mfes.microfrontend_urls, mfes.allowed_origins):
        with pytest.raises(ImproperlyConfigured, match="^LEARNING_MICROFRONTEND_URL: "):
            read({"LEARNING_MICROFRONTEND_URL": value})


# How a running sandbox takes it


def run(command, **environment):
    """Run a command of a sandbox of its own, and return what came of it."""
    sandbox = Path(settings.REPO_ROOT)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "lms.envs.sandbox",
        "SANDBOX_CACHE": "locmem",
        "PYTHONPATH": os.pathsep.join([str(sandbox.parent), str(sandbox)]),
        **environment,
    }
    return subprocess.run([sys.executable, *command], cwd=sandbox, env=environment, capture_output=True, text=True)


@pytest.mark.once
def test_settings_follow_from_where_the_mfes_are():
    names = ["LMS_ROOT_URL", "CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS", "LOGIN_REDIRECT_WHITELIST", "MFE_CONFIG"]
    names += [
        "SANDBOX_HAS_ACCOUNT_MFE",
        "LEARNING_MICROFRONTEND_URL",
        "ACCOUNT_MICROFRONTEND_URL",
        "PROFILE_MICROFRONTEND_URL",
    ]
    probe = (
        f"from django.conf import settings as s; import json; print(json.dumps({{n: getattr(s, n) for n in {names}}}))"
    )

    found = json.loads(
        run(
            ["-c", probe],
            PORT="8123",
            MFE_ORIGINS="http://localhost:1997/",
            LEARNING_MICROFRONTEND_URL="http://localhost:2000/learning",
            PROFILE_MICROFRONTEND_URL="http://localhost:1995",
        ).stdout
    )

    origins = ["http://localhost:1997", "http://localhost:2000", "http://localhost:1995"]
    assert found["LMS_ROOT_URL"] == "http://localhost:8123"
    assert found["CORS_ALLOWED_ORIGINS"] == origins
    assert set(found["CSRF_TRUSTED_ORIGINS"]) == {"http://localhost:8123", *origins}
    assert found["LOGIN_REDIRECT_WHITELIST"] == ["localhost:1997", "localhost:2000", "localhost:1995"]
    assert found["LEARNING_MICROFRONTEND_URL"] == found["MFE_CONFIG"]["LEARNING_BASE_URL"]
    assert found["LEARNING_MICROFRONTEND_URL"] == "http://localhost:2000/learning"
    assert found["ACCOUNT_MICROFRONTEND_URL"] == "http://localhost:8123/account/settings"
    assert found["SANDBOX_HAS_ACCOUNT_MFE"] is False
    assert found["PROFILE_MICROFRONTEND_URL"] == "http://localhost:1995"
    assert found["MFE_CONFIG"]["LMS_BASE_URL"] == "http://localhost:8123"
    assert found["MFE_CONFIG"]["SESSION_COOKIE_DOMAIN"] == "localhost"


@pytest.mark.once
def test_a_developer_is_told_in_one_line_what_is_wrong():
    result = run(["manage.py", "check"], MFE_ORIGINS="localhost:1997")

    assert result.returncode == 1
    assert result.stderr == (
        "The settings cannot be used. MFE_ORIGINS: localhost:1997 is no address like http://localhost:1997\n"
    )


@pytest.mark.once
def test_make_hands_on_what_is_named_on_its_command_line():
    probe = "probe: ; @echo $$MFE_ORIGINS $$LEARNING_MICROFRONTEND_URL"
    command = [
        "make",
        "--no-print-directory",
        "--eval",
        probe,
        "probe",
        "MFE_ORIGINS=a",
        "LEARNING_MICROFRONTEND_URL=b",
    ]

    result = subprocess.run(command, cwd=Path(settings.REPO_ROOT).parent, capture_output=True, text=True, check=True)

    assert result.stdout == "a b\n"


# A real client, in a page of an MFE: each request has its origin, and asks to be known by the JWT cookies


MFE = "http://localhost:1997"
ELSEWHERE = "http://localhost:1998"
CORS = "Access-Control-"


@pytest.fixture
def mfe(db, settings):
    """One MFE that may call."""
    settings.CORS_ALLOWED_ORIGINS = [MFE]
    settings.CSRF_TRUSTED_ORIGINS = [MFE]
    settings.LOGIN_REDIRECT_WHITELIST = ["localhost:1997"]


@pytest.fixture
def demo(mfe):
    """The demo's courses and learners, and one MFE that may call."""
    seed()


def client_of(username, origin=MFE):
    """Return a browser in which this person is logged in, showing a page of an origin."""
    client = logged_in(username)
    client.defaults |= {"HTTP_ORIGIN": origin, "HTTP_USE_JWT_COOKIE": "true"}
    return client


def write(client, method, address, body, content_type="application/json"):
    """Write as frontend-platform's HTTP client does: a CSRF token first."""
    token = client.get("/csrf/api/v1/token").json()["csrfToken"]
    body = body if isinstance(body, str) else json.dumps(body)
    return client.generic(method, address, body, content_type, headers={"X-CSRFToken": token})


def patch_account(client, update):
    return write(client, "PATCH", "/api/user/v1/accounts/eligible", update, "application/merge-patch+json")


COURSE = f"/{MB101}"
ACCOUNT = "/api/user/v1/accounts/eligible"
PREFERENCES = "/api/user/v1/preferences/eligible"
# What an MFE reads, and what must be in the answer.
READS = {
    "/csrf/api/v1/token": {},
    "/api/mfe_config/v1?mfe=account": {"COACHING_ENABLED": True},
    ACCOUNT: {
        "username": "eligible",
        "name": "Elena Garcia",
        "email": "eligible@example.com",
        "is_active": True,
        "social_links": [],
        "language_proficiencies": [],
        "phone_number": None,
        "country": None,
        "extended_profile": [],
    },
    PREFERENCES: {},
    "/api/third_party_auth/v0/providers/user_status": [],
    "/user_api/v1/preferences/time_zones/?country_code=US": [{"time_zone": "UTC", "description": "UTC"}],
    "/user_api/v1/account/registration/": {
        "fields": [{"name": "country", "options": [{"value": "US", "name": "United States"}]}]
    },
    "/api/edx_name_affirmation/v1/verified_name/history": {"results": [], "use_verified_name_for_certs": False},
    "/api/notifications/enrollments/": {"count": 0, "num_pages": 1, "next": None, "previous": None, "results": []},
    "/api/notifications/v3/configurations/": {"status": "success", "show_preferences": False, "data": {}},
    "/api/notifications/count/": {"show_notifications_tray": False, "count": 0, "count_by_app_name": {}},
    "/api/learner_home/init": {"enterpriseDashboard": None, "suggestedCourses": []},
    "/api/enrollment/v1/enrollment": [],
    f"/api/course_home/course_metadata{COURSE}": {"course_id": MB101},
    f"/api/course_home/outline{COURSE}": {"enrollment_mode": "verified"},
    f"/api/course_home/dates{COURSE}": {"course_date_blocks": []},
    f"/api/course_home/progress{COURSE}": {"username": "eligible", "assignment_type_grade_summary": []},
    f"/api/course_home/v1/navigation{COURSE}": {},
    f"/api/courseware/course{COURSE}": {"id": MB101, "enrollment": {"mode": "verified", "is_active": True}},
    f"/api/courseware/resume{COURSE}": {},
    f"/api/learning_sequences/v1/course_outline{COURSE}": {"course_key": MB101},
    "/api/courseware/sequence/block-v1:DemoX+MB101+2026+type@sequential+block@seq1": {"tag": "sequential"},
    "/api/user_tours/v1/eligible": {"course_home_tour_status": "no-tour", "show_courseware_tour": False},
    f"/api/edx_proctoring/v1/proctored_exam/attempt/course_id{COURSE}": {"exam": {}, "active_attempt": {}},
    f"/api/discussion/v1/courses{COURSE}": {"provider": None},
    f"/courses{COURSE}/courseware-search/enabled/": {"enabled": False},
    f"/courses{COURSE}/courseware-navigation-sidebar/toggles/": {"enable_completion_tracking": False},
}
COACHING = "/api/coaching/v1/users/{id}/"
WRITES = {
    ("POST", "/login_refresh"): ({}, "application/json"),
    ("PATCH", ACCOUNT): ({"phone_number": "+14155552671"}, "application/merge-patch+json"),
    ("PATCH", PREFERENCES): ({"time_zone": "UTC"}, "application/merge-patch+json"),
    ("PATCH", COACHING): ({"coaching_consent": False}, "application/json"),
    ("PATCH", "/api/coaching/v1/coaching_consent/{id}/"): ({"coaching_consent": False}, "application/json"),
    ("POST", "/i18n/setlang/"): ("language=ar", "application/x-www-form-urlencoded"),
    ("POST", "/password_reset/"): ("", "application/x-www-form-urlencoded"),
    ("POST", "/event"): ("event_type=x", "application/x-www-form-urlencoded"),
    ("POST", "/api/course_home/save_course_goal"): ({"days_per_week": 3}, "application/json"),
}
# The platform takes these without a token: the first gives nothing but what the browser has, the second is forgotten.
NEED_NO_TOKEN = {"/login_refresh", "/event"}


def with_id(address):
    return address.format(id=User.objects.get(username="eligible").id)


@pytest.mark.course_doors
def test_an_mfe_reads_what_it_needs(demo):
    client = client_of("eligible")
    coaching = {"coaching_consent": False, "eligible_for_coaching": True, "consent_form_seen": False}
    for address, wanted in (READS | {with_id(COACHING): coaching}).items():
        response = client.get(address)
        assert response.status_code == 200, address
        assert response[CORS + "Allow-Origin"] == MFE, address
        assert response[CORS + "Allow-Credentials"] == "true", address
        assert "origin" in response["Vary"].lower(), address
        found = response.json()
        assert type(found) is type(wanted), address
        if isinstance(wanted, dict):
            assert {key: found[key] for key in wanted} == wanted, address
        else:
            assert found[: len(wanted)] == wanted, address


@pytest.mark.course_doors
def test_a_page_of_elsewhere_reads_nothing(demo):
    client = client_of("eligible", ELSEWHERE)
    for address in (*READS, with_id(COACHING)):
        assert not [name for name in client.get(address).headers if name.startswith(CORS)], address


def test_an_mfe_writes(demo):
    client = client_of("eligible")
    for (method, address), (body, content_type) in WRITES.items():
        response = write(client, method, with_id(address), body, content_type)
        assert response.status_code in (200, 204, 302), address
        assert response[CORS + "Allow-Origin"] == MFE, address
        assert response[CORS + "Allow-Credentials"] == "true", address


@pytest.mark.usefixtures("committed")
def test_a_page_of_elsewhere_writes_nothing_and_nobody_does_without_a_token(demo):
    here, elsewhere = client_of("eligible"), client_of("eligible", ELSEWHERE)
    stored = [list(model.objects.order_by("pk").values()) for model in (UserProfile, UserPreference, ConsentEvent)]
    for (method, address), (body, content_type) in WRITES.items():
        if address in NEED_NO_TOKEN:
            continue
        refused = write(elsewhere, method, with_id(address), body, content_type)
        raw = body if isinstance(body, str) else json.dumps(body)
        without = here.generic(method, with_id(address), raw, content_type)
        assert (refused.status_code, without.status_code) == (403, 403), address
        assert not [name for name in refused.headers if name.startswith(CORS)], address
    assert stored == [
        list(model.objects.order_by("pk").values()) for model in (UserProfile, UserPreference, ConsentEvent)
    ]


@pytest.mark.parametrize(("method", "address"), [*WRITES, ("GET", ACCOUNT), ("GET", "/api/mfe_config/v1")])
def test_a_browser_may_ask_first(mfe, method, address):
    """What goes with a request of frontend-platform is allowed, to the MFE alone; asking needs no login."""
    headers = ["content-type", "use-jwt-cookie", "x-csrftoken", "x-requested-with"]
    # With these it asks for its configuration.
    headers += ["cache-control", "expires", "pragma"]

    def preflight(origin):
        asked = {"Origin": origin, CORS + "Request-Method": method, CORS + "Request-Headers": ",".join(headers)}
        return Client().options(address.format(id=1), headers=asked)

    allowed = preflight(MFE)
    assert allowed.status_code == 200
    assert allowed[CORS + "Allow-Origin"] == MFE
    assert allowed[CORS + "Allow-Credentials"] == "true"
    assert method in allowed[CORS + "Allow-Methods"].split(", ")
    assert set(headers) <= set(allowed[CORS + "Allow-Headers"].split(", "))
    assert CORS + "Allow-Origin" not in preflight(ELSEWHERE).headers


# Who is there


WHO = {
    "user_id": None,
    "preferred_username": "eligible",
    "email": "eligible@example.com",
    "name": "Elena Garcia",
    "roles": [],
    "administrator": False,
}


def test_scripts_read_who_is_logged_in_and_cannot_read_the_signature(demo):
    response = client_of("eligible").post("/login_refresh")
    readable, signature = (
        response.cookies[name] for name in ("edx-jwt-cookie-header-payload", "edx-jwt-cookie-signature")
    )
    header, payload = (
        json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in readable.value.split(".")
    )

    assert response.json()["success"] is True
    assert header == {"alg": "RS512", "typ": "JWT"}
    learner = User.objects.get(username="eligible")
    assert {key: payload[key] for key in WHO} == WHO | {"user_id": learner.id}
    assert payload["exp"] > time.time()
    assert "." not in signature.value
    assert (readable["httponly"], signature["httponly"]) == ("", True)
    # Without a domain, so that they go with every port of the host; Lax, so that they go with what an MFE asks there.
    for cookie in (readable, signature):
        assert (cookie["path"], cookie["domain"], cookie["samesite"], cookie["secure"]) == ("/", "", "Lax", "")


def test_an_mfe_can_read_that_nobody_is_logged_in(demo):
    nobody = Client()
    for method, address in (("post", "/login_refresh"), ("get", ACCOUNT), ("get", "/api/learner_home/init")):
        response = getattr(nobody, method)(address, headers={"Origin": MFE, "USE-JWT-COOKIE": "true"})
        assert response.status_code == 401
        assert response[CORS + "Allow-Origin"] == MFE
    assert not nobody.cookies


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (f"{MFE}/?a=1&b=2", f"{MFE}/?a=1&b=2"),
        (f"{MFE}/course{COURSE}/home", f"{MFE}/course{COURSE}/home"),
        (f"{ELSEWHERE}/", None),
        ("http://localhost:1997.example.com/", None),
        ("//evil.example", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_logging_in_and_out_leads_back_to_an_mfe_and_nowhere_else(demo, wanted, found):
    client = Client()
    fields = {"email_or_username": "eligible", "password": "edx", "next": wanted}

    assert client.post("/login", fields).url == (found or "/dashboard")
    assert client.get("/logout", {"redirect_url": wanted}).url == (found or "/")
    assert not client.cookies["edx-jwt-cookie-header-payload"].value
    assert client.post("/login_refresh").status_code == 401


# The account


@pytest.mark.parametrize(
    ("update", "stored"),
    [
        ({"name": "Elena G."}, {}),
        ({"phone_number": "(415) 555-2671"}, {"phone_number": "4155552671"}),
        ({"year_of_birth": "1990"}, {"year_of_birth": 1990}),
        ({"year_of_birth": 1990}, {}),
        ({"year_of_birth": None}, {}),
        ({"country": "US", "gender": "f", "level_of_education": "b"}, {}),
        ({"language_proficiencies": [{"code": "es"}]}, {}),
        ({"social_links": [{"platform": "linkedin", "social_link": "https://www.linkedin.com/in/x"}]}, {}),
        ({"extended_profile": [{"field_name": "company", "field_value": "X"}]}, {}),
    ],
)
def test_what_an_mfe_saves_is_there_again(demo, update, stored):
    client = client_of("eligible")
    answer = patch_account(client, update)

    assert answer.status_code == 200
    assert answer.json() == client.get(ACCOUNT).json()
    assert {key: answer.json()[key] for key in update} == update | stored


@pytest.mark.parametrize(
    "update",
    [
        {"name": "<b>"},
        {"phone_number": 5},
        {"username": "x"},
        {"year_of_birth": "soon"},
        {"language_proficiencies": "es"},
        {"social_links": {}},
    ],
)
def test_a_refused_change_names_its_fields(demo, update):
    client = client_of("eligible")
    before = client.get(ACCOUNT).json()
    refusal = patch_account(client, update)

    assert refusal.status_code == 400
    assert refusal.json().keys() == {"field_errors"}
    assert refusal.json()["field_errors"].keys() == update.keys()
    for messages in refusal.json()["field_errors"].values():
        assert messages.keys() == {"user_message", "developer_message"}
        assert all(isinstance(message, str) for message in messages.values())
    assert client.get(ACCOUNT).json() == before


def test_preferences_are_kept_and_taken_away(demo):
    client = client_of("eligible")

    def patch(update, content_type="application/merge-patch+json"):
        return write(client, "PATCH", PREFERENCES, update, content_type).status_code

    assert patch({"time_zone": "UTC", "pref-lang": "ar"}) == 204
    assert patch({"time_zone": None}) == 204
    assert client.get(PREFERENCES).json() == {"pref-lang": "ar"}
    assert patch({}) == 400
    assert patch({"time_zone": "UTC"}, "application/json") == 415
    others = PREFERENCES.replace("eligible", "plain")
    assert client.get(others).status_code == 404
    assert write(client, "PATCH", others, {"a": "b"}, "application/merge-patch+json").status_code == 404
    assert client_of("staff").get(PREFERENCES).json() == {"pref-lang": "ar"}
    assert (
        write(client_of("staff"), "PATCH", PREFERENCES, {"a": "b"}, "application/merge-patch+json").status_code == 403
    )


def test_the_language_that_an_mfe_sets_is_that_of_the_pages(demo):
    client = client_of("eligible")

    write(client, "POST", "/i18n/setlang/", "language=ar", "application/x-www-form-urlencoded")

    assert client.cookies["openedx-language-preference"].value == "ar"
    assert 'lang="ar" dir="rtl"' in client.get("/dashboard").content.decode()


# Where the MFEs are


def test_dashboard_account_and_courses_are_where_the_mfes_are(demo, settings):
    client = client_of("eligible")
    assert client.get("/dashboard").status_code == client.get("/account/settings").status_code == 200

    settings.LEARNER_HOME_MICROFRONTEND_URL = "http://localhost:1996"
    settings.LEARNING_MICROFRONTEND_URL = "http://localhost:2000/learning"
    settings.ACCOUNT_MICROFRONTEND_URL = "http://localhost:1997"
    settings.SANDBOX_HAS_ACCOUNT_MFE = True

    assert client.get("/account/settings").url == "http://localhost:1997"
    assert client.get("/dashboard").url == "http://localhost:1996"
    courses = client.get("/api/learner_home/init").json()["courses"]
    assert {course["courseRun"]["homeUrl"] for course in courses} == {
        f"http://localhost:2000/learning/course/{key}/home" for key in (MB101, MB102)
    }
    unit = "block-v1:DemoX+MB101+2026+type@vertical+block@unit1"
    place = client.get(f"/courses/{MB101}/jump_to/{unit}").url
    assert place == f"http://localhost:2000/learning/course/{MB101}/{unit}"


@pytest.mark.course_doors
def test_the_way_through_the_consent_page_and_back_to_the_learning_mfe(demo, settings):
    settings.LEARNING_MICROFRONTEND_URL = MFE
    client, home = client_of("eligible"), f"{MFE}/course/{MB101}/home"

    access = client.get(f"/api/course_home/course_metadata/{MB101}", headers={"Referer": f"{MFE}/"}).json()
    path = access["course_access"]["developer_message"]
    page = client.get(path)
    answered = write(
        client, "POST", path, "answer=decline&next=" + quote(home, safe=""), "application/x-www-form-urlencoded"
    )

    assert access["course_access"]["error_code"] == "data_sharing_access_required"
    assert path == "/coaching/consent/?next=" + quote(home, safe="")
    assert page.context["next_url"] == home
    assert quote(home, safe="") in answered.url
    assert home in unescape(client.get(answered.url).content.decode())
    again = client.get(f"/api/course_home/course_metadata/{MB101}").json()
    assert again["course_access"]["has_access"] is True


# Inside a course


@pytest.mark.course_doors
def test_every_door_of_the_learning_mfe_leads_to_the_same_unit(demo):
    client = client_of("eligible")
    outline = client.get(f"/api/learning_sequences/v1/course_outline/{MB101}").json()["outline"]
    (section,) = outline["sections"]
    (sequence,) = section["sequence_ids"]
    (item,) = client.get(f"/api/courseware/sequence/{sequence}").json()["items"]
    resume = client.get(f"/api/courseware/resume/{MB101}").json()
    blocks = client.get(f"/api/course_home/v1/navigation/{MB101}").json()["blocks"]
    home = client.get(f"/api/course_home/outline/{MB101}").json()["course_blocks"]["blocks"]

    assert outline["sequences"].keys() == {sequence}
    assert (resume["section_id"], resume["unit_id"]) == (sequence, item["id"])
    assert blocks[sequence]["children"] == [item["id"]]
    assert blocks[section["id"]]["children"] == home[section["id"]]["children"] == [sequence]
    unit = client.get(f"/xblock/{item['id']}")
    assert unit.status_code == 200
    # The MFE frames the unit, and nobody frames any other page.
    assert "X-Frame-Options" not in unit.headers
    assert client.get(f"/courses/{MB101}/courseware")["X-Frame-Options"] == "DENY"
    assert Client().get(f"/xblock/{item['id']}").status_code == 302


@pytest.mark.parametrize(
    "address",
    [
        "/api/courseware/course/course-v1:No+Such+Course",
        "/api/courseware/sequence/no-key",
        "/api/courseware/sequence/block-v1:No+Such+Course+type@sequential+block@seq1",
        "/api/learning_sequences/v1/course_outline/no+such+course",
        "/api/course_home/dates/course-v1:No+Such+Course",
        "/api/course_home/progress/course-v1:No+Such+Course",
        "/api/course_home/v1/navigation/course-v1:No+Such+Course",
        "/api/edx_proctoring/v1/user_onboarding/status?course_id=x",
        "/xblock/no-key",
    ],
)
def test_what_is_not_there_is_not_found(demo, address):
    assert client_of("eligible").get(address).status_code == 404


def test_whoever_is_not_enrolled_is_offered_no_goal(demo):
    """With one, the learning MFE's page for visitors breaks."""
    for client, is_offered in ((client_of("eligible"), True), (client_of("plain"), False), (Client(), False)):
        outline = client.get(f"/api/course_home/outline/{MB101}").json()
        assert outline["course_goals"]["weekly_learning_goal_enabled"] is is_offered


def test_the_learning_mfe_shows_staff_as_whom_they_look(demo):
    address = f"/courses/{MB101}/masquerade"
    staff = client_of("staff")

    before = staff.get(address).json()
    assert (before["active"]["role"], before["active"]["user_name"]) == ("staff", None)
    assert {option["role"] for option in before["available"]} == {"staff", "student"}
    assert write(staff, "POST", address, {"role": "student", "user_name": "eligible"}).json() == {"success": True}
    after = staff.get(address).json()
    assert (after["active"]["role"], after["active"]["user_name"]) == ("student", "eligible")
    assert client_of("eligible").get(address).json() == {"success": False}


# What the sandbox tells of itself


def test_the_configuration_of_mfes_is_true(demo):
    answer = Client().get("/api/mfe_config/v1")
    configuration = answer.json()
    cookies = client_of("eligible").post("/login_refresh").cookies
    lms = configuration["LMS_BASE_URL"]

    assert "no-store" in answer["Cache-Control"]
    assert configuration["ACCESS_TOKEN_COOKIE_NAME"] in cookies
    assert configuration["LANGUAGE_PREFERENCE_COOKIE_NAME"] == settings.LANGUAGE_COOKIE_NAME
    assert Client().get(configuration["CSRF_TOKEN_API_PATH"]).status_code == 200
    for name in ("LOGIN_URL", "LOGO_URL", "PRIVACY_POLICY_URL", "MARKETING_SITE_BASE_URL"):
        assert configuration[name].startswith(lms)
        assert Client().get(configuration[name].removeprefix(lms) or "/").status_code == 200, name
    assert Client().get(configuration["LOGOUT_URL"].removeprefix(lms)).url == "/"
    assert Client().post(configuration["REFRESH_ACCESS_TOKEN_ENDPOINT"].removeprefix(lms)).status_code == 401


def test_pictures_of_courses_can_be_had(demo):
    for course in client_of("eligible").get("/api/learner_home/init").json()["courses"]:
        assert Client().get(course["course"]["bannerImgSrc"]).status_code == 200
