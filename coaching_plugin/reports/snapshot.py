"""How old may a report be? Kept for ten minutes, or for a day where it was counted nightly; counted anew on demand."""

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.core.cache import cache

from coaching_plugin import reports
from coaching_plugin.faults import log_fault
from coaching_plugin.reports import funnel
from coaching_plugin.reports.scope import Scope

log = logging.getLogger(__name__)

# Another number for another form of what is kept.
VERSION = 2
SECONDS = 600
# Till the next night, and two hours more.
NIGHTLY_SECONDS = 26 * 3600
SECONDS_BETWEEN_COUNTS = 300


def get(scope: Scope) -> dict[str, Any]:
    """
    Return the report of a scope, counted now where none is kept; a cache that is away changes nothing else.

    Raises ``UnknownScope`` for a program or a course run that is not coached.
    """
    # A program may have ceased to be coached since: that is found out when it is next counted, minutes later.
    return _kept(scope) or _counted(scope, SECONDS)


def count_anew(scope: Scope) -> bool:
    """Count a scope's report anew, and return whether that was done: not twice within five minutes."""
    lock = f"{_key(scope)}:counting"
    with suppress(Exception):
        if not cache.add(lock, True, SECONDS_BETWEEN_COUNTS):
            return False
    # What takes the place of a nightly report lasts as long: on a large site, nobody should wait for the next count.
    kept = _kept(scope)
    try:
        _counted(scope, kept["seconds"] if kept else SECONDS)
    except Exception:
        # What failed may be tried again at once.
        with suppress(Exception):
            cache.delete(lock)
        raise
    return True


def fill(progress: Callable[[str], None], at: datetime | None = None) -> tuple[int, int]:
    """
    Count and keep for a day the reports of everybody and of each program, and store how many learners are eligible.

    Returns how many reports, and how many counts of eligible learners, were stored. Run again on the same day, it
    writes the same rows again. ``progress`` is told, in a few words, what comes next.
    """
    progress("how everybody stands")
    counted = reports.count(at)
    counts = funnel.remember_eligible(counted.funnel, counted.at.date())
    scopes = [Scope(), *(Scope(program_uuid=uuid) for uuid in counted.funnel.runs.programs)]
    for number, scope in enumerate(scopes, start=1):
        progress(f"report {number} of {len(scopes)}")
        _keep(scope, reports.build(scope, counted), NIGHTLY_SECONDS)
    return len(scopes), counts


def _counted(scope: Scope, seconds: int) -> dict[str, Any]:
    report = reports.build(scope, reports.count())
    _keep(scope, report, seconds)
    return report


def _kept(scope: Scope) -> dict[str, Any] | None:
    try:
        return cache.get(_key(scope))
    except Exception as error:
        log_fault(log, error, "The coaching report is counted anew, since the cache could not be read")
        return None


def _keep(scope: Scope, report: dict[str, Any], seconds: int) -> None:
    try:
        cache.set(_key(scope), {**report, "seconds": seconds}, seconds)
    except Exception as error:
        log_fault(log, error, "The coaching report could not be kept in the cache")


def _key(scope: Scope) -> str:
    # A course key may have characters that memcached takes in no key.
    return f"coaching_plugin:report:{VERSION}:{hashlib.sha256(scope.name.encode()).hexdigest()}"
