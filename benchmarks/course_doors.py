"""What the plugin adds to the pages by which a learner enters a course, in each state: counted, and as a ratio."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns

from django.core.cache import cache

from benchmarks.ratios import Ratio, alternate, ratio
from benchmarks.sandbox_lms import SandboxLms, browser_of
from benchmarks.states import State, arranged, start_anew
from coaching_plugin import access, decisions
from tests.cost import NEXT, Cost, cost_of_entering, counted, request_of

ASKED_PATH = "/coaching/consent/"


class WrongAnswer(Exception):
    """Raised where a door does not answer what is to be measured."""


@dataclass(frozen=True)
class Page:
    """A kind of page: its address, and whether an answer is the page itself, or sends to the question of coaching."""

    name: str
    path: str
    is_open: Callable
    # None where nobody is ever asked.
    is_asking: Callable | None = None
    # Whether the question takes the place of the page.
    replaces_page: bool = False


def _course_access(answer):
    return json.loads(answer.body)["course_access"]


COURSE_PAGE = Page(
    "a course page",
    "/courses/{course_key}/courseware/",
    is_open=lambda answer: answer.status == 200 and b"You are in." in answer.body,
    is_asking=lambda answer: answer.status == 302 and answer.location.startswith(ASKED_PATH),
    replaces_page=True,
)
COURSE_METADATA = Page(
    "course_metadata",
    "/api/course_home/course_metadata/{course_key}",
    is_open=lambda answer: _course_access(answer)["has_access"],
    is_asking=lambda answer: (_course_access(answer)["developer_message"] or "").startswith(ASKED_PATH),
)
OTHER_PAGE = Page(
    "a page of no course",
    "/dashboard",
    is_open=lambda answer: answer.status == 200,
)


@dataclass(frozen=True)
class DecisionCost:
    """What the decision alone asks in one state."""

    state: State
    cold: Cost
    first: Cost
    warm: Cost

    @property
    def is_as_designed(self):
        """Whether the design says the same."""
        return (self.cold, self.first, self.warm) == (self.state.cold, self.state.first, self.state.warm)


@dataclass(frozen=True)
class DoorCost:
    """What the plugin adds to one page in one state."""

    state: State
    # None where the question takes the place of the page: there is nothing that it is added to.
    designed: Cost | None
    added: Cost
    with_plugin: Ratio
    # The same without the plugin, twice over: what a ratio is worth here.
    noise: Ratio
    # The decision alone, as a share of the page without the plugin; None where it is not come to.
    decision: Ratio | None

    @property
    def is_as_designed(self):
        """Whether the design says the same."""
        return self.designed in (None, self.added)


def cost_of_decision(state, runs):
    """Count what the decision asks in one state, in a new process, the first time and from then on."""
    with arranged(state, runs) as learner:
        return counts_of_decision(state, learner, state.course_key(runs))


def counts_of_decision(state, learner, course_key):
    """Count what the decision asks of a learner who is in a state, in a new process, the first time and then."""
    start_anew()
    cold = cost_of_entering(learner, course_key)
    forget_learner(learner, course_key)
    first = cost_of_entering(learner, course_key)
    return DecisionCost(state, cold, first, cost_of_entering(learner, course_key))


def forget_learner(learner, course_key):
    """Have the cache know nothing of the learner; what all learners share stays."""
    cache.delete_many(decisions.remembering_keys(learner.pk, [course_key]))


def cost_at_door(page, state, runs, rounds):
    """Measure what the plugin adds to one page in one state."""
    with arranged(state, runs) as learner:
        return _cost_at_door(page, state, learner, state.course_key(runs), rounds)


def _cost_at_door(page, state, learner, course_key, rounds):
    browser, path = browser_of(learner), page.path.format(course_key=course_key)
    with_plugin, without, without_again = SandboxLms(True), SandboxLms(False), SandboxLms(False)
    check_answers(page, state, with_plugin.get(browser, path), without.get(browser, path))
    taken = alternate(
        {
            "with": lambda: with_plugin.get(browser, path).nanoseconds,
            "without": lambda: without.get(browser, path).nanoseconds,
            "again": lambda: without_again.get(browser, path).nanoseconds,
            "decision": lambda: time_of_decision(learner, course_key),
        },
        rounds,
    )
    return DoorCost(
        state,
        designed=designed(page, state),
        added=cost_of_page(with_plugin, browser, path) - cost_of_page(without, browser, path),
        with_plugin=ratio(taken["with"], taken["without"]),
        noise=ratio(taken["again"], taken["without"]),
        decision=ratio(taken["decision"], taken["without"]) if page.is_asking else None,
    )


def designed(page, state):
    """Return what the plugin may add to a page; None where the question takes the place of the page."""
    if page.is_asking is None:
        return Cost()
    return None if state.is_asked and page.replaces_page else state.warm


def check_answers(page, state, answer_with, answer_without):
    """Make sure that what is measured is what it is called. Raises ``WrongAnswer``."""
    is_right = page.is_asking if state.is_asked and page.is_asking else page.is_open
    if not is_right(answer_with) or not page.is_open(answer_without):
        raise WrongAnswer(f"{page.name}, {state.name}: {answer_with.status} and {answer_without.status}")


def cost_of_page(lms, browser, path):
    """Count what one page asks."""
    with counted() as cost:
        lms.get(browser, path)
    return cost


def time_of_decision(learner, course_key):
    """Return the nanoseconds that a decision takes, in a request of its own."""
    with request_of(learner):
        started = perf_counter_ns()
        access.consent_redirect(learner, course_key, NEXT)
        return perf_counter_ns() - started
