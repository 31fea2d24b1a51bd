"""``erase_expired_evidence``: erase what is personal of who does not consent, once it was kept long enough."""

import logging

from django.core.management.base import BaseCommand, CommandError

from coaching_plugin import conf, consent, retention
from coaching_plugin.faults import log_fault
from coaching_plugin.models import Door

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Run it from cron, daily. Answers, dates and the chain of events stay; the partner hears whom it must erase."""

    help = (
        "Erase phone numbers, IP addresses and user agents of learners who do not consent and of whom nothing was "
        "recorded for COACHING_EVIDENCE_RETENTION_DAYS. Exits 1 where one could not be erased."
    )

    def add_arguments(self, parser):
        """Take ``--dry-run``."""
        parser.add_argument("--dry-run", action="store_true", help="Only count whose evidence would be erased.")

    def handle(self, *args, **options):
        """Erase learner by learner, each in a transaction of its own, and say of how many; a failure stops nobody."""
        days = conf.evidence_retention_days()
        if days is None:
            self.stdout.write("Nothing is to be erased: COACHING_EVIDENCE_RETENTION_DAYS is not set.")
            return
        since = retention.quiet_since(days)
        if options["dry_run"]:
            count = sum(1 for _ in retention.expired(since))
            self.stdout.write(f"Would be erased: the evidence of {count} learner(s).")
            return
        erased = failed = 0
        for row in retention.expired(since):
            try:
                erased += consent.erase_expired(row, since, consent.Evidence(door=Door.ADMIN))
            except Exception as error:
                log_fault(log, error, "User %s: the expired evidence could not be erased", row.user_id)
                failed += 1
        if failed:
            raise CommandError(f"Erased: the evidence of {erased} learner(s). Not erased, see the log: {failed}.")
        self.stdout.write(f"Erased: the evidence of {erased} learner(s).")
