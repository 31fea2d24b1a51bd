"""Measure on one database, that of ``DATABASE_URL``: in one of its own beside it, made now and dropped in the end."""

import argparse
import platform
import secrets
import sys
from contextlib import contextmanager

# isort: off
from benchmarks import django_process  # before all that needs Django set up

# isort: on
import django
from django.conf import settings
from django.db import connection

from benchmarks import course_doors, report
from benchmarks.course_doors import COURSE_METADATA, COURSE_PAGE, OTHER_PAGE
from benchmarks.deliveries import deliveries
from benchmarks.states import STATES, Runs
from tests import factories


def main():
    """Print all tables; return 1 where a count is not as designed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    rounds = parser.parse_args().rounds
    django_process.write_log_nowhere()
    django_process.keep_connection()
    with _scratch_database():
        return _measure(rounds)


def _measure(rounds):
    results = []

    def show(text, costs):
        results.extend(costs)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    show(_title(rounds), [])
    runs = Runs()
    for key in (runs.coached, runs.other):
        factories.overview(key)
    factories.coach_courses()
    factories.turn_on_flags()
    costs = [course_doors.cost_of_decision(state, runs) for state in STATES]
    show(report.decisions(costs), costs)
    for page in (COURSE_PAGE, COURSE_METADATA, OTHER_PAGE):
        costs = []
        # A page of no course is the same in all states.
        for state in STATES if page.is_asking else STATES[-1:]:
            _progress(f"{page.name}, {state.name}")
            costs.append(course_doors.cost_at_door(page, state, runs, rounds))
        show(report.doors(page, costs), costs)
    _progress("changes that wait for the coaching partner")
    result = deliveries(rounds)
    show(report.deliveries(result), [result])
    return int(not all(result.is_as_designed for result in results))


def _title(rounds):
    version = ".".join(str(part) for part in connection.get_database_version())
    hooks = {"filters": "calls the courseware filters", "none": "calls no courseware filters: the middleware"}
    title = f"{connection.display_name} {version}"
    return (
        f"\n{title}\n{'=' * len(title)}\n"
        f"Python {platform.python_version()}, Django {django.__version__}; {rounds} rounds; "
        f"a platform that {hooks[settings.SANDBOX_COURSEWARE_HOOKS]}.\n"
        "Ratios are medians [95 % intervals]."
    )


@contextmanager
def _scratch_database():
    """Have a database that is nobody else's."""
    ours = connection.settings_dict
    scratch = ours["TEST"]["NAME"] or f"{ours['NAME']}_{secrets.token_hex(4)}"
    # Both names, so that nothing else is dropped in the end where making it fails.
    ours["NAME"] = scratch
    ours["TEST"]["NAME"] = scratch
    _progress("making a database")
    try:
        connection.creation.create_test_db(verbosity=0, serialize=False)
        yield
    finally:
        connection.creation.destroy_test_db(scratch, verbosity=0)


def _progress(text):
    sys.stderr.write(f"  {text} ...\n")


if __name__ == "__main__":
    sys.exit(main())
