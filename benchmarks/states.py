"""The states of a learner at a course door, and what each may cost by the design."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, transaction
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import coached_courses, consent
from coaching_plugin.models import CoachedCourse, CoachingConsent, ConsentEvent, PartnerDelivery
from tests import factories
from tests.cost import Cost
from tests.factories import MB101, PLAIN


@dataclass(frozen=True)
class Runs:
    """The course runs of a site at whose doors learners stand: one that is coached, and one that is not."""

    coached: CourseKey = MB101
    other: CourseKey = PLAIN


@dataclass(frozen=True)
class State:
    """One state: how an eligible learner gets into it, and the designed cost of a decision."""

    name: str
    arrange: Callable[[User, Runs], None]
    # In a new process with an empty cache; of the learner's first decision; of every one that follows.
    cold: Cost
    first: Cost
    warm: Cost
    is_at_coached_run: bool = True
    is_asked: bool = False
    # Whether it takes more than a learner: what all others on the site would notice.
    changes_site: bool = False

    def course_key(self, runs: Runs) -> CourseKey:
        """Return the course run that the learner enters."""
        return runs.coached if self.is_at_coached_run else runs.other


def _nothing_coached(learner, runs):
    CoachedCourse.objects.update(active=False)


def _not_our_course(learner, runs):
    factories.enroll(learner, runs.other)


def _flag_off(learner, runs):
    factories.set_flag("coaching.enabled", False)


def _answered(learner, runs):
    consent.decline(learner, factories.evidence())


def _not_eligible(learner, runs):
    learner.courseenrollment_set.update(mode="audit")


def _to_be_asked(learner, runs):
    """Leave the learner as they are."""


# In the order in which the decision finds out: the coached runs in the process (a query to read them), two flags (each
# a round trip, and where it is not cached a query and another), the cache, the learner, the answer.
STATES = [
    State("nothing coached", _nothing_coached, Cost(1, 0), Cost(0, 0), Cost(0, 0), changes_site=True),
    State("not our course", _not_our_course, Cost(1, 0), Cost(0, 0), Cost(0, 0), is_at_coached_run=False),
    State("flag off", _flag_off, Cost(2, 2), Cost(0, 1), Cost(0, 1), changes_site=True),
    State("answered", _answered, Cost(5, 6), Cost(2, 4), Cost(0, 3)),
    State("not eligible", _not_eligible, Cost(4, 6), Cost(1, 4), Cost(0, 3)),
    State("to be asked", _to_be_asked, Cost(5, 5), Cost(2, 3), Cost(2, 3), is_asked=True),
]


@contextmanager
def arranged(state: State, runs: Runs) -> Iterator[User]:
    """
    Have a new learner in this state, on a site that is as it was before when the block ends.

    The flags must be on, and the runs be as they are called. What a state changes of the site happens in a transaction
    that is rolled back, so that others on the site notice nothing.
    """
    with undone() if state.changes_site else _deleted_again() as made:
        learner = factories.eligible_learner(runs.coached, username=f"bench-{secrets.token_hex(6)}")
        made.append(learner.pk)
        state.arrange(learner, runs)
        start_anew()
        yield learner
    start_anew()


def start_anew():
    """Be as a new process with an empty cache."""
    cache.clear()
    coached_courses.forget()


@contextmanager
def undone():
    """Undo what the block stores; what waits for a commit in it never happens."""
    # At either end of a request, they drop a connection that is in a transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        with transaction.atomic():
            yield []
            transaction.set_rollback(True)
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@contextmanager
def _deleted_again():
    """Delete the learners whose ids are added to the list, with all that is recorded of them."""
    made: list[int] = []
    try:
        yield made
    finally:
        consents = CoachingConsent.objects.filter(user_id__in=made)
        PartnerDelivery.objects.filter(partner_id__in=list(consents.values_list("partner_id", flat=True))).delete()
        # The ledger refuses to be shortened, in Python: nobody has ever seen these learners.
        with connection.cursor() as cursor:
            for pk in consents.values_list("pk", flat=True):
                cursor.execute(f"DELETE FROM {ConsentEvent._meta.db_table} WHERE consent_id = %s", [pk])
        consents.delete()
        User.objects.filter(pk__in=made).delete()
