"""Is coaching set up? Each piece of it, looked at on the running site."""

from collections.abc import Iterator

from coaching_plugin.setup_check import (
    configuration,
    course_doors,
    course_runs,
    disclosure,
    flags,
    partner,
    storage,
    upkeep,
)
from coaching_plugin.setup_check.finding import Check, Finding, Level, findings_of

__all__ = ["GROUPS", "Finding", "Level", "inspect"]

GROUPS: dict[str, tuple[Check, ...]] = {
    "Flags": (flags.check_flags,),
    "Settings": (configuration.check_own_settings, configuration.check_shared_settings),
    "Database and cache": (storage.check_migrations, storage.check_cache),
    "Ways into a course": (course_doors.check_course_doors,),
    "Coached course runs": (course_runs.check_table, course_runs.check_overviews, course_runs.check_catalog),
    "Disclosure": (disclosure.check_disclosure,),
    "Coaching partner": (
        partner.check_channels,
        partner.check_switch,
        partner.check_opt_out_secrets,
        partner.check_deliveries,
        partner.check_pauses,
    ),
    "Upkeep": (upkeep.check_report, upkeep.check_retention),
}


def inspect() -> Iterator[tuple[str, Iterator[Finding]]]:
    """Yield each group's name with what is found, one after the other: a partner may take seconds to answer."""
    for name, checks in GROUPS.items():
        yield name, (finding for check in checks for finding in findings_of(check))
