"""What a learner's events tell together: each can follow those before it, and the row stands where the last left it."""

from dataclasses import dataclass

from coaching_plugin import ledger
from coaching_plugin.models import CoachingConsent, ConsentEvent

Status = CoachingConsent.Status


@dataclass
class Told:
    """Where a learner stands, as read from events alone."""

    status: str = Status.UNDECIDED
    number: str = ""
    disclosure_id: int | None = None
    asked: bool = False
    answered: bool = False
    do_not_ask: bool = False
    opted_out: bool = False

    @property
    def is_consented(self):
        return self.status == Status.CONSENTED

    def may_follow(self, event):
        """Whether the event changes something of what was told so far, and can."""
        return {
            "asked": not (self.asked or self.do_not_ask or self.status != Status.UNDECIDED),
            "refused": True,
            "consented": not self.is_consented,
            "declined": self.status == Status.UNDECIDED,
            "withdrawn": self.is_consented,
            # The number of an event is blank once it is erased.
            "phone_changed": self.is_consented and event.phone_number != self.number or not event.salt,
            "opted_out": self.is_consented or not self.opted_out,
            "do_not_ask": not self.do_not_ask,
            "ask_again": not self.is_consented and (self.do_not_ask or self.status != Status.UNDECIDED),
            "erased": not self.is_consented,
        }[event.kind]

    def go_on(self, event):
        """Take in one more event."""
        match event.kind:
            case "asked":
                self.asked = True
            case "consented":
                self.status, self.number, self.answered = Status.CONSENTED, event.phone_number, True
                self.disclosure_id = event.disclosure_id
            case "declined":
                self.status, self.answered = Status.DECLINED, True
            case "withdrawn":
                self.status = Status.WITHDRAWN
            case "phone_changed":
                self.number = event.phone_number
            case "opted_out":
                self.opted_out = True
                if self.is_consented:
                    self.status = Status.WITHDRAWN
            case "do_not_ask":
                self.do_not_ask = True
            case "ask_again":
                self.status, self.do_not_ask = Status.UNDECIDED, False
                self.asked = self.answered = False
            case "erased":
                self.number = ""


def events(learner):
    return list(ConsentEvent.objects.filter(learner_id=learner.id).order_by("sequence"))


def kinds(learner):
    return [event.kind for event in events(learner)]


def assert_told(learner):
    """Hold a learner's row against the chain, which verifies, and return the row."""
    row = CoachingConsent.objects.get(user=learner)
    assert ledger.verify_one(row) is None
    story, told = events(learner), Told()
    assert [event.sequence for event in story] == list(range(1, len(story) + 1))
    assert (row.last_sequence, row.last_hash) == (len(story), story[-1].hash if story else "")
    for event in story:
        assert told.may_follow(event), [event.kind for event in story]
        told.go_on(event)
    assert told == Told(
        status=row.status,
        number=row.phone_number,
        disclosure_id=row.disclosure_id,
        asked=row.asked_at is not None,
        answered=row.answered_at is not None,
        do_not_ask=row.do_not_ask,
        opted_out=row.opted_out_at is not None,
    )
    return row
