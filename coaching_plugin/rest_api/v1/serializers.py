"""What a client may send, and the JSON that it gets."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers

from coaching_plugin import receipts
from coaching_plugin.disclosures import ShownDisclosure
from coaching_plugin.eligibility import RunVerdict, Verdict
from coaching_plugin.forms import MAX_NAME_LENGTH
from coaching_plugin.models import CoachingConsent, ConsentEvent
from coaching_plugin.partner import opt_outs
from coaching_plugin.phone import MAX_TYPED_LENGTH, InvalidPhoneNumber
from coaching_plugin.receipts import AgreedWords, Agreement, Receipt

# The form of a receipt, so that one that was kept stays readable. Nobody has certified it.
RECEIPT_SCHEMA = "coaching-receipt-1, modelled on ISO/IEC TS 27560:2023"


class StrictBooleanField(serializers.BooleanField):
    """A JSON ``true`` or ``false``: consent is not read into words and numbers."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the boolean. Raises ``ValidationError`` for anything else."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictCharField(serializers.CharField):
    """A JSON string: a number in its place has lost its zeros and its plus."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises ``ValidationError`` for anything else."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class AnswerSerializer(serializers.Serializer):
    """A learner's answer or changed number. What the client echoes (``user``, eligibility, "seen") is not read."""

    coaching_consent = StrictBooleanField(required=False)
    phone_number = StrictCharField(required=False, allow_blank=True, allow_null=True, max_length=MAX_TYPED_LENGTH)
    full_name = StrictCharField(required=False, allow_blank=True, max_length=MAX_NAME_LENGTH)
    # The SHA-256 that ``disclosure/`` gave with the words that the client showed.
    disclosure = StrictCharField(required=False, allow_null=True, max_length=64)


class DismissalSerializer(serializers.Serializer):
    """That the dashboard's card is not to be shown again, which is not taken back."""

    dismissed = StrictBooleanField()

    def validate_dismissed(self, dismissed: bool) -> bool:
        """Return the one value that there is. Raises ``ValidationError`` for the other."""
        if not dismissed:
            raise serializers.ValidationError(_("A dismissed card does not come back."))
        return dismissed


class OptOutSerializer(serializers.Serializer):
    """A report that somebody does not want to be coached any more: about whom, and by what word."""

    partner_id = StrictCharField(required=False, allow_null=True, max_length=36)
    phone_number = StrictCharField(required=False, allow_null=True, max_length=MAX_TYPED_LENGTH)
    reason = StrictCharField(max_length=32)

    def validate_partner_id(self, partner_id: str | None) -> UUID | None:
        """Return the id. Raises ``ValidationError`` where it is no UUID."""
        try:
            return None if partner_id is None else UUID(partner_id)
        except ValueError:
            raise serializers.ValidationError(_("This is not a UUID.")) from None

    def validate_phone_number(self, phone_number: str | None) -> str:
        """Return the number in E.164, or none. Raises ``ValidationError`` where it is no number."""
        try:
            return "" if phone_number is None else opt_outs.number_reported(phone_number)
        except InvalidPhoneNumber:
            raise serializers.ValidationError(_("This is not a phone number.")) from None

    def validate_reason(self, reason: str) -> str:
        """Return the code of the word. Raises ``ValidationError`` where it is none by which people opt out."""
        code = opt_outs.reason_code(reason)
        if code is None:
            raise serializers.ValidationError(_("Send one of: %(words)s.") % {"words": opt_outs.ACCEPTED})
        return code

    def validate(self, report: dict[str, Any]) -> dict[str, Any]:
        """Return the report. Raises ``ValidationError`` unless it names the learner in just one way."""
        if bool(report.get("partner_id")) == bool(report.get("phone_number")):
            raise serializers.ValidationError(_("Send either partner_id or phone_number."))
        return report


def standing_json(user_id: int | None, standing: CoachingConsent | None, may_consent: bool) -> dict[str, Any]:
    """Return where a learner stands, in the four keys that the account MFE knows."""
    return {
        "user": user_id,
        "coaching_consent": standing is not None and standing.is_consented,
        "eligible_for_coaching": may_consent,
        "consent_form_seen": standing is not None and standing.has_answered,
    }


def card_json(user_id: int | None, show: bool, consent_url: str) -> dict[str, Any]:
    """Return whether the dashboard shows the card, and where it leads to."""
    return {"user": user_id, "show": show, "consent_url": consent_url}


def disclosure_json(shown: ShownDisclosure) -> dict[str, Any]:
    """Return a disclosure as it is shown, with the digest by which the client names it in its answer."""
    return {
        "version": shown.disclosure.version,
        "language": shown.language,
        "direction": shown.direction,
        "text": shown.text,
        "sha256": shown.sha256,
    }


def verdict_json(user_id: int | None, verdict: Verdict, reasons: list[str] | None = None) -> dict[str, Any]:
    """Return a verdict on eligibility with its reasons, or with others that come before them."""
    return {
        "user": user_id,
        "eligible": verdict.is_eligible,
        "may_consent": verdict.may_consent,
        "reasons": verdict.reasons if reasons is None else reasons,
        "enrollment_modes": list(verdict.rules.modes),
        "active_since": verdict.rules.since,
        "course_runs": [_run_json(run) for run in verdict.runs],
    }


def _run_json(run: RunVerdict) -> dict[str, Any]:
    return {
        "course_key": str(run.course_key),
        "eligible": run.is_eligible,
        "reasons": run.reasons,
        "mode": run.facts.mode,
        "is_active": run.facts.is_active,
        "activity": {
            "enrolled_at": run.facts.enrolled_at,
            "last_completion_at": run.facts.last_completion_at,
            "last_engaged_on": run.facts.last_engaged_on,
            "recent_courseware_state": run.facts.has_recent_courseware_state,
        },
    }


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt: the agreement as a consent record, and all that is held, whether or not there is one."""
    standing = receipt.standing
    return {
        "schema_version": RECEIPT_SCHEMA,
        "receipt_id": f"{standing.partner_id}-{standing.last_sequence}",
        "user": standing.user_id,
        "status": standing.status,
        "record": receipt.agreement and _record_json(receipt, receipt.agreement),
        "held": {
            "partner_id": str(standing.partner_id),
            "phone_number": standing.phone_number,
            "asked_at": standing.asked_at,
            "answered_at": standing.answered_at,
            "opted_out_at": standing.opted_out_at,
            "do_not_ask": standing.do_not_ask,
            "card_dismissed_at": standing.card_dismissed_at,
            "erased_at": receipt.erased_at,
            "history": [_event_json(event) for event in receipt.events],
        },
    }


def _record_json(receipt: Receipt, agreement: Agreement) -> dict[str, Any]:
    """Return an agreement in those sections and fields of a consent record of ISO/IEC TS 27560 that we can fill."""
    words, learner = agreement.words, str(receipt.standing.user_id)
    return {
        "record_header": {
            "schema_version": RECEIPT_SCHEMA,
            "record_id": f"{receipt.standing.partner_id}-{agreement.given.sequence}",
            "pii_principal_id": learner,
        },
        "pii_processing": {
            "privacy_notice": words and _words_json(words),
            "language": words and words.shown.language,
            "purposes": [{"purpose": agreement.purpose, "lawful_basis": "consent"}],
            "pii_information": [
                {"pii_type": kind, "description": name} for kind, name in receipts.shared_data().items()
            ],
            "pii_controllers": ["site"],
            "recipient_third_parties": ["partner"],
            "retention_period": receipts.retention(),
            "withdrawal_method": receipts.withdrawal(),
            "privacy_rights": [receipts.erasure()],
        },
        "party_identification": [
            {"party_id": "site", "party_name": agreement.site_name, "party_role": "controller"},
            {"party_id": "partner", "party_name": agreement.partner_name, "party_role": "recipient"},
        ],
        "events": [
            {
                "event_time": event.occurred_at,
                "event_type": "expressed",
                "event_state": "withdrawn" if event is agreement.ended else "given",
                "validity_duration": None if event is agreement.ended else "until withdrawn",
                "entity_id": learner if receipts.party_of(event) == "learner" else receipts.party_of(event),
            }
            for event in agreement.events
        ],
    }


def _words_json(words: AgreedWords) -> dict[str, Any]:
    """Return the words agreed to, with the digest of those shown, and whether the two belong together."""
    return {**disclosure_json(words.shown), "sha256": words.sha256, "exact": words.are_exact}


def _event_json(event: ConsentEvent) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "kind": event.kind,
        "reason": event.reason,
        "occurred_at": event.occurred_at,
        "door": event.door,
        "by_somebody_else": event.actor_id is not None,
        "disclosure_version": event.disclosure and event.disclosure.version,
        "disclosure_language": event.disclosure and event.disclosure.language,
        "phone_number": event.phone_number,
        "ip": event.ip,
        "user_agent": event.user_agent,
    }
