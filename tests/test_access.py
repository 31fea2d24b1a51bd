"""Who is asked at a course door, in which order the answer is found, and what it costs."""

from datetime import UTC, timedelta

import pytest
from common.djangoapps.student.models import CourseAccessRole
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from freezegun import freeze_time

from coaching_plugin import access, answered, coached_courses, consent
from coaching_plugin.models import CoachedCourse, CoachingConsent, Door
from tests import factories
from tests.cost import Cost, cost_of_entering, enter
from tests.factories import LIST1, MB101, MB102, PLAIN, TYPED, evidence

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def clock():
    """A clock that moves only when a test moves it."""
    with freeze_time(timezone.now()) as frozen:
        yield frozen


def test_an_eligible_learner_is_sent_to_the_question_with_the_way_back_whole(learner):
    assert enter(learner) == ("/coaching/consent/?next=%2Fcourses%2Fcourse-v1%3ADemoX%2BMB101%2B2026%2Fcourseware%2F")


def test_any_coached_run_asks_in_which_the_learner_is_enrolled_in_any_mode(learner):
    assert enter(learner, MB102) is None, "not enrolled there"
    cache.clear()
    factories.enroll(learner, MB102, mode="audit")
    assert enter(learner, MB102)
    factories.enroll(learner, LIST1, mode="audit", is_active=False)
    assert enter(learner, LIST1) is None, "not enrolled any more"
    factories.enroll(learner, PLAIN)
    assert enter(learner, PLAIN) is None, "not coached"


@pytest.mark.parametrize("answer", [consent.decline, lambda user, evidence: consent.give(user, TYPED, None, evidence)])
def test_any_answer_ends_the_asking(learner, answer):
    answer(learner, evidence())
    assert enter(learner) is None
    cache.clear()
    assert enter(learner) is None


def test_having_been_asked_or_refused_is_no_answer(learner):
    consent.ask(learner, evidence())
    consent.give(learner, "12", None, evidence())
    assert enter(learner)


def test_do_not_ask_ends_the_asking_and_ask_again_starts_it(learner):
    consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x")
    assert enter(learner) is None
    consent.ask_again(learner, evidence(Door.ADMIN), reason="x")
    assert enter(learner)


def test_who_is_never_asked(learner):
    assert enter(AnonymousUser()) is None
    for change in ({"is_active": False}, {"is_staff": True}):
        assert enter(factories.eligible_learner(**change)) is None
    assert enter(factories.eligible_learner(year_of_birth=timezone.now().year - 11)) is None
    assert enter(factories.eligible_learner(year_of_birth=timezone.now().year - 13)) is None


@pytest.mark.parametrize("role", [{"course_id": MB101, "role": "staff"}, {"role": "instructor"}])
def test_the_course_team_and_the_organizations_are_never_asked(learner, role):
    CourseAccessRole.objects.create(user=learner, org="DemoX", **role)
    assert enter(learner) is None


def test_a_role_in_another_course_does_not_spare_the_question(learner):
    CourseAccessRole.objects.create(user=learner, org="DemoX", course_id=MB102, role="staff")
    assert enter(learner)


def test_a_learner_who_returns_is_let_through_and_asked_the_next_time(coached, flags):
    learner = factories.user()
    factories.enroll(learner)
    assert enter(learner) is None
    factories.engage(learner, timezone.now().date())  # the visit, as the platform records it
    assert enter(learner)


@pytest.fixture
def returning(coached, flags, clock):
    """A learner who lacks nothing but activity, and stood at the door a moment ago."""
    learner = factories.user()
    factories.enroll(learner)
    assert enter(learner) is None
    return learner


def test_what_a_returning_learner_did_is_not_looked_at_again_for_a_minute(returning, clock):
    # Nobody but a test records it so late: a look at all would find it.
    factories.save_state(returning, timezone.now() - timedelta(hours=1))
    for _ in range(3):
        clock.tick(19)
        assert enter(returning) is None
    clock.tick(3)
    assert enter(returning)


def test_a_returning_learner_is_asked_on_the_page_after_the_first_that_leaves_a_state(returning, clock):
    clock.tick(30)
    assert enter(returning) is None
    factories.save_state(returning, timezone.now())
    assert enter(returning)


def test_a_state_counts_that_is_committed_later_than_it_was_made(returning, clock):
    factories.save_state(returning, timezone.now() - timedelta(seconds=59))
    clock.tick(1)
    assert enter(returning)


def test_a_state_of_yesterday_does_not_count_where_the_day_alone_does(coached, flags, clock, settings):
    settings.COACHING_ACTIVITY_WINDOW_DAYS = 0
    midnight = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    learner = factories.user()
    factories.enroll(learner)
    clock.move_to(midnight - timedelta(seconds=20))
    assert enter(learner) is None
    factories.save_state(learner, midnight - timedelta(seconds=10))
    clock.move_to(midnight + timedelta(seconds=10))
    assert enter(learner) is None
    factories.save_state(learner, midnight, block="problem2")
    assert enter(learner)


def test_another_look_at_states_costs_no_query_and_no_round_trip_more(coached, flags):
    learner = factories.user()
    factories.enroll(learner)
    enter(factories.user())  # the coached course runs and the flags are known then
    assert cost_of_entering(learner) == Cost(queries=1, round_trips=4)
    assert cost_of_entering(learner) == Cost(queries=1, round_trips=3)


def test_who_is_not_eligible_is_remembered_for_a_minute(coached, flags, clock):
    learner = factories.user()
    factories.enroll(learner, mode="audit", ago=timedelta(days=1))
    assert enter(learner) is None
    assert cost_of_entering(learner).queries == 0
    learner.courseenrollment_set.update(mode="verified")
    assert enter(learner) is None
    clock.tick(59)
    assert enter(learner) is None
    clock.tick(1)
    assert enter(learner)


def test_whom_to_let_pass_is_remembered_for_one_course_run_alone(learner):
    assert enter(learner, MB102) is None, "not enrolled there"
    assert enter(learner)


def test_who_is_let_through_enters_every_course_for_that_long(learner, clock):
    access.let_through(learner, 10)
    factories.enroll(learner, LIST1)
    clock.tick(9)
    assert enter(learner) is None
    assert enter(learner, LIST1) is None
    assert enter(factories.eligible_learner()), "nobody else"
    clock.tick(1)
    assert enter(learner)


@pytest.mark.parametrize(("seconds_between", "in_a_circle"), [(4, True), (5, False)])
def test_who_is_sent_on_twice_within_seconds_is_let_through_for_a_minute(learner, clock, seconds_between, in_a_circle):
    access.note_sent_on(learner)
    assert enter(learner)
    clock.tick(seconds_between)
    access.note_sent_on(factories.user())
    access.note_sent_on(learner)
    assert (enter(learner) is None) is in_a_circle
    clock.tick(59)
    assert (enter(learner) is None) is in_a_circle
    clock.tick(1)
    assert enter(learner)


@pytest.mark.parametrize(("enabled", "redirect"), [(False, True), (True, False), (False, False)])
def test_with_a_flag_off_nobody_is_asked(learner, set_flag, enabled, redirect):
    set_flag("coaching.enabled", enabled)
    set_flag("coaching.course_redirect", redirect)
    assert enter(learner) is None
    assert cost_of_entering(learner).queries == 0


# Cost, warm. A flag is one round trip to the cache; what is remembered of the learner is one more.


def test_nothing_coached_costs_nothing(flags):
    learner = factories.eligible_learner()
    enter(learner)
    assert cost_of_entering(learner) == Cost(queries=0, round_trips=0)


def test_not_our_course_costs_nothing(learner):
    factories.enroll(learner, PLAIN)
    enter(learner, PLAIN)
    assert cost_of_entering(learner, PLAIN) == Cost(queries=0, round_trips=0)


def test_a_flag_that_is_off_costs_itself(learner, set_flag):
    set_flag("coaching.enabled", False)
    enter(learner)
    assert cost_of_entering(learner) == Cost(queries=0, round_trips=1)


def test_answered_costs_no_query(learner):
    consent.decline(learner, evidence())
    assert cost_of_entering(learner).queries <= 3, "the flags and the coached runs are read once"
    assert cost_of_entering(learner) == Cost(queries=0, round_trips=3)


def test_answered_before_this_process_costs_two_queries_once(learner):
    consent.decline(learner, evidence())
    enter(learner)
    cache.delete(answered.key(learner.id))
    assert cost_of_entering(learner) == Cost(queries=2, round_trips=4)
    assert cost_of_entering(learner) == Cost(queries=0, round_trips=3)


def test_not_eligible_costs_one_query_at_most(coached, flags):
    enter(factories.user())
    for learner in (factories.user(), factories.eligible_learner(key=PLAIN)):
        assert cost_of_entering(learner) == Cost(queries=1, round_trips=4)
        assert cost_of_entering(learner) == Cost(queries=0, round_trips=3)
    auditing = factories.user()
    factories.enroll(auditing, mode="audit")
    enter(auditing)
    assert cost_of_entering(auditing).queries == 0, "no visit would make this learner eligible"
    returning = factories.user()
    factories.enroll(returning)
    enter(returning)
    assert cost_of_entering(returning).queries == 1, "not remembered, since this very visit may change it"


def test_to_be_asked_costs_two_queries(learner):
    enter(learner)
    assert cost_of_entering(learner) == Cost(queries=2, round_trips=3)
    consent.ask(learner, evidence())
    assert cost_of_entering(learner) == Cost(queries=2, round_trips=3)


def test_an_answer_is_remembered_for_an_hour_when_given_and_when_read(learner, clock):
    consent.decline(learner, evidence())
    for _ in range(2):
        clock.tick(3599)
        assert cache.get(answered.key(learner.id)) is False
        clock.tick(1)
        assert cache.get(answered.key(learner.id)) is None
        assert answered.has_answered(learner.id)


def test_a_cache_that_is_down_costs_no_answer(learner, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError

    monkeypatch.setattr(type(cache._connections["default"]), "set", fail)
    consent.decline(learner, evidence())
    assert consent.standing(learner).has_answered


def test_an_erasure_forgets_the_answer(learner):
    consent.decline(learner, evidence())
    consent.erase(learner, evidence(Door.RETIREMENT))
    assert cache.get(answered.key(learner.id)) is None


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_read_inside_a_transaction_is_remembered_once_that_is_committed(learner, is_committed):
    with transaction.atomic():
        CoachingConsent.objects.create(user=learner, status="declined")
        assert answered.has_answered(learner.id)
        assert cache.get(answered.key(learner.id)) is None
        transaction.set_rollback(not is_committed)
    assert cache.get(answered.key(learner.id)) is (False if is_committed else None)


def test_what_is_rolled_back_is_not_remembered(learner):
    with transaction.atomic():
        consent.decline(learner, evidence())
        transaction.set_rollback(True)
    assert cache.get(answered.key(learner.id)) is None
    assert enter(learner)


def test_another_process_hears_of_a_coached_run_within_a_minute(learner, monkeypatch):
    assert enter(learner)
    CoachedCourse.objects.filter(course_key=MB101).update(active=False)  # sends no signal, as another process would
    assert enter(learner)
    clock = coached_courses.time.monotonic() + coached_courses.RELOAD_SECONDS
    monkeypatch.setattr(coached_courses.time, "monotonic", lambda: clock)
    assert enter(learner) is None
