"""Answers whole-site questions in a process of its own: through the plugin, or by the statement written by hand."""

import resource
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

from benchmarks.django_process import keep_connection, write_log_nowhere
from benchmarks.probe import serve

from django.db import connection, transaction  # isort: skip
from django.db.models import Count  # isort: skip
from django.utils import timezone  # isort: skip

from benchmarks.hand_written import Statements  # isort: skip
from coaching_plugin import coached_courses, cohorts, reports  # isort: skip
from coaching_plugin.eligibility import Rules  # isort: skip
from coaching_plugin.partner import roster, roster_file  # isort: skip
from coaching_plugin.reports import CoachedRuns, Scope, small_groups, snapshot  # isort: skip

Answer = Any


def _program() -> tuple[Scope, tuple[str, ...]]:
    """Return the program of the run in which half of all learners are, and its runs."""
    runs = CoachedRuns.now()
    scope = Scope(program_uuid=next(row.program_uuid for row in runs.rows if "HUGE" in str(row.course_key)))
    return scope, tuple(str(key) for key in runs.of(scope))


def _statements(of_program: tuple[str, ...] = ()) -> Statements:
    keys = tuple(sorted(map(str, coached_courses.keys())))
    return Statements(keys, Rules.now(), COUNTED_AT, of_program)


# One moment for both sides.
COUNTED_AT = timezone.now().astimezone(UTC)
_counted: list[reports.Counted] = []


def _counts_of(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return, of the tables of a report, what the hand-written statement counts too, in its order."""
    kinds = ("asked", "consented", "declined", "withdrawn", "opted_out", "refused")
    reached = {row["key"]: (row["learners"], row["reached"]) for row in tables["persistence"]}
    delays = [row["learners"] for row in tables["delays"]]
    return {
        "weeks": {row["key"]: [row[kind] for kind in kinds] for row in tables["weeks"] if any(row[k] for k in kinds)},
        "delays": [sum(delays), *(sum(delays[: number + 1]) for number in range(5))],
        "refusals": {row["key"]: [row["submissions"], row["learners"]] for row in tables["refusals"]},
        "persistence": {
            arm: [number for days in ("30", "60", "90") for number in reached[f"{days}-{arm}"]]
            + [reached[f"another_course-{arm}"][1]]
            for arm in ("consented", "declined")
        },
        "first_ten": sorted(len(row["attempts"]) for row in tables["first_ten"]),
    }


def _funnel_of(table: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, of the first table, the same."""
    columns = ("eligible", "consented", "declined", "withdrawn")
    runs = {
        row["key"]: [row[name] for name in columns] for row in table if row["level"] == "course" and row["learners"]
    }
    programs = [row["eligible"] for row in table if row["level"] == "program"]
    return {"runs": runs, "programs": sum(programs), "eligible": table[0]["eligible"]}


def _our_report() -> Answer:
    report = reports.build(Scope(), reports.count(COUNTED_AT))
    return _counts_of(report["tables"]) | {"funnel": _funnel_of(report["tables"]["funnel"])}


def _our_program() -> Answer:
    # Of all programs, how everybody stands is counted once.
    if not _counted:
        _counted.append(reports.count(COUNTED_AT))
    return _counts_of(reports.build(_program()[0], _counted[0])["tables"])


def _our_roster() -> Answer:
    entries = programs = 0
    for entry in roster.entries():
        entries, programs = entries + 1, programs + len(entry.programs)
    return [entries, programs]


def _our_roster_file() -> Answer:
    with TemporaryDirectory() as folder:
        roster_file.FolderChannel(folder=folder).write(roster.entries())
        # Less the line of the headings.
        with Path(folder, "roster.csv").open("rb") as file:
            return sum(1 for _ in file) - 1


def _our_eligible() -> Answer:
    rows = cohorts.eligible_enrollments(coached_courses.keys(), Rules.now())
    # A list without doubles would have MariaDB walk the index of the learner, and fetch each row on its own.
    return rows.aggregate(learners=Count("user_id", distinct=True))["learners"]


def _our_nightly_counts() -> Answer:
    with transaction.atomic():
        found = snapshot.fill(lambda what: None)
        transaction.set_rollback(True)
    return list(found)


def _ask(statement: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _counted_by_hand(rows: list[tuple]) -> dict[str, Any]:
    """Return the rows of the hand-written statement, as ours are returned."""
    found: dict[str, dict[str, list[int]]] = {}
    for what, which, *numbers in rows:
        found.setdefault(what, {})[str(which)] = [int(number or 0) for number in numbers]
    return {
        "weeks": {monday: numbers[1:7] for monday, numbers in found.get("weeks", {}).items()},
        "delays": found["delays"][""][:6],
        "refusals": {code: numbers[:2] for code, numbers in found.get("refusals", {}).items()},
        "persistence": {arm: found.get("persistence", {}).get(arm, [0] * 9)[1:8] for arm in ("consented", "declined")},
        "first_ten": sorted(numbers[0] for numbers in found.get("first_ten", {}).values()),
    }


def _report_by_hand() -> Answer:
    rows = _ask(_statements().report)
    keys = {row.pk: str(row.course_key) for row in CoachedRuns.now().rows}
    funnel = {keys[int(which)]: [int(n) for n in numbers] for what, which, *numbers in rows if what == "funnel"}
    return _counted_by_hand(rows) | {
        "funnel": {
            "runs": {key: [numbers[1], *numbers[6:9]] for key, numbers in funnel.items()},
            "programs": sum(numbers[2] for numbers in funnel.values()),
            "eligible": sum(numbers[3] for numbers in funnel.values()),
        }
    }


QUESTIONS: dict[str, Callable[[], Answer]] = {
    "to be asked": lambda: cohorts.to_be_asked(coached_courses.keys(), Rules.now()).count(),
    "eligible": _our_eligible,
    "roster": _our_roster,
    "roster file": _our_roster_file,
    "report": _our_report,
    "report of a program": _our_program,
    "nightly counts": _our_nightly_counts,
}
BY_HAND: dict[str, Callable[[], Answer]] = {
    "to be asked": lambda: _ask(_statements().to_be_asked)[0][0],
    "eligible": lambda: _ask(_statements().eligible)[0][0],
    "roster": lambda: [int(number or 0) for number in _ask(_statements().roster)[0]],
    "roster file": lambda: _ask(_statements().roster)[0][0],
    "report": _report_by_hand,
    "report of a program": lambda: _counted_by_hand(_ask(_statements(_program()[1]).tables)),
}


class _Queries:
    """Counts queries, and keeps none."""

    count = 0

    def __call__(self, execute, sql, params, many, context):
        self.count += not sql.startswith(("SAVEPOINT", "RELEASE"))
        return execute(sql, params, many, context)


def _answered(what: str, by_hand: bool = False) -> dict[str, Any]:
    """Answer once: how long it took, in nanoseconds, what it is, how many queries, and the peak of memory, in MB."""
    queries = _Queries()
    with connection.execute_wrapper(queries):
        started = perf_counter_ns()
        answer = (BY_HAND if by_hand else QUESTIONS)[what]()
        taken = perf_counter_ns() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"taken": taken, "answer": answer, "queries": queries.count, "peak": peak}


if __name__ == "__main__":
    keep_connection()
    write_log_nowhere()
    # Who is too few to be shown is counted all the same, so that both sides can be compared.
    small_groups.SMALLEST = 0
    coached_courses.keys()
    serve({"answer": _answered})
