"""What a CSV says of the coached course runs: the table becomes what it says, or nothing is changed."""

import csv
import io
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import coached_courses, course_runs
from coaching_plugin.faults import log_fault
from coaching_plugin.models import CoachedCourse

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024
MAX_TITLE = 255
YES, NO = ("true", "yes", "1"), ("false", "no", "0")
# How ``csv`` counts lines.
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file. It never repeats what stands there, which may be of another file than was meant."""

    what: str
    # Where what is wrong begins, counted from 1; None: no line of its own is to blame.
    line: int | None = None


class ImportRefused(Exception):
    """Raised where a file has problems; nothing is changed then."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line or 0)
        super().__init__(f"{len(self.problems)} problems")


@dataclass(frozen=True)
class Outcome:
    """Which rows an import has added and updated, and how many were as the file says already."""

    added: list[CoachedCourse] = field(default_factory=list)
    updated: list[CoachedCourse] = field(default_factory=list)
    unchanged: int = 0


@dataclass(frozen=True)
class _Run:
    """A course run of the file: where it stands, and what the file says of it."""

    line: int
    key: CourseKey
    values: dict[str, Any]


def import_csv(content: bytes) -> Outcome:
    """
    Have the table say what a CSV says, as the operator's word, and return what that changed.

    The first line names the columns: ``course_key``, and any of ``program_title``, ``program_uuid`` and ``active``. A
    row keeps what the file has no column for, but is active then. Rows that are as the file says stay whose word they
    were. Raises ``ImportRefused`` with all that is wrong.
    """
    runs, problems = _read(content)
    try:
        with transaction.atomic():
            rows = {row.course_key: row for row in CoachedCourse.objects.select_for_update()}
            # A row that is there stays importable: what the LMS no longer knows can be switched off.
            known = course_runs.names([run.key for run in runs if run.key not in rows])
            unknown = [run.line for run in runs if run.key not in rows and run.key not in known]
            problems += [Problem(_("The LMS knows no course run with this key."), line) for line in unknown]
            if problems:
                raise ImportRefused(problems)
            outcome = _store(runs, rows)
    except DatabaseError as error:
        log_fault(log, error, "A CSV of coached course runs could not be stored")
        raise ImportRefused(
            [Problem(_("The database refused it. Somebody may have changed the course runs just now; try again."))]
        ) from error
    coached_courses.forget()
    return outcome


def export_csv() -> str:
    """Return the whole table as a CSV. Imported again, it changes nothing."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in CoachedCourse.objects.order_by("course_key"):
        active = YES[0] if row.active else NO[0]
        writer.writerow([row.course_key, row.program_title, row.program_uuid or "", active])
    return written.getvalue()


# Reading ---------------------------------------------------------------------------------------------------------


def _read(content: bytes) -> tuple[list[_Run], list[Problem]]:
    """Return a file's course runs, and what is wrong with it. Raises ``ImportRefused`` where nothing is legible."""
    runs: dict[str, _Run] = {}
    problems: list[Problem] = []
    records = _records(_decode(content), problems)
    line, header = next(records, (1, []))
    columns = _columns(line, header)
    for line, cells in records:
        try:
            if len(cells) != len(columns):
                raise ValueError(_("This line does not have as many cells as the first."))
            values = {column: _COLUMNS[column](cell) for column, cell in zip(columns, cells, strict=True)}
        except ValueError as error:
            problems.append(Problem(str(error), line))
            continue
        run = _Run(line, values.pop("course_key"), {"active": True, **values})
        # The platform has no two runs whose keys differ in case only.
        first = runs.setdefault(str(run.key).casefold(), run)
        if first is not run:
            problems.append(Problem(_("Line %(line)s has this course run already.") % {"line": first.line}, line))
    if not runs and not problems:
        problems.append(Problem(_("There is no course run under the names of the columns.")))
    return list(runs.values()), problems


def _decode(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line_at(content[: error.start].decode("latin-1"))
        raise ImportRefused([Problem(_("This is not UTF-8. Save the file as “CSV UTF-8”."), line)]) from None
    if "\0" in text:
        line = _line_at(text.partition("\0")[0])
        raise ImportRefused([Problem(_("There is a NUL character, which no text has."), line)])
    return text


def _line_at(text_before: str) -> int:
    return len(_LINE_END.findall(text_before)) + 1


def _records(text: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not blank, each with the line where it begins; the last may be a problem."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error:
        problem = _("From here on this is no CSV: a quotation mark stands where none may, or is missing at the end.")
        problems.append(Problem(problem, line))


def _columns(line: int, header: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in header]
    wrong = [number for number, name in enumerate(columns, 1) if name not in _COLUMNS]
    names = {"names": ", ".join(_COLUMNS)}
    problems = [_("Column %(number)s has none of these names: %(names)s.") % {"number": n, **names} for n in wrong]
    if "course_key" not in columns:
        problems.insert(0, _("The first line has to name the columns, divided by commas, course_key among them."))
    if len(set(columns)) < len(columns) and not wrong:
        problems.append(_("Two columns have the same name."))
    if problems:
        raise ImportRefused([Problem(problem, line) for problem in problems])
    return columns


def _key(cell: str) -> CourseKey:
    try:
        return course_runs.key_of(cell)
    except InvalidKeyError:
        raise ValueError(_("This is not the key of a course run.")) from None


def _title(cell: str) -> str:
    if len(cell) > MAX_TITLE:
        raise ValueError(_("program_title is longer than %(length)s characters.") % {"length": MAX_TITLE})
    return cell


def _uuid(cell: str) -> UUID | None:
    try:
        return UUID(cell.strip()) if cell.strip() else None
    except ValueError:
        raise ValueError(_("program_uuid is neither a UUID nor empty.")) from None


def _active(cell: str) -> bool:
    word = cell.strip().lower()
    if word not in YES + NO:
        raise ValueError(_("active is neither true nor false."))
    return word in YES


_COLUMNS: dict[str, Callable[[str], Any]] = {
    "course_key": _key,
    "program_title": _title,
    "program_uuid": _uuid,
    "active": _active,
}


# Storing ---------------------------------------------------------------------------------------------------------


def _store(runs: list[_Run], rows: dict[CourseKey | None, CoachedCourse]) -> Outcome:
    added, updated = [], []
    for run in runs:
        row = rows.get(run.key)
        if row is None:
            added.append(CoachedCourse(course_key=run.key, source=CoachedCourse.Source.OPERATOR, **run.values))
        elif any(getattr(row, name) != value for name, value in run.values.items()):
            for name, value in {**run.values, "source": CoachedCourse.Source.OPERATOR}.items():
                setattr(row, name, value)
            updated.append(row)
    CoachedCourse.objects.bulk_create(added, batch_size=course_runs.CHUNK)
    CoachedCourse.objects.bulk_update(
        updated, ["program_title", "program_uuid", "active", "source"], batch_size=course_runs.CHUNK
    )
    if added:
        # Not every database tells the ids of rows that are added together.
        ids = dict(CoachedCourse.objects.values_list("course_key", "pk"))
        for row in added:
            row.pk = ids[row.course_key]
    return Outcome(added, updated, len(runs) - len(added) - len(updated))
