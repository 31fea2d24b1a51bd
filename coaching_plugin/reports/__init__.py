"""What does the report say? Counted in the database, in so many queries whoever and how many there are."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from coaching_plugin import conf
from coaching_plugin.eligibility import Rules
from coaching_plugin.reports import answers, first_ten, funnel, persistence, weeks
from coaching_plugin.reports.funnel import Funnel
from coaching_plugin.reports.scope import CoachedRuns, Scope, UnknownScope, within

__all__ = ["CoachedRuns", "Counted", "Scope", "UnknownScope", "build", "count"]


@dataclass(frozen=True)
class Counted:
    """The moment of a report, and the standing of all groups then, from which each scope's report starts."""

    at: datetime
    funnel: Funnel


def count(at: datetime | None = None) -> Counted:
    """Count how everybody stands now, by program and by course run."""
    at = at or timezone.now()
    return Counted(at, funnel.count(CoachedRuns.now(), Rules.on(at.astimezone(UTC).date())))


def build(scope: Scope, counted: Counted) -> dict[str, Any]:
    """
    Return the report of a scope as plain data, in which nothing is left that must not be shown.

    Raises ``UnknownScope`` for a program or a course run that is not coached.
    """
    runs = counted.funnel.runs
    keys = runs.of(scope)
    standings = funnel.table(counted.funnel, scope)
    report = {
        "computed_at": counted.at.isoformat(),
        "scope": scope.name,
        "goal": conf.consent_goal(),
        "programs": [[str(uuid), title] for uuid, title in runs.programs.items()],
        "courses": [str(key) for key in runs.keys],
        "coached": len(runs.keys),
        "withheld": standings[0]["withheld"],
        "anybody": bool(counted.funnel.of(scope).known),
        "median": None,
        "tables": {"funnel": standings, "weeks": [], "delays": [], "refusals": [], "persistence": [], "first_ten": []},
    }
    learners = within(scope, keys, "learner_id")
    report["tables"]["first_ten"] = first_ten.table(learners)
    if report["withheld"]:
        # Of a group that must not be seen, no part is.
        return report
    delays, report["median"] = answers.delays(learners)
    report["tables"] |= {
        "weeks": weeks.table(scope, learners, counted.at.astimezone(UTC).date()),
        "delays": delays,
        "refusals": answers.refusals(learners),
        "persistence": persistence.table(learners, runs.keys, counted.at),
    }
    return report
