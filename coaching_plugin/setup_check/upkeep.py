"""Does what belongs in cron run?"""

from collections.abc import Iterator
from datetime import UTC, timedelta

from django.db.models import Max
from django.utils import timezone

from coaching_plugin import conf, retention
from coaching_plugin.models import EligibleCount
from coaching_plugin.setup_check.finding import Finding, Level

# A nightly command that was left out once may have been a night of upgrading.
DAYS_MISSED = 2


def check_report() -> Iterator[Finding]:
    """Tell whether eligible learners are counted every night."""
    command = "manage.py lms compute_coaching_report, nightly in cron: what it missed, nobody can tell later."
    last = EligibleCount.objects.aggregate(last=Max("day"))["last"]
    if last is None:
        yield Finding(Level.NOTE, "The learners who are eligible have never been counted for the report.", command)
    elif last < timezone.now().astimezone(UTC).date() - timedelta(days=DAYS_MISSED):
        yield Finding(Level.WARNING, f"Eligible learners were last counted for the report on {last}.", command)
    else:
        yield Finding(Level.OK, f"Eligible learners were last counted for the report on {last}.")


def check_retention() -> Iterator[Finding]:
    """Tell whether evidence that was kept long enough is erased."""
    days = conf.evidence_retention_days()
    if days is None:
        yield Finding(
            Level.NOTE,
            "Evidence is kept as long as the account: COACHING_EVIDENCE_RETENTION_DAYS is not set.",
        )
    elif next(retention.expired(retention.quiet_since(days + DAYS_MISSED)), None):
        yield Finding(
            Level.WARNING,
            f"Evidence is kept for longer than COACHING_EVIDENCE_RETENTION_DAYS says ({days}).",
            "manage.py lms erase_expired_evidence, nightly in cron.",
        )
    else:
        yield Finding(Level.OK, f"No evidence is kept for longer than COACHING_EVIDENCE_RETENTION_DAYS says ({days}).")
