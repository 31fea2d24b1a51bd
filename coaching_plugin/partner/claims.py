"""Which worker may send which message: a learner's lowest waiting change, for as long as its lease lasts."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.utils import timezone

from coaching_plugin import conf
from coaching_plugin.models import PartnerDelivery
from coaching_plugin.partner import health

Status = PartnerDelivery.Status
UNSENT = [Status.WAITING, Status.PARKED]
CODE_LENGTH = PartnerDelivery._meta.get_field("last_error").max_length

# How many messages a worker claims at a time, and among how many it looks for them: others look at the same moment.
BATCH, LOOKED_AT = 10, 100
# What a lease lasts beyond the time that the messages may take.
MARGIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Claim:
    """A row that this worker alone may send, and until when."""

    pk: int
    channel: str
    partner_id: UUID
    sequence: int
    # Zero says that nothing was ever sent under its id.
    attempts: int
    leased_until: datetime

    @property
    def delivery_id(self) -> str:
        """The id of its message, the same at every attempt."""
        return f"msg_{self.partner_id.hex}_{self.sequence}"

    def lasts(self, seconds: float) -> bool:
        """Return whether the lease lasts for so many seconds more."""
        return timezone.now() + timedelta(seconds=seconds) < self.leased_until


def claim(channel: str, seconds_per_message: float) -> list[Claim]:
    """Return what is due on a channel and now this worker's to send: one row a learner, none that another has."""
    # Again where others took all that was looked at meanwhile; a worker that comes away empty leaves the rest to them.
    for _ in range(3):
        candidates = _candidates(channel)
        if not candidates:
            break
        if claims := _lease(candidates, timedelta(seconds=BATCH * seconds_per_message) + MARGIN):
            return claims
    return []


def mark_sent(claim: Claim, sequence_told: int) -> int:
    """
    Mark as sent a row whose message was taken, and those of the learner that it has overtaken; return how many.

    Args:
        sequence_told: that of the entry which the message carried.
    """
    now = timezone.now()
    if not _held(claim).update(
        status=Status.SENT, sent_at=now, attempts=F("attempts") + 1, leased_until=None, last_error=""
    ):
        # The lease ran out. Whoever has it now sends it again, and the partner drops one of the two.
        return 0
    # A message that was tried before may have been taken then, with less to tell, and dropped now.
    told = sequence_told if claim.attempts == 0 else claim.sequence
    of_learner = PartnerDelivery.objects.filter(channel=claim.channel, partner_id=claim.partner_id)
    # Looked for first, and written by primary key: no gap is locked in which a learner's next change has its place.
    overtaken = list(of_learner.filter(status__in=UNSENT, sequence__lte=told).values_list("pk", flat=True))
    if not overtaken:
        return 1
    return 1 + PartnerDelivery.objects.filter(pk__in=overtaken).update(
        status=Status.SENT, sent_at=now, leased_until=None
    )


def mark_failed(claim: Claim, code: str) -> bool:
    """Have a row tried again later, for the reason (a code) given, or parked; return whether it was parked."""
    attempts = claim.attempts + 1
    is_parked = attempts >= conf.partner_max_attempts()
    return bool(
        _held(claim).update(
            status=Status.PARKED if is_parked else Status.WAITING,
            attempts=attempts,
            # Full jitter: what failed together does not come back together.
            due_at=timezone.now() + health.delay(attempts) * random.random(),
            leased_until=None,
            last_error=code[:CODE_LENGTH],
        )
        and is_parked
    )


def release(claims: Iterable[Claim]) -> None:
    """Give back what was claimed and not tried."""
    claims = list(claims)
    if claims:
        held = PartnerDelivery.objects.filter(pk__in=[claim.pk for claim in claims])
        held.filter(leased_until=claims[0].leased_until).update(leased_until=None)


def try_again(rows: QuerySet[PartnerDelivery]) -> int:
    """Have rows that were not sent tried at once, and as often again as others; return how many."""
    return rows.filter(status__in=UNSENT).update(
        status=Status.WAITING,
        due_at=timezone.now(),
        # Not to none: something may have been sent under its id.
        attempts=Case(When(attempts=0, then=0), default=1),
    )


def _candidates(channel: str) -> list[int]:
    """Return the rows that may be claimed, the longest due first, without a lock."""
    lower = PartnerDelivery.objects.filter(
        channel=OuterRef("channel"),
        partner_id=OuterRef("partner_id"),
        sequence__lt=OuterRef("sequence"),
        status=Status.WAITING,
    )
    rows = PartnerDelivery.objects.filter(_may_be_claimed(), ~Exists(lower), channel=channel)
    return list(rows.order_by("due_at", "pk").values_list("pk", flat=True)[:LOOKED_AT])


def _lease(candidates: list[int], lease: timedelta) -> list[Claim]:
    """Lock candidates by primary key, and so no gap between rows, and return those that still may be claimed."""
    leased_until = timezone.now() + lease
    with transaction.atomic(durable=True):
        locked = PartnerDelivery.objects.select_for_update(
            skip_locked=connection.features.has_select_for_update_skip_locked
        )
        rows = list(locked.filter(_may_be_claimed(), pk__in=candidates).order_by("pk")[:BATCH])
        if rows:
            PartnerDelivery.objects.filter(pk__in=[row.pk for row in rows]).update(
                # A worker that had it before has died, and may have sent it. First, since MySQL and MariaDB assign one
                # after the other.
                attempts=F("attempts") + Case(When(leased_until=None, then=0), default=1),
                leased_until=leased_until,
            )
    return [
        Claim(
            pk=row.pk,
            channel=row.channel,
            partner_id=row.partner_id,
            sequence=row.sequence,
            attempts=row.attempts + (row.leased_until is not None),
            leased_until=leased_until,
        )
        for row in rows
    ]


def _may_be_claimed() -> Q:
    now = timezone.now()
    is_free = Q(leased_until=None) | Q(leased_until__lte=now)
    return Q(status=Status.WAITING, due_at__lte=now) & is_free


def _held(claim: Claim) -> QuerySet[PartnerDelivery]:
    return PartnerDelivery.objects.filter(pk=claim.pk, leased_until=claim.leased_until)
