"""What a learner's receipt says: what was agreed to, in which words and for whom, and all that is held about them."""

from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from coaching_plugin import conf, consent, lms
from coaching_plugin.disclosures import ShownDisclosure
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door

Kind = ConsentEvent.Kind

# All that the partner learns of who agrees: ``partner.roster.Entry``, without what only orders the messages.
SHARED_DATA = {
    "partner_id": gettext_lazy("a random id that stands for you"),
    "full_name": gettext_lazy("your name"),
    "phone_number": gettext_lazy("your phone number"),
    "email": gettext_lazy("your e-mail address"),
    "language": gettext_lazy("your language"),
    "programs": gettext_lazy("the programs that you are in"),
    "consented_at": gettext_lazy("when you agreed"),
    "disclosure_version": gettext_lazy("which words you agreed to, by their version"),
}

KINDS = {
    Kind.ASKED: gettext_lazy("You were asked"),
    Kind.REFUSED: gettext_lazy("What was sent could not be taken"),
    Kind.CONSENTED: gettext_lazy("You agreed"),
    Kind.DECLINED: gettext_lazy("You said no"),
    Kind.WITHDRAWN: gettext_lazy("Your agreement ended"),
    Kind.PHONE_CHANGED: gettext_lazy("Your agreement moved to another number"),
    Kind.OPTED_OUT: gettext_lazy("You told the coaching partner to stop"),
    Kind.DO_NOT_ASK: gettext_lazy("It was noted that you are not to be asked"),
    Kind.ASK_AGAIN: gettext_lazy("It was noted that you may be asked again"),
    Kind.ERASED: gettext_lazy("Phone numbers, IP addresses and browsers were erased"),
}

# What the core's codes mean. A reason that is none of them, such as an operator's own words, is shown as it is.
REASONS = {
    "learner": gettext_lazy("You ended it"),
    "retirement_requested": gettext_lazy("You asked for your account to be deleted"),
    "retirement": gettext_lazy("Your account was deleted"),
    "retention": gettext_lazy("The time for which they are kept was over"),
    "phone_changed_by_other": gettext_lazy("Somebody else changed your phone number"),
    "revoked": gettext_lazy("You wanted no more messages, in the judgement of the coaching partner"),
    "phone_missing": gettext_lazy("There was no phone number"),
    "phone_malformed": gettext_lazy("The phone number was not written in digits"),
    "phone_extension": gettext_lazy("The phone number had an extension"),
    "phone_invalid": gettext_lazy("There is no such phone number"),
    "phone_region": gettext_lazy("The phone number was from another country"),
    "phone_type": gettext_lazy("The phone number could not receive text messages"),
    "name_missing": gettext_lazy("There was no name"),
    "name_malformed": gettext_lazy("The name was not written as a name"),
    "agreement_missing": gettext_lazy("The box was not ticked"),
    "disclosure_missing": gettext_lazy("The words were not shown, or had changed"),
    "account_inactive": gettext_lazy("Your account was not activated"),
    "not_eligible": gettext_lazy("Coaching was not available to you"),
    "under_age": gettext_lazy("You were not old enough"),
}


@dataclass(frozen=True)
class AgreedWords:
    """The words that a learner agreed to, made again from the disclosure and the names that the ledger keeps."""

    shown: ShownDisclosure
    # Of the words as they were shown, says the ledger.
    sha256: str

    @property
    def are_exact(self) -> bool:
        """Whether the words made again are, to the letter, those that were shown."""
        return self.shown.sha256 == self.sha256


@dataclass(frozen=True)
class Agreement:
    """A consent that stands, or the last one that stood, with its events in order."""

    given: ConsentEvent
    moved: tuple[ConsentEvent, ...]
    # None: it stands.
    ended: ConsentEvent | None

    @property
    def events(self) -> list[ConsentEvent]:
        """All that happened to it."""
        return [self.given, *self.moved, *([self.ended] if self.ended else [])]

    @property
    def words(self) -> AgreedWords | None:
        """The words agreed to; None where they were not shown by us."""
        if self.given.disclosure is None:
            return None
        return AgreedWords(ShownDisclosure(self.given.disclosure, self.given.shown_with), self.given.shown_sha256)

    @property
    def site_name(self) -> str:
        """Who asked, by the name then shown, or by today's where none was shown by us."""
        return self.given.shown_with.get("site_name") or lms.site_name()

    @property
    def partner_name(self) -> str:
        """Who coaches, by the name then shown, or by today's where none was shown by us."""
        return self.given.shown_with.get("partner_name") or conf.partner_name()

    @property
    def phone_number(self) -> str:
        """The number last agreed to, in E.164; empty where it is erased."""
        return (self.given, *self.moved)[-1].phone_number

    @property
    def why_ended(self) -> str:
        """Why it ended, in plain words; empty where it stands."""
        if self.ended is None:
            return ""
        entry = HistoryEntry(self.ended)
        return ", ".join(entry.why) if entry.why and self.ended.kind == Kind.WITHDRAWN else entry.what

    @property
    def purpose(self) -> str:
        """What the data are used for, in the active language."""
        names = {"site_name": self.site_name, "partner_name": self.partner_name}
        return _("%(partner_name)s coaches you, in the name of %(site_name)s, by text message and phone.") % names


@dataclass(frozen=True)
class HistoryEntry:
    """An event in plain words of the active language."""

    event: ConsentEvent

    @property
    def what(self) -> str:
        """What happened."""
        return str(KINDS[Kind(self.event.kind)])

    @property
    def why(self) -> list[str]:
        """The reasons, if any is stored."""
        if codes := codes_of(self.event):
            return [str(REASONS[code]) for code in codes]
        if self.event.reason and self.event.kind == Kind.OPTED_OUT:
            return [_("Your word for it: %(word)s") % {"word": self.event.reason.replace("_", " ").upper()}]
        return [self.event.reason] if self.event.reason else []

    @property
    def by_somebody_else(self) -> bool:
        """Whether somebody who is logged in acted, and was not the learner."""
        return self.event.actor_id is not None


@dataclass(frozen=True)
class Receipt:
    """All that is held about a learner, and the agreement in it, if they ever agreed."""

    standing: CoachingConsent
    events: tuple[ConsentEvent, ...]
    agreement: Agreement | None

    @property
    def history(self) -> list[HistoryEntry]:
        """Each event in plain words, the oldest first."""
        return [HistoryEntry(event) for event in self.events]

    @property
    def erased_at(self) -> datetime | None:
        """When what is personal was last erased, however much was recorded since."""
        return next((event.occurred_at for event in reversed(self.events) if event.kind == Kind.ERASED), None)


def of(user) -> Receipt | None:
    """Return a learner's receipt; None where nothing is held about them."""
    standing = consent.standing(user)
    if standing.pk is None:
        return None
    events = tuple(standing.events.select_related("disclosure").order_by("sequence"))
    return Receipt(standing, events, _last_agreement(standing, events))


def codes_of(event: ConsentEvent) -> list[str]:
    """Return the core's codes that an event has for its reason; none where the reason is in words, or missing."""
    if event.door == Door.ADMIN and event.actor_id is not None:
        # An operator who writes "retirement" means the word.
        return []
    codes = event.reason.split()
    return codes if all(code in REASONS for code in codes) else []


def shared_data() -> dict[str, str]:
    """Return what the partner learns of who agrees: each kind of data, and its name in the active language."""
    return {kind: str(name) for kind, name in SHARED_DATA.items()}


def withdrawal() -> str:
    """Return how an agreement is withdrawn, in the active language."""
    return _("Untick the box in your coaching settings, or reply STOP to any text message. You need no reason.")


def erasure() -> str:
    """Return how a learner has it all erased, in the active language."""
    return _(
        "Delete your account, in the settings of your account. Then phone numbers, IP addresses and browsers are "
        "erased here, and the coaching partner is told of it."
    )


def retention() -> str:
    """Return how long what is personal is kept, as the operator has set it, in the active language."""
    days = conf.evidence_retention_days()
    if days is None:
        return _("As long as your account. Dates and answers stay after that, without anything personal.")
    return ngettext(
        "As long as you agree, and then for %(days)s day after the last entry; at most as long as your account. "
        "Dates and answers stay after that, without anything personal.",
        "As long as you agree, and then for %(days)s days after the last entry; at most as long as your account. "
        "Dates and answers stay after that, without anything personal.",
        days,
    ) % {"days": days}


def party_of(event: ConsentEvent) -> str | None:
    """Return who an event comes from: ``learner``, ``partner`` or ``site``; None where the ledger does not say."""
    if event.door == Door.PARTNER:
        return "partner"
    if event.actor_id is not None or event.door in (Door.ADMIN, Door.RETIREMENT):
        return "site"
    # A profile may be changed by a task, in the name of nobody.
    return None if event.door == Door.PROFILE and event.reason else "learner"


def _last_agreement(standing: CoachingConsent, events: tuple[ConsentEvent, ...]) -> Agreement | None:
    given = next((event for event in reversed(events) if event.kind == Kind.CONSENTED), None)
    if given is None:
        return None
    since = list(dropwhile(lambda event: event.sequence <= given.sequence, events))
    moved = tuple(event for event in since if event.kind == Kind.PHONE_CHANGED)
    # A STOP ends a consent, too, and is its only event.
    ended = next((event for event in since if event.kind in (Kind.WITHDRAWN, Kind.OPTED_OUT)), None)
    return Agreement(given, moved, ended)
