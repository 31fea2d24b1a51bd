"""``deliver_to_partner``: send the coaching partner what waits for it."""

from django.core.management.base import BaseCommand, CommandError

from coaching_plugin import conf, outbox, toggles
from coaching_plugin.models import PartnerDelivery
from coaching_plugin.partner import delivery

Status = PartnerDelivery.Status


class Command(BaseCommand):
    """Run it from cron, every few minutes; beside workers and beside itself, too."""

    help = "Deliver what is due on every channel to the coaching partner, and say what came of it."

    def add_arguments(self, parser):
        """Take what else an operator may want."""
        parser.add_argument(
            "--queue-all",
            metavar="CHANNEL",
            help="First queue everybody of whom the partner should know, for a channel that was added later, or whose "
            "partner has lost what it was told.",
        )
        parser.add_argument(
            "--refresh", action="store_true", help="Write the roster channels anew, even if nothing has changed."
        )

    def handle(self, *args, queue_all, refresh, **options):
        """Deliver to the end. Exit 2 where there is no such channel; a partner that takes nothing is no error."""
        if queue_all:
            self._queue_all(queue_all)
        if not toggles.delivers_to_partner():
            self.stdout.write(f"The switch {toggles.PARTNER_DELIVERY.name} is off: {self._left()}.")
            return
        drained = delivery.drain(refresh=refresh)
        self.stdout.write(
            f"Changes sent: {drained.sent}. Rosters written: {drained.rosters}. Attempts failed: {drained.failed}, "
            f"changes parked by that: {drained.parked}. Now {self._left()}."
        )

    def _queue_all(self, channel):
        if channel not in conf.partner_channels():
            raise CommandError(f"COACHING_PARTNER_CHANNELS has no channel {channel}.", returncode=2)
        self.stdout.write(f"Learners queued for {channel}: {outbox.add_everybody(channel)}.")

    def _left(self):
        rows = PartnerDelivery.objects
        waiting, parked = (rows.filter(status=status).count() for status in (Status.WAITING, Status.PARKED))
        return f"{waiting} waiting, {parked} parked"
