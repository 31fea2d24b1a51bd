"""Does this learner see the card on the dashboard, and what does it say?"""

from dataclasses import dataclass

from coaching_plugin import answered, coached_courses, consent, eligibility, toggles
from coaching_plugin.models import CoachingConsent

Status = CoachingConsent.Status


@dataclass(frozen=True)
class Card:
    """The card as one learner sees it."""

    said_no_before: bool


def card_of(user) -> Card | None:
    """
    Return the card for a learner who may consent and has not, unless it was dismissed or they are not to be asked.

    Cheapest first, since every dashboard comes here: a set in the process, the flags, one round trip to the cache, the
    learner's row, and one query for the learner. The row comes before that, so that a consent that has outlived
    eligibility is found, and remembered.
    """
    if not coached_courses.keys() or not toggles.shows_dashboard_card():
        return None
    if not user.is_authenticated or not user.is_active or answered.is_known_to_have_consented(user.id):
        return None
    standing = consent.standing(user)
    if standing.is_consented:
        answered.remember(user.id, standing)
        return None
    if standing.card_dismissed_at or standing.do_not_ask or not eligibility.explain(user).may_consent:
        return None
    return Card(said_no_before=standing.status in (Status.DECLINED, Status.WITHDRAWN))
