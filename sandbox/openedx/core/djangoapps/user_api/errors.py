"""What the account functions raise."""


class UserAPIRequestError(Exception):
    """There was a problem with the request."""


class UserAPIInternalError(Exception):
    """There was a problem on our side."""


class UserNotFound(UserAPIRequestError):
    """There is no such user."""


class UserNotAuthorized(UserAPIRequestError):
    """The user may not do this."""


class AccountRequestError(UserAPIRequestError):
    """There was a problem with the request to the account API."""


class AccountUpdateError(AccountRequestError):
    """The change could not be stored."""

    def __init__(self, developer_message, user_message=None):
        super().__init__(developer_message)
        self.developer_message = developer_message
        self.user_message = user_message


class AccountValidationError(AccountRequestError):
    """The change was refused; `field_errors` says why, field by field."""

    def __init__(self, field_errors):
        super().__init__(field_errors)
        self.field_errors = field_errors
