"""The course doors of one site, that of ``DATABASE_URL``: what a learner in one state costs there, when it is asked."""

# isort: off
from benchmarks import django_process  # before all that needs Django set up

# isort: on
import random
from contextlib import ExitStack
from dataclasses import astuple

from django.contrib.auth.models import User
from django.db.models import Max

from benchmarks import course_doors, states
from benchmarks.course_doors import COURSE_METADATA, COURSE_PAGE
from benchmarks.probe import serve
from benchmarks.sandbox_lms import SandboxLms, browser_of, log_out
from benchmarks.site import HUGE_RUN, OTHER_RUNS
from benchmarks.states import STATES, Runs
from coaching_plugin import lms
from coaching_plugin.models import CoachingConsent
from tests.cost import enter

RUNS = Runs(coached=HUGE_RUN, other=OTHER_RUNS[0])
PAGES = {page.name: page for page in (COURSE_PAGE, COURSE_METADATA)}


class SiteDoors:
    """A learner in one state after another, at the doors of the site; as a context manager, it leaves none behind."""

    def __init__(self):
        self._stack = ExitStack()
        self._lms = {True: SandboxLms(True), False: SandboxLms(False)}
        self._strangers = None

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._stack.__exit__(*exc_info)

    def states(self):
        """Return the states, each with what the design says of it."""
        return [
            {
                "name": state.name,
                "is_asked": state.is_asked,
                "decision": {how: astuple(getattr(state, how)) for how in ("cold", "first", "warm")},
                "pages": {name: cost and astuple(cost) for name, cost in _designed(state).items()},
            }
            for state in STATES
        ]

    def arrange(self, state):
        """Have a learner in a state, in place of the one before, and make sure that the doors answer them rightly."""
        self._stack.close()
        (self._state,) = [one for one in STATES if one.name == state]
        self._learner = self._stack.enter_context(states.arranged(self._state, RUNS))
        self._course_key = self._state.course_key(RUNS)
        self._browser = browser_of(self._learner)
        self._stack.callback(log_out, self._browser)
        for page in PAGES.values():
            course_doors.check_answers(page, self._state, self._get(page, True), self._get(page, False))

    def counts(self):
        """Return the queries and round trips: of the decision, cold, first and warm, and those added to each page."""
        decision = course_doors.counts_of_decision(self._state, self._learner, self._course_key)
        return {
            "decision": {how: astuple(getattr(decision, how)) for how in ("cold", "first", "warm")},
            "pages": {name: astuple(self._added(page)) for name, page in PAGES.items()},
        }

    def decision(self, how):
        """Return the nanoseconds of a decision: in a new process, of a learner of whom nothing is cached, or warm."""
        if how == "cold":
            states.start_anew()
        elif how == "first":
            course_doors.forget_learner(self._learner, self._course_key)
        return course_doors.time_of_decision(self._learner, self._course_key)

    def page(self, page, with_plugin):
        """Return the nanoseconds of a whole page, with the plugin or without."""
        return self._get(PAGES[page], with_plugin).nanoseconds

    def stranger(self):
        """Return the nanoseconds of a decision of one of the site's own learners, of whom nothing was read before."""
        if self._strangers is None:
            self._stack.close()
            states.start_anew()
            self._strangers = _strangers()
            # What all learners share is known then.
            enter(next(self._strangers), HUGE_RUN)
        return course_doors.time_of_decision(next(self._strangers), HUGE_RUN)

    def leave(self):
        """Leave no learner behind."""
        self._stack.close()

    def _get(self, page, with_plugin):
        path = page.path.format(course_key=self._course_key)
        return self._lms[with_plugin].get(self._browser, path)

    def _added(self, page):
        path = page.path.format(course_key=self._course_key)
        with_plugin, without = (
            course_doors.cost_of_page(self._lms[with_plugin], self._browser, path) for with_plugin in (True, False)
        )
        return with_plugin - without


def _designed(state):
    return {page.name: course_doors.designed(page, state) for page in PAGES.values()}


def _strangers():
    """Yield learners of the huge run who have not answered, at random: each time others."""
    highest = User.objects.aggregate(Max("pk"))["pk__max"]
    while True:
        ids = random.sample(range(1, highest + 1), min(200, highest))
        enrolled = lms.tables().enrollment.objects.filter(user_id__in=ids, course_id=HUGE_RUN, is_active=True)
        enrolled = set(enrolled.filter(mode="verified").values_list("user_id", flat=True))
        enrolled -= set(CoachingConsent.objects.filter(user_id__in=enrolled).values_list("user_id", flat=True))
        yield from User.objects.filter(pk__in=enrolled, is_active=True, is_staff=False)


if __name__ == "__main__":
    django_process.write_log_nowhere()
    django_process.keep_connection()
    with SiteDoors() as doors:
        serve(
            {
                name: getattr(doors, name)
                for name in ("states", "arrange", "counts", "decision", "page", "stranger", "leave")
            }
        )
