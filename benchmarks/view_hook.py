"""A course page as the platform announces it to the filter steps, and what the step of this process does, counted."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns

# isort: off
from benchmarks import django_process  # before all that needs Django set up

# isort: on
from crum import set_current_request
from django.contrib.auth import get_user_model
from django.contrib.sites.models import Site
from django.core.cache import cache
from django.db import transaction
from django.test import RequestFactory
from edx_django_utils.cache import RequestCache
from opaque_keys.edx.keys import CourseKey
from openedx_filters.learning.filters import CoursewareViewStarted

from benchmarks.probe import serve
from tests.counting import Cost, counted


class WrongState(Exception):
    """Raised where the site is not in the state that is to be measured."""


class ViewHook:
    """
    What a probe answers: what one more course page of a learner asks and takes, in a state that it is told to be in.

    A subclass knows the states of one plugin, and what a process of it forgets when it starts anew.
    """

    def __init__(self) -> None:
        self._state = ExitStack()
        self._page = self._other = (0, "")
        self._site = Site.objects.get_current()

    def enter(self, state: str, learner: dict, other: int) -> None:
        """Be in a state, with the learner whose pages are measured, and another to come before where one must."""
        self._page, self._other = (learner["user"], learner["course"]), (other, learner["course"])
        self._state.enter_context(self.arranged(state, *self._page))
        self._start_anew()

    def leave(self) -> None:
        """Undo what the state is made of."""
        self._state.close()
        self._start_anew()

    def costs(self) -> dict[str, dict]:
        """Return what the learner's pages ask: in a new process with an empty cache, the first, and all that follow."""
        self._start_anew()
        cold = self._cost(self._page)
        self._start_anew()
        self._cost(self._other)
        return {"cold": cold, "first": self._cost(self._page), "warm": self._cost(self._page)}

    def nanoseconds(self, is_cold: bool) -> int:
        """Return how long the step takes for one more page; cold: in a new process with an empty cache."""
        if is_cold:
            self._start_anew()
        with self._request(*self._page) as course_key:
            started = perf_counter_ns()
            _run_filter(course_key)
            return perf_counter_ns() - started

    @contextmanager
    def arranged(self, state: str, user_id: int, course_key: str) -> Iterator[None]:
        """Have the site in a state."""
        raise NotImplementedError
        yield

    def forget(self) -> None:
        """Forget what a process remembers beside the cache."""

    def session(self, user_id: int) -> dict:
        """Return the session of a learner."""
        return {}

    def asked(self, cost: Cost) -> dict:
        """Return, as JSON, what was asked for one page."""
        return {"queries": cost.queries, "round_trips": cost.round_trips}

    def serve(self, **questions) -> None:
        """Answer till there is nothing more to be asked."""
        django_process.keep_connection()
        django_process.write_log_nowhere()
        ours = {"enter": self.enter, "leave": self.leave, "costs": self.costs, "nanoseconds": self.nanoseconds}
        serve({**ours, **questions})

    def _cost(self, page: tuple[int, str]) -> dict:
        with self._request(*page) as course_key, counted() as cost:
            redirect = _run_filter(course_key)
        return {**self.asked(cost), "is_asked": redirect is not None}

    def _start_anew(self) -> None:
        cache.clear()
        self.forget()

    @contextmanager
    def _request(self, user_id: int, course_key: str):
        """Make the request for a course page the current one, with all that the platform's middleware gives it."""
        RequestCache.clear_all_namespaces()
        request = RequestFactory().get(f"/courses/{course_key}/courseware/")
        request.user = get_user_model().objects.get(pk=user_id)
        request.site = self._site
        request.session = self.session(user_id)
        set_current_request(request)
        try:
            yield CourseKey.from_string(course_key)
        finally:
            set_current_request(None)


def _run_filter(course_key: CourseKey) -> str | None:
    try:
        CoursewareViewStarted.run_filter(course_key=course_key, view_name="courseware")
    except CoursewareViewStarted.RedirectToUrl as stop:
        return stop.redirect_to
    return None


@contextmanager
def undone():
    """Have what the block writes rolled back; in it, nothing that waits for a commit is done."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
