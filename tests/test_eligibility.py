"""The rule of three, each source of activity, the window's edge to the second, and the explanation."""

from datetime import UTC, datetime, timedelta

import pytest
from common.djangoapps.student.models import CourseAccessRole, CourseEnrollment
from freezegun import freeze_time

from coaching_plugin import coached_courses, eligibility
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.cost import the_query_of
from tests.factories import LIST1, MB101, MB102, PLAIN

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("coached")]

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
# Midnight of the day that is 90 days before.
EDGE = datetime(2026, 3, 17, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def is_eligible(learner):
    return eligibility.explain(learner).is_eligible


@pytest.fixture(autouse=True)
def _noon():
    with freeze_time(NOW):
        yield


@pytest.fixture
def verified():
    learner = factories.user()
    factories.enroll(learner)
    return learner


SOURCES = {
    "completion": factories.complete_block,
    "courseware state": factories.save_state,
    "engagement": lambda learner, at: factories.engage(learner, at.date()),
    "enrollment": lambda learner, at: CourseEnrollment.objects.filter(user=learner).update(created=at),
}


@pytest.mark.parametrize("source", SOURCES)
def test_any_source_of_activity_counts_on_the_day_90_days_ago(verified, source):
    SOURCES[source](verified, EDGE)
    assert is_eligible(verified)


@pytest.mark.parametrize("source", SOURCES)
def test_no_source_counts_the_day_before(verified, source):
    SOURCES[source](verified, EDGE - SECOND)
    assert not is_eligible(verified)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 6, 15, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 6, 15, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 6, 16, 0, 0, tzinfo=UTC), False),
    ],
)
def test_days_are_whole_days_of_utc(verified, moment, expected):
    factories.complete_block(verified, EDGE)
    with freeze_time(moment):
        assert is_eligible(verified) is expected


def test_days_are_whole_days_of_utc_whatever_the_sites_time_zone(verified, settings):
    settings.TIME_ZONE = "Pacific/Kiritimati"  # where it is tomorrow already
    factories.complete_block(verified, EDGE)
    assert is_eligible(verified)


def test_the_window_is_a_setting(verified, settings):
    factories.complete_block(verified, NOW - timedelta(days=8))
    settings.COACHING_ACTIVITY_WINDOW_DAYS = 7
    assert not is_eligible(verified)
    settings.COACHING_ACTIVITY_WINDOW_DAYS = 8
    assert is_eligible(verified)


def test_activity_of_others_and_elsewhere_does_not_count(verified):
    other = factories.user()
    factories.enroll(other)
    for record in (factories.complete_block, factories.save_state):
        record(other, NOW)
        record(verified, NOW, key=PLAIN)
        record(verified, NOW, key=MB102)
    factories.engage(other, NOW.date())
    factories.engage(verified, NOW.date(), key=MB102)
    assert not is_eligible(verified)


def test_all_three_must_hold_of_the_same_run(verified):
    factories.enroll(verified, MB102, mode="audit")
    factories.complete_block(verified, NOW, key=MB102)
    assert not is_eligible(verified)


@pytest.mark.parametrize("mode", ["audit", "honor", "professional", "no-id-professional", "credit", "masters"])
def test_other_modes_do_not_count_unless_set(mode, settings):
    learner = factories.user()
    factories.enroll(learner, mode=mode, ago=timedelta(days=1))
    assert not is_eligible(learner)
    settings.COACHING_ENROLLMENT_MODES = ["verified", mode]
    assert is_eligible(learner)


def test_an_inactive_enrollment_does_not_count():
    learner = factories.user()
    factories.enroll(learner, is_active=False, ago=timedelta(days=1))
    assert not is_eligible(learner)


def test_a_run_that_is_not_coached_does_not_count():
    learner = factories.user()
    factories.enroll(learner, PLAIN, ago=timedelta(days=1))
    assert not is_eligible(learner)


def test_an_operators_run_counts_until_the_operator_deactivates_it():
    learner = factories.user()
    factories.enroll(learner, LIST1, ago=timedelta(days=1))
    assert is_eligible(learner)
    row = CoachedCourse.objects.get(course_key=LIST1)
    row.active = False
    row.save()
    assert not is_eligible(learner)


@pytest.mark.parametrize(
    ("year_of_birth", "may_consent"),
    [(None, True), (2000, True), (2012, True), (2013, False), (2014, False), (2026, False)],
)
def test_who_is_possibly_under_13_may_not_consent(year_of_birth, may_consent):
    """Born in 2013, a learner may still be 12 in 2026; born in 2012, 13 at least."""
    learner = factories.eligible_learner(year_of_birth=year_of_birth)
    verdict = eligibility.explain(learner)
    assert verdict.is_eligible
    assert verdict.may_consent is may_consent


def test_a_minimum_age_of_zero_bars_nobody_and_one_of_one_the_newborn(settings):
    newborn = factories.eligible_learner(year_of_birth=2026)
    settings.COACHING_MINIMUM_AGE = 0
    assert eligibility.explain(newborn).may_consent
    settings.COACHING_MINIMUM_AGE = 1
    assert not eligibility.explain(newborn).may_consent


def test_a_learner_without_a_profile_is_judged_too():
    learner = factories.eligible_learner()
    learner.profile.delete()
    assert eligibility.explain(learner).may_consent


@pytest.mark.parametrize("enrollments", [0, 1, 40])
def test_one_query_for_any_number_of_enrollments(enrollments, django_assert_num_queries):
    learner = factories.user()
    for number in range(enrollments):
        key = MB101.replace(run=f"run{number}")
        CoachedCourse.objects.create(course_key=key)
        factories.enroll(learner, key)
        factories.save_state(learner, NOW - timedelta(days=100), key)
    eligibility.explain(learner)  # the coached keys are known then
    with django_assert_num_queries(1):
        assert len(eligibility.explain(learner).runs) == enrollments


def test_the_statement_does_not_grow_with_the_coached_course_runs(verified):
    """Named in it, three thousand keys take longer than all that is looked up."""
    eligibility.explain(verified)  # the coached keys are known then
    few = the_query_of(lambda: eligibility.explain(verified))
    assert CoachedCourse._meta.db_table in few, "activity in what is not coached is not looked up"
    CoachedCourse.objects.bulk_create(CoachedCourse(course_key=MB101.replace(run=f"run{n}")) for n in range(300))
    coached_courses.forget()
    assert len(coached_courses.keys()) == 303
    assert len(the_query_of(lambda: eligibility.explain(verified))) == len(few)


def test_what_is_coached_is_what_this_process_knows(verified):
    """The doors ask by the same set, and so do not disagree with the verdict."""
    factories.enroll(verified, PLAIN)
    coached_courses.keys()
    CoachedCourse.objects.filter(course_key=MB101).update(active=False)  # sends no signal
    CoachedCourse.objects.bulk_create([CoachedCourse(course_key=PLAIN)])
    assert [run.course_key for run in eligibility.explain(verified).runs] == [MB101]
    coached_courses.forget()
    assert [run.course_key for run in eligibility.explain(verified).runs] == [PLAIN]


def test_a_key_in_other_letters_is_another_course_run():
    """To the database, both are the same."""
    learner = factories.user()
    factories.enroll(learner, MB101.replace(course="mb101"), ago=timedelta(days=1))
    assert eligibility.explain(learner).runs == ()


def test_courseware_state_is_not_looked_up_where_the_rest_settles_the_matter():
    learner = factories.eligible_learner()
    assert eligibility.explain(learner).runs[0].facts.has_recent_courseware_state is None


def test_the_explanation_names_each_unmet_rule(verified):
    factories.enroll(verified, MB102, mode="audit", is_active=False)
    verdict = eligibility.explain(verified)
    assert {run.course_key: run.reasons for run in verdict.runs} == {
        MB101: ["no_recent_activity"],
        MB102: ["enrollment_inactive", "mode_does_not_count", "no_recent_activity"],
    }
    assert verdict.rules == eligibility.Rules.now()
    assert verdict.reasons == ["no_eligible_course_run"]
    assert eligibility.explain(factories.user()).reasons == ["not_enrolled"]
    assert eligibility.explain(factories.eligible_learner(year_of_birth=2020)).reasons == ["under_age"]
    assert eligibility.explain(factories.eligible_learner()).reasons == []


def test_nobody_is_eligible_and_no_child_either():
    verdict = eligibility.nobody()
    assert (verdict.rules, verdict.may_consent) == (eligibility.Rules.now(), False)
    assert verdict.reasons == ["not_enrolled"]


@pytest.mark.parametrize(
    ("role", "has_role"),
    [
        ({"course_id": MB101, "org": "DemoX"}, True),
        ({"course_id": None, "org": "DemoX"}, True),
        ({"course_id": MB102, "org": "DemoX"}, False),
        ({"course_id": None, "org": "OtherX"}, False),
        ({"course_id": None, "org": ""}, False),
    ],
)
def test_roles_in_the_course_or_its_whole_organization_are_facts(role, has_role):
    learner = factories.eligible_learner()
    CourseAccessRole.objects.create(user=learner, role="staff", **role)
    assert eligibility.explain(learner, entering=MB101).run(MB101).facts.has_course_role is has_role
