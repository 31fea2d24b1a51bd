"""Whole groups of learners, compared learner by learner with what decides about one."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from common.djangoapps.student.models import CourseAccessRole, CourseEnrollment
from completion.models import BlockCompletion
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.db.models import OuterRef
from django.utils import timezone
from freezegun import freeze_time
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.user_api.models import UserRetirementStatus

from coaching_plugin import coached_courses, cohorts, consent, eligibility
from coaching_plugin.cohorts import Outlook
from coaching_plugin.eligibility import Rules
from coaching_plugin.models import CoachedCourse, Door
from tests import factories
from tests.cost import enter, plan_of, states_in, the_query_of
from tests.factories import LIST1, MB101, MB102, NUMBER, PLAIN, evidence

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("coached", "flags")]

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
# Midnight of the day that is 90 days before.
EDGE = datetime(2026, 3, 17, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

OTHER_ORG = CourseKey.from_string("course-v1:OtherX+OC1+2026")
# An organization that one database takes for DemoX, and the other does not.
LOWER_ORG = CourseKey.from_string("course-v1:demox+LC1+2026")
NOT_ACTIVE = CourseKey.from_string("course-v1:DemoX+OLD+2020")
KEYS = [MB101, MB102, LIST1, OTHER_ORG, LOWER_ORG]


@pytest.fixture(autouse=True)
def _noon():
    with freeze_time(NOW):
        yield


@pytest.fixture
def more_courses():
    """Coached course runs of other organizations, and one that an operator has taken out."""
    for key, active in ((OTHER_ORG, True), (LOWER_ORG, True), (NOT_ACTIVE, False)):
        CoachedCourse.objects.create(course_key=key, active=active, source=CoachedCourse.Source.OPERATOR)


def ids(users):
    return set(users.values_list("pk", flat=True))


# Random populations


def record_activity(learner, key, choose):
    """Record nothing, or one thing, or several, within the window, at its edge or just outside."""
    moments = [EDGE, EDGE - SECOND, NOW, NOW - factories.LONG_AGO]
    for record in choose.sample([engage_at, complete_at, save_at], k=choose.choice([0, 0, 0, 1, 1, 2, 3])):
        record(learner, choose.choice(moments), key)


def engage_at(learner, moment, key):
    factories.engage(learner, moment.date(), key)


def complete_at(learner, moment, key):
    factories.complete_block(learner, moment, key)


def save_at(learner, moment, key):
    factories.save_state(learner, moment, key)


def answer(learner, choose):
    """Have most learners not answer, and the rest answer in every way."""
    if choose.random() < 0.5:
        return
    choose.choice(
        [
            lambda: consent.ask(learner, evidence()),
            lambda: consent.decline(learner, evidence()),
            lambda: consent.give(learner, NUMBER, None, evidence()),
            lambda: consent.give(learner, "12", None, evidence()),
            lambda: consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x"),
            lambda: (
                consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x"),
                consent.ask_again(learner, evidence(Door.ADMIN), reason="x"),
            ),
            lambda: UserRetirementStatus.create_retirement(learner),
        ]
    )()


def population(choose, size):
    """Return so many learners, of whom each may differ from an eligible one in any respect."""
    return [one_of_a_population(choose) for _ in range(size)]


def one_of_a_population(choose):
    learner = factories.user(
        year_of_birth=choose.choice([None, None, 1990, 2012, 2013]),
        is_active=choose.random() < 0.9,
        is_staff=choose.random() < 0.1,
        is_superuser=choose.random() < 0.1,
    )
    for key in choose.sample([*KEYS, NOT_ACTIVE, PLAIN], k=choose.choice([0, 1, 1, 2, 3, 7])):
        factories.enroll(
            learner,
            key,
            mode=choose.choice(["verified", "verified", "audit", "credit"]),
            is_active=choose.random() < 0.8,
            ago=choose.choice([factories.LONG_AGO, factories.LONG_AGO, NOW - EDGE, NOW - EDGE + SECOND, DAY]),
        )
        if choose.random() < 0.05:
            CourseEnrollment.objects.filter(user=learner, course_id=key).update(created=None)
    for key in choose.sample([*KEYS, PLAIN], k=3):
        record_activity(learner, key, choose)
    if choose.random() < 0.3:
        CourseAccessRole.objects.create(
            user=learner,
            role=choose.choice(["staff", "beta_testers"]),
            org=choose.choice(["DemoX", "demox", "OtherX", ""]),
            course_id=choose.choice([None, None, MB101, OTHER_ORG]),
        )
    answer(learner, choose)
    if choose.random() < 0.1:
        learner.profile.delete()
    return learner


@pytest.mark.parametrize("seed", range(6))
def test_whole_cohorts_are_what_is_said_of_each_learner(more_courses, settings, monkeypatch, seed):
    # So that with some seeds they are read in one pass.
    monkeypatch.setattr(cohorts, "MOST_RUNS_LOOKED_UP", seed % 2 * 200)
    choose = random.Random(seed)
    settings.COACHING_MINIMUM_AGE = choose.choice([13, 13, 0])
    settings.COACHING_ENROLLMENT_MODES = choose.choice([["verified"], ["verified", "credit"]])
    settings.TIME_ZONE = choose.choice(["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
    learners = population(choose, 40)
    keys, rules = coached_courses.keys(), Rules.now()
    assert keys == set(KEYS)

    eligible = cohorts.eligible_enrollments(keys, rules)
    verdicts = {learner: eligibility.explain(learner) for learner in learners}
    found = {(learner.pk, run.course_key) for learner in learners for run in verdicts[learner].runs if run.is_eligible}
    assert set(eligible.values_list("user_id", "course_id")) == found
    assert 0 < len(found) < sum(len(verdict.runs) for verdict in verdicts.values())

    asked = set()
    for key in KEYS:
        cache.clear()
        at_this_door = {learner.pk for learner in learners if enter(learner, key)}
        assert ids(cohorts.to_be_asked(keys, rules, entering=[key])) == at_this_door
        outlook = cohorts.outlook(keys, rules, entering=[key])
        assert outlook[Outlook.ASKED] == len(at_this_door)
        assert outlook.total() == CourseEnrollment.objects.filter(course_id=key, is_active=True).count()
        asked |= at_this_door
    assert ids(cohorts.to_be_asked(keys, rules)) == asked
    assert 0 < len(asked) < len(found)


# The edges


def test_each_question_is_one_query(more_courses, django_assert_num_queries):
    learners = population(random.Random(0), 5)
    keys, rules = coached_courses.keys(), Rules.now()
    for question in (
        lambda: list(cohorts.eligible_enrollments(keys, rules)),
        lambda: cohorts.to_be_asked(keys, rules).count(),
        lambda: list(cohorts.to_be_asked(keys, rules, entering=[MB101])),
        lambda: cohorts.outlook(keys, rules),
    ):
        with django_assert_num_queries(1):
            question()
    assert learners


def test_nobody_is_asked_where_nothing_is_coached_or_no_mode_counts(settings):
    learner = factories.eligible_learner()
    rules = Rules.now()
    assert ids(cohorts.to_be_asked(KEYS, rules)) == {learner.pk}
    assert ids(cohorts.to_be_asked(KEYS, rules, entering=[])) == ids(cohorts.to_be_asked([], rules)) == set()
    assert cohorts.outlook([], rules) == Counter()
    settings.COACHING_ENROLLMENT_MODES = []
    assert ids(cohorts.to_be_asked(KEYS, Rules.now())) == set()
    assert cohorts.outlook(KEYS, Rules.now()) == {Outlook.MODE_DOES_NOT_COUNT: 1}


def test_rules_are_of_their_day():
    learner = factories.user()
    factories.enroll(learner)
    complete_at(learner, EDGE, MB101)
    assert ids(cohorts.to_be_asked(KEYS, Rules.on(NOW.date()))) == {learner.pk}
    assert ids(cohorts.to_be_asked(KEYS, Rules.on(NOW.date() + DAY))) == set()


@pytest.mark.parametrize(
    ("org", "course_id"), [("DemoX", None), ("demox", None), ("DEMOX", None), ("", MB101), ("", LOWER_ORG)]
)
def test_a_role_counts_where_the_doors_take_it_for_one_of_the_course(more_courses, org, course_id):
    """MariaDB takes organizations for the same that differ in case alone; SQLite does not."""
    keys = [MB101, LOWER_ORG]
    learner = factories.eligible_learner()
    factories.enroll(learner, LOWER_ORG)
    CourseAccessRole.objects.create(user=learner, role="staff", org=org, course_id=course_id)
    at_doors = {key for key in keys if enter(learner, key)}
    assert {key for key in keys if cohorts.to_be_asked(KEYS, Rules.now(), entering=[key])} == at_doors
    assert bool(cohorts.to_be_asked(KEYS, Rules.now(), entering=keys)) is bool(at_doors)
    counted = cohorts.outlook(KEYS, Rules.now(), entering=keys)
    assert counted == {Outlook.ASKED if at_doors else Outlook.COURSE_TEAM: 1}


LEFT_OUT = {
    Outlook.INACTIVE: lambda learner: User.objects.filter(pk=learner.pk).update(is_active=False),
    Outlook.STAFF: lambda learner: User.objects.filter(pk=learner.pk).update(is_staff=True),
    Outlook.COURSE_TEAM: lambda learner: CourseAccessRole.objects.create(user=learner, course_id=MB101, role="staff"),
    Outlook.MODE_DOES_NOT_COUNT: lambda learner: learner.courseenrollment_set.update(mode="audit"),
    Outlook.NO_RECENT_ACTIVITY: lambda learner: BlockCompletion.objects.filter(user=learner).delete(),
    Outlook.UNDER_AGE: lambda learner: type(learner.profile).objects.update(year_of_birth=2013),
    Outlook.DO_NOT_ASK: lambda learner: consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x"),
    Outlook.ANSWERED: lambda learner: consent.decline(learner, evidence()),
}


@pytest.mark.parametrize("reason", [reason for reason in Outlook if reason is not Outlook.ASKED])
def test_who_is_left_out_counts_under_the_first_reason_that_applies(reason):
    learner = factories.eligible_learner()
    assert cohorts.outlook(KEYS, Rules.now()) == {Outlook.ASKED: 1}
    for later in list(Outlook)[list(Outlook).index(reason) :]:
        LEFT_OUT[later](learner)
        assert cohorts.outlook(KEYS, Rules.now()) == {reason: 1}


@pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's optimizer is asked; the MariaDB run does")
def test_courseware_state_is_found_by_its_learner_alone():
    """The indexes of the course and of the time hold what everybody did: on a large site that is most of the table."""
    learners = [factories.user() for _ in range(20)]
    for learner in learners:
        factories.enroll(learner)
    factories.save_many_states(learners, 50, NOW - factories.LONG_AGO)
    for question in (
        lambda: cohorts.eligible_enrollments(KEYS, Rules.now()).count(),
        lambda: cohorts.to_be_asked(KEYS, Rules.now()).count(),
        lambda: cohorts.outlook(KEYS, Rules.now()),
    ):
        rows = states_in(plan_of(the_query_of(question)))
        assert rows
        for row in rows:
            for unwanted in ("course_id_", "modified", "created"):
                assert f"courseware_studentmodule_{unwanted}" not in row["possible_keys"], row


# When everybody was last active


RECORDS = {"last_completed_at": complete_at, "last_changed_at": save_at, "last_engaged_on": engage_at}


def last(column, runs=KEYS):
    """Return when each learner was last active, by one of what records it, where it was at all."""
    users = User.objects.annotate(**cohorts.last_activity(OuterRef("pk"), runs))
    return dict(users.filter(**{f"{column}__isnull": False}).values_list("pk", column))


@pytest.mark.parametrize("column", RECORDS)
@pytest.mark.parametrize("time_zone", ["UTC", "Pacific/Kiritimati"])
def test_the_last_activity_in_some_runs_is_the_latest_of_them(settings, column, time_zone):
    settings.TIME_ZONE = time_zone
    timezone.activate(time_zone)
    moments = [(MB101, NOW - 40 * DAY), (MB102, NOW - 30 * DAY), (PLAIN, NOW)]
    learner, other = factories.user(), factories.user()
    for key, moment in moments:
        RECORDS[column](learner, moment, key)
    RECORDS[column](other, NOW - 50 * DAY, MB101)
    of = datetime.date if column == "last_engaged_on" else lambda moment: moment
    assert last(column) == {learner.pk: of(moments[1][1]), other.pk: of(NOW - 50 * DAY)}
    assert last(column, runs=[MB102]) == {learner.pk: of(moments[1][1])}
    assert last(column, runs=[LIST1]) == last(column, runs=[]) == {}


@pytest.mark.parametrize("modes", [["verified"], ["verified", "audit"], ["audit"]])
def test_the_last_enrollment_is_the_latest_in_a_mode_that_counts(modes):
    learner = factories.user()
    for key, mode, days in [(MB101, "verified", 9), (MB102, "audit", 5), (PLAIN, "verified", 1)]:
        factories.enroll(learner, key, mode=mode, ago=days * DAY)
    enrolled_at = cohorts.last_enrolled_at(OuterRef("pk"), KEYS, modes)
    (found,) = User.objects.filter(pk=learner.pk).annotate(at=enrolled_at).values_list("at", flat=True)
    assert found == NOW - (5 if "audit" in modes else 9) * DAY


# Many course runs


@pytest.fixture
def many_runs(monkeypatch):
    """Take any number of runs for too many to look each of them up."""
    monkeypatch.setattr(cohorts, "MOST_RUNS_LOOKED_UP", 0)


def test_of_many_runs_the_same_enrollments_are_read_in_one_pass(more_courses, many_runs):
    population(random.Random(7), 40)
    rules = Rules.now()
    few = set(cohorts.enrollments(KEYS, rules.modes))
    query = cohorts.all_enrollments(KEYS, rules.modes)
    assert set(query) == few != set()
    assert "COALESCE" in str(query.query)
    assert not cohorts.all_enrollments([], rules.modes)
