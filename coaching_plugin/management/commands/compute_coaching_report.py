"""``compute_coaching_report``: count the report of the coming day, and how many learners are eligible on this one."""

import logging

from django.core.management.base import BaseCommand, CommandError

from coaching_plugin.faults import log_fault
from coaching_plugin.reports import snapshot

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Run it from cron, nightly. Nobody can tell later how many learners were eligible on a day when it did not run."""

    help = (
        "Count the reports on all learners and on each program, keep them for a day, and store how many learners are "
        "eligible today. Run twice a day, it stores the same once. Exits 1 where it fails."
    )

    def handle(self, *args, **options):
        """Count, and say of what; a terminal is told how far it is."""
        try:
            reports, counts = snapshot.fill(self._progress)
        except Exception as error:
            log_fault(log, error, "The coaching report could not be counted")
            raise CommandError(f"The report could not be counted ({type(error).__name__}); see the log.") from None
        self.stdout.write(f"Reports counted: {reports}. Counts of eligible learners stored: {counts}.")

    def _progress(self, what: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"Counting: {what} ...")
