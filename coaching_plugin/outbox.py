"""What the partner must hear of: a row for each change and channel, stored in the transaction of the change itself."""

from django.db import transaction
from django.dispatch import Signal

from coaching_plugin import conf
from coaching_plugin.models import CoachingConsent, PartnerDelivery

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
    # A broker that is down turns no answer into an error: what waits here is delivered by the command, too.
    transaction.on_commit(lambda: deliveries_waiting.send(sender=PartnerDelivery), robust=True)
