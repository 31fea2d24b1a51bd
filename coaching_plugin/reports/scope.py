"""Of whom does a report tell? Of everybody, or of the learners of one program or of one coached course run."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import cohorts, conf
from coaching_plugin.models import CoachedCourse


class UnknownScope(Exception):
    """Raised for a program or a course run that is not coached."""


@dataclass(frozen=True)
class Scope:
    """Everybody, or the learners of a program, or of a course run."""

    program_uuid: UUID | None = None
    course_key: CourseKey | None = None

    @property
    def name(self) -> str:
        """The name by which ``EligibleCount`` knows it: a course key, the UUID of a program, or nothing."""
        return str(self.course_key or self.program_uuid or "")

    @property
    def is_everybody(self) -> bool:
        """Whether nobody is left out."""
        return not self.name


@dataclass(frozen=True)
class CoachedRuns:
    """The coached course runs of the moment, and their programs."""

    rows: tuple[CoachedCourse, ...]

    @classmethod
    def now(cls) -> "CoachedRuns":
        """Read them."""
        return cls(tuple(CoachedCourse.objects.filter(active=True).order_by("program_title", "course_key")))

    @cached_property
    def keys(self) -> list[CourseKey]:
        """The keys of all."""
        return [row.course_key for row in self.rows if row.course_key]

    @cached_property
    def programs(self) -> dict[UUID, str]:
        """The programs, by UUID, with their titles."""
        return {row.program_uuid: row.program_title for row in self.rows if row.program_uuid}

    def of(self, scope: Scope) -> list[CourseKey]:
        """Return the course runs of a scope. Raises ``UnknownScope`` where there is none."""
        if scope.is_everybody:
            return self.keys
        ours = (row for row in self.rows if scope.name in (str(row.course_key), str(row.program_uuid)))
        keys = [row.course_key for row in ours if row.course_key]
        if not keys:
            raise UnknownScope(scope.name)
        return keys


def within(scope: Scope, keys: Iterable[CourseKey], learner: str) -> Q:
    """
    Return a condition on rows whose column ``learner`` is a user id: the learner is of the scope.

    That is who is or was enrolled in one of its runs in a mode that counts, so that whoever left stays in.
    """
    if scope.is_everybody:
        return Q()
    enrolled = cohorts.enrollments(list(keys), conf.enrollment_modes())
    return Q(Exists(enrolled.filter(user_id=OuterRef(learner))))
