"""The one shape in which the API says what is wrong: lists of strings by field, and ``detail``, a string."""

from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions, status

# The keys that clients know errors by; the rest of what is wrong stands under ``coaching``.
FIELDS = ("phone_number", "full_name", "partner_id", "reason", "coaching")


class PayloadTooLarge(exceptions.APIException):
    """Raised for a body over Django's limit."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large."
    default_code = "payload_too_large"


def as_api_exception(error: Exception) -> Exception:
    """Return what Django REST framework answers with a 4xx for errors of the client that only Django knows."""
    if isinstance(error, RequestDataTooBig):
        return PayloadTooLarge()
    # The forms among them are those in which Django looks for a CSRF token.
    if isinstance(error, (BadRequest, MultiPartParserError, SuspiciousOperation, RecursionError)):
        return exceptions.ParseError()
    return error


def flat(messages: Any) -> dict[str, Any]:
    """Return messages of any shape as lists of strings by field; what is about no field also as ``detail``."""
    if not isinstance(messages, dict):
        messages = {"coaching": messages}
    by_field: dict[str, Any] = {}
    for field, nested in messages.items():
        # The platform's authentication puts a code for programs beside its message.
        if field != "error_code":
            by_field.setdefault(field if field in FIELDS else "coaching", []).extend(_texts(nested))
    if "coaching" in by_field:
        by_field["detail"] = " ".join(by_field["coaching"])
    return by_field


def _texts(messages: Any) -> list[str]:
    if isinstance(messages, (list, tuple)):
        return [text for nested in messages for text in _texts(nested)]
    return [str(messages)]
