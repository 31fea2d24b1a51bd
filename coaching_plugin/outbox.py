"""What the partner must hear of: a row for each change and channel, stored in the transaction of the change itself."""

from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import QuerySet
from django.dispatch import Signal
from django.utils import timezone

from coaching_plugin import conf
from coaching_plugin.models import CoachingConsent, PartnerDelivery

CHUNK = 500

# Sent once a change is committed that waits to be delivered.
deliveries_waiting = Signal()


def add(consent: CoachingConsent) -> None:
    """Have each channel deliver the learner's last event; the caller holds the lock of the row and its transaction."""
    channels = conf.partner_channels()
    if not channels:
        return
    PartnerDelivery.objects.bulk_create(
        PartnerDelivery(channel=name, partner_id=consent.partner_id, sequence=consent.last_sequence)
        for name in channels
    )
    announce()


def announce() -> None:
    """Have what waits delivered soon, once it is committed."""
    # A broker that is down turns no answer into an error: what waits here is delivered by the command, too.
    transaction.on_commit(lambda: deliveries_waiting.send(sender=PartnerDelivery), robust=True)


def add_everybody(channel: str) -> int:
    """
    Have a channel deliver, anew, how everybody stands of whom the partner should know; return how many they are.

    For a channel that was not there when they answered, or whose partner has lost what it was told.
    """
    known = CoachingConsent.objects.filter(changed_at__isnull=False)
    return sum(_add_again(channel, chunk) for chunk in _chunks(known))


def _add_again(channel: str, consents: list[CoachingConsent]) -> int:
    """Add a row for where each stands; one that is there already waits again, and is tried as often as a new one."""
    now = timezone.now()
    PartnerDelivery.objects.bulk_create(
        [
            PartnerDelivery(
                channel=channel,
                partner_id=consent.partner_id,
                sequence=consent.last_sequence,
                created_at=now,
                due_at=now,
            )
            for consent in consents
        ],
        update_conflicts=True,
        update_fields=["status", "due_at"],
        unique_fields=(
            ["channel", "partner_id", "sequence"] if connection.features.supports_update_conflicts_with_target else None
        ),
    )
    # Never back to none: something may have been sent under its id.
    again = PartnerDelivery.objects.filter(channel=channel, status=PartnerDelivery.Status.WAITING, attempts__gt=1)
    tried = list(again.filter(partner_id__in=[row.partner_id for row in consents]).values_list("pk", flat=True))
    PartnerDelivery.objects.filter(pk__in=tried).update(attempts=1)
    return len(consents)


def _chunks(consents: QuerySet[CoachingConsent]) -> Iterator[list[CoachingConsent]]:
    """Yield rows some at a time, in constant memory, which not every database client gives to one long answer."""
    rows = consents.only("partner_id", "last_sequence").order_by("pk")
    last = 0
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1].pk
