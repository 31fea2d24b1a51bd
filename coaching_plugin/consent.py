"""Every change of a learner's consent: each one transaction, judged under a lock, with its event in the ledger."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from coaching_plugin import answered, ledger, lms, outbox, phone, refusals
from coaching_plugin.evidence import Evidence
from coaching_plugin.models import CoachingConsent, ConsentEvent
from coaching_plugin.refusals import Refusal

Kind = ConsentEvent.Kind
Status = CoachingConsent.Status

CHANGES_FOR_PARTNER = {Kind.CONSENTED, Kind.PHONE_CHANGED, Kind.WITHDRAWN, Kind.OPTED_OUT, Kind.ERASED}


@dataclass(frozen=True)
class Outcome:
    """What became of a change: the learner's standing, and the refusals that kept it from being made."""

    consent: CoachingConsent
    refusals: tuple[Refusal, ...] = field(default=())
    # Whether a consent stood till then. Only what the partner reports asks that.
    ends_consent: bool = False
    # Whether anything was changed, and so recorded. Only what an operator does asks that.
    is_changed: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether nothing was changed because something was wrong."""
        return bool(self.refusals)


def standing(user) -> CoachingConsent:
    """Return where the learner stands now; an unsaved, undecided row where they were never asked."""
    return CoachingConsent.objects.filter(user_id=user.id).first() or CoachingConsent(user=user)


# The changes -----------------------------------------------------------------------------------------------------


def ask(user, evidence: Evidence) -> Outcome:
    """Record, once, that an undecided learner was asked."""
    known = CoachingConsent.objects.filter(user_id=user.id).values_list("asked_at", "status").first()
    if known and (known[0] or known[1] != Status.UNDECIDED):
        # The usual case, a reload of the page, takes no lock and writes nothing.
        return Outcome(standing(user))
    with _locked(user) as consent:
        if consent.asked_at is None and not consent.has_answered:
            consent.asked_at = timezone.now()
            _record(consent, Kind.ASKED, evidence)
        return Outcome(consent)


def give(user, phone_number: str | None, full_name: str | None, evidence: Evidence, *, agreed: bool = True) -> Outcome:
    """
    Record the learner's consent to be coached at ``phone_number``, and write number and name to the profile.

    Args:
        phone_number: as typed; None takes the profile's, judged anew.
        full_name: as confirmed; None leaves the profile's. A name managed by an enterprise is never touched.
        agreed: whether the box under the disclosure was ticked.

    A refusal is returned, not raised, so that its event survives ``ATOMIC_REQUESTS``.
    """
    with _locked(user) as consent:
        profile = lms.profile(user, lock=True)
        if phone_number is None:
            phone_number = profile.phone_number
        if not consent.is_consented and (bars := refusals.of_learner(user)):
            return _refuse(consent, bars, evidence)
        wrong_terms = refusals.of_terms(shown=consent.is_consented or evidence.shows_terms, agreed=agreed)
        number, wrong_number = refusals.judge_number(phone.textable, phone_number)
        name, wrong_name = refusals.judge_name(user, full_name)
        if refused := [*wrong_terms, *wrong_number, *wrong_name]:
            return _refuse(consent, refused, evidence)

        if consent.is_consented:
            _move_consent(consent, number, evidence)
        else:
            consent.status = Status.CONSENTED
            consent.phone_number = number
            consent.disclosure = evidence.disclosure.disclosure if evidence.disclosure else None
            consent.answered_at = timezone.now()
            consent.erased_at = None
            _record(consent, Kind.CONSENTED, evidence, phone_number=number)
        # Inside the same transaction: number and answer are stored together or not at all.
        if name and name != profile.name:
            lms.write_full_name(user, name)
        if number != profile.phone_number:
            lms.write_phone_number(user, number)
        return Outcome(consent)


def decline(user, evidence: Evidence) -> Outcome:
    """Record that the learner does not want a coach: declined, or withdrawn where they had consented."""
    with _locked(user) as consent:
        if consent.is_consented:
            _withdraw(consent, evidence, "learner")
        elif consent.status == Status.UNDECIDED:
            consent.status = Status.DECLINED
            consent.answered_at = timezone.now()
            _record(consent, Kind.DECLINED, evidence)
        return Outcome(consent)


def withdraw(user, evidence: Evidence, reason: str) -> Outcome:
    """Withdraw a standing consent, for the reason given, a code or words; nothing happens where there is none."""
    if not CoachingConsent.objects.filter(user_id=user.id).exists():
        return Outcome(standing(user))
    # Locked whatever its status: a consent may be on its way that is not committed yet.
    with _locked(user) as consent:
        stands = consent.is_consented
        if stands:
            _withdraw(consent, evidence, reason)
        return Outcome(consent, is_changed=stands)


def change_phone(user, phone_number: str | None, evidence: Evidence) -> Outcome:
    """
    Write another phone number to the profile, and move a standing consent to it.

    While consent is on, the number must be one that can be texted. Without consent, any valid number of any country
    will do, and None or an empty text removes it.
    """
    with _locked(user) as consent:
        profile = lms.profile(user, lock=True)
        if consent.is_consented:
            number, refused = refusals.judge_number(phone.textable, phone_number, in_use=True)
        elif (phone_number or "").strip():
            number, refused = refusals.judge_number(phone.valid, phone_number)
        else:
            number, refused = "", []
        if refused:
            return _refuse(consent, refused, evidence)
        if consent.is_consented:
            _move_consent(consent, number, evidence)
        if number != profile.phone_number:
            lms.write_phone_number(user, number)
        return Outcome(consent)


def follow_profile(user, evidence: Evidence, *, chosen_by_learner: bool) -> Outcome:
    """
    Keep a standing consent true to a profile whose phone number was changed past this module.

    Another number that can be texted, chosen by the learner, takes the consent with it. Any other change withdraws,
    with what is wrong with the number as the reason, or ``phone_changed_by_other``.
    """
    now = standing(user)
    if not now.is_consented or now.phone_number == lms.profile(user).phone_number:
        # Most profiles, and every change that this module made itself.
        return Outcome(now)
    with _locked(user) as consent:
        if consent.is_consented:
            number, wrong_number = refusals.judge_number(phone.textable, lms.profile(user, lock=True).phone_number)
            if wrong_number:
                _withdraw(consent, evidence, wrong_number[0].code)
            elif chosen_by_learner:
                _move_consent(consent, number, evidence)
            elif number != consent.phone_number:
                _withdraw(consent, evidence, "phone_changed_by_other")
        return Outcome(consent)


def opt_out(user, evidence: Evidence, reason: str = "") -> Outcome:
    """Record that the learner told the partner to stop, by what word (a code); a consent is withdrawn at once."""
    with _locked(user) as consent:
        ends_consent = consent.is_consented
        if ends_consent or consent.opted_out_at is None:
            consent.opted_out_at = timezone.now()
            if ends_consent:
                consent.status = Status.WITHDRAWN
                consent.answered_at = consent.opted_out_at
            _record(consent, Kind.OPTED_OUT, evidence, reason=reason)
        return Outcome(consent, ends_consent=ends_consent)


def do_not_ask(user, evidence: Evidence, reason: str) -> Outcome:
    """Have a learner never asked, on an operator's word; a consent that stands goes on standing."""
    with _locked(user) as consent:
        is_new = not consent.do_not_ask
        if is_new:
            consent.do_not_ask = True
            _record(consent, Kind.DO_NOT_ASK, evidence, reason=reason)
        return Outcome(consent, is_changed=is_new)


def ask_again(user, evidence: Evidence, reason: str) -> Outcome:
    """Have a learner who declined, withdrew or was not to be asked be asked once more; a consent stays as it is."""
    with _locked(user) as consent:
        is_over = consent.has_answered and not consent.is_consented
        if is_over:
            consent.status = Status.UNDECIDED
            consent.do_not_ask = False
            consent.asked_at = consent.answered_at = None
            _record(consent, Kind.ASK_AGAIN, evidence, reason=reason)
        return Outcome(consent, is_changed=is_over)


def dismiss_card(user) -> None:
    """Have the dashboard's card not shown to the learner again. No answer, and so no event in the ledger."""
    with _locked(user) as consent:
        consent.card_dismissed_at = consent.card_dismissed_at or timezone.now()


def erase(user, evidence: Evidence) -> None:
    """
    Blank a learner's number, IP addresses, user agents and salts everywhere; a standing consent is withdrawn first.

    Run again, it changes nothing. Raises whatever keeps it from erasing, so that a retirement stops rather than lies.
    """
    if not CoachingConsent.objects.filter(user_id=user.id).exists():
        return
    with _locked(user) as consent:
        if consent.is_consented:
            _withdraw(consent, evidence, "retirement")
        _erase(consent, evidence)
    answered.forget(user.id)


def erase_expired(row: CoachingConsent, quiet_since: datetime, evidence: Evidence) -> bool:
    """
    Blank, as ``erase`` does, what is kept of somebody who does not consent; return whether there was anything to blank.

    Nothing happens to a consent that stands, nor where anything was recorded after ``quiet_since``.
    """
    with transaction.atomic(), _changing(CoachingConsent.objects.filter(pk=row.pk)) as consent:
        if consent.is_consented or consent.events.filter(occurred_at__gt=quiet_since).exists():
            return False
        return _erase(consent, evidence, reason="retention")


# What the changes are made of ------------------------------------------------------------------------------------


@contextmanager
def _locked(user):
    """Open a transaction, make the learner's row if it is missing, lock it, and store it if anything was changed."""
    # Looked up before the transaction, whose first read is then the locked one: at REPEATABLE READ all later reads
    # show the database as it was at the first.
    is_missing = not CoachingConsent.objects.filter(user_id=user.id).exists()
    with transaction.atomic():
        if is_missing:
            _make_row(user)
        with _changing(CoachingConsent.objects.filter(user_id=user.id)) as consent:
            yield consent


@contextmanager
def _changing(rows: QuerySet[CoachingConsent]):
    """Lock the one row, and store it if anything was changed; the caller has opened the transaction."""
    # Which is not opened here: inside another it would be a savepoint, two statements more for each change.
    consent = rows.select_for_update().get()
    before = _values(consent)
    yield consent
    if _values(consent) != before:
        consent.save()
        if consent.user_id is not None:
            answered.remember(consent.user_id, consent)


def _values(consent: CoachingConsent) -> list[object]:
    """Return what the columns of a row hold."""
    return [getattr(consent, field.attname) for field in consent._meta.concrete_fields]


def _make_row(user) -> None:
    # Two tabs may both come here. An upsert that changes nothing waits for the other's row and locks it; an INSERT
    # IGNORE would take a shared lock, and two that then want it alone are a deadlock.
    CoachingConsent.objects.bulk_create(
        [CoachingConsent(user_id=user.id)],
        update_conflicts=True,
        update_fields=["user"],
        unique_fields=["user"] if connection.features.supports_update_conflicts_with_target else None,
    )


def _record(
    consent: CoachingConsent, kind: str, evidence: Evidence, *, reason: str = "", phone_number: str = ""
) -> None:
    event = ledger.append(
        consent,
        kind,
        door=evidence.door,
        reason=reason,
        actor_id=evidence.actor_id,
        shown=evidence.disclosure,
        phone_number=phone_number,
        ip=evidence.ip,
        user_agent=evidence.user_agent,
    )
    # Of somebody who never agreed, the partner hears nothing.
    if kind == Kind.CONSENTED or (kind in CHANGES_FOR_PARTNER and consent.changed_at is not None):
        consent.changed_at = event.occurred_at
        outbox.add(consent)


def _withdraw(consent: CoachingConsent, evidence: Evidence, reason: str) -> None:
    consent.status = Status.WITHDRAWN
    consent.answered_at = timezone.now()
    _record(consent, Kind.WITHDRAWN, evidence, reason=reason)


def _move_consent(consent: CoachingConsent, number: str, evidence: Evidence) -> None:
    if number != consent.phone_number:
        consent.phone_number = number
        _record(consent, Kind.PHONE_CHANGED, evidence, phone_number=number)


def _erase(consent: CoachingConsent, evidence: Evidence, reason: str = "") -> bool:
    if not ledger.holds_personal_data(consent):
        return False
    ledger.blank_personal_data(consent)
    consent.phone_number = ""
    consent.erased_at = timezone.now()
    _record(consent, Kind.ERASED, evidence, reason=reason)
    return True


def _refuse(consent: CoachingConsent, refused: list[Refusal], evidence: Evidence) -> Outcome:
    """Record a refused submission, but not the same one twice in a row: a browser may send it again."""
    reason = " ".join(refusal.code for refusal in refused)
    last = consent.events.filter(sequence=consent.last_sequence).first()
    submission = (Kind.REFUSED, reason, evidence.door, evidence.ip, evidence.user_agent)
    if last is None or (last.kind, last.reason, last.door, last.ip, last.user_agent) != submission:
        _record(consent, Kind.REFUSED, evidence, reason=reason)
    return Outcome(consent, tuple(refused))
