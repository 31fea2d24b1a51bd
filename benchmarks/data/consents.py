"""Consents as ``consent.py`` would have left them: where each learner stands, their ledger, and what was delivered."""

import json
import random
import tempfile
from array import array
from collections.abc import Iterator
from uuid import UUID

from benchmarks.data.enrollments import COACHED, Enrollments
from benchmarks.data.moments import DAY, Moments
from benchmarks.data.numbers import Numbers
from benchmarks.site import Size
from coaching_plugin import disclosures, ledger
from coaching_plugin.consent import CHANGES_FOR_PARTNER
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door, PartnerDelivery
from coaching_plugin.reports.answers import REFUSALS

Kind = ConsentEvent.Kind
Status = CoachingConsent.Status

CHANNEL = "webhook"
# Whom the first consent was asked of, before the end of all days: over half a year ago.
ASKED_SINCE = 196 * DAY

_ANSWERS = {Status.CONSENTED: 63, Status.DECLINED: 22, None: 15}
_LANGUAGES = {"en": 90, "es-419": 8, "ar": 2}
_DOORS = {Door.PAGE: 92, Door.API: 5, Door.ACCOUNT_SETTINGS: 3}
_STOPS = ("stop", "unsubscribe", "cancel")
_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
)
# Of the networks that are kept for documentation.
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
# Some staff, whose account is the first.
_OPERATOR = 1


class Consents:
    """
    The learners of whom the ledger knows, all verified in a coached run once.

    ``make`` tells the histories, which only files keep; then the rows of each table can be had.
    """

    def __init__(self, size: Size, seed: int, moments: Moments, enrollments: Enrollments, numbers: Numbers):
        self.total = size.consents
        self.consented = bytearray(size.users // 8 + 1)
        self._moments = moments
        self._enrollments = enrollments
        self._numbers = numbers
        self._chance = random.Random(seed)
        self._shown = {language: disclosures.current(language) for language in _LANGUAGES}
        self._consents, self._events, self._deliveries = _Lines(), _Lines(), _Lines()

    @property
    def event_count(self) -> int:
        """How many events the ledger has."""
        return len(self._events)

    @property
    def delivery_count(self) -> int:
        """How many changes the partner was told of."""
        return len(self._deliveries)

    def make(self) -> Iterator[None]:
        """Tell the history of each learner, in the order in which they were first asked; yields after each."""
        for row, asked in enumerate(self._asked(), start=1):
            at, user_id = divmod(asked, 1 << 32)
            _History(self, row, user_id, at).tell()
            yield

    def rows(self) -> Iterator[str]:
        """Yield the rows of where the learners stand."""
        return iter(self._consents)

    def events(self) -> Iterator[str]:
        """Yield the rows of the ledger, in the order of time, as they were written."""
        return self._events.in_order()

    def deliveries(self) -> Iterator[str]:
        """Yield the rows of what was delivered, in the order of time."""
        return self._deliveries.in_order()

    def _asked(self) -> list[int]:
        """Return who was asked first when, in that order: some of all who were ever verified in a coached run."""
        found, seen = array("Q"), bytearray(len(self.consented))
        since = self._moments.end - ASKED_SINCE
        for number in range(self._enrollments.total):
            user_id, run, mode, _, created, _ = self._enrollments.one(number)
            if mode == "verified" and run < COACHED and not seen[user_id >> 3] >> (user_id & 7) & 1:
                seen[user_id >> 3] |= 1 << (user_id & 7)
                begin = max(created, since)
                # Nobody is asked on the last day before the end, so that there is time to answer.
                found.append((begin + int((self._moments.end - begin) * self._chance.random())) << 32 | user_id)
        if len(found) < self.total:
            raise ValueError(f"{len(found)} learners were verified in a coached run, too few for {self.total} consents")
        for place in range(self.total):
            other = self._chance.randrange(place, len(found))
            found[place], found[other] = found[other], found[place]
        return sorted(found[: self.total])


class _History:
    """What one learner was asked and answered."""

    def __init__(self, site: Consents, row: int, user_id: int, at: int):
        self._site = site
        self._chance = chance = site._chance
        self._at = at
        self._ip = f"{chance.choice(_NETWORKS)}.{chance.randrange(1, 255)}"
        self._browser = chance.choice(_BROWSERS)
        self._shown = site._shown[chance.choices(list(_LANGUAGES), list(_LANGUAGES.values()))[0]]
        self._consent = CoachingConsent(
            id=row, user_id=user_id, partner_id=UUID(int=chance.getrandbits(128), version=4), status=Status.UNDECIDED
        )
        self._events: list[tuple[int, ConsentEvent]] = []

    def tell(self) -> None:
        chance, consent = self._chance, self._consent
        if chance.random() < 0.01:
            self._record(Kind.DO_NOT_ASK, door=Door.ADMIN, reason="wrote to support")
            consent.do_not_ask = True
        else:
            self._ask()
        if consent.has_answered and not consent.is_consented and chance.random() < 0.05:
            self._go_on(30 * DAY)
            self._record(Kind.ASK_AGAIN, door=Door.ADMIN, reason="asked us to")
            consent.status, consent.do_not_ask = Status.UNDECIDED, False
            consent.asked_at = consent.answered_at = None
            if chance.random() < 0.7:
                self._go_on(5 * DAY)
                self._ask()
        if consent.status in (Status.DECLINED, Status.WITHDRAWN) and chance.random() < 0.02:
            self._erase()
        if consent.status == Status.UNDECIDED and chance.random() < 0.1:
            consent.card_dismissed_at = self._site._moments.datetime(self._at)
        self._write()

    def _ask(self) -> None:
        chance, consent = self._chance, self._consent
        consent.asked_at = self._record(Kind.ASKED, shown=self._shown)
        answer = chance.choices(list(_ANSWERS), list(_ANSWERS.values()))[0]
        # In seconds, most of them few, and some of them many.
        patience = chance.lognormvariate(4.5, 2.2)
        while chance.random() < (0.4 if answer else 0.2):
            patience /= 2
            self._go_on(patience)
            self._record(Kind.REFUSED, shown=self._shown, reason=self._mistakes())
        self._go_on(patience)
        if answer == Status.CONSENTED:
            self._give()
        elif answer == Status.DECLINED:
            consent.status = Status.DECLINED
            consent.answered_at = self._record(Kind.DECLINED, shown=self._shown, door=self._door())

    def _give(self) -> None:
        chance, consent, numbers = self._chance, self._consent, self._site._numbers
        changes = chance.random() < 0.06
        consent.phone_number = (numbers.former if changes else numbers.of)(consent.user_id)
        consent.status, consent.erased_at, consent.disclosure = Status.CONSENTED, None, self._shown.disclosure
        consent.answered_at = self._record(
            Kind.CONSENTED, shown=self._shown, door=self._door(), phone_number=consent.phone_number
        )
        if changes:
            self._go_on(20 * DAY * chance.random())
            consent.phone_number = numbers.of(consent.user_id)
            self._record(Kind.PHONE_CHANGED, door=Door.ACCOUNT_SETTINGS, phone_number=consent.phone_number)
        if chance.random() >= 0.12:
            return
        self._go_on(40 * DAY * chance.random())
        consent.status = Status.WITHDRAWN
        if chance.random() < 0.5:
            consent.answered_at = self._record(Kind.WITHDRAWN, door=self._door(), reason="learner")
        else:
            consent.answered_at = consent.opted_out_at = self._record(
                Kind.OPTED_OUT, door=Door.PARTNER, reason=chance.choice(_STOPS)
            )

    def _erase(self) -> None:
        """Have what was kept of them blanked, long after; the digests stay, as in ``ledger.blank_personal_data``."""
        self._go_on(60 * DAY)
        for _, event in self._events:
            event.phone_number, event.ip, event.user_agent, event.salt = "", None, "", ""
        consent = self._consent
        consent.phone_number = ""
        self._browser, self._ip = "", None
        consent.erased_at = self._record(Kind.ERASED, door=Door.ADMIN, reason="retention")

    def _record(self, kind, *, door=Door.PAGE, **facts):
        """Add an event and return its time."""
        is_by_learner = door not in (Door.ADMIN, Door.PARTNER)
        consent = self._consent
        event = ledger.next_event(
            consent,
            kind,
            door=door,
            actor_id=_OPERATOR if door == Door.ADMIN and kind != Kind.ERASED else None,
            ip=self._ip if is_by_learner else None,
            user_agent=self._browser if is_by_learner else "",
            occurred_at=self._site._moments.datetime(self._at),
            salt=self._chance.randbytes(ledger.SALT_BYTES).hex(),
            **facts,
        )
        consent.last_sequence, consent.last_hash = event.sequence, event.hash
        if kind == Kind.CONSENTED or (kind in CHANGES_FOR_PARTNER and consent.changed_at is not None):
            consent.changed_at = event.occurred_at
            self._deliver(event)
        self._events.append((self._at, event))
        return event.occurred_at

    def _deliver(self, event: ConsentEvent) -> None:
        at = self._site._moments.text(self._at)
        sent = min(self._at + self._chance.randrange(2, 60), self._site._moments.end - 1)
        done = (PartnerDelivery.Status.SENT, 1, at, at, self._site._moments.text(sent), "")
        self._site._deliveries.add(self._at, _line((CHANNEL, event.consent.partner_id, event.sequence, *done)))

    def _write(self) -> None:
        consent = self._consent
        if consent.phone_number:
            self._site.consented[consent.user_id >> 3] |= 1 << (consent.user_id & 7)
        self._site._consents.add(consent.pk, _line(getattr(consent, name) for name in CONSENT_COLUMNS))
        for at, event in self._events:
            self._site._events.add(at, _line(getattr(event, name) for name in EVENT_COLUMNS))

    def _go_on(self, seconds: float) -> None:
        """Let time go by, but not past the end."""
        self._at = min(self._at + int(seconds) + 1, self._site._moments.end - 1)

    def _door(self) -> Door:
        return self._chance.choices(list(_DOORS), list(_DOORS.values()))[0]

    def _mistakes(self) -> str:
        number = 1 if self._chance.random() < 0.8 else 2
        return " ".join(self._chance.sample(REFUSALS, number))


CONSENT_COLUMNS = tuple(field.attname for field in CoachingConsent._meta.concrete_fields)
EVENT_COLUMNS = tuple(field.attname for field in ConsentEvent._meta.concrete_fields if not field.primary_key)
DELIVERY_COLUMNS = (
    "channel", "partner_id", "sequence", "status", "attempts", "created_at", "due_at", "sent_at", "last_error",
)  # fmt: skip


class _Lines:
    """Lines in a file that has no name, which can be had in the order of the number that was given with each."""

    def __init__(self):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._places = array("Q")
        self._numbers = array("Q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        return (line.decode() for line in self._file)

    def add(self, number: int, line: str) -> None:
        self._numbers.append(number)
        self._places.append(self._end)
        self._end += self._file.write(line.encode())

    def in_order(self) -> Iterator[str]:
        for place in sorted(range(len(self)), key=self._numbers.__getitem__):
            self._file.seek(self._places[place])
            yield self._file.readline().decode()


def _line(values) -> str:
    return "\t".join(map(_text, values)) + "\n"


def _text(value) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, dict):
        return json.dumps(value).replace("\\", "\\\\")
    if isinstance(value, UUID):
        # Both a column of that type and one of characters, which Django made before 5.0, take it without dashes.
        return value.hex
    if hasattr(value, "isoformat"):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return str(value)
