"""The API: the learner's own standing, answer, card and receipt, the disclosure, and the reasons of a verdict."""

import logging
import re
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from edx_rest_framework_extensions.auth.jwt.authentication import JwtAuthentication
from edx_rest_framework_extensions.auth.session.authentication import SessionAuthenticationAllowInactiveUser
from edx_rest_framework_extensions.permissions import NotJwtRestrictedApplication
from rest_framework import exceptions, status
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from coaching_plugin import (
    consent,
    dashboard_card,
    decisions,
    disclosures,
    eligibility,
    lms,
    monitoring,
    receipts,
    toggles,
)
from coaching_plugin.consent import Outcome
from coaching_plugin.decisions import Decision, Learner
from coaching_plugin.faults import log_fault
from coaching_plugin.models import Disclosure, Door
from coaching_plugin.monitoring import MonitoredDoor, Result
from coaching_plugin.rest_api.v1 import errors, serializers
from coaching_plugin.throttling import LearnerRateThrottle

log = logging.getLogger(__name__)


class Utf8JSONParser(JSONParser):
    """JSON in UTF-8, whatever charset is claimed: among those that Python knows are some that unpack archives."""

    def parse(self, stream, media_type=None, parser_context=None):
        """Return the parsed body. Raises ``ParseError`` where it is no JSON in UTF-8."""
        return super().parse(stream, media_type, {**(parser_context or {}), "encoding": "utf-8"})


class AccountInactive(exceptions.PermissionDenied):
    """Raised for an account whose e-mail address was never confirmed."""


@method_decorator(transaction.non_atomic_requests, name="dispatch")  # consent.py opens its own, shorter ones
@method_decorator(never_cache, name="dispatch")
class CoachingAPIView(APIView):
    """
    A resource of a logged-in learner. Every refusal is a flat dictionary of lists of strings, and ``detail``, a string.

    The account MFE reads errors so, and breaks on anything else.
    """

    monitored_door = MonitoredDoor.API
    permission_classes: Sequence[type[BasePermission]] = (IsAuthenticated, NotJwtRestrictedApplication)
    throttle_classes = (LearnerRateThrottle,)
    parser_classes = (Utf8JSONParser,)
    renderer_classes: Sequence[type[BaseRenderer]] = (JSONRenderer,)

    def get_authenticators(self):
        """Return the ways to log in that the LMS itself offers to its learner APIs, in its order."""
        return [JwtAuthentication(), lms.bearer_authentication()(), SessionAuthenticationAllowInactiveUser()]

    def initial(self, request: Request, *args, **kwargs) -> None:
        """Refuse accounts that are not activated, after the usual checks."""
        super().initial(request, *args, **kwargs)
        if not request.user.is_active:
            raise AccountInactive(_("Activate your account first: open the link in the e-mail we sent."))

    def handle_exception(self, error: Exception) -> Response:
        """Answer whatever went wrong in the one shape that clients can read."""
        try:
            response = super().handle_exception(errors.as_api_exception(error))
            if isinstance(error, exceptions.Throttled):
                monitoring.note(self.monitored_door, Result.THROTTLED)
            elif isinstance(error, exceptions.ValidationError):
                monitoring.note(self.monitored_door, Result.REFUSED)
        except Exception as unexpected:
            # Not ``request.user``: where finding out who is calling is what failed, that would fail again.
            user_id = getattr(getattr(self.request, "_user", None), "id", None)
            log_fault(log, unexpected, "User %s: the coaching API failed", user_id)
            monitoring.note(self.monitored_door, Result.FAILED)
            response = Response(status=status.HTTP_500_INTERNAL_SERVER_ERROR)
            response.data = {"detail": _("Something went wrong on our side. Please try again later.")}
            response.exception = True
        response.data = errors.flat(response.data)
        return response


class LearnerResource(CoachingAPIView):
    """A resource of one learner, named by LMS user id, that is nobody else's."""

    def initial(self, request: Request, *args, **kwargs) -> None:
        """Answer 404 to anybody else, whether or not such a learner exists."""
        self.check_owner(request, kwargs["user_id"])
        super().initial(request, *args, **kwargs)

    def check_owner(self, request: Request, user_id: str) -> None:
        """Raise ``NotFound`` unless the learner of the request is the one named; compares, and looks nothing up."""
        if request.user.is_authenticated and user_id != str(request.user.id):
            raise exceptions.NotFound()

    def offers_consent(self) -> bool:
        """Return whether consent can be given here, by whoever is eligible."""
        return toggles.is_enabled()

    def standing_response(self, learner: Learner) -> Response:
        """Return where the learner stands; while coaching is off: not eligible, not asked."""
        if not learner.is_enabled():
            return Response(serializers.standing_json(learner.user.id, None, may_consent=False))
        may_consent = self.offers_consent() and learner.verdict.may_consent
        return Response(serializers.standing_json(learner.user.id, learner.standing, may_consent=may_consent))


class AnswerResource(LearnerResource):
    """A resource that takes a learner's answer."""

    door: Door

    def patch(self, request: Request, user_id: str) -> Response:
        """Take the answer, or the changed number, and return where the learner stands then."""
        serializer = serializers.AnswerSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        answer = serializer.validated_data
        if "coaching_consent" not in answer and "phone_number" not in answer:
            raise exceptions.ValidationError(_("Send coaching_consent or phone_number."))
        if not toggles.is_enabled():
            self._apply_while_off(request, answer)
            return self.standing_response(Learner(request.user))
        outcome = self._apply(request, answer)
        monitoring.note_outcome(self.monitored_door, outcome)
        if outcome.is_refused:
            # Returned, not raised: its event is stored.
            return Response(_refusals(outcome), status=status.HTTP_400_BAD_REQUEST)
        try:
            return self.standing_response(Learner(request.user))
        except Exception as error:
            # The answer is stored, and a client that is told otherwise tells the learner so.
            log_fault(log, error, "User %s has answered, and eligibility could not be decided", request.user.id)
            return Response(serializers.standing_json(request.user.id, outcome.consent, may_consent=False))

    def _apply(self, request: Request, answer: dict[str, Any]) -> Outcome:
        user, agrees = request.user, answer.get("coaching_consent")
        if agrees and not self.offers_consent() and not consent.standing(user).is_consented:
            raise exceptions.ValidationError(_("Coaching is not available to you at the moment."))
        digest = answer.get("disclosure")
        shown = disclosures.named(digest) if digest else None
        evidence = consent.Evidence.of(request._request, self.door, shown, names_disclosure=bool(digest))
        if agrees:
            # No number sent means the profile's; null means that there is none.
            number = answer["phone_number"] or "" if "phone_number" in answer else None
            return consent.give(user, number, answer.get("full_name"), evidence)
        if agrees is False:
            # With the number that the form held, perhaps: only the answer counts, as on the consent page.
            return consent.decline(user, evidence)
        return consent.change_phone(user, answer["phone_number"], evidence)

    def _apply_while_off(self, request: Request, answer: dict[str, Any]) -> None:
        """Let a learner who consented withdraw, and refuse everything else that would change something."""
        if answer.get("coaching_consent") is not False:
            raise exceptions.ValidationError(_("Coaching is not available to you at the moment."))
        evidence = consent.Evidence.of(request._request, self.door)
        monitoring.note_outcome(self.monitored_door, consent.withdraw(request.user, evidence, reason="learner"))


class UserView(AnswerResource):
    """``users/{id}/``: where a learner stands, and the switch and phone number of account settings."""

    door = Door.ACCOUNT_SETTINGS
    monitored_door = MonitoredDoor.ACCOUNT_SETTINGS

    def offers_consent(self) -> bool:
        """Return whether account settings offer the switch. Where they do not, it is there to withdraw with."""
        return toggles.offers_account_settings()

    def get(self, request: Request, user_id: str) -> Response:
        """Return where the learner stands. No phone number: clients take it from the account API."""
        learner = Learner(request.user)
        response = self.standing_response(learner)
        # Off, nothing is decided, and nothing is looked up for it.
        if learner.is_enabled():
            monitoring.note(self.monitored_door, decisions.account_settings(learner))
        return response


class CoachingConsentView(AnswerResource):
    """``coaching_consent/{id}/``: the answer of a consent form."""

    door = Door.API


class DashboardCardView(LearnerResource):
    """``dashboard_card/{id}/``: whether the dashboard shows the card, and its dismissal."""

    monitored_door = MonitoredDoor.DASHBOARD_CARD

    def get(self, request: Request, user_id: str) -> Response:
        """Return whether there is a card to show, and the consent page to which it leads."""
        return self._card(request, show=dashboard_card.card_of(request.user) is not None)

    def patch(self, request: Request, user_id: str) -> Response:
        """Dismiss the card for good; while there are no cards, nothing is stored."""
        serializers.DismissalSerializer(data=request.data).is_valid(raise_exception=True)
        if toggles.shows_dashboard_card():
            consent.dismiss_card(request.user)
            monitoring.note(self.monitored_door, Decision.DISMISSED)
        return self._card(request, show=False)

    def _card(self, request: Request, show: bool) -> Response:
        consent_url = lms.absolute_url(reverse("coaching:consent"))
        return Response(serializers.card_json(request.user.id, show, consent_url))


class DisclosureView(CoachingAPIView):
    """``disclosure/``: the words to show beside a consent switch, and the digest to name them by."""

    def get(self, request: Request) -> Response:
        """Return the current disclosure, in ``?language=`` or the language of the request."""
        if not toggles.is_enabled():
            raise exceptions.NotFound()
        try:
            shown = disclosures.current(request.query_params.get("language"))
        except Disclosure.DoesNotExist:
            raise exceptions.NotFound() from None
        return Response(serializers.disclosure_json(shown))


class EligibilityView(LearnerResource):
    """``eligibility/{id}/``: the verdict on a learner, explained; one's own, or anybody's to support staff."""

    def check_owner(self, request: Request, user_id: str) -> None:
        """Raise ``NotFound`` unless the learner named is the request's, or the request's may see consents."""
        # Permissions are looked up only where they decide: they cost queries.
        if user_id != str(request.user.id) and not request.user.has_perm("coaching_plugin.view_coachingconsent"):
            super().check_owner(request, user_id)

    def get(self, request: Request, user_id: str) -> Response:
        """Return the verdict with its reasons for each coached course run."""
        user = request.user
        if user_id != str(user.id):
            user = _user_of(user_id)
        learner = Learner(user)
        if not learner.is_enabled():
            return Response(serializers.verdict_json(user.id, eligibility.nobody(), reasons=["coaching_off"]))
        monitoring.note(self.monitored_door, decisions.eligibility_api(learner))
        return Response(serializers.verdict_json(user.id, learner.verdict))


class ReceiptView(LearnerResource):
    """``receipts/{id}/``: what the learner agreed to, and all that is held about them."""

    monitored_door = MonitoredDoor.RECEIPT

    def get(self, request: Request, user_id: str) -> Response:
        """Return the learner's receipt, also while coaching is off; 404 where nothing is held."""
        receipt = receipts.of(request.user)
        if receipt is None:
            raise exceptions.NotFound()
        return Response(serializers.receipt_json(receipt))


def _user_of(user_id: str):
    """Return the user of an id. Raises ``NotFound`` where there is none, or the id is no id."""
    # An id has one spelling, as where it is the learner's own, and no more digits than the column holds.
    is_id = re.fullmatch(r"[1-9][0-9]{0,8}", user_id)
    learner = get_user_model().objects.filter(pk=int(user_id)).first() if is_id else None
    if learner is None:
        raise exceptions.NotFound()
    return learner


def _refusals(outcome: Outcome) -> dict[str, Any]:
    messages: dict[str, list[str]] = {}
    for refusal in outcome.refusals:
        messages.setdefault(refusal.field, []).append(refusal.message)
    return errors.flat(messages)
