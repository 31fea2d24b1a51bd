"""How a channel is doing: whether it is left alone after failures, and which worker writes its roster."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import F, Q
from django.utils import timezone

from coaching_plugin.models import PartnerChannel

FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(hours=1)
LONGEST_RETRY_AFTER = timedelta(days=1)
# For as long a worker that writes a roster may be silent. It renews that while rows are read, and at their end: what
# follows, an upload perhaps, must be done within it.
ROSTER_LEASE = timedelta(minutes=10)


class LeaseLost(Exception):
    """Raised where a worker was silent for so long that another one may write the roster."""


def delay(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row, one or more: twice as long each time, up to an hour."""
    return min(FIRST_DELAY * 2 ** min(failures - 1, 10), LONGEST_DELAY)


def is_paused(name: str) -> bool:
    """Return whether a channel is to be left alone now."""
    return PartnerChannel.objects.filter(name=name, not_before__gt=timezone.now()).exists()


def note_failure(name: str, *, tolerated: int, retry_after: timedelta | None = None) -> bool:
    """
    Count a failure of a channel and return whether it is paused now.

    Args:
        tolerated: after how many failures in a row there is no pause yet.
        retry_after: how long the partner asks to be left alone; a day at most is granted, and at once.
    """
    now = timezone.now()
    channel = PartnerChannel.objects.filter(pk=_row(name).pk)
    channel.update(failures=F("failures") + 1)
    failures, not_before = channel.values_list("failures", "not_before").get()
    pause = min(retry_after or timedelta(), LONGEST_RETRY_AFTER)
    if failures > tolerated:
        pause = max(pause, delay(failures - tolerated))
    if pause > timedelta():
        # Another worker may have been told to wait longer.
        channel.filter(Q(not_before=None) | Q(not_before__lt=now + pause)).update(not_before=now + pause)
    return pause > timedelta() or (not_before is not None and not_before > now)


def note_success(name: str) -> None:
    """Forget the failures of a channel."""
    PartnerChannel.objects.filter(name=name, failures__gt=0).update(failures=0)


def resume(name: str) -> None:
    """Forget the failures of a channel, and its pause: it is tried again at once."""
    PartnerChannel.objects.filter(name=name).update(failures=0, not_before=None)


def take_lease(name: str, *, despite_pause: bool = False) -> UUID | None:
    """Return the lease with which the roster of a channel may be written; None: not now, or by another worker."""
    now, lease = timezone.now(), uuid4()
    may = Q(leased_until=None) | Q(leased_until__lte=now)
    if not despite_pause:
        may &= Q(not_before=None) | Q(not_before__lte=now)
    taken = PartnerChannel.objects.filter(may, pk=_row(name).pk).update(lease=lease, leased_until=now + ROSTER_LEASE)
    return lease if taken else None


def renew_lease(name: str, lease: UUID) -> None:
    """Have a lease last from now on. Raises ``LeaseLost`` where it is another worker's by now."""
    if not PartnerChannel.objects.filter(name=name, lease=lease).update(leased_until=timezone.now() + ROSTER_LEASE):
        raise LeaseLost


def give_back_lease(name: str, lease: UUID, *, not_before: datetime | None = None) -> bool:
    """Give a lease back, with the time of the next roster after a success; return whether it had not been lost."""
    outcome = {} if not_before is None else {"failures": 0, "not_before": not_before}
    held = PartnerChannel.objects.filter(name=name, lease=lease)
    return bool(held.update(lease=None, leased_until=None, **outcome))


def _row(name: str) -> PartnerChannel:
    return PartnerChannel.objects.get_or_create(name=name)[0]
