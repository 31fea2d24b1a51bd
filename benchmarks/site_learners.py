"""Learners of a made site, by how a course door meets them: drawn by lot, and so from everywhere in its tables."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from common.djangoapps.student.models import CourseEnrollment
from django.contrib.auth.models import User
from django.db.models import Max, Min, QuerySet
from opaque_keys.edx.keys import CourseKey

from benchmarks.site import COACHED_RUNS, LARGE_LEARNER, OTHER_RUNS
from coaching_plugin import conf, decisions, eligibility
from coaching_plugin.decisions import Decision
from coaching_plugin.models import CoachingConsent

Status = CoachingConsent.Status

DRAWN_AT_ONCE = 2_000
# Of a small site, each row is drawn; of a large one, enough are found long before.
MOST_DRAWN = 200_000


@dataclass(frozen=True)
class Visitor:
    """A learner, and the course run that they visit."""

    user: User
    course_key: CourseKey


def to_be_asked(chance: random.Random, wanted: int) -> list[Visitor]:
    """Return eligible learners of whom the ledger knows nothing."""

    def is_right(enrollment):
        verdict = eligibility.explain(enrollment.user, entering=enrollment.course_id)
        return decisions.by_rules(verdict, enrollment.course_id) is Decision.ASK

    rows = _in(COACHED_RUNS).filter(mode="verified", user__coaching_consent=None)
    return _drawn(rows, chance, wanted, is_right)


def not_eligible(chance: random.Random, wanted: int) -> list[Visitor]:
    """Return learners of a coached run who are verified in none: no visit makes them eligible."""

    def is_right(enrollment):
        return not ours.filter(user_id=enrollment.user_id, mode__in=conf.enrollment_modes()).exists()

    ours = CourseEnrollment.objects.filter(course_id__in=COACHED_RUNS)
    return _drawn(_in(COACHED_RUNS).filter(mode="audit", user__coaching_consent=None), chance, wanted, is_right)


def answered(chance: random.Random, wanted: int) -> list[Visitor]:
    """Return learners of a coached run who have answered, and so are not asked."""
    answers = [Status.CONSENTED, Status.DECLINED, Status.WITHDRAWN]
    # Found from their side, since of all enrollments few belong to them.
    consents = CoachingConsent.objects.filter(status__in=answers, user__is_active=True)
    found = []
    for consent in _by_lot(consents.select_related("user"), chance):
        enrollment = _in(COACHED_RUNS).filter(user_id=consent.user_id).first()
        if enrollment is not None:
            found.append(Visitor(consent.user, enrollment.course_id))
        if len(found) == wanted:
            break
    return found


def of_another_course(chance: random.Random, wanted: int) -> list[Visitor]:
    """Return learners of course runs that are not coached."""
    return _drawn(_in(OTHER_RUNS), chance, wanted, lambda enrollment: True)


def _in(runs: list[CourseKey]) -> QuerySet[CourseEnrollment]:
    return CourseEnrollment.objects.filter(
        course_id__in=runs, is_active=True, user__is_active=True, user__is_staff=False
    ).exclude(user__username=LARGE_LEARNER)


def _drawn(rows: QuerySet, chance: random.Random, wanted: int, is_right: Callable) -> list[Visitor]:
    """Return a visitor for each enrollment that is right; no learner twice."""
    found = {}
    for enrollment in _by_lot(rows.select_related("user"), chance):
        if enrollment.user_id not in found and is_right(enrollment):
            found[enrollment.user_id] = Visitor(enrollment.user, enrollment.course_id)
            if len(found) == wanted:
                break
    return list(found.values())


def _by_lot(rows: QuerySet, chance: random.Random) -> Iterator:
    """Yield rows, each once, in an order that is drawn; it takes no more than reading them by their ids."""
    ends = rows.model.objects.aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is None:
        return
    numbers = range(ends["low"], ends["high"] + 1)
    ids = chance.sample(numbers, min(len(numbers), MOST_DRAWN))
    for start in range(0, len(ids), DRAWN_AT_ONCE):
        # Fewer of the server's own order: what is read together is shuffled again.
        some = list(rows.filter(pk__in=ids[start : start + DRAWN_AT_ONCE]))
        chance.shuffle(some)
        yield from some
