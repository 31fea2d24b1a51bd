"""Do learners who want a coach stay longer, and take more courses? What can be seen of it, without an experiment."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, OuterRef, Q, Value
from django.db.models.functions import TruncDate
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import cohorts, conf
from coaching_plugin.models import ConsentEvent
from coaching_plugin.reports import asked, small_groups
from coaching_plugin.reports.small_groups import Row
from coaching_plugin.reports.statement import MICROSECOND, rows_of
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


# How long after being asked a learner was last active, at most: all that was recorded is looked up once. A day of
# engagement is held against the day of being asked, both in UTC.
_MEASURES = ("enrolled_after", "completed_after", "engaged_after", "changed_after")


def _reached(within: Q, keys: Sequence[CourseKey], now: datetime) -> Counter:
    """Count learners by arm, by how many days ago (of the milestones), days reached, and whether they took another."""

    asked_at, asked_on = F("occurred_at"), TruncDate("occurred_at", tzinfo=UTC)

    def since_asked(moment: Any) -> ExpressionWrapper:
        return ExpressionWrapper(moment - asked_at, output_field=DurationField())

    learner = OuterRef("learner_id")
    last = cohorts.last_activity(learner, keys)
    first = (
        asked.first_asked(within)
        .filter(occurred_at__lte=now - timedelta(days=MILESTONES[0]))
        .annotate(
            arm=asked.first_answer("kind"),
            asked_ago=since_asked(Value(now, output_field=DateTimeField())),
            enrolled_after=since_asked(cohorts.last_enrolled_at(learner, keys, conf.enrollment_modes())),
            completed_after=since_asked(last["last_completed_at"]),
            engaged_after=ExpressionWrapper(last["last_engaged_on"] - asked_on, output_field=DurationField()),
            changed_after=since_asked(last["last_changed_at"]),
        )
        .values("arm", "asked_ago", *_MEASURES)
    )
    active = _most_days(*(f"first.{measure}" for measure in _MEASURES))
    arms = ", ".join(f"'{arm}'" for arm in ARMS)
    found: Counter = Counter()
    for row in rows_of(
        f"""
        SELECT answered.arm, answered.asked_days, answered.active_days, answered.took_another, COUNT(*) AS learners
        FROM (
            SELECT first.arm, {_most_days("first.asked_ago")} AS asked_days, {active} AS active_days,
                CASE WHEN first.enrolled_after > 0 THEN 1 ELSE 0 END AS took_another
            FROM {{first}} AS first
            WHERE first.arm IN ({arms})
        ) AS answered
        GROUP BY answered.arm, answered.asked_days, answered.active_days, answered.took_another
        """,
        first=first,
    ):
        *key, number = row.values()
        found[tuple(key)] += number
    return found


def _most_days(*spans: str) -> str:
    """Return an expression for the greatest of the milestones that one of the time spans reaches, or 0."""
    whens = (
        f"WHEN {' OR '.join(f'{span} >= {timedelta(days=days) // MICROSECOND}' for span in spans)} THEN {days}"
        for days in sorted(MILESTONES, reverse=True)
    )
    return f"CASE {' '.join(whens)} ELSE 0 END"


def _interval(estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {"share": None, "low": None, "high": None}
    return {"share": estimate.value, "low": estimate.low, "high": estimate.high}
