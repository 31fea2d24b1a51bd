"""Tokens of the LMS."""

import time

import jwt
from django.conf import settings
from oauth2_provider.models import get_access_token_model, get_application_model

LIFETIME = 60 * 60


def create_jwt_for_user(user, scopes=("user_id", "email", "profile"), expires_in=LIFETIME):
    """Return a signed token that says who a user is, as logging in gives it."""
    return _sign(user, scopes, expires_in, grant_type="password", filters=["user:me"])


def create_jwt_token_dict(answer):
    """Return the answer of the token endpoint, of which the opaque token is replaced with a signed one."""
    access = get_access_token_model().objects.select_related("user", "application").get(token=answer["access_token"])
    grant_type = access.application.authorization_grant_type
    # Programs that get a token of their own act for all learners, everybody else for one.
    is_program = grant_type == get_application_model().GRANT_CLIENT_CREDENTIALS
    token = _sign(access.user, answer["scope"].split(), LIFETIME, grant_type, [] if is_program else ["user:me"])
    return {**answer, "access_token": token, "token_type": "JWT", "expires_in": LIFETIME}


def _sign(user, scopes, expires_in, grant_type, filters):
    now = int(time.time())
    claims = {
        "aud": settings.JWT_AUTH["JWT_AUDIENCE"],
        "iss": settings.JWT_AUTH["JWT_ISSUER"],
        "iat": now,
        "exp": now + expires_in,
        "grant_type": grant_type,
        "version": "1.2.0",
        "sub": str(user.pk),
        "preferred_username": user.username,
        "email_verified": user.is_active,
        "scopes": list(scopes),
        "filters": filters,
        "is_restricted": False,
    }
    for scope in scopes:
        claims |= CLAIMS.get(scope, lambda user: {})(user)
    return jwt.encode(claims, settings.JWT_PRIVATE_SIGNING_KEY, algorithm=settings.JWT_AUTH["JWT_ALGORITHM"])


def _profile(user):
    profile = getattr(user, "profile", None)
    return {
        "name": profile.name if profile else None,
        "given_name": user.first_name,
        "family_name": user.last_name,
        "administrator": user.is_staff,
        "superuser": user.is_superuser,
        "roles": [],
    }


# What a token says of the user beside who they are.
CLAIMS = {
    "user_id": lambda user: {"user_id": user.id},
    "email": lambda user: {"email": user.email},
    "profile": _profile,
}
