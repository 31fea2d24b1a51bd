"""Who is eligible for a coach: the rule of three, and its explanation."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import coached_courses, conf, enrollments
from coaching_plugin.enrollments import EnrollmentFacts


@dataclass(frozen=True)
class Rules:
    """The rules of one moment: what counts, and since when."""

    modes: tuple[str, ...]
    since: datetime
    minimum_age: int
    year: int

    @classmethod
    def now(cls) -> "Rules":
        """Return the rules as the settings give them today, in UTC."""
        return cls.on(timezone.now().astimezone(UTC).date())

    @classmethod
    def on(cls, day: date) -> "Rules":
        """Return the rules as today's settings give them on some day, in UTC."""
        first_day = day - timedelta(days=conf.activity_window_days())
        return cls(
            modes=tuple(conf.enrollment_modes()),
            since=datetime.combine(first_day, time.min, tzinfo=UTC),
            minimum_age=conf.minimum_age(),
            year=day.year,
        )

    @property
    def last_year_of_birth(self) -> int | None:
        """The last year in which somebody was born who surely has the minimum age; None: there is no such age."""
        # Born in December, one is a year younger than the years' difference says until then.
        return self.year - 1 - self.minimum_age if self.minimum_age else None

    def old_enough(self, year_of_birth: int | None) -> bool:
        """Return whether someone born that year surely has the minimum age; an unknown year passes."""
        return year_of_birth is None or self.last_year_of_birth is None or year_of_birth <= self.last_year_of_birth


@dataclass(frozen=True)
class RunVerdict:
    """One coached course run in which the learner is or was enrolled, judged by each rule."""

    facts: EnrollmentFacts
    mode_counts: bool
    recently_active: bool

    @property
    def course_key(self) -> CourseKey:
        """The course run."""
        return self.facts.course_key

    @property
    def is_eligible(self) -> bool:
        """Whether this run alone makes the learner eligible."""
        return self.facts.is_active and self.mode_counts and self.recently_active

    @property
    def lacks_only_activity(self) -> bool:
        """Whether a visit to this very run would make the learner eligible."""
        return self.facts.is_active and self.mode_counts and not self.recently_active

    @property
    def reasons(self) -> list[str]:
        """Codes of the rules that the run does not meet; empty where it makes the learner eligible."""
        unmet = [
            ("enrollment_inactive", not self.facts.is_active),
            ("mode_does_not_count", not self.mode_counts),
            ("no_recent_activity", not self.recently_active),
        ]
        return [code for code, is_unmet in unmet if is_unmet]


@dataclass(frozen=True)
class Verdict:
    """What the rules say of one learner: eligible, and by which course runs."""

    rules: Rules
    runs: tuple[RunVerdict, ...]
    old_enough: bool

    @property
    def is_eligible(self) -> bool:
        """Whether some coached course run meets all three rules."""
        return any(run.is_eligible for run in self.runs)

    @property
    def may_consent(self) -> bool:
        """Whether the learner may be asked and may agree: eligible, and not possibly a child."""
        return self.is_eligible and self.old_enough

    @property
    def reasons(self) -> list[str]:
        """Codes of why the learner may not consent; empty where they may."""
        codes = [] if self.is_eligible else ["no_eligible_course_run"] if self.runs else ["not_enrolled"]
        return codes if self.old_enough else [*codes, "under_age"]

    def run(self, course_key: CourseKey) -> RunVerdict | None:
        """Return the verdict on one course run, or None where the learner never enrolled in it."""
        return next((run for run in self.runs if run.course_key == course_key), None)


def explain(
    user, entering: CourseKey | None = None, *, entering_each: bool = False, states_from: datetime | None = None
) -> Verdict:
    """
    Judge a learner by the rules, in one query, and return the verdict with what it rests on.

    Args:
        entering: a course run; the facts then tell of a role in it or in its organization.
        entering_each: whether the facts of each course run tell of a role in that one.
        states_from: a moment before which no courseware state of the learner is recent, as the caller knows.
    """
    rules = Rules.now()
    facts = enrollments.facts(
        user.id,
        coached_courses.keys(),
        modes=rules.modes,
        since=rules.since,
        states_from=states_from,
        role_in=entering,
        role_in_each=entering_each,
    )
    runs = tuple(
        RunVerdict(facts=fact, mode_counts=fact.mode in rules.modes, recently_active=_is_recent(fact, rules))
        for fact in facts
    )
    # Without an enrollment there is no row that carries the year, and nothing that it could decide.
    year_of_birth = facts[0].year_of_birth if facts else None
    return Verdict(rules=rules, runs=runs, old_enough=rules.old_enough(year_of_birth))


def nobody() -> Verdict:
    """Return the verdict while coaching is off: not eligible, with nothing looked up."""
    return Verdict(rules=Rules.now(), runs=(), old_enough=True)


def _is_recent(fact: EnrollmentFacts, rules: Rules) -> bool:
    """Return whether the newest of what the platform recorded lies in the window."""
    moments = [moment for moment in (fact.enrolled_at, fact.last_completion_at) if moment is not None]
    engaged = fact.last_engaged_on is not None and fact.last_engaged_on >= rules.since.date()
    return engaged or any(moment >= rules.since for moment in moments) or bool(fact.has_recent_courseware_state)
