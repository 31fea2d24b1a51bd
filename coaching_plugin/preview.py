"""How many learners would be asked on a day, were the flags on: in all, by program and by course run."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from opaque_keys.edx.keys import CourseKey

from coaching_plugin import cohorts
from coaching_plugin.cohorts import Outlook
from coaching_plugin.eligibility import Rules
from coaching_plugin.models import CoachedCourse


class UnknownProgram(Exception):
    """Raised for a program that has no coached course run, or for a title that several have; ``str()`` says which."""


@dataclass(frozen=True)
class Program:
    """A program with its coached course runs; without UUID and title, those that an operator listed on their own."""

    uuid: UUID | None
    title: str
    runs: tuple[CourseKey, ...]

    def __str__(self) -> str:
        if self.uuid is None:
            return self.title or "Without a program"
        return f"{self.title} ({self.uuid})" if self.title else str(self.uuid)


@dataclass(frozen=True)
class Group:
    """Learners enrolled in a coached course run, by how they would fare at its door. Each counts once."""

    outlook: Counter[Outlook]

    @property
    def enrolled(self) -> int:
        """How many there are."""
        return self.outlook.total()

    @property
    def asked(self) -> int:
        """How many would be asked."""
        return self.outlook[Outlook.ASKED]

    @property
    def share_without_answer(self) -> float | None:
        """Which share of those whom the door is for has not answered, nor is spared the question; None: of nobody."""
        settled = self.outlook[Outlook.ANSWERED] + self.outlook[Outlook.DO_NOT_ASK]
        return self.asked / (self.asked + settled) if self.asked + settled else None


@dataclass(frozen=True)
class Preview:
    """The learners of all doors that were looked at, of each program and of each of its course runs."""

    everybody: Group
    programs: tuple[tuple[Program, Group], ...]
    runs: dict[CourseKey, Group]


def programs() -> list[Program]:
    """Return the programs of the coached course runs by title, and at last the runs that are in none."""
    runs: dict[tuple[UUID | None, str], list[CourseKey]] = {}
    titles: dict[UUID, str] = {}
    rows = CoachedCourse.objects.filter(active=True).order_by("course_key")
    for key, uuid, title in rows.values_list("course_key", "program_uuid", "program_title"):
        if uuid and title:
            titles.setdefault(uuid, title)
        if key:
            runs.setdefault((uuid, "" if uuid else title), []).append(key)
    found = [
        Program(uuid, titles.get(uuid, "") if uuid else title, tuple(keys)) for (uuid, title), keys in runs.items()
    ]
    return sorted(found, key=lambda program: (not (program.uuid or program.title), str(program).casefold()))


def find(known: Iterable[Program], wanted: str) -> Program:
    """Return the program of a UUID or a title, in any case. Raises ``UnknownProgram``."""
    named = [program for program in known if program.uuid or program.title]
    names = "; ".join(map(str, named)) or "none"
    try:
        found = [program for program in named if program.uuid == UUID(wanted)]
    except ValueError:
        found = [program for program in named if program.title.casefold() == wanted.strip().casefold()]
    if not found:
        raise UnknownProgram(f"No program {wanted} has a coached course run. Those that have: {names}.")
    if len(found) > 1:
        names = "; ".join(map(str, found))
        raise UnknownProgram(f"Several programs are called {wanted}. Name one by its UUID: {names}.")
    return found[0]


def count(
    doors: Iterable[Program],
    rules: Rules,
    progress: Callable[[list], Iterable] = iter,
) -> Preview:
    """
    Count, in a query for each group, how learners would fare at the doors of programs' course runs.

    Args:
        doors: the programs at whose course runs they would be asked; every coached run may make them eligible.
        rules: of the day.
        progress: passes on the groups that are to be counted, as each is come to.
    """
    coached = [key for program in programs() for key in program.runs]
    asking = list(doors)
    everything = frozenset(key for program in asking for key in program.runs)
    of_programs = [frozenset(program.runs) for program in asking]
    of_runs = {key: frozenset([key]) for key in everything}
    # What is the same group, such as a program of one course run, is counted once.
    groups = list(dict.fromkeys([everything, *of_programs, *of_runs.values()]))
    counted = {group: Group(cohorts.outlook(coached, rules, entering=sorted(group))) for group in progress(groups)}
    return Preview(
        everybody=counted[everything],
        programs=tuple((program, counted[group]) for program, group in zip(asking, of_programs, strict=True)),
        runs={key: counted[group] for key, group in of_runs.items()},
    )
