"""What happened in each of the last weeks, which run from Monday to Sunday, UTC."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncWeek

from coaching_plugin.models import CoachingConsent, ConsentEvent, EligibleCount
from coaching_plugin.reports import asked, small_groups
from coaching_plugin.reports.scope import Scope
from coaching_plugin.reports.small_groups import Row

Kind = ConsentEvent.Kind

WEEKS = 26
COUNTED = {
    "asked": Kind.ASKED,
    "consented": Kind.CONSENTED,
    "declined": Kind.DECLINED,
    "withdrawn": Kind.WITHDRAWN,
    "opted_out": Kind.OPTED_OUT,
    "refused": Kind.REFUSED,
}


def table(scope: Scope, within: Q, today: date) -> list[dict[str, Any]]:
    """Return a row for each of the last weeks, the oldest first, in three queries."""
    mondays = _mondays(today)
    since = datetime.combine(mondays[0], time.min, tzinfo=UTC)
    until = datetime.combine(mondays[-1] + timedelta(days=7), time.min, tzinfo=UTC)
    # In UTC, by its own name: the database needs no time zone tables for that.
    week = TruncWeek("occurred_at", tzinfo=UTC)

    def learners(**condition) -> Count:
        return Count("consent_id", distinct=True, filter=Q(**condition) if condition else None)

    in_time = Q(occurred_at__gte=since, occurred_at__lt=until)
    events = ConsentEvent.objects.filter(within, in_time, kind__in=COUNTED.values())
    counts = {name: learners(kind=kind) for name, kind in COUNTED.items()}
    happened = _by_week(events.order_by().annotate(week=week).values("week").annotate(learners=learners(), **counts))

    consented = learners(consent__status=CoachingConsent.Status.CONSENTED)
    first = asked.first_asked(within).filter(in_time).annotate(week=week).values("week")
    cohorts = _by_week(first.annotate(first_asked=learners(), consented_now=consented))

    eligible = {}
    counted = EligibleCount.objects.filter(scope=scope.name, day__gte=mondays[0], day__lt=until.date()).order_by("day")
    for day, number in counted.values_list("day", "learners"):
        eligible[day - timedelta(days=day.weekday())] = number

    rows = [_row(monday, happened.get(monday, {}), cohorts.get(monday, {}), eligible.get(monday)) for monday in mondays]
    # Weeks are added up: they, together, are what is told of everybody.
    return small_groups.shown(rows, whole=sum(row.learners for row in rows))


def _mondays(today: date) -> list[date]:
    last = today - timedelta(days=today.weekday())
    return [last - timedelta(weeks=weeks) for weeks in range(WEEKS - 1, -1, -1)]


def _by_week(rows) -> dict[date, dict[str, int]]:
    return {row.pop("week").astimezone(UTC).date(): row for row in rows}


def _row(monday: date, happened: dict[str, int], cohort: dict[str, int], eligible: int | None) -> Row:
    counts = Counter(happened)
    first_asked = cohort.get("first_asked", 0)
    cells = {
        "week": monday.isoformat(),
        "eligible": eligible,
        **{name: counts[name] for name in COUNTED},
        "rate": cohort["consented_now"] / first_asked if first_asked else None,
    }
    return Row(monday.isoformat(), counts["learners"], cells, {"eligible": eligible or 0, "rate": first_asked})
