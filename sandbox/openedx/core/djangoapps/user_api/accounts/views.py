"""The account API, and the steps of retirement."""

import logging

from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.db import transaction
from django.shortcuts import get_object_or_404
from edx_rest_framework_extensions.auth.jwt.authentication import JwtAuthentication
from edx_rest_framework_extensions.auth.session.authentication import SessionAuthenticationAllowInactiveUser
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from openedx.core.djangoapps.user_api.accounts.api import get_account_settings, update_account_settings
from openedx.core.djangoapps.user_api.accounts.signals import (
    USER_RETIRE_LMS_CRITICAL,
    USER_RETIRE_LMS_MISC,
    USER_RETIRE_MAILINGS,
)
from openedx.core.djangoapps.user_api.errors import (
    AccountUpdateError,
    AccountValidationError,
    UserNotAuthorized,
    UserNotFound,
)
from openedx.core.djangoapps.user_api.models import RetirementStateError, UserPreference, UserRetirementStatus
from openedx.core.lib.api.authentication import BearerAuthenticationAllowInactiveUser

log = logging.getLogger(__name__)

BLANK_PROFILE = {
    "name": "",
    "meta": "",
    "location": "",
    "year_of_birth": None,
    "gender": None,
    "mailing_address": None,
    "city": None,
    "country": None,
    "bio": None,
    "phone_number": None,
}


class MergePatchParser(JSONParser):
    """The only kind of body that changes an account."""

    media_type = "application/merge-patch+json"


class LearnerAPIView(APIView):
    """An API as learners' clients call it: by JWT, bearer token or session, activated or not."""

    authentication_classes = [
        JwtAuthentication,
        BearerAuthenticationAllowInactiveUser,
        SessionAuthenticationAllowInactiveUser,
    ]
    permission_classes = [IsAuthenticated]


class AccountView(LearnerAPIView):
    """One account."""

    parser_classes = [MergePatchParser]

    def get(self, request, username):
        """Answer with the account."""
        try:
            return Response(get_account_settings(request.user, username))
        except UserNotFound:
            return Response(status=404)

    def patch(self, request, username):
        """Change the learner's own account and answer with it."""
        if not isinstance(request.data, dict):
            raise ParseError("A JSON object is wanted.")
        try:
            with transaction.atomic():
                update_account_settings(request.user, request.data, username=username)
                return Response(get_account_settings(request.user, username))
        except UserNotAuthorized:
            return Response(status=403)
        except UserNotFound:
            return Response(status=404)
        except AccountValidationError as error:
            return Response({"field_errors": error.field_errors}, status=400)
        except AccountUpdateError as error:
            messages = {"developer_message": error.developer_message, "user_message": error.user_message}
            return Response(messages, status=400)


class PreferencesView(LearnerAPIView):
    """The preferences of a learner."""

    parser_classes = [MergePatchParser]

    def get(self, request, username):
        """Answer with the learner's own preferences, or to staff with anybody's."""
        if request.user.username != username and not request.user.is_staff:
            return Response(status=404)
        return Response(UserPreference.get_all_preferences(get_object_or_404(User, username=username)))

    def patch(self, request, username):
        """Change the learner's own preferences; null removes one."""
        if request.user.username != username:
            return Response(status=403 if request.user.is_staff else 404)
        if not request.data or not isinstance(request.data, dict):
            message = "No data provided for user preference update"
            return Response({"developer_message": message, "user_message": message}, status=400)
        for key, value in request.data.items():
            if value is None:
                UserPreference.objects.filter(user=request.user, key=key).delete()
            else:
                UserPreference.objects.update_or_create(user=request.user, key=key, defaults={"value": str(value)})
        return Response(status=204)


class DeactivateLogoutView(LearnerAPIView):
    """A learner asks to be forgotten: the account is closed and waits for retirement."""

    def post(self, request):
        """Take the learner's password as consent, put them into the queue and log them out."""
        user = request.user
        if not user.check_password(request.data.get("password", "")):
            return Response("Password not valid", status=403)
        try:
            retirement = UserRetirementStatus.create_retirement(user)
        except RetirementStateError as error:
            return Response(str(error), status=400)
        user.email = retirement.retired_email
        user.set_unusable_password()
        user.save()
        logout(request)
        return Response(status=204)


class IsSuperuser(BasePermission):
    """Stands for the retirement service."""

    def has_permission(self, request, view):
        """Let superusers in."""
        return request.user.is_superuser


class RetirementStepView(APIView):
    """One step of the retirement of a learner, named by `username`; a receiver that raises makes it a 500."""

    permission_classes = [IsAuthenticated, IsSuperuser]

    def post(self, request):
        """Run the step."""
        retirement = UserRetirementStatus.objects.filter(original_username=request.data.get("username", "")).first()
        if retirement is None:
            return Response(status=404)
        try:
            self.retire(retirement, retirement.user)
        except Exception as error:
            log.exception("Retirement failed")
            return Response(str(error), status=500)
        return Response(status=204)


class AccountRetireMiscView(RetirementStepView):
    """The step before the last: mailings and what is not critical."""

    def retire(self, retirement, user):
        """Tell the receivers."""
        USER_RETIRE_LMS_MISC.send(sender=type(self), user=user)
        USER_RETIRE_MAILINGS.send(
            sender=type(self), email=retirement.original_email, new_email=retirement.retired_email, user=user
        )


class AccountRetireView(RetirementStepView):
    """The last step: profile, critical receivers, user name, in this order."""

    def retire(self, retirement, user):
        """Blank the profile, tell the receivers, and only then let go of the user name."""
        for field, blank in BLANK_PROFILE.items():
            setattr(user.profile, field, blank)
        user.profile.save()
        USER_RETIRE_LMS_CRITICAL.send(sender=type(self), user=user)
        User.objects.filter(pk=user.pk).update(
            username=retirement.retired_username, email=retirement.retired_email, first_name="", last_name=""
        )
