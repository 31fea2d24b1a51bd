"""Does this learner see the card on the dashboard, and what does it say?"""

from dataclasses import dataclass

from coaching_plugin import decisions, monitoring
from coaching_plugin.decisions import Decision, Learner
from coaching_plugin.models import CoachingConsent
from coaching_plugin.monitoring import MonitoredDoor

Status = CoachingConsent.Status


@dataclass(frozen=True)
class Card:
    """The card as one learner sees it."""

    said_no_before: bool


def card_of(user) -> Card | None:
    """Return the card for a learner who may consent and has not, unless they dismissed it or are not to be asked."""
    learner = Learner(user)
    decision = decisions.dashboard_card(learner)
    monitoring.note(MonitoredDoor.DASHBOARD_CARD, decision)
    if decision is not Decision.OFFER:
        return None
    return Card(said_no_before=learner.standing.status in (Status.DECLINED, Status.WITHDRAWN))
