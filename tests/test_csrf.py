"""No other site can have a learner's browser write: every URL and method that writes, by session and by JWT cookie."""

from typing import NamedTuple

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import consent, disclosures
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.consent_pages import ACCEPT, DECLINE, DISMISS, LEAVE, SIGN_UP
from tests.factories import MB101, TYPED, evidence
from tests.test_partner_signatures import OLD
from tests.test_rest_api import assert_refused, stored

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("committed")]

API_ANSWER = {"coaching_consent": True, "phone_number": TYPED}


class Write(NamedTuple):
    """A URL and a method that write, and what a learner sends."""

    name: str
    method: str
    body: dict

    @property
    def is_of_the_api(self):
        return self.name.startswith("coaching:api-")

    def send(self, client, learner, **headers):
        """Send it as a browser does: a form to a page, JSON to the API."""
        if not self.is_of_the_api:
            return client.post(reverse(self.name), {"disclosure": disclosures.current().sha256, **self.body}, **headers)
        path = reverse(self.name, kwargs={"user_id": learner.id})
        return getattr(client, self.method)(path, self.body, content_type="application/json", **headers)


# Every one that there is, which the first test below sees to.
WRITES = [
    Write("coaching:consent", "post", ACCEPT),
    Write("coaching:consent", "post", DECLINE),
    Write("coaching:account_settings", "post", SIGN_UP),
    Write("coaching:account_settings", "post", LEAVE),
    Write("coaching:dismiss-card", "post", {}),
    Write("coaching:api-dashboard-card", "patch", {"dismissed": True}),
    Write("coaching:api-user", "patch", API_ANSWER),
    Write("coaching:api-user", "patch", {"coaching_consent": False}),
    Write("coaching:api-user", "patch", {"phone_number": TYPED}),
    Write("coaching:api-consent", "patch", API_ANSWER),
    Write("coaching:api-consent", "patch", {"coaching_consent": False}),
]
# What stores nothing of a learner's: staff have the report counted anew, see ``test_report_page.py``.
OF_STAFF = {("coaching:report", "post")}
# What counts by a signature, and not by who is logged in. A browser has none to send along.
SIGNED = {("coaching:api-partner-opt-outs", "post")}
EACH_WRITE = pytest.mark.parametrize("write", WRITES, ids=[f"{write.name} {' '.join(write.body)}" for write in WRITES])


def found_in_the_urlconf(patterns=None, namespace="coaching"):
    """Yield the name of each of our URLs with each unsafe method that its view takes."""
    if patterns is None:
        patterns = get_resolver("coaching_plugin.urls").url_patterns
    for pattern in patterns:
        if not isinstance(pattern, URLPattern):
            yield from found_in_the_urlconf(pattern.url_patterns, namespace)
            continue
        view = getattr(pattern.callback, "view_class", None)
        # A view that is a function may take any method.
        for method in ("post", "put", "patch", "delete"):
            if view is None or (method in view.http_method_names and hasattr(view, method)):
                yield f"{namespace}:{pattern.name}", method


def test_the_table_names_every_url_and_method_that_writes():
    assert {(write.name, write.method) for write in WRITES} | SIGNED | OF_STAFF == set(found_in_the_urlconf())


# Ways to be logged in by a cookie, which a browser sends along whoever asks


def by_session(learner, log_in):
    client = Client(enforce_csrf_checks=True)
    client.force_login(learner)
    return client


def by_both(learner, log_in):
    return log_in(learner)


def by_jwt_cookies(learner, log_in):
    client = log_in(learner)
    del client.cookies["sessionid"]
    return client


@pytest.fixture(params=[by_session, by_both, by_jwt_cookies])
def browser(request, learner, log_in):
    """A browser that is logged in, as the MFEs are, too."""
    client = request.param(learner, log_in)
    client.defaults["HTTP_USE_JWT_COOKIE"] = "true"
    client.is_known_to_pages = request.param is not by_jwt_cookies
    return client


def token_of(client, **headers):
    return {"HTTP_X_CSRFTOKEN": client.get("/csrf/api/v1/token", **headers).json()["csrfToken"]}


HTTPS = {"secure": True}
FORGERIES = {
    "no token": lambda client: {},
    "empty token": lambda client: {"HTTP_X_CSRFTOKEN": ""},
    "token that is none": lambda client: {"HTTP_X_CSRFTOKEN": "x" * 64},
    "short token": lambda client: {"HTTP_X_CSRFTOKEN": token_of(client)["HTTP_X_CSRFTOKEN"][:-1]},
    "token of another browser": lambda client: {**token_of(client), **token_of(Client())},
    "token, and another origin": lambda client: {**token_of(client), "HTTP_ORIGIN": "https://evil.example.com"},
    "token, and an origin like ours": lambda client: {**token_of(client), "HTTP_ORIGIN": "http://testserver.evil.com"},
    "token, and no origin to be told": lambda client: {**token_of(client), "HTTP_ORIGIN": "null"},
    "token, and our origin without TLS": lambda client: {
        **token_of(client, **HTTPS),
        **HTTPS,
        "HTTP_ORIGIN": "http://testserver",
    },
    "token, and neither origin nor referer over https": lambda client: {**token_of(client, **HTTPS), **HTTPS},
    "token, and another referer over https": lambda client: {
        **token_of(client, **HTTPS),
        **HTTPS,
        "HTTP_REFERER": "https://evil.example.com/coaching/consent/",
    },
}


@EACH_WRITE
def test_no_other_site_can_write(learner, browser, write):
    # So that there is something to withdraw.
    if write.body.get("coaching_consent") is False or write.body in (DECLINE, LEAVE):
        consent.give(learner, TYPED, None, evidence())
    before = stored()
    for headers in (forge(browser) for forge in FORGERIES.values()):
        response = write.send(browser, learner, **headers)
        if write.is_of_the_api:
            # Where nothing but the JWT cookies is left, nobody is known any more.
            assert_refused(response, 403 if browser.is_known_to_pages else 401, "coaching")
        else:
            assert response.status_code == 403
    assert stored() == before


@EACH_WRITE
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_our_own_pages_can(learner, browser, write, secure):
    """So that the test above can fail."""
    if write.body.get("coaching_consent") is False or write.body in (DECLINE, LEAVE):
        consent.give(learner, TYPED, None, evidence())
    before = stored()
    headers = {"secure": secure, "HTTP_ORIGIN": f"http{'s' * secure}://testserver"}
    response = write.send(browser, learner, **token_of(browser, secure=secure), **headers)
    assert response.status_code in (200, 302)
    if not write.is_of_the_api and not browser.is_known_to_pages:
        assert response.headers["Location"].startswith("/login?")
    else:
        assert stored() != before


@pytest.mark.parametrize(("name", "method"), sorted(SIGNED))
def test_what_is_signed_is_written_by_no_browser_whatever_it_sends_along(learner, browser, name, method, settings):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [OLD]
    row = consent.give(learner, TYPED, None, evidence()).consent
    before = stored()
    for headers in (*(forge(browser) for forge in FORGERIES.values()), token_of(browser)):
        report = {"partner_id": str(row.partner_id), "reason": "STOP"}
        response = getattr(browser, method)(reverse(name), report, content_type="application/json", **headers)
        assert_refused(response, 401, "coaching")
    assert stored() == before


@pytest.mark.parametrize("name", sorted({write.name for write in WRITES if write.is_of_the_api}))
def test_no_answer_lets_a_script_of_another_site_read_or_write(learner, browser, name):
    """No CORS: the browser keeps what comes, and does not even send what needs to be asked for."""
    origin = {"HTTP_ORIGIN": "https://evil.example.com", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PATCH"}
    path = reverse(name, kwargs={"user_id": learner.id})
    for response in (browser.options(path, **origin), browser.get(path, **origin)):
        assert not [name for name in response.headers if name.startswith("Access-Control-")]


# The admin


OUR_ADMINS = [model for model in admin.site._registry if model._meta.app_label == "coaching_plugin"]


@pytest.mark.parametrize("model", OUR_ADMINS, ids=lambda model: model.__name__)
def test_no_other_site_can_write_through_the_admin(coached, model):
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user(is_staff=True, is_superuser=True))
    before = list(model._base_manager.order_by("pk").values())
    patterns = [pattern for pattern in admin.site._registry[model].urls if pattern.name]
    assert patterns
    for pattern in patterns:
        arguments = ["1"] if pattern.pattern.converters or pattern.pattern.regex.groups else []
        path = reverse(f"admin:{pattern.name}", args=arguments)
        body = {"course_key": "course-v1:X+Y+Z", "post": "yes", "action": "delete_selected", "_selected_action": "1"}
        body["reason"] = "a letter"
        assert client.post(path, body).status_code == 403, pattern.name
    assert list(model._base_manager.order_by("pk").values()) == before


def test_the_admin_itself_can(coached):
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user(is_staff=True, is_superuser=True))
    path = reverse("admin:coaching_plugin_coachedcourse_add")
    factories.overview(CourseKey.from_string("course-v1:X+Y+Z"))
    response = client.post(path, {"course_key": "course-v1:X+Y+Z", "active": "on"}, **token_of(client))
    assert response.status_code == 302
    assert CoachedCourse.objects.filter(course_key="course-v1:X+Y+Z").exists()


# GET writes nothing, so that a link or an image of another site cannot


@pytest.mark.logs_personal_data("the address is the attacker's, and nothing of ours makes such a one")
@pytest.mark.parametrize(
    "path", ["/coaching/consent/", "/coaching/consent/answered/", DISMISS, "/dashboard", f"/courses/{MB101}/courseware"]
)
def test_a_link_answers_nothing(learner, path):
    client = Client()
    client.force_login(learner)
    client.get(
        path, {**ACCEPT, "coaching_consent": "true", "dismissed": "true", "_method": "POST", "csrfmiddlewaretoken": "x"}
    )
    standing = consent.standing(learner)
    assert not standing.has_answered
    assert not standing.card_dismissed_at
