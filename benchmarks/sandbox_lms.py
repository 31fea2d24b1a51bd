"""The sandbox LMS in this process, with the plugin's course doors and without: the whole way of a request, timed."""

from dataclasses import dataclass
from importlib import import_module
from time import perf_counter_ns

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory, override_settings

from coaching_plugin.settings.common import COURSE_DOOR_MIDDLEWARE
from coaching_plugin.settings.filters import STEPS


@dataclass(frozen=True)
class Answer:
    """What the LMS answered, and how long that took it."""

    status: int
    location: str
    body: bytes
    nanoseconds: int


class SandboxLms:
    """A middleware stack of its own, and filter steps of its own; all else the LMSs of a process share."""

    def __init__(self, with_plugin):
        middleware, self._filters = settings.MIDDLEWARE, settings.OPEN_EDX_FILTERS_CONFIG
        if not with_plugin:
            middleware = [path for path in middleware if path != COURSE_DOOR_MIDDLEWARE]
            self._filters = {
                name: {**entry, "pipeline": [step for step in entry["pipeline"] if step != STEPS.get(name)]}
                for name, entry in self._filters.items()
            }
        with override_settings(MIDDLEWARE=middleware, OPEN_EDX_FILTERS_CONFIG=self._filters):
            self._answer = WSGIHandler()

    def get(self, browser, path):
        """Return the answer to a learner who opens a page."""
        environ = browser.get(path).environ
        # Read at each run of a filter. Assigned rather than overridden: that would empty the cache of all settings.
        settings.OPEN_EDX_FILTERS_CONFIG = self._filters
        started = perf_counter_ns()
        response = self._answer(environ, lambda status, headers: None)
        body = b"".join(response)
        response.close()
        nanoseconds = perf_counter_ns() - started
        return Answer(response.status_code, response.headers.get("Location", ""), body, nanoseconds)


def browser_of(learner):
    """Return what makes the requests of a learner who is logged in."""
    client = Client()
    client.force_login(learner)
    browser = RequestFactory()
    browser.cookies = client.cookies
    return browser


def log_out(browser):
    """End the session of a learner who is logged in."""
    session_key = browser.cookies[settings.SESSION_COOKIE_NAME].value
    import_module(settings.SESSION_ENGINE).SessionStore(session_key).delete()
