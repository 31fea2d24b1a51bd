"""Which course runs are coached: the set that every course page asks, and how the catalog fills its table."""

import logging
import math
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import conf, lms
from coaching_plugin.faults import log_fault
from coaching_plugin.models import CoachedCourse

log = logging.getLogger(__name__)

# How long a process trusts the set before it reads the table again.
RELOAD_SECONDS = 60
# Rows in a statement: databases and their packets have limits.
CHUNK = 500


class CatalogError(Exception):
    """Raised when the catalog answers something that is not a list of programs."""


class CoachedCoursesUnknown(Exception):
    """Raised where a process has never been able to read which course runs are coached."""


@dataclass(frozen=True)
class Catalog:
    """What the catalog lists: the course runs of each program, and the titles of the programs that are coached."""

    runs: dict[UUID, set[CourseKey]]
    coached: dict[UUID, str]

    def coached_runs(self) -> dict[CourseKey, list[UUID]]:
        """Return the course runs of the coached programs, each with those that list it."""
        listed: dict[CourseKey, list[UUID]] = {}
        for uuid in sorted(self.coached):
            for key in self.runs[uuid]:
                listed.setdefault(key, []).append(uuid)
        return listed


class _KeySet:
    """The coached course keys, held in the process; the old set stays where reading a new one fails."""

    def __init__(self) -> None:
        self._keys: frozenset[CourseKey] | None = None
        self._was_read = False
        self._due_at = -math.inf
        self._changes = 0
        self._reading = threading.Lock()

    def get(self) -> frozenset[CourseKey] | None:
        # One thread reads; the others go on with what there is, but for the first read of the process.
        if self._is_due() and self._reading.acquire(blocking=not self._was_read):
            try:
                if self._is_due():
                    self._read()
            finally:
                self._reading.release()
        return self._keys

    def forget(self) -> None:
        self._changes += 1
        self._due_at = -math.inf

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due_at

    def _read(self) -> None:
        changes = self._changes
        try:
            self._keys = self._from_table()
        except Exception as error:
            # Never a learner's problem: a table that a deploy has not migrated yet, a database that is away.
            log_fault(
                log, error, "The coached course runs could not be read, and the %s known stay", len(self._keys or ())
            )
        self._was_read = True
        # Where the table changed while it was read, it is read again the next time.
        if changes == self._changes:
            self._due_at = time.monotonic() + RELOAD_SECONDS

    def _from_table(self) -> frozenset[CourseKey]:
        active = CoachedCourse.objects.filter(active=True)
        return frozenset(key for key in active.values_list("course_key", flat=True) if key)


_keys = _KeySet()


def keys() -> frozenset[CourseKey]:
    """
    Return the keys of the coached course runs, at most ``RELOAD_SECONDS`` old.

    Raises ``CoachedCoursesUnknown`` where they could never be read: nobody is called ineligible for that.
    """
    known = _keys.get()
    if known is None:
        raise CoachedCoursesUnknown("The coached course runs are not known to this process yet.")
    return known


def is_coached(course_key: CourseKey) -> bool:
    """Return whether a course run is known to be coached, without a query unless the set is due to be read again."""
    return course_key in (_keys.get() or ())


def forget(**_signal) -> None:
    """Have this process read the table again, now and after the current transaction; a receiver of its changes."""
    _keys.forget()
    transaction.on_commit(_keys.forget, robust=True)


def catalog() -> Catalog:
    """Return what the catalog lists now. Raises ``CatalogError`` where it answers nonsense."""
    programs = _programs()
    coached = {uuid: _title(program) for uuid, program in programs.items() if _is_coached(program)}
    return Catalog({uuid: _run_keys(program) for uuid, program in programs.items()}, coached)


def sync_with_catalog() -> Counter:
    """
    Bring the catalog's part of the table up to date and return how many runs were added, updated, removed or kept.

    A run is taken away only when its program is in the catalog and no longer lists it: a flushed cache looks exactly
    like a catalog without programs. What an operator entered is never touched. Raises ``CatalogError`` where the
    catalog answers nonsense; nothing is changed then.
    """
    known = catalog()
    listed = known.coached_runs()
    found: dict[str, list[CoachedCourse]] = defaultdict(list)
    with transaction.atomic():
        rows = {row.course_key: row for row in CoachedCourse.objects.select_for_update()}
        for key, uuids in sorted(listed.items()):
            row = rows.get(key) or CoachedCourse(course_key=key, source=CoachedCourse.Source.CATALOG)
            # Of several programs, the one that is known stays, so that the catalog's order changes nothing.
            uuid = row.program_uuid if row.program_uuid in uuids else uuids[0]
            found[_brought_up_to_date(row, uuid, known.coached[uuid])].append(row)
        for row in rows.values():
            if row.source != CoachedCourse.Source.CATALOG or not row.active or row.course_key in listed:
                continue
            if row.program_uuid in known.runs and row.course_key not in known.runs[row.program_uuid]:
                row.active = False
                found["removed"].append(row)
            else:
                found["kept"].append(row)
        _store(found["added"], [*found["updated"], *found["removed"]])
    return Counter({what: len(rows) for what, rows in found.items() if rows})


def _brought_up_to_date(row: CoachedCourse, uuid: UUID, title: str) -> str:
    """Set what the catalog says of a row, if it is the catalog's, and return what that makes of it."""
    if row.source == CoachedCourse.Source.OPERATOR:
        return "operator"
    if (row.program_uuid, row.program_title, row.active) == (uuid, title, True):
        return "unchanged"
    row.program_uuid, row.program_title, row.active = uuid, title, True
    return "added" if row.pk is None else "updated"


def _store(added: list[CoachedCourse], changed: list[CoachedCourse]) -> None:
    """Store rows, hundreds in a statement; this process notices, as it does of a row that is saved."""
    CoachedCourse.objects.bulk_create(added, batch_size=CHUNK)
    CoachedCourse.objects.bulk_update(changed, ["program_uuid", "program_title", "active"], batch_size=CHUNK)
    if added or changed:
        # No signal is sent of many rows in one statement.
        forget()


def _programs() -> dict[UUID, dict[str, Any]]:
    """Return the programs of every site's catalog by UUID."""
    try:
        programs = list(lms.catalog_programs())
    except Exception as error:
        raise CatalogError(f"The catalog could not be read ({type(error).__name__}).") from error
    found = {}
    for program in programs:
        try:
            found[UUID(program["uuid"])] = program
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            problem = type(error).__name__
            raise CatalogError(f"The catalog holds a program without a usable uuid ({problem}).") from error
    return found


def _is_coached(program: dict[str, Any]) -> bool:
    """Say whether a program's type, or its own mark, makes its runs coached."""
    attributes = program.get("type_attrs") or {}
    if not isinstance(attributes, dict):
        raise CatalogError(f"Program {program['uuid']} has type_attrs that are not a dictionary.")
    if attributes.get("coaching_supported") is True:
        return True
    # ``type`` is a display name in the catalog's language; only a catalog without slugs leaves nothing better.
    kind = attributes.get("slug") or program.get("type") or ""
    return str(kind).lower() in conf.program_types()


def _run_keys(program: dict[str, Any]) -> set[CourseKey]:
    try:
        return {CourseKey.from_string(key) for key in lms.course_run_keys_for_program(program)}
    except InvalidKeyError as error:
        raise CatalogError(f"Program {program['uuid']} lists a course run with a malformed key.") from error
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise CatalogError(f"Program {program['uuid']} is malformed ({type(error).__name__}).") from error


def _title(program: dict[str, Any]) -> str:
    return str(program.get("title") or "")[:255]
