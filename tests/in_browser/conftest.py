"""A real browser, Debian's Chromium, on the sandbox LMS as a server with a thread for each request."""

import os
import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import expect, sync_playwright

from tests.factories import eligible_learner
from tests.fixtures_sandbox import seed
from tests.in_browser.card_states import CARD_STATES
from tests.in_browser.states import LEARNERS, STATES, Visit

# The first is what Playwright itself takes where no window is wanted: the same engine without what is around a page,
# which costs a fifth of the time for each page that is opened.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Without the background services, which would look up hosts outside at every start.
ARGUMENTS = [
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--force-prefers-reduced-motion", "--hide-scrollbars"),
]

# Milliseconds in which a page must come to what is waited for; a busy machine takes its time.
PATIENCE = 20_000


@pytest.fixture(scope="session")
def chromium():
    """The browser; where there is none these tests are skipped, or fail with ``REQUIRE_CHROMIUM=1``, as CI has it."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        say = pytest.fail if os.environ.get("REQUIRE_CHROMIUM") == "1" else pytest.skip
        say("The browser tests did not run: there is no Chromium here (apt-get install chromium).")
    # Chromium as root has no sandbox of its own.
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    known = connections.all()
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread. Django would take every query of a test for one inside it, and
        # look for the connections of a task where this thread has its own, with what its test database began with.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        for connection in known:
            connections[connection.alias] = connection
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def site(chromium, committed, live_server, settings):
    """The address of the sandbox with the demo's learners, where every page of it knows itself to be."""
    settings.LMS_ROOT_URL = live_server.url
    settings.LEARNING_MICROFRONTEND_URL = f"{live_server.url}/learning"
    settings.ACCOUNT_MICROFRONTEND_URL = f"{live_server.url}/account"
    settings.COACHING_API_THROTTLE = "100000/minute"
    seed()
    return live_server.url


@pytest.fixture
def origins(site):
    """Where pages may load from, as host and port: the site, to which a test may add."""
    return {urlsplit(site).netloc}


@pytest.fixture
def new_window(chromium, site, origins):
    """Open windows of a browser, each with cookies of its own; nothing may be loaded from elsewhere, or break."""
    windows, troubles = [], []

    def guard(route):
        if urlsplit(route.request.url).netloc not in origins:
            troubles.append(f"loaded from elsewhere: {route.request.url}")
            route.abort()
        else:
            route.continue_()

    def watch(page):
        page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
        page.on("response", note_failure)

    def note_failure(response):
        # 503 is what our own page answers where it says that it fails.
        if response.status in (404, 500):
            troubles.append(f"{response.status} of {response.url}")

    def open_window(width=1280, height=900, language="en", **options):
        window = chromium.new_context(viewport={"width": width, "height": height}, base_url=site, **options)
        window.set_default_timeout(PATIENCE)
        window.add_cookies([{"name": "openedx-language-preference", "value": language, "url": site}])
        window.route("**/*", guard)
        window.on("page", watch)
        windows.append(window)
        return window

    yield open_window
    for window in windows:
        window.close()
    assert troubles == []


@pytest.fixture
def visit(new_window, site, settings):
    """Bring a fresh learner into a state of our pages, by its name, for as long as a ``with`` block lasts."""
    # The server's own address, with another port each time, would be on every screenshot.
    settings.COACHING_PRIVACY_URL = "https://academy.example.org/privacy"

    @contextmanager
    def visit_state(name, language="en", **options):
        username, full_name = LEARNERS[language]
        learner = eligible_learner(username=username, name=full_name)
        client = Client()
        client.force_login(learner)
        window = new_window(language=language, **options)
        window.add_cookies([{"name": "sessionid", "value": client.session.session_key, "url": site}])
        with pytest.MonkeyPatch.context() as patch:
            visited = Visit(learner, language, window.new_page(), patch)
            {**STATES, **CARD_STATES}[name].reach(visited)
            yield visited
        window.close()

    return visit_state
