"""Does a learner's ledger hold, and does the row beside it stand where the events left it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from coaching_plugin import ledger
from coaching_plugin.models import CoachingConsent, ConsentEvent

Status = CoachingConsent.Status
Kind = ConsentEvent.Kind

# The row's times are taken a moment before those of the events.
MOMENT = timedelta(minutes=1)


@dataclass
class Told:
    """Where a learner stands, as read from events alone; named as the columns of the row are."""

    status: str = Status.UNDECIDED
    phone_number: str = ""
    disclosure_id: int | None = None
    asked_at: datetime | None = None
    answered_at: datetime | None = None
    do_not_ask: bool = False
    opted_out_at: datetime | None = None
    erased_at: datetime | None = None

    @property
    def is_consented(self) -> bool:
        """Whether the learner agrees."""
        return self.status == Status.CONSENTED

    def may_follow(self, event: ConsentEvent) -> bool:
        """Return whether an event changes something of what was told so far, and can."""
        match event.kind:
            case Kind.REFUSED:
                return True
            case Kind.ASKED:
                return not (self.asked_at or self.do_not_ask or self.status != Status.UNDECIDED)
            case Kind.CONSENTED | Kind.ERASED:
                return not self.is_consented
            case Kind.DECLINED:
                return self.status == Status.UNDECIDED
            case Kind.WITHDRAWN:
                return self.is_consented
            case Kind.PHONE_CHANGED:
                # Once it is erased, the number of an event is blank.
                return self.is_consented and (event.phone_number != self.phone_number or not event.salt)
            case Kind.OPTED_OUT:
                return self.is_consented or not self.opted_out_at
            case Kind.DO_NOT_ASK:
                return not self.do_not_ask
            case Kind.ASK_AGAIN:
                return not self.is_consented and (self.do_not_ask or self.status != Status.UNDECIDED)
        return False

    def go_on(self, event: ConsentEvent) -> None:
        """Take in one more event."""
        at = event.occurred_at
        match event.kind:
            case Kind.ASKED:
                self.asked_at = at
            case Kind.CONSENTED:
                self.status, self.answered_at, self.erased_at = Status.CONSENTED, at, None
                self.phone_number, self.disclosure_id = event.phone_number, event.disclosure_id
            case Kind.DECLINED:
                self.status, self.answered_at = Status.DECLINED, at
            case Kind.WITHDRAWN:
                self.status, self.answered_at = Status.WITHDRAWN, at
            case Kind.PHONE_CHANGED:
                self.phone_number = event.phone_number
            case Kind.OPTED_OUT:
                self.opted_out_at = at
                if self.is_consented:
                    self.status, self.answered_at = Status.WITHDRAWN, at
            case Kind.DO_NOT_ASK:
                self.do_not_ask = True
            case Kind.ASK_AGAIN:
                self.status, self.do_not_ask = Status.UNDECIDED, False
                self.asked_at = self.answered_at = None
            case Kind.ERASED:
                self.phone_number, self.erased_at = "", at


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a learner's ledger, and with the row beside it."""

    # The first event that is not as it was written, or that cannot follow those before it.
    broken: ledger.Break | None
    # The columns of the row that say something else than the events do.
    differing: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.broken is None and not self.differing


def of(consent: CoachingConsent) -> Verdict:
    """
    Judge one learner's ledger and row, which is stored.

    What ``ledger.verify_one`` finds, and an event that nobody can have written by way of ``consent.py``, and a row that
    was changed without one.
    """
    verdict = _judge(consent)
    if verdict.is_sound:
        return verdict
    # Something may have been recorded between reading the row and its events. Behind the row's lock nothing is.
    rows = CoachingConsent.objects.select_for_update().prefetch_related("events__disclosure")
    with transaction.atomic():
        return _judge(rows.get(pk=consent.pk))


def of_each(consents: QuerySet[CoachingConsent], chunk_size: int = 500) -> Iterator[tuple[CoachingConsent, Verdict]]:
    """Judge the ledgers and rows of ``consents``, the oldest first, in constant memory."""
    for consent in consents.order_by("pk").prefetch_related("events__disclosure").iterator(chunk_size):
        yield consent, of(consent)


def _judge(consent: CoachingConsent) -> Verdict:
    told, impossible = Told(), None
    for event in consent.events.all():
        if impossible is None and not told.may_follow(event):
            problem = gettext_noop("it cannot follow the events before it")
            impossible = ledger.Break(str(consent.partner_id), event.sequence, problem)
        told.go_on(event)
    differing = tuple(name for name, value in vars(told).items() if not _agree(value, getattr(consent, name)))
    return Verdict(ledger.verify_one(consent) or impossible, differing)


def _agree(told: object, stored: object) -> bool:
    if isinstance(told, datetime) and isinstance(stored, datetime):
        return abs(told - stored) < MOMENT
    return told == stored
