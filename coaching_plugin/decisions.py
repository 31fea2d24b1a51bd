"""What does each door do with a learner, and why? One decision for each, by code, whoever asks for it."""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import answered, coached_courses, consent, eligibility, toggles
from coaching_plugin.eligibility import Verdict
from coaching_plugin.models import CoachingConsent

# How long "not to be asked here" is remembered. Short: nothing tells us of an upgrade or a new role.
PASSED_SECONDS = 60
# By how much later than the moment that it carries a change of courseware state may be committed.
LATE = timedelta(seconds=60)


class Decision(StrEnum):
    """What a door does with a learner: asks, offers, or passes them by, and for what reason."""

    ASK = "ask"
    OFFER = "offer"
    NOT_COACHED = "not_coached"
    FLAG_OFF = "flag_off"
    ANONYMOUS = "anonymous"
    INACTIVE = "inactive"
    STAFF = "staff"
    ANSWERED = "answered"
    LET_THROUGH = "let_through"
    NOT_ENROLLED = "not_enrolled"
    COURSE_TEAM = "course_team"
    NOT_ELIGIBLE = "not_eligible"
    UNDER_AGE = "under_age"
    CONSENTED = "consented"
    DISMISSED = "dismissed"
    DO_NOT_ASK = "do_not_ask"
    MASQUERADING = "masquerading"


class Learner:
    """A learner as a door meets them in a request: what it must know is looked up when it is first asked for."""

    def __init__(self, user) -> None:
        self.user = user
        # When all courseware state was looked at last, and none was recent.
        self._states_seen_at: datetime | None = None

    # The flags, for the current request.

    def is_enabled(self) -> bool:
        """Return whether coaching is on."""
        return toggles.is_enabled()

    def redirects_on_course_entry(self) -> bool:
        """Return whether course doors ask."""
        return toggles.redirects_on_course_entry()

    def shows_dashboard_card(self) -> bool:
        """Return whether the dashboard shows the card."""
        return toggles.shows_dashboard_card()

    def offers_account_settings(self) -> bool:
        """Return whether account settings offer the consent switch."""
        return toggles.offers_account_settings()

    # The learner.

    @cached_property
    def standing(self) -> CoachingConsent:
        """Where the learner stands."""
        return consent.standing(self.user)

    @cached_property
    def verdict(self) -> Verdict:
        """What the rules say of the learner."""
        return eligibility.explain(self.user)

    def has_answered(self) -> bool:
        """Return whether the asking is over, and remember it where it is."""
        return answered.has_answered(self.user.id)

    def has_consented(self) -> bool:
        """Return whether a consent stands, and remember one that was read from the table."""
        if answered.is_known_to_have_consented(self.user.id):
            return True
        if self.standing.is_consented:
            answered.remember(self.user.id, self.standing)
        return self.standing.is_consented

    def remembered(self, course_key: CourseKey) -> Decision | None:
        """Return what the cache knows of the learner at the door of a course run, in one round trip."""
        found = cache.get_many(remembering_keys(self.user.id, [course_key]))
        self._states_seen_at = found.get(_states_seen_key(self.user.id))
        return remembered(found, self.user.id, course_key)

    def on_entering(self, course_key: CourseKey) -> Decision:
        """
        Return what the rules say of the learner at the door of a course run, and remember a pass for a while.

        Who may be asked on the next page, for the visit to this one, does not pass that one by: of them is remembered
        that no courseware state was recent, so that only what changes from now on has to be looked at.
        """
        seen_at, now = self._states_seen_at, timezone.now()
        verdict = eligibility.explain(self.user, entering=course_key, states_from=seen_at and seen_at - LATE)
        decision = by_rules(verdict, course_key)
        if decision is Decision.ASK:
            return decision
        if not _visit_may_change(verdict, course_key):
            cache.set(_passed_key(self.user.id, course_key), decision.value, PASSED_SECONDS)
        elif seen_at is None:
            cache.set(_states_seen_key(self.user.id), now, PASSED_SECONDS)
        return decision


# The doors -------------------------------------------------------------------------------------------------------


def course_door(learner: Learner, course_key: CourseKey) -> Decision:
    """
    Decide whether a learner is asked on entering a course run.

    Cheapest first, since every course page of every learner comes here: a set in the process, the flags, one round
    trip to the cache, one query for the learner, one for the answer.
    """
    if not coached_courses.is_coached(course_key):
        return Decision.NOT_COACHED
    if not learner.redirects_on_course_entry():
        return Decision.FLAG_OFF
    if not learner.user.is_authenticated:
        return Decision.ANONYMOUS
    if not learner.user.is_active:
        return Decision.INACTIVE
    if learner.user.is_staff:
        return Decision.STAFF
    if known := learner.remembered(course_key):
        return known
    decision = learner.on_entering(course_key)
    return Decision.ANSWERED if decision is Decision.ASK and learner.has_answered() else decision


def consent_page(learner: Learner) -> Decision:
    """Decide whether the consent page shows its form to a learner; it sends anybody else on."""
    if not learner.is_enabled():
        return Decision.FLAG_OFF
    if not learner.user.is_active:
        return Decision.INACTIVE
    if learner.standing.is_consented:
        return Decision.CONSENTED
    return _barred(learner.verdict) or Decision.ASK


def dashboard_card(learner: Learner) -> Decision:
    """
    Decide whether the dashboard shows the card to a learner.

    Cheapest first, since every dashboard comes here: a set in the process, the flags, one round trip to the cache, the
    learner's row, and one query for the learner. The row comes before that, so that a consent that has outlived
    eligibility is found, and remembered.
    """
    if not coached_courses.keys():
        return Decision.NOT_COACHED
    if not learner.shows_dashboard_card():
        return Decision.FLAG_OFF
    if not learner.user.is_authenticated:
        return Decision.ANONYMOUS
    if not learner.user.is_active:
        return Decision.INACTIVE
    if learner.has_consented():
        return Decision.CONSENTED
    if learner.standing.card_dismissed_at:
        return Decision.DISMISSED
    if learner.standing.do_not_ask:
        return Decision.DO_NOT_ASK
    return _barred(learner.verdict) or Decision.OFFER


def account_settings(learner: Learner) -> Decision:
    """Decide whether account settings show the fields: to who may consent, and to who has, so as to withdraw."""
    if learner.standing.is_consented:
        return Decision.CONSENTED
    if not learner.offers_account_settings():
        return Decision.FLAG_OFF
    return _barred(learner.verdict) or Decision.OFFER


def eligibility_api(learner: Learner) -> Decision:
    """Decide what the API tells a learner of their eligibility."""
    if not learner.user.is_active:
        return Decision.INACTIVE
    if not learner.is_enabled():
        return Decision.FLAG_OFF
    return _barred(learner.verdict) or Decision.OFFER


# What they are made of -------------------------------------------------------------------------------------------


def by_rules(verdict: Verdict, course_key: CourseKey) -> Decision:
    """Return whether a learner is one to ask, on entering a run in which they are enrolled, in any mode."""
    run = verdict.run(course_key)
    if run is None or not run.facts.is_active:
        return Decision.NOT_ENROLLED
    if run.facts.has_course_role:
        return Decision.COURSE_TEAM
    return _barred(verdict) or Decision.ASK


def let_through(user_id: int, seconds: int) -> None:
    """Have every course door pass a learner for so many seconds."""
    cache.set(_let_through_key(user_id), True, seconds)


def remembering_keys(user_id: int, course_keys: list[CourseKey]) -> list[str]:
    """Return the cache keys under which something may be remembered of a learner at the doors of course runs."""
    passed = [_passed_key(user_id, course_key) for course_key in course_keys]
    return [answered.key(user_id), _let_through_key(user_id), _states_seen_key(user_id), *passed]


def remembered(found: dict[str, Any], user_id: int, course_key: CourseKey) -> Decision | None:
    """Return what is remembered of a learner at the door of a course run, of what the cache has found."""
    if answered.key(user_id) in found:
        return Decision.ANSWERED
    if _let_through_key(user_id) in found:
        return Decision.LET_THROUGH
    passed = found.get(_passed_key(user_id, course_key))
    return None if passed is None else Decision(passed)


def _barred(verdict: Verdict) -> Decision | None:
    """Return why a learner may not consent, or None where they may."""
    if not verdict.is_eligible:
        return Decision.NOT_ELIGIBLE
    return None if verdict.old_enough else Decision.UNDER_AGE


def _visit_may_change(verdict: Verdict, course_key: CourseKey) -> bool:
    """Return whether the visit that is being let through is the activity that the learner lacks."""
    run = verdict.run(course_key)
    return not verdict.is_eligible and run is not None and run.lacks_only_activity


def _passed_key(user_id: int, course_key: CourseKey) -> str:
    # Hashed, since a course key may hold what memcached takes in no key. The version changes with what is kept there.
    return f"coaching_plugin.passed.v2.{user_id}.{hashlib.sha256(str(course_key).encode()).hexdigest()[:32]}"


def _let_through_key(user_id: int) -> str:
    return f"coaching_plugin.let_through.v1.{user_id}"


def _states_seen_key(user_id: int) -> str:
    return f"coaching_plugin.states_seen.v1.{user_id}"
