"""Which learners' evidence has been kept long enough, and is to be erased."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from coaching_plugin.models import CoachingConsent, ConsentEvent

CHUNK_SIZE = 500


def quiet_since(days: int) -> datetime:
    """
    Return the last moment at which something may have been recorded of a learner whose evidence is erased today.

    Whole days, UTC: with one day, what was recorded at any time of the day before yesterday is erased today.
    """
    first_day_kept = timezone.now().astimezone(UTC).date() - timedelta(days=min(days, 36_500))
    return datetime.combine(first_day_kept, time.min, UTC) - timedelta(microseconds=1)


def expired(since: datetime) -> Iterator[CoachingConsent]:
    """
    Yield, in constant memory, who does not consent, holds something personal, and has no event after ``since``.

    Each is only a candidate, read without a lock: ``consent.erase_expired`` judges anew.
    """
    events = ConsentEvent.objects.filter(consent=OuterRef("pk"))
    evidence = events.exclude(salt="").exclude(kind=ConsentEvent.Kind.ERASED)
    rows = (
        CoachingConsent.objects.exclude(status=CoachingConsent.Status.CONSENTED)
        .filter(~Exists(events.filter(occurred_at__gt=since)))
        .filter(~Q(phone_number="") | Exists(evidence))
        .order_by("pk")
    )
    last = 0
    # By the key, not by a cursor: what is erased meanwhile must neither shift a page nor hold a transaction open.
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK_SIZE]):
        yield from chunk
        last = chunk[-1].pk
