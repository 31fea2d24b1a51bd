"""The answer to "may this user?"."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class AccessResponse:
    """Yes, or no with a code that clients know and a reason; true where access is granted."""

    has_access: bool
    error_code: str | None = None
    developer_message: str | None = None
    user_message: str | None = None
    additional_context_user_message: str | None = None
    user_fragment: object = None

    def __bool__(self):
        return self.has_access

    def to_json(self):
        """Return the dictionary that APIs answer with."""
        return asdict(self)


ACCESS_GRANTED = AccessResponse(True)
ACCESS_DENIED = AccessResponse(False)


def refused(error_code, developer_message, user_message):
    """Return a refusal."""
    return AccessResponse(False, error_code, developer_message, user_message)
