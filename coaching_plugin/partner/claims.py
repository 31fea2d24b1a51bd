"""Which worker may send which message: a learner's lowest waiting change, for as long as its lease lasts."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.utils import timezone

from coaching_plugin import conf
from coaching_plugin.models import PartnerDelivery
from coaching_plugin.partner import health

Status = PartnerDelivery.Status
UNSENT = [Status.WAITING, Status.PARKED]
CODE_LENGTH = PartnerDelivery._meta.get_field("last_error").max_length

# How many rows a worker looks at before it looks anew.
LOOKED_AT = 50
# What a lease lasts beyond the time that its message may take.
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


def candidates(channel: str) -> list[int]:
    """Return some rows of a channel that may be claimed, by primary key: the longest due, and one a learner."""
    lower = PartnerDelivery.objects.filter(
        channel=OuterRef("channel"),
        partner_id=OuterRef("partner_id"),
        sequence__lt=OuterRef("sequence"),
        status=Status.WAITING,
    )
    rows = PartnerDelivery.objects.filter(_may_be_claimed(), ~Exists(lower), channel=channel)
    found = list(rows.order_by("due_at", "pk").values_list("pk", flat=True)[:LOOKED_AT])
    # Workers that look at the same moment then try the same rows in different orders.
    random.shuffle(found)
    return found


def claim(pk: int, seconds: float) -> Claim | None:
    """
    Claim a row to be sent within so many seconds; None where another worker has it, or has sent it.

    Locked by its primary key alone, and one by one: of a list, a small table is read whole, and at REPEATABLE READ
    that locks the place in which a learner's next change is to be stored.
    """
    leased_until = timezone.now() + timedelta(seconds=seconds) + MARGIN
    with transaction.atomic(durable=True):
        locked = PartnerDelivery.objects.select_for_update(
            skip_locked=connection.features.has_select_for_update_skip_locked
        )
        row = locked.filter(_may_be_claimed(), pk=pk).first()
        if row is None:
            return None
        # A worker that had it before has died, and may have sent it.
        attempts = row.attempts + (row.leased_until is not None)
        PartnerDelivery.objects.filter(pk=pk).update(leased_until=leased_until, attempts=attempts)
    return Claim(pk, row.channel, row.partner_id, row.sequence, attempts, leased_until)


def mark_sent(claim: Claim, sequence_told: int) -> int:
    """
    Mark as sent a row whose message was taken, and those of the learner that it has overtaken; return how many.

    Args:
        sequence_told: that of the entry which the message carried.
    """
    now = timezone.now()
    if not _held(claim).update(
        status=Status.SENT, sent_at=now, attempts=claim.attempts + 1, leased_until=None, last_error=""
    ):
        # The lease ran out. Whoever has it now sends it again, and the partner drops one of the two.
        return 0
    # A message that was tried before may have been taken then, with less to tell, and dropped now.
    told = sequence_told if claim.attempts == 0 else claim.sequence
    of_learner = PartnerDelivery.objects.filter(channel=claim.channel, partner_id=claim.partner_id)
    # Looked for first, and written by primary key: no gap is locked in which a learner's next change has its place.
    overtaken = list(of_learner.filter(status__in=UNSENT, sequence__lte=told).values_list("pk", flat=True))
    return 1 + sum(
        PartnerDelivery.objects.filter(pk=pk).update(status=Status.SENT, sent_at=now, leased_until=None)
        for pk in overtaken
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


def try_again(rows: QuerySet[PartnerDelivery]) -> int:
    """Have rows that were not sent tried at once, and as often again as others; return how many."""
    return rows.filter(status__in=UNSENT).update(
        status=Status.WAITING,
        due_at=timezone.now(),
        # Not to none: something may have been sent under its id.
        attempts=Case(When(attempts=0, then=0), default=1),
    )


def _may_be_claimed() -> Q:
    now = timezone.now()
    is_free = Q(leased_until=None) | Q(leased_until__lte=now)
    return Q(status=Status.WAITING, due_at__lte=now) & is_free


def _held(claim: Claim) -> QuerySet[PartnerDelivery]:
    return PartnerDelivery.objects.filter(pk=claim.pk, leased_until=claim.leased_until)
