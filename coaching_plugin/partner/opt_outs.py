"""Decides whom the partner's report of a STOP is about, and that it counts once, however often it comes."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from coaching_plugin import conf, consent, phone
from coaching_plugin.evidence import Evidence
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door, PartnerOptOut

# What the learner wrote, without blanks and hyphens, and the code that the ledger keeps of it; ``revoked`` is the
# partner's own judgement of a message in other words.
REASONS = {
    "STOP": "stop",
    "STOPALL": "stop_all",
    "QUIT": "quit",
    "END": "end",
    "CANCEL": "cancel",
    "UNSUBSCRIBE": "unsubscribe",
    "REVOKE": "revoke",
    "OPTOUT": "opt_out",
    "REVOKED": "revoked",
}
ACCEPTED = "STOP, STOPALL, QUIT, END, CANCEL, UNSUBSCRIBE, REVOKE, OPT OUT or revoked"

_BETWEEN_WORDS = re.compile(r"[\s_\-\u2010-\u2015]+")


class UnknownLearner(Exception):
    """Raised for a learner whom the partner cannot know: there is none of that id or number, or no longer."""


@dataclass(frozen=True)
class Report:
    """What the partner reports: about whom, by one of two names, and by what word (a code)."""

    reason: str
    partner_id: UUID | None = None
    phone_number: str = field(default="", repr=False)


def reason_code(word: str) -> str | None:
    """Return the code of a word by which people opt out, in any case and spacing; None for any other."""
    return REASONS.get(_BETWEEN_WORDS.sub("", word).upper())


def number_reported(typed: str) -> str:
    """
    Return the E.164 form of the number that a report is about, or raise ``phone.InvalidPhoneNumber``.

    One in E.164 is taken as it stands: it may have gone out of use since somebody consented with it.
    """
    return typed if phone.is_e164(typed) else phone.valid(typed, conf.phone_regions())


def take(message_id: str, report: Report) -> dict[str, Any]:
    """
    Opt out everyone whom a report is about, at once, and return what happened to each of them.

    A report whose id was taken before changes nothing, and gets the answer that it got then: the learner may have
    consented anew since. Raises ``UnknownLearner``, and then the id is not kept.
    """
    digest = hashlib.sha256(message_id.encode()).hexdigest()
    if answer := _answer_given(digest):
        return answer
    learners = list(_learners(report))
    if not learners:
        raise UnknownLearner
    try:
        with transaction.atomic():
            answer = {"results": _opt_out(learners, report.reason)}
            PartnerOptOut.objects.create(message_digest=digest, answer=answer)
    except IntegrityError:
        # The same report came at the same moment, and its other copy is through. All that this one did is undone.
        answer = _answer_given(digest)
        if answer is None:
            raise
    return answer


def _answer_given(digest: str) -> dict[str, Any] | None:
    return PartnerOptOut.objects.filter(message_digest=digest).values_list("answer", flat=True).first()


def _learners(report: Report) -> QuerySet[CoachingConsent]:
    """Return the standings of those whom a report is about; one whose account was deleted is nobody any more."""
    # In one order, in which they are locked then, so that no two reports wait for each other.
    known = CoachingConsent.objects.filter(user__isnull=False).select_related("user").order_by("pk")
    if report.partner_id:
        return known.filter(partner_id=report.partner_id)
    # By the ledger: the partner may still have a number that the learner has changed since.
    consented_with = ConsentEvent.objects.filter(
        phone_number=report.phone_number, kind__in=[ConsentEvent.Kind.CONSENTED, ConsentEvent.Kind.PHONE_CHANGED]
    )
    return known.filter(pk__in=consented_with.values("consent_id"))


def _opt_out(learners: Sequence[CoachingConsent], reason: str) -> list[dict[str, str]]:
    """Opt out each of the learners, within the caller's transaction, and return what that changed."""
    # Of the request nothing is kept: the address and the software of the partner's server prove nothing of the learner.
    evidence = Evidence(door=Door.PARTNER)
    results = []
    for learner in learners:
        outcome = consent.opt_out(learner.user, evidence, reason)
        results.append(
            {
                "partner_id": str(learner.partner_id),
                "result": "withdrawn" if outcome.ends_consent else "not_consented",
            }
        )
    return results
