"""Measure on one database, that of ``DATABASE_URL``: in one of its own beside it, made now and dropped in the end."""

import argparse
import logging
import os
import platform
import secrets
import sys
from contextlib import contextmanager

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lms.envs.test")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from benchmarks import course_doors, report  # noqa: E402
from benchmarks.course_doors import COURSE_METADATA, COURSE_PAGE, OTHER_PAGE  # noqa: E402
from benchmarks.deliveries import deliveries  # noqa: E402
from benchmarks.large_learner import large_learner  # noqa: E402
from benchmarks.states import STATES  # noqa: E402
from tests import factories  # noqa: E402
from tests.factories import MB101, PLAIN  # noqa: E402


def main():
    """Print all tables; return 1 where a count is not as designed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    rounds = parser.parse_args().rounds
    _write_log_nowhere()
    with _scratch_database():
        return _measure(rounds)


def _measure(rounds):
    results = []

    def show(text, costs):
        results.extend(costs)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    show(_title(rounds), [])
    for key in (MB101, PLAIN):
        factories.overview(key)
    costs = [course_doors.cost_of_decision(state) for state in STATES]
    show(report.decisions(costs), costs)
    for page in (COURSE_PAGE, COURSE_METADATA, OTHER_PAGE):
        costs = []
        # A page of no course is the same in all states.
        for state in STATES if page.is_asking else STATES[-1:]:
            _progress(f"{page.name}, {state.name}")
            costs.append(course_doors.cost_at_door(page, state, rounds))
        show(report.doors(page, costs), costs)
    if connection.vendor == "mysql":
        _progress("a learner with 50,000 rows of courseware state")
        result = large_learner(rounds=max(rounds // 10, 1))
        show(report.large_learner(result), [result])
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
    """Have a database that is nobody else's, with a connection that lasts: without one, pages would look slower."""
    ours = connection.settings_dict
    scratch = ours["TEST"]["NAME"] or f"{ours['NAME']}_{secrets.token_hex(4)}"
    # Both names, so that nothing else is dropped in the end where making it fails.
    ours.update(NAME=scratch, CONN_MAX_AGE=None)
    ours["TEST"]["NAME"] = scratch
    _progress("making a database")
    try:
        connection.creation.create_test_db(verbosity=0, serialize=False)
        yield
    finally:
        connection.creation.destroy_test_db(scratch, verbosity=0)


def _write_log_nowhere():
    """Have log lines made, which takes its time, but not shown: a filter that redirects logs a traceback each time."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(open(os.devnull, "w"))  # noqa: SIM115


def _progress(text):
    sys.stderr.write(f"  {text} ...\n")


if __name__ == "__main__":
    sys.exit(main())
