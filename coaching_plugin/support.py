"""Why was this learner asked, or not? Each rule, its verdict and the facts behind it, and what each door would do."""

from dataclasses import dataclass

from opaque_keys.edx.keys import CourseKey


@dataclass(frozen=True)
class Rule:
    """One rule, in words of the active language, and whether it is met; None where it decides nothing."""

    name: str
    met: bool | None
    facts: str


@dataclass(frozen=True)
class DoorVerdict:
    """What the learner would see at one door, in plain words of the active language; ``code`` is for scripts."""

    door: str
    code: str
    says: str


@dataclass(frozen=True)
class RunExplanation:
    """The rules of one coached course run, and what its door would do."""

    course_key: CourseKey
    is_eligible: bool
    rules: tuple[Rule, ...]
    door: DoorVerdict


@dataclass(frozen=True)
class Explanation:
    """Why a learner is asked, or not: the rules about the learner, those of each course run, and all other doors."""

    user_id: int
    may_consent: bool
    summary: str
    rules: tuple[Rule, ...]
    runs: tuple[RunExplanation, ...]
    doors: tuple[DoorVerdict, ...]


def explain(user, course_key: CourseKey | None = None) -> Explanation:
    """Explain how a learner stands to coaching now, in all coached course runs or in one."""
    raise NotImplementedError
