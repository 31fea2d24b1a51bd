"""``partner/opt-outs/``: the partner reports who does not want to be coached any more, by a signed message."""

import logging
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from coaching_plugin import conf, monitoring
from coaching_plugin.monitoring import MonitoredDoor, Result
from coaching_plugin.partner import opt_outs, signatures
from coaching_plugin.rest_api.v1 import serializers
from coaching_plugin.rest_api.v1.views import CoachingAPIView

log = logging.getLogger(__name__)


class SignedResource(CoachingAPIView):
    """
    A resource for whoever holds the secret that the operator gave the partner.

    Nobody is logged in: cookies and tokens are not looked at, so that there is nothing to forge by them, and no learner
    whose share of requests this could draw on.
    """

    # As a class attribute, too: the platform's middleware looks at it.
    authentication_classes = ()
    monitored_door = MonitoredDoor.OPT_OUTS
    message_id: str

    def get_authenticators(self):
        """Return no way to log in."""
        return []

    def get_authenticate_header(self, request: Request) -> str:
        """Return what a refusal asks for."""
        return "StandardWebhooks"

    def initial(self, request: Request, *args, **kwargs) -> None:
        """
        Refuse what is not signed before anything of it is read, with one answer whatever is wrong with it.

        This is instead of the usual checks: of who is calling, what they may do, and how often.
        """
        try:
            self.message_id = signatures.verify(conf.opt_out_secrets(), request.headers, request._request.body)
        except signatures.InvalidSignature:
            # Nothing of the message: whoever wrote it, and what it says, is unknown.
            log.warning("An opt-out report is refused: it is not signed with a secret of ours, or its clock is wrong")
            monitoring.note(self.monitored_door, Result.BAD_SIGNATURE)
            raise exceptions.AuthenticationFailed(_("The message is not signed as it has to be.")) from None


class OptOutsView(SignedResource):
    """``partner/opt-outs/``: the partner reports that somebody does not want to be coached any more."""

    def post(self, request: Request) -> Response:
        """
        Withdraw the consent of everyone whom the report is about, and return what happened to each.

        No flag is asked: nobody is kept from withdrawing while coaching is off.
        """
        serializer = serializers.OptOutSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            answer: dict[str, Any] = opt_outs.take(self.message_id, opt_outs.Report(**serializer.validated_data))
        except opt_outs.UnknownLearner:
            monitoring.note(self.monitored_door, Result.UNKNOWN_LEARNER)
            raise exceptions.NotFound() from None
        monitoring.note(self.monitored_door, Result.TAKEN)
        return Response(answer)
