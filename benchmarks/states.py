"""The states of a learner at a course door, and what each may cost by the design."""

from collections.abc import Callable
from dataclasses import dataclass

from coaching_plugin import consent
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.cost import Cost
from tests.factories import MB101, PLAIN


@dataclass(frozen=True)
class State:
    """One state: how an eligible learner gets into it, and the designed cost of a decision."""

    name: str
    arrange: Callable
    # In a new process with an empty cache; of the learner's first decision; of every one that follows.
    cold: Cost
    first: Cost
    warm: Cost
    course_key: object = MB101
    is_asked: bool = False


def _nothing_coached(learner):
    CoachedCourse.objects.all().delete()


def _not_our_course(learner):
    factories.enroll(learner, PLAIN)


def _flag_off(learner):
    factories.set_flag("coaching.enabled", False)


def _answered(learner):
    consent.decline(learner, factories.evidence())


def _not_eligible(learner):
    learner.courseenrollment_set.update(mode="audit")


def _to_be_asked(learner):
    """Leave the learner as they are."""


# In the order in which the decision finds out: the coached runs in the process (a query to read them), two flags (each
# a round trip, and where it is not cached a query and another), the cache, the learner, the answer.
STATES = [
    State("nothing coached", _nothing_coached, cold=Cost(1, 0), first=Cost(0, 0), warm=Cost(0, 0)),
    State("not our course", _not_our_course, cold=Cost(1, 0), first=Cost(0, 0), warm=Cost(0, 0), course_key=PLAIN),
    State("flag off", _flag_off, cold=Cost(2, 2), first=Cost(0, 1), warm=Cost(0, 1)),
    State("answered", _answered, cold=Cost(5, 6), first=Cost(2, 4), warm=Cost(0, 3)),
    State("not eligible", _not_eligible, cold=Cost(4, 6), first=Cost(1, 4), warm=Cost(0, 3)),
    State("to be asked", _to_be_asked, cold=Cost(5, 5), first=Cost(2, 3), warm=Cost(2, 3), is_asked=True),
]


def arranged(state):
    """Return a new learner in this state, in a site whose flags and coached runs are as the state wants them."""
    CoachedCourse.objects.all().delete()
    factories.coach_courses()
    factories.turn_on_flags()
    learner = factories.eligible_learner()
    state.arrange(learner)
    return learner
