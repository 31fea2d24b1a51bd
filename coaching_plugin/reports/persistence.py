"""Do learners who want a coach stay longer, and take more courses? What can be seen of it, without an experiment."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    IntegerField,
    OuterRef,
    Q,
    Value,
    When,
)
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import cohorts, conf
from coaching_plugin.models import ConsentEvent
from coaching_plugin.reports import asked, small_groups
from coaching_plugin.reports.small_groups import Row
from coaching_plugin.reports.statistics import Estimate, difference, wilson

Kind = ConsentEvent.Kind

# So many days after being asked a learner was active, or later still ("unbounded" retention).
MILESTONES = (30, 60, 90)
ARMS = (Kind.CONSENTED, Kind.DECLINED)
ANOTHER_COURSE = "another_course"


def table(within: Q, keys: Sequence[CourseKey], now: datetime) -> list[dict[str, Any]]:
    """
    Return, for each milestone, the shares of who consented and of who declined, and their difference; in one query.

    Arms are by the first answer after being asked, whatever was changed later. Only learners are looked at who were
    asked so long ago that they could have reached the milestone; for "took another course", the first of them.

    Args:
        within: which learners.
        keys: all coached course runs: activity and enrollments in any of them count.
    """
    reached = _reached(within, keys, now)
    rows = []
    for milestone in (*MILESTONES, ANOTHER_COURSE):
        days = MILESTONES[0] if milestone == ANOTHER_COURSE else milestone
        estimates: list[Estimate | None] = []
        totals: list[int] = []
        for arm in ARMS:
            ours = {key: number for key, number in reached.items() if key[0] == arm and key[1] >= days}
            total = sum(ours.values())
            successes = sum(
                number
                for (_, _, active_days, took_another), number in ours.items()
                if (took_another if milestone == ANOTHER_COURSE else active_days >= days)
            )
            estimate = wilson(successes, total) if total else None
            estimates.append(estimate)
            totals.append(total)
            cells = {"measure": str(milestone), "group": arm.value, "learners": total, "reached": successes}
            rows.append(Row(f"{milestone}-{arm.value}", total, {**cells, **_interval(estimate)}))
        first, second = estimates
        compared = difference(first, second) if first and second else None
        cells = {"measure": str(milestone), "group": "difference", "learners": None, "reached": None}
        # A comparison with a group that is too small would tell of it.
        rows.append(Row(f"{milestone}-difference", min(totals), {**cells, **_interval(compared)}))
    return small_groups.shown(rows)


def _reached(within: Q, keys: Sequence[CourseKey], now: datetime) -> Counter:
    """Count learners by arm, by how many days ago (of the milestones), days reached, and whether they took another."""
    took = cohorts.enrollments(keys, conf.enrollment_modes())
    first = (
        asked.first_asked(within)
        .filter(occurred_at__lte=now - timedelta(days=MILESTONES[0]))
        .annotate(
            arm=asked.first_answer("kind"),
            asked_days=_first_true({days: Q(occurred_at__lte=now - timedelta(days=days)) for days in MILESTONES}),
            active_days=_first_true({days: _active(keys, days) for days in MILESTONES}),
            took_another=Case(
                When(
                    Exists(took.filter(user_id=OuterRef("learner_id"), created__gt=OuterRef("occurred_at"))),
                    then=Value(True),
                ),
                default=Value(False),
                output_field=BooleanField(),
            ),
        )
        .filter(arm__in=ARMS)
    )
    group = ("arm", "asked_days", "active_days", "took_another")
    found: Counter = Counter()
    for *key, number in first.values(*group).annotate(number=Count("pk")).values_list(*group, "number"):
        found[tuple(key)] += number
    return found


def _active(keys: Sequence[CourseKey], days: int) -> Q:
    """Return a condition on ``asked`` events: the learner was active so many days later, or after that."""
    since, learner = OuterRef("occurred_at") + timedelta(days=days), OuterRef("learner_id")
    moment = ExpressionWrapper(since, output_field=DateTimeField())
    enrolled = cohorts.enrollments(keys, conf.enrollment_modes()).filter(user_id=learner, created__gte=moment)
    return Q(Exists(enrolled)) | cohorts.active_since(since, learner=learner, runs=keys)


def _first_true(conditions: dict[int, Q]) -> Case:
    """Return the greatest number of days whose condition holds, or 0: who was active later was so before, too."""
    whens = [When(conditions[days], then=Value(days)) for days in sorted(conditions, reverse=True)]
    return Case(*whens, default=Value(0), output_field=IntegerField())


def _interval(estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {"share": None, "low": None, "high": None}
    return {"share": estimate.value, "low": estimate.low, "high": estimate.high}
