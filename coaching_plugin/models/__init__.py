"""What is stored: each learner's standing, the ledger of every change, the outbox, disclosures, coached course runs."""

from coaching_plugin.models.consent import AppendOnlyError, CoachingConsent, ConsentEvent, Disclosure, Door
from coaching_plugin.models.courses import CoachedCourse, EligibleCount
from coaching_plugin.models.partner import PartnerChannel, PartnerDelivery, PartnerOptOut

__all__ = [
    "AppendOnlyError",
    "CoachedCourse",
    "CoachingConsent",
    "ConsentEvent",
    "Disclosure",
    "Door",
    "EligibleCount",
    "PartnerChannel",
    "PartnerDelivery",
    "PartnerOptOut",
]
