"""What proves a consent: an append-only chain of events for each learner, and its verification."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from coaching_plugin.disclosures import ShownDisclosure
from coaching_plugin.models import CoachingConsent, ConsentEvent

SALT_BYTES = 32


@dataclass(frozen=True)
class Break:
    """Where a learner's chain does not hold, and why: ``problem`` is in English, and can be translated."""

    partner_id: str
    sequence: int
    problem: str


def append(consent: CoachingConsent, kind: str, **facts: Any) -> ConsentEvent:
    """
    Append an event to a learner's chain and move the head on ``consent``; the caller holds its lock and saves it.

    The facts are those that ``next_event`` takes.
    """
    event = next_event(consent, kind, **facts)
    event.save()
    consent.last_sequence, consent.last_hash = event.sequence, event.hash
    return event


def next_event(
    consent: CoachingConsent,
    kind: str,
    *,
    door: str,
    reason: str = "",
    actor_id: int | None = None,
    shown: ShownDisclosure | None = None,
    phone_number: str = "",
    ip: str | None = None,
    user_agent: str = "",
    occurred_at: datetime | None = None,
    salt: str | None = None,
) -> ConsentEvent:
    """
    Return the event that follows a learner's last, with its hashes, stored nowhere; the head stays where it is.

    ``phone_number`` is E.164; ``occurred_at`` is now by default, and the salt a new one.
    """
    event = ConsentEvent(
        consent=consent,
        learner_id=consent.user_id,
        sequence=consent.last_sequence + 1,
        kind=kind,
        reason=reason,
        occurred_at=occurred_at or timezone.now(),
        door=door,
        actor_id=actor_id,
        disclosure=shown.disclosure if shown else None,
        shown_sha256=shown.sha256 if shown else "",
        shown_with=shown.values if shown else {},
        phone_number=phone_number,
        ip=ip or None,
        user_agent=user_agent,
        salt=secrets.token_hex(SALT_BYTES) if salt is None else salt,
        previous_hash=consent.last_hash,
    )
    event.personal_digest = _personal_digest(event)
    event.hash = _hash(event)
    return event


def blank_personal_data(consent: CoachingConsent) -> None:
    """Blank number, IP address, user agent and salt of all of a learner's events: the one change that is allowed."""
    # The plain query set, since the model's own refuses every update.
    QuerySet(ConsentEvent).filter(consent=consent).update(phone_number="", ip=None, user_agent="", salt="")


def holds_personal_data(consent: CoachingConsent) -> bool:
    """Return whether anything of a learner is left to erase."""
    return bool(consent.phone_number) or consent.events.exclude(salt="").exclude(kind=ConsentEvent.Kind.ERASED).exists()


def verify_one(consent: CoachingConsent) -> Break | None:
    """
    Return the first broken event of one learner's chain, or None where it holds.

    What this finds: events edited, removed, put in or exchanged by anyone who did not also rewrite the hashes that
    follow and the head on the consent row.
    """
    previous_hash, sequence = "", 0
    events = list(consent.events.all())
    last_erasure = max((event.sequence for event in events if event.kind == ConsentEvent.Kind.ERASED), default=0)
    for event in events:
        sequence += 1
        problem = _problem(event, sequence, previous_hash, consent, erased=event.sequence < last_erasure)
        if problem:
            return Break(str(consent.partner_id), sequence, problem)
        previous_hash = event.hash
    if (consent.last_sequence, consent.last_hash) != (sequence, previous_hash):
        return Break(
            str(consent.partner_id), sequence + 1, gettext_noop("the chain ends before the head on the consent row")
        )
    return None


def _problem(
    event: ConsentEvent, sequence: int, previous_hash: str, consent: CoachingConsent, erased: bool
) -> str | None:
    if event.sequence != sequence:
        return gettext_noop("an event is missing")
    if event.previous_hash != previous_hash:
        return gettext_noop("it does not follow the event before it")
    if event.hash != _hash(event):
        return gettext_noop("it was changed")
    if consent.user_id is not None and event.learner_id != consent.user_id:
        return gettext_noop("it belongs to another learner")
    if event.disclosure and event.disclosure.sha256 != event.disclosure.digest(event.disclosure.body):
        return gettext_noop("the words of its disclosure were changed")
    blank = not (event.salt or event.phone_number or event.ip or event.user_agent)
    if blank and erased:
        return None
    if event.personal_digest != _personal_digest(event):
        return gettext_noop("its number, IP address or user agent were changed")
    return None


def _personal_digest(event: ConsentEvent) -> str:
    personal = {"ip": event.ip, "number": event.phone_number, "user_agent": event.user_agent}
    try:
        salt = bytes.fromhex(event.salt)
    except ValueError:
        salt = b""
    if salt.hex() != event.salt:
        return "a salt that is no salt, or is written in another way, matches nothing"
    return hashlib.sha256(salt + _canonical(personal)).hexdigest()


def _hash(event: ConsentEvent) -> str:
    """Return the SHA-256 over everything of the event but the personal data, which its digest stands for."""
    words = event.disclosure and [event.disclosure.version, event.disclosure.language, event.disclosure.sha256]
    content = {
        "consent": str(event.consent.partner_id),
        "learner": event.learner_id,
        "sequence": event.sequence,
        "kind": str(event.kind),
        "reason": event.reason,
        "occurred_at": event.occurred_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "door": str(event.door),
        "actor": event.actor_id,
        "disclosure": words,
        "shown_sha256": event.shown_sha256,
        "shown_with": event.shown_with,
        "personal_digest": event.personal_digest,
        "previous_hash": event.previous_hash,
    }
    return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
