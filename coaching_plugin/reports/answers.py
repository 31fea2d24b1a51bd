"""How long did learners take to answer, and why were submissions refused?"""

from datetime import timedelta
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Concat

from coaching_plugin.models import ConsentEvent
from coaching_plugin.reports import asked, small_groups
from coaching_plugin.reports.small_groups import Row
from coaching_plugin.reports.statement import MICROSECOND, count_if, rows_of

Kind = ConsentEvent.Kind

# The bounds of the histogram, each with what is longer than the one before; last comes what is longer than all.
BOUNDS = {
    "minute": timedelta(minutes=1),
    "five_minutes": timedelta(minutes=5),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
LATER = "later"

# Why a submission is refused: every code of ``refusals.py``.
REFUSALS = (
    "phone_missing", "phone_malformed", "phone_extension", "phone_invalid", "phone_region", "phone_type",
    "name_missing", "name_malformed", "agreement_missing", "disclosure_missing", "account_inactive", "not_eligible",
    "under_age",
)  # fmt: skip


_DELAYS = """
    SELECT COUNT(*) AS answered, {counts},
        AVG(CASE WHEN answer.nth BETWEEN answer.total / 2.0 AND answer.total / 2.0 + 1 THEN answer.delay END) AS middle
    FROM (
        SELECT first.delay, ROW_NUMBER() OVER (ORDER BY first.delay) AS nth, COUNT(*) OVER () AS total
        FROM {{first}} AS first
        WHERE first.delay IS NOT NULL
    ) AS answer
"""


def delays(within: Q) -> tuple[list[dict[str, Any]], float | None]:
    """
    Return how many learners first answered how long after they were first asked, and the median in seconds.

    The group is all who answered, asked before; where it is too small neither is told. One query.
    """
    upper = (f"{count_if(f'answer.delay <= {bound // MICROSECOND}')} AS {name}" for name, bound in BOUNDS.items())
    delay = ExpressionWrapper(asked.first_answer("occurred_at") - F("occurred_at"), output_field=DurationField())
    first = asked.first_asked(within).annotate(delay=delay).values("delay")
    nobody = {"answered": 0, "middle": None, **dict.fromkeys(BOUNDS, 0)}
    (counts,) = rows_of(_DELAYS.format(counts=", ".join(upper)), first=first) or [nobody]
    total, below, rows = counts["answered"], 0, []
    for name in (*BOUNDS, LATER):
        up_to = counts.get(name, total)
        rows.append(Row(name, total, {"learners": up_to - below, "share": (up_to - below) / total if total else None}))
        below = up_to
    middle = None if counts["middle"] is None else float(counts["middle"]) * MICROSECOND
    median = None if middle is None or small_groups.is_small(total) else middle.total_seconds()
    return small_groups.shown(rows), median


def refusals(within: Q) -> list[dict[str, Any]]:
    """Return, for each reason, how many submissions were refused and of how many learners; in one query."""
    refused = ConsentEvent.objects.filter(within, kind=Kind.REFUSED).order_by()
    # Codes are separated by spaces, and a submission has one or more.
    refused = refused.annotate(codes=Concat(Value(" "), "reason", Value(" ")))
    counts = {}
    for code in REFUSALS:
        of_code = Q(codes__contains=f" {code} ")
        counts[f"{code}_submissions"] = Count("pk", filter=of_code)
        counts[f"{code}_learners"] = Count("consent_id", filter=of_code, distinct=True)
    found = refused.aggregate(learners=Count("consent_id", distinct=True), **counts)
    rows = [
        Row(
            code,
            found[f"{code}_learners"],
            {"submissions": found[f"{code}_submissions"], "learners": found[f"{code}_learners"]},
        )
        for code in REFUSALS
        if found[f"{code}_learners"]
    ]
    return small_groups.shown(rows, whole=found["learners"])
