"""Fills the new database that ``DATABASE_URL`` names; ``__main__.py`` makes it, and runs this in another process."""

import argparse
import re
import resource
import signal
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

# isort: off
from benchmarks import django_process  # noqa: F401  before all that needs Django set up

# isort: on
import pymysql
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.user_api.models import RetirementState

from benchmarks.data import VERSION
from benchmarks.data.accounts import Accounts
from benchmarks.data.activity import Activity
from benchmarks.data.consents import CONSENT_COLUMNS, DELIVERY_COLUMNS, EVENT_COLUMNS, Consents
from benchmarks.data.enrollments import Enrollments
from benchmarks.data.loading import beside, load
from benchmarks.data.moments import DAYS, Moments
from benchmarks.data.numbers import Numbers
from benchmarks.data.streams import strewn
from benchmarks.site import (
    COACHED_RUNS,
    OTHER_RUNS,
    PROGRAMS,
    RUNS_OF_LARGE_LEARNER,
    STATES_OF_LARGE_LEARNER,
    Size,
    program_of,
)
from coaching_plugin.management.progress import with_bar
from coaching_plugin.models import CoachedCourse
from tests import factories

# For how long the nightly count of eligible learners has run.
NIGHTS = 182

USERS = (
    "id", "password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff",
    "is_active", "date_joined",
)  # fmt: skip
PROFILES = (
    "id", "name", "meta", "courseware", "language", "location", "year_of_birth", "phone_number", "user_id",
)  # fmt: skip
RETIREMENTS = (
    "created", "modified", "original_username", "original_email", "original_name", "retired_username", "retired_email",
    "responses", "current_state_id", "last_state_id", "user_id",
)  # fmt: skip
STATES = (
    "module_type", "module_id", "course_id", "created", "modified", "student_id", "grade", "max_grade", "state", "done",
)  # fmt: skip
ENROLLMENTS = ("created", "is_active", "mode", "course_id", "user_id")
COMPLETIONS = ("created", "modified", "course_key", "block_key", "block_type", "completion", "user_id")


def main() -> None:
    """Make the tables, fill them, and say last of all that it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--share", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--day", type=date.fromisoformat, required=True)
    arguments = parser.parse_args()
    # As an interrupt does, it unwinds what was begun.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    call_command("migrate", verbosity=0)
    fill(Size(arguments.name, arguments.share), arguments.seed, arguments.day)
    with _loading() as loading:
        _analyze(loading)
        _say_made(loading, arguments)
    sys.stderr.write(f"  at most {_peak() // 1024} MB of memory in a process\n")


def fill(size: Size, seed: int, day: date) -> None:
    """Fill all tables but the one that says that a site is made."""
    moments = Moments(day)
    enrollments = Enrollments(size, seed, moments)
    numbers = Numbers(size.users + 1)
    accounts = Accounts(size, seed, moments, numbers)
    activity = Activity(size, seed, moments, enrollments)
    large = accounts.large_learner
    pending = _make_catalog(moments)

    def states() -> None:
        rows = strewn(activity.states_of_large(large), STATES_OF_LARGE_LEARNER, activity.states(), size.states)
        length = size.states + STATES_OF_LARGE_LEARNER
        with _loading() as loading:
            load(loading, "courseware_studentmodule", STATES, rows, length, has_bar=False)

    # More than all the rest; the server sorts its indexes on one core.
    with beside(states), _loading() as loading:
        load(loading, "auth_user", USERS, accounts.users(), accounts.total)
        rows = strewn(enrollments.rows_of_large(large), RUNS_OF_LARGE_LEARNER, enrollments.rows(), size.enrollments)
        load(loading, "student_courseenrollment", ENROLLMENTS, rows, size.enrollments + RUNS_OF_LARGE_LEARNER)
        load(loading, "completion_blockcompletion", COMPLETIONS, activity.completions(), size.completions)
        rows = activity.engagement_days()
        load(loading, "course_goals_useractivity", ("course_key", "date", "user_id"), rows, size.engagement_days)
        consents = Consents(size, seed, moments, enrollments, numbers)
        for _ in with_bar(consents.make(), f"{'histories of consents':36}", size.consents):
            pass
        load(loading, "coaching_plugin_coachingconsent", CONSENT_COLUMNS, consents.rows(), size.consents)
        load(loading, "coaching_plugin_consentevent", EVENT_COLUMNS, consents.events(), consents.event_count)
        rows = consents.deliveries()
        load(loading, "coaching_plugin_partnerdelivery", DELIVERY_COLUMNS, rows, consents.delivery_count)
        load(loading, "auth_userprofile", PROFILES, accounts.profiles(consents.consented), accounts.total)
        for name, columns, told in (
            ("user_api_userpreference", ("`key`", "value", "user_id"), accounts.preferences),
            ("user_api_userretirementstatus", RETIREMENTS, lambda: accounts.retirements(pending)),
            ("student_courseaccessrole", ("org", "course_id", "role", "user_id"), accounts.roles),
            ("coaching_plugin_eligiblecount", ("day", "scope", "learners"), lambda: _nightly_counts(size, day)),
        ):
            load(loading, name, columns, told(), sum(1 for _ in told()))


def _make_catalog(moments: Moments) -> int:
    """Store all course runs, those that are coached, and flags that are on; return the id of a retirement's state."""
    first = moments.datetime(0)
    with transaction.atomic():
        overviews = (
            CourseOverview(
                id=key,
                _location=key.make_usage_key("course", "course"),
                org=key.org,
                display_org_with_default=key.org,
                display_number_with_default=key.course,
                display_name=f"Course {key.course}",
                start=first - timedelta(days=DAYS),
            )
            for key in (*COACHED_RUNS, *OTHER_RUNS)
        )
        # Some at a time: one statement for all of them is what would take the most memory of all.
        while some := list(islice(overviews, 200)):
            CourseOverview.objects.bulk_create(some)
        CourseOverview.objects.update(created=first, modified=first)
        CoachedCourse.objects.bulk_create(
            CoachedCourse(
                course_key=key,
                program_uuid=program_of(number),
                program_title=PROGRAMS[program_of(number)],
                source=CoachedCourse.Source.CATALOG,
            )
            for number, key in enumerate(COACHED_RUNS)
        )
        factories.turn_on_flags()
        return RetirementState.objects.create(state_name="PENDING", state_execution_order=1, required=True).pk


def _nightly_counts(size: Size, today: date) -> Iterator[str]:
    """Yield what the nightly command may have counted: more each night."""
    scopes = {"": size.of(60_000), **{str(uuid): size.of(3_000) for uuid in PROGRAMS}}
    scopes |= {str(key): size.of(300) for key in COACHED_RUNS}
    for night in range(NIGHTS):
        day = today - timedelta(days=NIGHTS - night)
        for scope, learners in scopes.items():
            yield f"{day}\t{scope}\t{learners * (NIGHTS + night) // (2 * NIGHTS)}\n"


def _loading():
    """Return a connection by which an empty table is filled at once, its indexes being built in the end."""
    server = settings.DATABASES["default"]
    return pymysql.connect(
        host=server["HOST"],
        port=int(server["PORT"] or 3306),
        user=server["USER"],
        password=server["PASSWORD"],
        database=server["NAME"],
        charset="utf8mb4",
        local_infile=True,
        init_command="SET unique_checks=0, foreign_key_checks=0",
    )


def _analyze(loading) -> None:
    with loading.cursor() as cursor:
        cursor.execute(f"ANALYZE TABLE {', '.join(connection.introspection.table_names())}")


def _peak() -> int:
    """Return how many kilobytes this process, or one of those it started, has taken at most."""
    # What the system says of a process by way of ``resource`` begins with what its parent took.
    (own,) = re.findall(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return max(int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def _say_made(loading, arguments) -> None:
    """Store that the database is a whole site: in one statement, so that there is no table without its row."""
    with loading.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE coaching_bench_made AS SELECT %s AS size, %s AS seed, %s AS version, DATE(%s) AS day",
            (arguments.name, arguments.seed, VERSION, arguments.day.isoformat()),
        )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        # It was meant for the command, too, which says what there is to say.
        sys.exit(1)
