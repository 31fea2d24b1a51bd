"""A browser without a screen: it goes through the demo as a person does, on both kinds of course door."""

from urllib.parse import quote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from tests.factories import MB101

SITE = "http://127.0.0.1:8000"
QUERY = "a=1&b=%2B&c=x+y&d=%26%3D&e=%C3%A9"
LEGACY = f"{SITE}/courses/{MB101}/courseware/week1/lesson1/?{QUERY}"
PROGRESS = f"{SITE}/courses/{MB101}/progress?{QUERY}"
MFE_HOME = f"{SITE}/learning/course/{MB101}/home?{QUERY}"
MFE_UNIT = f"{SITE}/learning/course/{MB101}/block-v1:DemoX+MB101+2026+type@sequential+block@seq1/unit?{QUERY}"
DOORS = {"legacy courseware": LEGACY, "legacy progress": PROGRESS, "MFE home": MFE_HOME, "MFE unit": MFE_UNIT}
CONSENT = f"{SITE}/coaching/consent/"
ANSWERED = f"{SITE}/coaching/consent/answered/"


class Browser:
    """A browser: cookies, CSRF checks, redirects, forms, and what the scripts of the login page and the MFE do."""

    def __init__(self, **headers):
        self.client = Client(enforce_csrf_checks=True, HTTP_HOST="127.0.0.1:8000", raise_request_exception=False)
        self.headers = headers
        # Every address asked for, in order: what a history, a proxy or a log of requests would hold.
        self.visited = []
        self.url = None
        self.response = None

    def __repr__(self):
        return f"<{self.response and self.response.status_code} {self.url}>"

    # Going somewhere

    def open(self, url):
        """Open a page as a person does: follow redirects, and run the MFE's script where one is met."""
        self._request("get", url)
        if self.path.startswith("/learning/"):
            self._run_learning_mfe()
        return self

    @property
    def path(self):
        return urlsplit(self.url).path

    @property
    def page(self):
        return BeautifulSoup(self.response.content, "html.parser")

    @property
    def heading(self):
        return self.page.h1.text

    @property
    def is_in_course(self):
        """Whether a course is open: the page of the LMS says so, or the MFE was let in."""
        if self.path.startswith("/learning/"):
            return self.mfe_access["has_access"]
        return self.response.status_code == 200 and "You are in." in self.page.main.text

    def follow(self, link):
        return self.open(urljoin(self.url, link["href"]))

    def form(self, selector="main form"):
        """Return where a form of the page goes, and what it would send as it stands."""
        form = self.page.select_one(selector)
        fields = {
            element["name"]: element.get("value", "")
            for element in form.select("input[name]")
            if element.get("type") != "checkbox" or element.has_attr("checked")
        }
        return urljoin(self.url, form["action"]), fields

    def press(self, button, **typed):
        """Type into the form of the page and press one of its buttons, by its text."""
        action, fields = self.form()
        (element,) = [element for element in self.page.select("main form button") if element.text == button]
        pressed = {element["name"]: element["value"]} if element.has_attr("name") else {}
        self._request("post", action, {**fields, **typed, **pressed})
        return self

    def log_in(self, username):
        """Do what the script of the login page does: the login API, then on to `next`."""
        form = self.page.select_one("#login-form")
        _, fields = self.form("#login-form")
        response = self._fetch(
            "post",
            urljoin(self.url, form["data-api"]),
            {"email_or_username": username, "password": "edx"},
            headers={"X-CSRFToken": fields["csrfmiddlewaretoken"]},
        )
        assert response.status_code == 200, response.content
        return self.open(urljoin(self.url, fields["next"]))

    def _request(self, method, url, data=None):
        self.response = self._fetch(method, url, data, headers={"Origin": SITE} if method == "post" else {})
        self.url = url
        for _ in range(10):
            if self.response.status_code != 302:
                return
            self.url = urljoin(self.url, self.response.headers["Location"])
            self.response = self._fetch("get", self.url)
        pytest.fail(f"redirected for ever: {self.visited[-4:]}")

    def _fetch(self, method, url, data=None, headers=None):
        assert url.startswith(f"{SITE}/"), f"led away from the site: {url}"
        self.visited.append(url)
        # The fragment stays in the browser.
        address = urlsplit(url)._replace(scheme="", netloc="", fragment="").geturl()
        return getattr(self.client, method)(address, data, headers={**self.headers, **(headers or {})})

    def _run_learning_mfe(self):
        """Do what the MFE does with `course_access`: a new token, the metadata, and off where the code says."""
        page = self.url
        main = self.page.select_one("main")
        course_id, base = main["data-course-id"], main["data-lms-base-url"]
        headers = {"USE-JWT-COOKIE": "true", "Referer": page}
        if self._fetch("post", f"{base}/login_refresh", headers=headers).status_code == 401:
            self.open(f"{base}/login?next={quote(page, safe='')}")
            return
        response = self._fetch("get", f"{base}/api/course_home/course_metadata/{course_id}", headers=headers)
        assert response.status_code == 200, response.content
        self.mfe_access = response.json()["course_access"]
        if self.mfe_access["error_code"] == "data_sharing_access_required":
            assert self.mfe_access["developer_message"].startswith("/")
            self.open(f"{base}{self.mfe_access['developer_message']}")
