"""How many learners are eligible, were asked, and how they stand now: in all, by program and by course run."""

from collections import Counter
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import cohorts
from coaching_plugin.eligibility import Rules
from coaching_plugin.models import CoachedCourse, CoachingConsent, ConsentEvent, EligibleCount
from coaching_plugin.reports import small_groups
from coaching_plugin.reports.scope import CoachedRuns, Scope
from coaching_plugin.reports.small_groups import Row
from coaching_plugin.reports.statement import count_if, rows_of

Kind = ConsentEvent.Kind
Status = CoachingConsent.Status

# Whoever has one of these was asked, or answered without being asked. The ledger says it: ``ask_again`` clears the row.
KNOWN_BY = [Kind.ASKED, Kind.CONSENTED, Kind.DECLINED]


@dataclass(frozen=True)
class Standing:
    """How the learners of one group stand. Whoever is known is in one of consented, declined, withdrawn, unanswered."""

    known: int = 0
    asked: int = 0
    consented: int = 0
    consented_of_asked: int = 0
    declined: int = 0
    withdrawn: int = 0
    opted_out: int = 0
    unanswered: int = 0
    eligible: int = 0
    # Eligible, and neither asked nor known otherwise.
    not_asked_yet: int = 0

    @property
    def learners(self) -> int:
        """All who ever were to be asked: who was asked or answered, and who is eligible now."""
        return self.known + self.not_asked_yet


@dataclass(frozen=True)
class Funnel:
    """The standing of everybody, of each program (None: in none) and of each course run."""

    runs: CoachedRuns
    everybody: Standing
    programs: dict[UUID | None, Standing]
    courses: dict[CourseKey, Standing]

    def of(self, scope: Scope) -> Standing:
        """Return the standing of a scope."""
        if scope.course_key:
            return self.courses[scope.course_key]
        return self.programs[scope.program_uuid] if scope.program_uuid else self.everybody


def count(runs: CoachedRuns, rules: Rules) -> Funnel:
    """Count, in two queries, all that is known of everybody, of each program and of each coached course run."""
    of_run, of_program, eligible = _by_run(runs, rules)
    (known,) = rows_of(f"SELECT {_columns('', _KNOWN)} FROM {{known}} AS known", known=_known_consents())
    programs: dict[UUID | None, Counter] = {uuid: Counter() for uuid in (*runs.programs, None)}
    for row in runs.rows:
        programs[row.program_uuid] += of_program.get(row.pk, Counter())
    return Funnel(
        runs,
        Standing(**known, **eligible),
        {uuid: Standing(**numbers) for uuid, numbers in programs.items()},
        {row.course_key: Standing(**of_run.get(row.pk, Counter())) for row in runs.rows if row.course_key},
    )


def remember_eligible(funnel: Funnel, day: date) -> int:
    """Store how many learners are eligible on a day, in all, by program and by run; return how many counts it were."""
    scopes = [(Scope(), funnel.everybody)]
    scopes += [(Scope(program_uuid=uuid), standing) for uuid, standing in funnel.programs.items() if uuid]
    scopes += [(Scope(course_key=key), standing) for key, standing in funnel.courses.items()]
    for scope, standing in scopes:
        EligibleCount.objects.update_or_create(day=day, scope=scope.name, defaults={"learners": standing.eligible})
    return len(scopes)


def table(funnel: Funnel, scope: Scope) -> list[dict[str, Any]]:
    """Return the rows to show for a scope: everybody, programs and runs; a program and its runs; or a run."""
    every = _rows(funnel)
    if scope.is_everybody:
        return every
    ours = {str(key) for key in funnel.runs.of(scope)} | {scope.name}
    return [row for row in every if row["key"] in ours]


def _rows(funnel: Funnel) -> list[dict[str, Any]]:
    """Return every row that there is, each program followed by its runs."""
    everybody = funnel.everybody.learners
    rows = [{**row, "level": "all"} for row in small_groups.shown([_row("all", funnel.everybody)])]
    programs = [_row(str(uuid or "none"), standing) for uuid, standing in funnel.programs.items()]
    shown_programs = small_groups.shown(programs, everybody)
    for (uuid, standing), program in zip(funnel.programs.items(), shown_programs, strict=True):
        ours = [row.course_key for row in funnel.runs.rows if row.program_uuid == uuid and row.course_key]
        courses = [_row(str(key), funnel.courses[key]) for key in ours]
        # Held against its program, and against everybody.
        hidden = {row.key for row in courses if program["withheld"] or small_groups.is_small(everybody - row.learners)}
        title = funnel.runs.programs.get(uuid, "") if uuid else ""
        if courses:
            rows.append({**program, "level": "program", "title": title})
        rows += [{**row, "level": "course"} for row in small_groups.shown(courses, standing.learners, hidden)]
    return rows


def _row(key: str, standing: Standing) -> Row:
    cells = {name.name: getattr(standing, name.name) for name in fields(standing) if name.name not in _INTERNAL}
    share = standing.consented / standing.learners if standing.learners else None
    of_asked = standing.consented_of_asked / standing.asked if standing.asked else None
    cells |= {"learners": standing.learners, "rate": share, "rate_of_asked": of_asked}
    return Row(key, standing.learners, {**cells, "level": "", "title": ""}, {"rate_of_asked": standing.asked})


# What a row is counted from, and does not tell.
_INTERNAL = {"known", "consented_of_asked", "not_asked_yet"}


# What is counted of rows that are known, and of those that are eligible.
_KNOWN = {
    "known": "known.id IS NOT NULL",
    "asked": "known.was_asked = 1",
    "consented": f"known.status = '{Status.CONSENTED}'",
    "consented_of_asked": f"known.status = '{Status.CONSENTED}' AND known.was_asked = 1",
    "declined": f"known.status = '{Status.DECLINED}'",
    "withdrawn": f"known.status = '{Status.WITHDRAWN}'",
    # Whose consent ended by that word, and stands no more.
    "opted_out": f"known.status = '{Status.WITHDRAWN}' AND known.is_stopped = 1",
    "unanswered": f"known.status = '{Status.UNDECIDED}'",
}
_ELIGIBLE = {"eligible": "known.is_eligible = 1", "not_asked_yet": "known.is_eligible = 1 AND known.id IS NULL"}


def _columns(prefix: str, conditions: dict[str, str], also: str = "1 = 1") -> str:
    counts = (f"{count_if(f'{also} AND {condition}')} AS {prefix}{name}" for name, condition in conditions.items())
    return ", ".join(counts)


# A learner has a row for each of their runs. Counted once in a program, and once in all, is the first of them: an
# eligible one, where there is one.
_BY_RUN = f"""
    SELECT known.run,
        {_columns("run_", _KNOWN | _ELIGIBLE)},
        {_columns("program_", _KNOWN | _ELIGIBLE, "known.nth_of_program = 1")},
        {_columns("all_", _ELIGIBLE, "known.nth_of_all = 1")}
    FROM (
        SELECT enrolled.run, enrolled.is_eligible, consent.id, consent.status, consent.was_asked, consent.is_stopped,
            ROW_NUMBER() OVER (
                PARTITION BY enrolled.user_id, run.program_uuid ORDER BY enrolled.is_eligible DESC
            ) AS nth_of_program,
            ROW_NUMBER() OVER (PARTITION BY enrolled.user_id ORDER BY enrolled.is_eligible DESC) AS nth_of_all
        FROM {{enrolled}} AS enrolled
        LEFT JOIN {{runs}} AS run ON run.id = enrolled.run
        LEFT JOIN {{known}} AS consent ON consent.user_id = enrolled.user_id
        WHERE enrolled.is_eligible = 1 OR consent.id IS NOT NULL
    ) AS known
    GROUP BY known.run
"""


def _by_run(runs: CoachedRuns, rules: Rules) -> tuple[dict[int, Counter], dict[int, Counter], Counter]:
    """
    Return the counts of each run, by its row's key; the part of each in those of its program; and those of all.

    One pass over the enrollments: whether a learner was active lately is what takes time, and is asked once of each.
    """
    of_run: dict[int, Counter] = {}
    of_program: dict[int, Counter] = {}
    of_all = Counter(dict.fromkeys(_ELIGIBLE, 0))
    found = rows_of(
        _BY_RUN,
        enrolled=_enrolled(runs, rules),
        runs=CoachedCourse.objects.values("id", "program_uuid"),
        known=_known_consents(),
    )
    for row in found:
        run = row.pop("run")
        of_run[run], of_program[run] = _part_of(row, "run_"), _part_of(row, "program_")
        of_all.update(_part_of(row, "all_"))
    return of_run, of_program, of_all


def _part_of(row: dict[str, int], prefix: str) -> Counter:
    return Counter({name.removeprefix(prefix): number for name, number in row.items() if name.startswith(prefix)})


def _known_consents() -> QuerySet:
    """Return the consents of whoever was asked or answered, with what the ledger says of them."""
    events = ConsentEvent.objects.filter(consent_id=OuterRef("pk")).order_by()
    # The row says it of most, and the ledger is asked about the others.
    asked = Q(asked_at__isnull=False) | Q(Exists(events.filter(kind=Kind.ASKED)))
    known = Q(asked_at__isnull=False) | ~Q(status=Status.UNDECIDED) | Q(Exists(events.filter(kind__in=KNOWN_BY)))
    rows = CoachingConsent.objects.filter(known)
    return rows.annotate(was_asked=_flag(asked), is_stopped=_flag(Q(answered_at=F("opted_out_at")))).values(
        "id", "user_id", "status", "was_asked", "is_stopped"
    )


def _enrolled(runs: CoachedRuns, rules: Rules) -> QuerySet:
    """Return who is or was enrolled in which run in a mode that counts, and whether that makes them eligible."""
    # The run's number in place of its key: as wide as a key may be, a table of all of them would not stay in memory.
    run = CoachedCourse.objects.filter(course_key=OuterRef("course_id"), active=True).order_by()
    rows = cohorts.all_enrollments(runs.keys, rules.modes)
    return rows.annotate(run=Subquery(run.values("pk")[:1]), is_eligible=_flag(cohorts.makes_eligible(rules))).values(
        "user_id", "run", "is_eligible"
    )


def _flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())
