"""Who sees the card on the dashboard, what dismissing it stores, and what the decision costs."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from freezegun import freeze_time

from coaching_plugin import answered, coached_courses, consent
from coaching_plugin.dashboard_card import Card, card_of
from coaching_plugin.models import CoachedCourse, CoachingConsent, ConsentEvent, Door
from tests import factories
from tests.cost import Cost, counted, request_of
from tests.factories import PLAIN, TYPED, evidence
from tests.story import assert_told, kinds

pytestmark = pytest.mark.usefixtures("committed")

FIRST_TIME, AFTER_A_NO = Card(said_no_before=False), Card(said_no_before=True)


def shown(user):
    """Decide as in a request of its own."""
    with request_of(user):
        return card_of(user)


def cost(user):
    with request_of(user), counted() as spent:
        card_of(user)
    return spent


# Who sees it


def test_an_eligible_learner_sees_it_asked_or_not(learner):
    assert shown(learner) == FIRST_TIME
    consent.ask(learner, evidence())
    consent.give(learner, "12", None, evidence())
    assert shown(learner) == FIRST_TIME


def test_declining_and_withdrawing_do_not_hide_it_and_it_knows_of_the_no(learner):
    consent.decline(learner, evidence())
    assert shown(learner) == AFTER_A_NO
    consent.give(learner, TYPED, None, evidence())
    assert shown(learner) is None
    consent.decline(learner, evidence())
    assert shown(learner) == AFTER_A_NO


def test_after_stop_it_is_there_again(learner):
    consent.give(learner, TYPED, None, evidence())
    consent.opt_out(learner, evidence(Door.PARTNER))
    assert shown(learner) == AFTER_A_NO


def test_who_has_consented_does_not_see_it_whether_that_is_remembered_or_not(learner):
    consent.give(learner, TYPED, None, evidence())
    assert shown(learner) is None
    cache.clear()
    assert shown(learner) is None


def test_do_not_ask_hides_it_and_ask_again_shows_it(learner):
    consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x")
    assert shown(learner) is None
    consent.ask_again(learner, evidence(Door.ADMIN), reason="x")
    assert shown(learner) == FIRST_TIME


def test_who_never_sees_it(learner):
    assert shown(AnonymousUser()) is None
    assert shown(factories.eligible_learner(is_active=False)) is None
    assert shown(factories.user()) is None
    assert shown(factories.eligible_learner(key=PLAIN)) is None
    assert shown(factories.eligible_learner(year_of_birth=timezone.now().year - 11)) is None
    assert shown(factories.eligible_learner(year_of_birth=timezone.now().year - 14)) == FIRST_TIME


def test_staff_may_consent_and_so_they_see_it(learner):
    assert shown(factories.eligible_learner(is_staff=True)) == FIRST_TIME


def test_it_goes_with_eligibility_and_comes_back(learner):
    with freeze_time(timezone.now() + timedelta(days=89)):
        assert shown(learner) == FIRST_TIME
    with freeze_time(timezone.now() + timedelta(days=90)):
        assert shown(learner) is None
    assert shown(learner) == FIRST_TIME


@pytest.mark.parametrize("flag", ["coaching.enabled", "coaching.dashboard_card"])
def test_with_a_flag_off_nobody_sees_it(learner, set_flag, flag):
    set_flag(flag, False)
    assert shown(learner) is None
    set_flag(flag, True)
    assert shown(learner) == FIRST_TIME


def test_it_does_not_need_the_course_doors(learner, set_flag):
    set_flag("coaching.course_redirect", False)
    assert shown(learner) == FIRST_TIME


# Dismissing it


@pytest.mark.parametrize("before", ["never asked", "asked", "declined"])
def test_a_dismissal_is_for_good_and_no_event(learner, before):
    if before == "asked":
        consent.ask(learner, evidence())
    elif before == "declined":
        consent.decline(learner, evidence())
    events = kinds(learner)
    consent.dismiss_card(learner)
    assert shown(learner) is None
    assert kinds(learner) == events
    assert_told(learner)
    with freeze_time(timezone.now() + timedelta(days=80)):
        assert shown(learner) is None


def test_a_second_dismissal_changes_nothing(learner):
    consent.dismiss_card(learner)
    before = CoachingConsent.objects.values().get(user=learner)
    with freeze_time(timezone.now() + timedelta(hours=1)):
        consent.dismiss_card(learner)
    assert CoachingConsent.objects.values().get(user=learner) == before
    assert not ConsentEvent.objects.exists()


def test_a_dismissal_is_no_answer(learner):
    consent.dismiss_card(learner)
    row = CoachingConsent.objects.get(user=learner)
    assert (row.status, row.has_answered, row.asked_at) == ("undecided", False, None)
    assert cache.get(answered.key(learner.id)) is None
    consent.ask(learner, evidence())
    assert kinds(learner) == ["asked"]
    consent.give(learner, TYPED, None, evidence())
    assert_told(learner)


def test_a_dismissal_outlives_a_consent_and_its_withdrawal(learner):
    consent.dismiss_card(learner)
    consent.give(learner, TYPED, None, evidence())
    consent.decline(learner, evidence())
    consent.ask_again(learner, evidence(Door.ADMIN), reason="x")
    assert shown(learner) is None


def test_a_dismissal_leaves_a_remembered_consent_as_it_is(learner):
    consent.give(learner, TYPED, None, evidence())
    consent.dismiss_card(learner)
    assert cache.get(answered.key(learner.id)) is True


def test_what_is_rolled_back_was_not_dismissed(learner):
    with transaction.atomic():
        consent.dismiss_card(learner)
        transaction.set_rollback(True)
    assert shown(learner) == FIRST_TIME


# What is remembered


def test_a_consent_is_remembered_where_it_was_read_and_forgotten_where_it_ends(learner):
    consent.give(learner, TYPED, None, evidence())
    cache.clear()
    shown(learner)
    assert cache.get(answered.key(learner.id)) is True
    consent.decline(learner, evidence())
    assert cache.get(answered.key(learner.id)) is False
    assert shown(learner) == AFTER_A_NO


# Cost. A flag is a round trip to the cache, and where it is not cached a query and another; what is remembered of the
# learner is one more. Cold is a new process with an empty cache, first a process that has not met the learner.


def no_longer_eligible(learner):
    consent.give(learner, TYPED, None, evidence())
    learner.courseenrollment_set.update(is_active=False)


COSTS = {
    "nothing coached": (lambda learner: CoachedCourse.objects.all().delete(), Cost(1, 0), Cost(0, 0), Cost(0, 0)),
    "coaching off": (lambda learner: factories.set_flag("coaching.enabled", False), Cost(2, 2), Cost(0, 1), Cost(0, 1)),
    "card off": (
        lambda learner: factories.set_flag("coaching.dashboard_card", False),
        Cost(3, 4),
        Cost(0, 2),
        Cost(0, 2),
    ),
    "never asked": (lambda learner: None, Cost(5, 5), Cost(2, 3), Cost(2, 3)),
    "declined": (lambda learner: consent.decline(learner, evidence()), Cost(5, 5), Cost(2, 3), Cost(2, 3)),
    "not eligible": (
        lambda learner: learner.courseenrollment_set.update(mode="audit"),
        Cost(5, 5),
        Cost(2, 3),
        Cost(2, 3),
    ),
    "dismissed": (lambda learner: consent.dismiss_card(learner), Cost(4, 5), Cost(1, 3), Cost(1, 3)),
    "not to be asked": (
        lambda learner: consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x"),
        Cost(4, 5),
        Cost(1, 3),
        Cost(1, 3),
    ),
    "consented": (
        lambda learner: consent.give(learner, TYPED, None, evidence()),
        Cost(4, 6),
        Cost(1, 4),
        Cost(0, 3),
    ),
    "consented, no longer eligible": (no_longer_eligible, Cost(4, 6), Cost(1, 4), Cost(0, 3)),
}


@pytest.mark.parametrize("state", COSTS)
def test_what_the_decision_costs(learner, state):
    arrange, cold, first, warm = COSTS[state]
    arrange(learner)
    cache.clear()
    coached_courses._keys.forget()
    assert cost(learner) == cold
    cache.delete(answered.key(learner.id))
    assert cost(learner) == first
    assert cost(learner) == warm
