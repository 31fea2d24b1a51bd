"""What waits for the partner is sent, by each channel in turn: in no transaction, and for no longer than is given."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from coaching_plugin import monitoring, toggles
from coaching_plugin.faults import log_fault
from coaching_plugin.models import PartnerDelivery
from coaching_plugin.partner import channels, claims, health, roster
from coaching_plugin.partner.channels import Channel, DeliveryError, MessageChannel, RosterChannel
from coaching_plugin.partner.claims import CODE_LENGTH, UNSENT, Claim, Status
from coaching_plugin.partner.roster import Entry

log = logging.getLogger(__name__)

# The third message in a row that fails pauses its channel. A roster is a channel's all.
FAILURES_TOLERATED = 2
RENEWED_AFTER_SECONDS = 60
CHUNK = 1000


@dataclass
class Drained:
    """What a drain did: changes told, attempts that failed, changes that were parked by that, rosters written."""

    sent: int = 0
    failed: int = 0
    parked: int = 0
    rosters: int = 0


def drain(seconds: float | None = None, *, refresh: bool = False) -> Drained:
    """
    Send what is due on every channel, as long as the switch is on, and return what came of it.

    Args:
        seconds: after so many, nothing more is begun; what is left is for the next drain. None: to the end.
        refresh: whether rosters are written even if nothing has changed, or not for long enough.

    Several workers may do so at once. What cannot be sent waits, or is parked, and raises nothing.
    """
    drained = Drained()
    try:
        _drain(drained, seconds, refresh)
    finally:
        # However it ends, what was sent till then was sent.
        monitoring.note_deliveries(**vars(drained))
    return drained


def _drain(drained: Drained, seconds: float | None, refresh: bool) -> None:
    end = None if seconds is None else time.monotonic() + seconds

    def is_over() -> bool:
        return not toggles.delivers_to_partner() or (end is not None and time.monotonic() >= end)

    if is_over():
        return
    in_turn = channels.configured()
    while in_turn and not is_over():
        # Some of each, so that a channel that is slow keeps no other waiting.
        in_turn = {
            name: channel for name, channel in in_turn.items() if _take_turn(name, channel, drained, is_over, refresh)
        }


def _take_turn(name: str, channel: Channel, drained: Drained, is_over: Callable[[], bool], refresh: bool) -> bool:
    """Send some of what a channel has to send, and return whether there may be more."""
    if is_over():
        return False
    if isinstance(channel, RosterChannel):
        _write_roster(name, channel, drained, refresh)
        return False
    return not health.is_paused(name) and _send_some(name, channel, drained, is_over)


# Messages ---------------------------------------------------------------------------------------------------------


def _send_some(name: str, channel: MessageChannel, drained: Drained, is_over: Callable[[], bool]) -> bool:
    """Send some of what is due, one message after the other, and return whether there may be more."""
    looked_at = claims.candidates(name)
    is_known_to_work = False
    for pk in looked_at:
        if is_over():
            return False
        claim = claims.claim(pk, channel.seconds_per_message)
        if claim is None:
            continue
        failure = _deliver(claim, channel, drained)
        if failure:
            if health.note_failure(name, tolerated=FAILURES_TOLERATED, retry_after=failure.retry_after):
                return False
        elif not is_known_to_work:
            health.note_success(name)
        is_known_to_work = not failure
    return bool(looked_at)


def _deliver(claim: Claim, channel: MessageChannel, drained: Drained) -> DeliveryError | None:
    """Send one message, store what came of it, and return the failure, if it was one."""
    try:
        told = _send(claim, channel)
    except DeliveryError as error:
        drained.failed += 1
        is_parked = claims.mark_failed(claim, error.code)
        drained.parked += is_parked
        if is_parked:
            log.error("Partner channel %s: delivery %s is parked: %s", claim.channel, claim.pk, error.code)
        else:
            log.warning("Partner channel %s: delivery %s failed: %s", claim.channel, claim.pk, error.code)
        return error
    drained.sent += claims.mark_sent(claim, told)
    return None


def _send(claim: Claim, channel: MessageChannel) -> int:
    """Send how the learner of a claim stands now, and return the sequence that was told; raise ``DeliveryError``."""
    try:
        entry = roster.entry_of(claim.partner_id)
        channel.send(claim.delivery_id, entry)
    except DeliveryError:
        raise
    except Exception as error:
        log_fault(log, error, "Partner channel %s broke at delivery %s", claim.channel, claim.pk)
        raise DeliveryError("broken") from None
    return entry.sequence


# Rosters ----------------------------------------------------------------------------------------------------------


def _write_roster(name: str, channel: RosterChannel, drained: Drained, refresh: bool) -> None:
    """Write the roster of a channel, where something waits for it and nobody else does so."""
    unsent = PartnerDelivery.objects.filter(channel=name, status__in=UNSENT)
    if not (refresh or unsent.filter(status=Status.WAITING).exists()):
        return
    lease = health.take_lease(name, despite_pause=refresh)
    if lease is None:
        return
    # By primary key, and before the roster is read: what is stored meanwhile may be missing from it.
    waiting = list(unsent.values_list("pk", flat=True))
    try:
        _write(name, channel, lease)
    except DeliveryError as error:
        drained.failed += 1
        _update(waiting, attempts=F("attempts") + 1, last_error=error.code[:CODE_LENGTH])
        log.warning("Partner channel %s: the roster was not written: %s", name, error.code)
        health.give_back_lease(name, lease)
        health.note_failure(name, tolerated=0, retry_after=error.retry_after)
    except health.LeaseLost:
        log.error("Partner channel %s: another worker writes the roster, since this one was silent for too long", name)
    else:
        drained.rosters += 1
        if health.give_back_lease(name, lease, not_before=timezone.now() + channel.interval):
            drained.sent += _update(
                waiting, status=Status.SENT, sent_at=timezone.now(), attempts=F("attempts") + 1, last_error=""
            )
        else:
            # Our roster may have taken the place of a newer one.
            log.error("Partner channel %s: writing the roster took too long; it is written again", name)
            _update(waiting, status=Status.WAITING)


def _write(name: str, channel: RosterChannel, lease: UUID) -> None:
    """Write a roster under a lease. Raises ``DeliveryError``, or ``LeaseLost`` before the last entry is handed over."""
    try:
        channel.write(_while_leased(roster.entries(), name, lease))
    except (DeliveryError, health.LeaseLost):
        raise
    except Exception as error:
        log_fault(log, error, "Partner channel %s broke while the roster was written", name)
        raise DeliveryError("broken") from None


def _while_leased(entries: Iterator[Entry], name: str, lease: UUID) -> Iterator[Entry]:
    """Yield the entries and renew the lease, every minute and at the end. Raises ``LeaseLost``."""
    renewed = time.monotonic()
    for entry in entries:
        if time.monotonic() - renewed > RENEWED_AFTER_SECONDS:
            health.renew_lease(name, lease)
            renewed = time.monotonic()
        yield entry
    health.renew_lease(name, lease)


def _update(pks: list[int], **values) -> int:
    """Change rows by primary key, some at a time, and return how many there were."""
    return sum(
        PartnerDelivery.objects.filter(pk__in=pks[start : start + CHUNK]).update(**values)
        for start in range(0, len(pks), CHUNK)
    )
