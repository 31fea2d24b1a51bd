"""How many learners are eligible, were asked, and how they stand now: in all, by program and by course run."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import cohorts
from coaching_plugin.eligibility import Rules
from coaching_plugin.models import CoachedCourse, CoachingConsent, ConsentEvent, EligibleCount
from coaching_plugin.reports import small_groups
from coaching_plugin.reports.scope import CoachedRuns, Scope
from coaching_plugin.reports.small_groups import Row

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
    """Count, in six queries, all that is known of everybody, of each program and of each coached course run."""
    by_course = _grouped(runs, rules, _COURSE)
    by_program = _grouped(runs, rules, _program_of_enrollment())
    everybody = {
        **_known_consents().aggregate(**_known("pk", "")),
        **_eligible(runs, rules).aggregate(**_ELIGIBLE),
    }
    return Funnel(
        runs,
        Standing(**everybody),
        {uuid: by_program.get(uuid, Standing()) for uuid in (*runs.programs, None)},
        {key: by_course.get(str(key), Standing()) for key in runs.keys},
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


def _events(consent: str) -> dict[str, Exists]:
    """Return what the ledger says of the consent whose id is in a column."""
    events = ConsentEvent.objects.filter(consent_id=OuterRef(consent)).order_by()
    return {
        "is_known": Exists(events.filter(kind__in=KNOWN_BY)),
        "was_asked": Exists(events.filter(kind=Kind.ASKED)),
    }


def _known(learner: str, consent: str) -> dict[str, Count]:
    """Return the counts of rows that are known, by the column of the learner and what leads to the consent."""

    def number(**condition) -> Count:
        asked = {name: value for name, value in condition.items() if name == "was_asked"}
        of_row = {f"{consent}{name}": value for name, value in condition.items() if name not in asked}
        return Count(learner, distinct=True, filter=Q(**asked, **of_row))

    return {
        "known": number(),
        "asked": number(was_asked=True),
        "consented": number(status=Status.CONSENTED),
        "consented_of_asked": number(status=Status.CONSENTED, was_asked=True),
        "declined": number(status=Status.DECLINED),
        "withdrawn": number(status=Status.WITHDRAWN),
        # Whose consent ended by that word, and stands no more.
        "opted_out": number(status=Status.WITHDRAWN, answered_at=F(f"{consent}opted_out_at")),
        "unanswered": number(status=Status.UNDECIDED),
    }


def _known_consents() -> QuerySet:
    consents: QuerySet = CoachingConsent.objects.order_by()
    return consents.annotate(**_events("pk")).filter(is_known=True)


def _known_enrollments(runs: CoachedRuns, rules: Rules) -> QuerySet:
    rows = cohorts.enrollments(runs.keys, rules.modes).filter(user__coaching_consent__isnull=False)
    return rows.annotate(**_events("user__coaching_consent__pk")).filter(is_known=True)


def _eligible(runs: CoachedRuns, rules: Rules) -> QuerySet:
    known = ConsentEvent.objects.filter(consent__user_id=OuterRef("user_id"), kind__in=KNOWN_BY).order_by()
    return cohorts.eligible_enrollments(runs.keys, rules).annotate(is_known=Exists(known))


_ELIGIBLE = {
    "eligible": Count("user_id", distinct=True),
    "not_asked_yet": Count("user_id", distinct=True, filter=Q(is_known=False)),
}


# Not the column itself: MariaDB would walk its index, course by course, and meet each learner's activity at random,
# which took nine times as long.
_COURSE = Coalesce("course_id", Value(""), output_field=CharField())


def _program_of_enrollment() -> Subquery:
    runs = CoachedCourse.objects.filter(course_key=OuterRef("course_id"), active=True)
    return Subquery(runs.order_by().values("program_uuid")[:1])


def _grouped(runs: CoachedRuns, rules: Rules, group: Any) -> dict[Any, Standing]:
    """Return the standings of the groups into which an expression divides the enrollments."""
    found: dict[Any, dict[str, int]] = {}
    consent = "user__coaching_consent__"
    known = _known_enrollments(runs, rules), _known("user_id", consent)
    for rows, counts in (known, (_eligible(runs, rules), _ELIGIBLE)):
        for row in rows.annotate(group=group).values("group").annotate(**counts):
            found.setdefault(row.pop("group"), {}).update(row)
    return {key: Standing(**counts) for key, counts in found.items()}
