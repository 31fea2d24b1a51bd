"""The JWT cookies: what a script may read in one, the signature in another that it may not."""

from edx_rest_framework_extensions.auth.jwt.cookies import jwt_cookie_header_payload_name, jwt_cookie_signature_name

from openedx.core.djangoapps.oauth_dispatch.jwt import LIFETIME, create_jwt_for_user


def set_logged_in_cookies(request, response, user):
    """Give the browser a new token."""
    header_and_payload, _, signature = create_jwt_for_user(user).rpartition(".")
    common = {"max_age": LIFETIME, "path": "/", "secure": request.is_secure(), "samesite": "Lax"}
    response.set_cookie(jwt_cookie_header_payload_name(), header_and_payload, httponly=False, **common)
    response.set_cookie(jwt_cookie_signature_name(), signature, httponly=True, **common)
    return response


def delete_logged_in_cookies(response):
    """Take the token away."""
    response.delete_cookie(jwt_cookie_header_payload_name())
    response.delete_cookie(jwt_cookie_signature_name())
    return response
