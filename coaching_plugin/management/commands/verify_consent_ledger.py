"""``verify_consent_ledger``: walk the chain of every learner's consent events, and hold their row against it."""

from django.core.management.base import BaseCommand, CommandError

from coaching_plugin import audit
from coaching_plugin.management.progress import with_bar
from coaching_plugin.models import CoachingConsent


class Command(BaseCommand):
    """Finds edits and cuts by anyone but a person who rewrites the events and the consent rows beside them."""

    help = (
        "Verify the consent ledger. Names the first broken event, or the first consent row that is not where its "
        "events left it, and exits 1 where one is found."
    )

    def handle(self, *args, **options):
        """Walk the chains; report the first break, or how many learners' chains hold."""
        intact = 0
        consents = CoachingConsent.objects.all()
        for consent, verdict in with_bar(audit.of_each(consents), "Verifying", consents.count()):
            if not verdict.is_sound:
                raise CommandError(f"Broken: {_said(consent, verdict)}. {intact} chain(s) before it hold.")
            intact += 1
        self.stdout.write(f"Intact: the chains of {intact} learner(s), and the rows beside them.")


def _said(consent: CoachingConsent, verdict: audit.Verdict) -> str:
    if broken := verdict.broken:
        return f"event {broken.sequence} of consent {broken.partner_id}: {broken.problem}"
    return f"the row of consent {consent.partner_id} is not where its events left it: {', '.join(verdict.differing)}"
