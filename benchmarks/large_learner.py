"""A learner with 50,000 courseware-state rows on a site with a million, and how the one query reads them."""

from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter_ns

from common.djangoapps.student.models import CourseEnrollment
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils import timezone
from lms.djangoapps.courseware.models import StudentModule

from benchmarks.ratios import Ratio, alternate, ratio
from coaching_plugin import coached_courses, eligibility
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.cost import plan_of, states_in, the_query_of
from tests.factories import MB101

COACHED_RUNS = 200
OTHER_RUNS = 600
BLOCKS = 250
OTHER_LEARNERS = 1900
RUNS_OF_OTHERS = 2

# Long past the window: nothing but reading all of the learner's state shows that they were not active.
OLD = timedelta(days=200)
RECENT = timedelta(days=20)


@dataclass(frozen=True)
class LargeLearner:
    """How the plugin's query reads a learner's state, and how it stands to one that is written plainly."""

    rows: int
    of_learner: int
    enrollments: int
    plan: list[dict]
    ours: Ratio
    noise: Ratio

    @property
    def is_as_designed(self):
        """Whether the learner's own rows are read, once for all runs, by the one index that begins with the learner."""
        read = [(row["select_type"], row["ref"]) for row in states_in(self.plan)]
        return read == [("MATERIALIZED", "const")]


def large_learner(rounds):
    """Make the learner and the site, and measure."""
    learner, runs = _made()
    coached_courses.forget()
    eligibility.explain(learner)
    since = eligibility.Rules.now().since
    taken = alternate(
        {
            "ours": lambda: _time_of(lambda: eligibility.explain(learner)),
            "again": lambda: _time_of(lambda: eligibility.explain(learner)),
            "plain": lambda: _time_of(lambda: list(_plain(learner, runs, since))),
        },
        rounds,
    )
    return LargeLearner(
        rows=StudentModule.objects.count(),
        of_learner=StudentModule.objects.filter(student=learner).count(),
        enrollments=len(runs),
        plan=plan_of(the_query_of(lambda: eligibility.explain(learner))),
        ours=ratio(taken["ours"], taken["plain"]),
        noise=ratio(taken["again"], taken["ours"]),
    )


def _plain(learner, runs, since):
    """Return the question as one would first write it: of each enrollment, whether its run has recent state."""
    states = StudentModule.objects.filter(student=learner, course_id=OuterRef("course_id"), modified__gte=since)
    enrollments = CourseEnrollment.objects.filter(user=learner, course_id__in=runs)
    return enrollments.annotate(is_recent=Exists(states)).values_list("course_id", "is_recent")


def _time_of(call):
    started = perf_counter_ns()
    call()
    return perf_counter_ns() - started


def _made():
    """Return the learner, and the coached runs in each of which they are enrolled."""
    runs = [MB101.replace(run=f"run{number}") for number in range(COACHED_RUNS + OTHER_RUNS)]
    coached = runs[:COACHED_RUNS]
    CoachedCourse.objects.all().delete()
    CoachedCourse.objects.bulk_create(CoachedCourse(course_key=run) for run in coached)
    for run in runs:
        factories.overview(run)
    learner = factories.user()
    names = [f"other{number}" for number in range(OTHER_LEARNERS)]
    User.objects.bulk_create(User(username=name, email=f"{name}@example.com") for name in names)
    others = list(User.objects.filter(username__in=names))
    enrollments = [(learner, run) for run in coached]
    for number in range(OTHER_LEARNERS * RUNS_OF_OTHERS):
        enrollments.append((others[number // RUNS_OF_OTHERS], runs[number % len(runs)]))
    now = timezone.now()
    CourseEnrollment.objects.bulk_create(CourseEnrollment(user=user, course_id=run) for user, run in enrollments)
    CourseEnrollment.objects.filter(course_id__in=runs).update(mode="verified", created=now - OLD)
    # A tenth of the others were active lately.
    lately = OTHER_LEARNERS // 10
    factories.save_many_states([learner, *others[lately:]], BLOCKS, now - OLD)
    factories.save_many_states(others[:lately], BLOCKS, now - RECENT)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE TABLE {StudentModule._meta.db_table}")
        cursor.fetchall()
    return learner, coached
