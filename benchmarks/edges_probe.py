"""The extreme cases of one site, that of ``DATABASE_URL``; what they change of it is undone again."""

# isort: off
from benchmarks import django_process  # before all that needs Django set up

# isort: on
import resource
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from django.core.cache import cache, caches
from django.db import connection, transaction
from django.db.models import DateTimeField, Exists, OuterRef
from django.db.models.functions import Coalesce
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.catalog.cache import PROGRAM_CACHE_KEY_TPL, SITE_PROGRAM_UUIDS_CACHE_KEY_TPL
from openedx.core.djangoapps.site_configuration.models import SiteConfiguration

from benchmarks import course_doors, site, states
from benchmarks.probe import serve
from benchmarks.site import COACHED_RUNS, HUGE_RUN, LARGE_LEARNER, OTHER_RUNS
from coaching_plugin import coached_courses, eligibility, lms, reports
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.cost import cost_of_entering, counted, plan_of, states_in, the_query_of

SMALL_RUN = COACHED_RUNS[-1]
PROGRAMS_IN_CATALOG = 5_000
RUNS_OF_OTHER_PROGRAM = 5
RUNS_OF_BIG_PROGRAM = 300
_NAMESPACE = UUID("7c1f4e0a-9f0e-4b7e-8f57-5d9a4c5a2b11")
BIG_PROGRAM = uuid5(_NAMESPACE, "big")
BIG_RUNS = [CourseKey.from_string(f"course-v1:NationX+BIG+run{number:03}") for number in range(RUNS_OF_BIG_PROGRAM)]
# Each course of a program has a text of this length in the catalog, as real ones do.
DESCRIPTION = 400


# A learner with 50,000 rows of courseware state ----------------------------------------------------------------------


def large_learner():
    """Return how much there is to read of the learner, and how the one query reads it."""
    learner = User.objects.get(username=LARGE_LEARNER)
    verdict = eligibility.explain(learner)
    plan = plan_of(the_query_of(lambda: eligibility.explain(learner)))
    return {
        "states": lms.tables().courseware_state.objects.filter(student_id=learner.pk).count(),
        "of": _rows_about(lms.tables().courseware_state),
        "enrollments": len(verdict.runs),
        "is_eligible": verdict.is_eligible,
        "plan": [{column: str(value) for column, value in row.items() if value is not None} for row in plan],
        "states_read": [[row["select_type"], str(row["ref"]), str(row["key"])] for row in states_in(plan)],
        "course_key": str(verdict.runs[0].course_key),
        "pages": _pages_of(learner, verdict.runs[0].course_key),
    }


def _pages_of(learner, course_key):
    """Return what the decision asks at the learner's first page of a minute, and at the next."""
    # The flags are in the cache then.
    cost_of_entering(learner, course_key)
    course_doors.forget_learner(learner, course_key)
    costs = [cost_of_entering(learner, course_key) for _ in range(2)]
    return [[cost.queries, cost.round_trips] for cost in costs]


def time_of_page(course_key, is_first):
    """Return the nanoseconds of the decision at the learner's first page of a minute, or at another."""
    learner, key = User.objects.get(username=LARGE_LEARNER), CourseKey.from_string(course_key)
    if is_first:
        course_doors.forget_learner(learner, key)
    return course_doors.time_of_decision(learner, key)


def time_of_large_learner(how):
    """Return the nanoseconds of the one query, of one written plainly, or of reading when the states changed."""
    learner_id = User.objects.only("pk").get(username=LARGE_LEARNER).pk
    tables = lms.tables()
    of_learner = tables.courseware_state.objects.filter(student_id=learner_id)
    calls = {
        "ours": lambda: eligibility.explain(User(pk=learner_id)),
        "plain": lambda: list(_plain(learner_id, of_learner)),
        "read": lambda: _changed_since(of_learner, eligibility.Rules.now().since).count(),
    }
    started = perf_counter_ns()
    calls[how]()
    return perf_counter_ns() - started


def _changed_since(states, since):
    """Return the states that changed since: to know that there are none, each has to be looked at, by whoever asks."""
    changed = Coalesce("modified", "created", output_field=DateTimeField())
    return states.annotate(changed=changed).filter(changed__gte=since)


def _plain(learner_id, of_learner):
    """Return the question as one would first write it: of each enrollment, whether its run has recent state."""
    recent = of_learner.filter(course_id=OuterRef("course_id"), modified__gte=eligibility.Rules.now().since)
    enrollments = lms.tables().enrollment.objects.filter(user_id=learner_id, course_id__in=list(coached_courses.keys()))
    return enrollments.annotate(is_recent=Exists(recent)).values_list("course_id", "is_recent")


def _rows_about(model):
    """Return about how many rows a table has: counting millions takes its time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_rows FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
            [model._meta.db_table],
        )
        return cursor.fetchone()[0]


# The course run that half of all learners are in ---------------------------------------------------------------------


class Doors:
    """An eligible learner of a course run, who is not asked again what the cache knows."""

    def __init__(self, stack):
        self._stack = stack
        self._learners = {}
        (self._state,) = [state for state in states.STATES if state.is_asked]

    def time_of_first(self, run):
        """Return the nanoseconds of a decision in the huge run or in a small one, nothing cached of the learner."""
        key = {"huge": HUGE_RUN, "small": SMALL_RUN}[run]
        if run not in self._learners:
            arranged = states.arranged(self._state, states.Runs(coached=key, other=OTHER_RUNS[0]))
            self._learners[run] = self._stack.enter_context(arranged)
        course_doors.forget_learner(self._learners[run], key)
        return course_doors.time_of_decision(self._learners[run], key)

    def enrolled(self, run):
        """Return how many learners are enrolled in the huge run or in the small one."""
        key = {"huge": HUGE_RUN, "small": SMALL_RUN}[run]
        return lms.tables().enrollment.objects.filter(course_id=key).count()


# The number of coached course runs -----------------------------------------------------------------------------------


@contextmanager
def _coached(count):
    """Have so many course runs coached, among them the huge one, till the block ends."""
    with transaction.atomic():
        if count < len(COACHED_RUNS):
            CoachedCourse.objects.exclude(course_key__in=COACHED_RUNS[:count]).delete()
        more = OTHER_RUNS[: max(count - len(COACHED_RUNS), 0)]
        CoachedCourse.objects.bulk_create([CoachedCourse(course_key=key) for key in more], batch_size=500)
        coached_courses.forget()
        if len(coached_courses.keys()) != count:
            raise course_doors.WrongAnswer(f"{len(coached_courses.keys())} course runs are coached, not {count}")
        yield
        transaction.set_rollback(True)
    coached_courses.forget()


def coached(count):
    """Return what a decision costs with so many coached course runs: queries, and the bytes of the one statement."""
    with _coached(count):
        learner = factories.eligible_learner(HUGE_RUN, username="bench-coached")
        cost_of_entering(learner, HUGE_RUN)
        course_doors.forget_learner(learner, HUGE_RUN)
        return {
            "queries": cost_of_entering(learner, HUGE_RUN).queries,
            "bytes": len(the_query_of(lambda: eligibility.explain(learner, entering=HUGE_RUN))),
        }


def time_with_coached(count, decisions):
    """Return the nanoseconds of so many decisions with so many coached course runs, nothing cached of the learner."""
    with _coached(count):
        learner = factories.eligible_learner(HUGE_RUN, username="bench-coached")
        nanoseconds = 0
        course_doors.time_of_decision(learner, HUGE_RUN)
        for _ in range(decisions):
            course_doors.forget_learner(learner, HUGE_RUN)
            nanoseconds += course_doors.time_of_decision(learner, HUGE_RUN)
        return nanoseconds


# A catalog of 5,000 programs, one of them with 300 runs --------------------------------------------------------------


class Catalog:
    """The catalog cache of a site with thousands of programs, and a transaction for what syncs with it change."""

    def __init__(self, stack):
        self._stack = stack

    def fill(self):
        """Put the programs into the cache, as the platform's ``cache_programs`` does."""
        self._stack.enter_context(states.undone())
        self._site = Site.objects.get(pk=settings.SITE_ID)
        SiteConfiguration.objects.update_or_create(
            site=self._site,
            defaults={"enabled": True, "site_values": {"COURSE_CATALOG_API_URL": "http://catalog.invalid/"}},
        )
        # In a process, the cache holds some hundreds of entries by default.
        caches["default"]._max_entries = 4 * PROGRAMS_IN_CATALOG
        uuids = []
        for uuid, title, kind, keys in _programs():
            cache.set(PROGRAM_CACHE_KEY_TPL.format(uuid=uuid), _program(uuid, title, kind, keys), None)
            uuids.append(str(uuid))
        cache.set(SITE_PROGRAM_UUIDS_CACHE_KEY_TPL.format(domain=self._site.domain), uuids, None)
        return len(list(lms.catalog_programs()))

    def sync(self):
        """Return what a sync says, its queries, and the most memory that this process ever had, in MB."""
        with counted() as cost:
            outcome = coached_courses.sync_with_catalog()
        # A site's cache is outside of the process; the one of this process is not what a sync takes.
        held = sum(map(len, getattr(caches["default"], "_cache", {}).values())) / 2**20
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - held
        return {"outcome": dict(outcome), "queries": cost.queries, "peak": peak}

    def rename(self):
        """Give the big program another title."""
        cache.set(
            PROGRAM_CACHE_KEY_TPL.format(uuid=BIG_PROGRAM),
            _program(BIG_PROGRAM, "Renamed", "microbachelors", BIG_RUNS),
            None,
        )

    def time_of(self, what):
        """Return the nanoseconds of a sync that changes nothing, or of reading the catalog alone."""
        started = perf_counter_ns()
        if what == "sync":
            coached_courses.sync_with_catalog()
        else:
            list(lms.catalog_programs())
        return perf_counter_ns() - started

    def big_program(self):
        """Return what a decision in a run of the big program costs: the first, and those that follow."""
        factories.overview(BIG_RUNS[0])
        learner = factories.eligible_learner(BIG_RUNS[0], username="bench-big")
        cost_of_entering(learner, BIG_RUNS[0])
        course_doors.forget_learner(learner, BIG_RUNS[0])
        costs = [cost_of_entering(learner, BIG_RUNS[0]) for _ in range(2)]
        return [[cost.queries, cost.round_trips] for cost in costs]

    def report(self):
        """Return the queries of the report of the big program, and of how many of its runs it was built."""
        scope = reports.Scope(program_uuid=BIG_PROGRAM)
        standing = reports.count()
        with counted() as cost:
            reports.build(scope, standing)
        return {"queries": cost.queries, "runs": len(standing.funnel.runs.of(scope))}


def _programs():
    """Yield the uuid, title, type and course runs of each program: the site's own, the big one, and those of others."""
    for number, (uuid, title) in enumerate(site.PROGRAMS.items()):
        first = number * site.RUNS_OF_A_PROGRAM
        yield uuid, title, "microbachelors", COACHED_RUNS[first : first + site.RUNS_OF_A_PROGRAM]
    yield BIG_PROGRAM, "All there is", "microbachelors", BIG_RUNS
    for number in range(PROGRAMS_IN_CATALOG - len(site.PROGRAMS) - 1):
        keys = [f"course-v1:ElsewhereX+P{number}+run{run}" for run in range(RUNS_OF_OTHER_PROGRAM)]
        yield uuid5(_NAMESPACE, str(number)), f"Program {number}", "xseries", keys


def _program(uuid, title, kind, keys):
    """Return a program as the catalog gives it, with a course for each of its runs."""
    courses = [
        {
            "key": f"{key}-course",
            "title": f"Course of {key}",
            "short_description": "x" * DESCRIPTION,
            "course_runs": [
                {"key": str(key), "title": f"Run {key}", "pacing_type": "self_paced", "status": "published"}
            ],
        }
        for key in keys
    ]
    return {
        "uuid": str(uuid),
        "title": title,
        "type": kind,
        "type_attrs": {"slug": kind},
        "courses": courses,
        "curricula": [],
    }


if __name__ == "__main__":
    django_process.write_log_nowhere()
    django_process.keep_connection()
    with ExitStack() as stack:
        doors, catalog = Doors(stack), Catalog(stack)
        serve(
            {
                "large_learner": large_learner,
                "time_of_large_learner": time_of_large_learner,
                "time_of_page": time_of_page,
                "time_of_first": doors.time_of_first,
                "enrolled": doors.enrolled,
                "coached": coached,
                "time_with_coached": time_with_coached,
                "fill_catalog": catalog.fill,
                "sync": catalog.sync,
                "rename": catalog.rename,
                "time_of_catalog": catalog.time_of,
                "big_program": catalog.big_program,
                "report": catalog.report,
            }
        )
