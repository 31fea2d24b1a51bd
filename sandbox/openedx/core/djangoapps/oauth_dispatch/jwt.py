"""Tokens of the LMS."""

import time

import jwt
from django.conf import settings

LIFETIME = 60 * 60


def create_jwt_for_user(user, scopes=("email", "profile"), expires_in=LIFETIME):
    """Return a signed token that says who a user is."""
    now = int(time.time())
    profile = getattr(user, "profile", None)
    claims = {
        "aud": settings.JWT_AUTH["JWT_AUDIENCE"],
        "iss": settings.JWT_AUTH["JWT_ISSUER"],
        "iat": now,
        "exp": now + expires_in,
        "grant_type": "password",
        "version": "1.2.0",
        "sub": str(user.pk),
        "user_id": user.id,
        "preferred_username": user.username,
        "email": user.email,
        "email_verified": user.is_active,
        "name": profile.name if profile else "",
        "given_name": user.first_name,
        "family_name": user.last_name,
        "administrator": user.is_staff,
        "superuser": user.is_superuser,
        "roles": [],
        "scopes": list(scopes),
        "filters": ["user:me"],
        "is_restricted": False,
    }
    return jwt.encode(claims, settings.JWT_PRIVATE_SIGNING_KEY, algorithm=settings.JWT_AUTH["JWT_ALGORITHM"])
