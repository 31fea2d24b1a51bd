"""What a client may send, and the JSON that it gets."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers

from coaching_plugin.disclosures import ShownDisclosure
from coaching_plugin.eligibility import RunVerdict, Verdict
from coaching_plugin.forms import MAX_NAME_LENGTH
from coaching_plugin.models import CoachingConsent
from coaching_plugin.partner import opt_outs
from coaching_plugin.phone import MAX_TYPED_LENGTH, InvalidPhoneNumber


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
