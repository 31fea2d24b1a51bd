"""OAuth2 bearer tokens on the platform's APIs."""

from django.utils import timezone
from oauth2_provider.models import get_access_token_model
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed


class BearerAuthentication(BaseAuthentication):
    """Takes the access tokens of django-oauth-toolkit."""

    allow_inactive_users = False

    def authenticate(self, request):
        """Return user and token, None where no bearer token was sent, or raise AuthenticationFailed."""
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        access = get_access_token_model().objects.select_related("user").filter(token=token.strip()).first()
        if access is None or access.user is None:
            raise _refused("token_nonexistent", "The provided access token does not match any valid tokens.")
        if access.expires < timezone.now():
            raise _refused("token_expired", "The provided access token has expired and is no longer valid.")
        if not self.allow_inactive_users and not access.user.is_active:
            raise _refused("user_not_active", f"User inactive or deleted: {access.user}")
        return access.user, access

    def authenticate_header(self, request):
        """Name the scheme, so that a refusal is a 401."""
        return 'Bearer realm="api"'


class BearerAuthenticationAllowInactiveUser(BearerAuthentication):
    """Takes the tokens of accounts that are not activated, too."""

    allow_inactive_users = True


def _refused(error_code, developer_message):
    return AuthenticationFailed({"error_code": error_code, "developer_message": developer_message})
