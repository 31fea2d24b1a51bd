"""``verify_consent_ledger``: walk the chain of every learner's consent events."""

from django.core.management.base import BaseCommand, CommandError

from coaching_plugin import ledger
from coaching_plugin.models import CoachingConsent


class Command(BaseCommand):
    """Finds edits and cuts by anyone but a person who rewrites the events and the heads on the consent rows."""

    help = "Verify the consent ledger. Names the first broken event and exits 1 where one is found."

    def handle(self, *args, **options):
        """Walk the chains; report the first break, or how many learners' chains hold."""
        intact = 0
        for broken in ledger.verify(CoachingConsent.objects.all()):
            if broken:
                raise CommandError(
                    f"Broken: event {broken.sequence} of consent {broken.partner_id}: {broken.problem}. "
                    f"{intact} chain(s) before it hold."
                )
            intact += 1
        self.stdout.write(f"Intact: the chains of {intact} learner(s).")
