"""The webhook: each change as signed JSON, to an address of the partner's that answers 2xx once it has it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPException, RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from django.core.exceptions import ImproperlyConfigured
from django.utils.http import parse_http_date_safe

from coaching_plugin import conf
from coaching_plugin.partner import signatures
from coaching_plugin.partner.channels import DeliveryError, MessageChannel
from coaching_plugin.partner.deadline import DeadlineAdapter
from coaching_plugin.partner.roster import Entry

LONGEST_PAUSE = timedelta(days=1)
LONGEST_TIMEOUT = 60
SECONDS_TO_CHECK = 5
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

# Printable ASCII without the backslash: what is anything else to one library is a slash, or nothing, to another.
_PLAIN_URL = re.compile(r"[!-\[\]-~]+")


class WebhookChannel(MessageChannel):
    """
    Sends messages signed after Standard Webhooks.

    Args:
        url: where to; https, or http to this machine itself, for development.
        secrets: one, or two while they are changed, the newer first; each is ``whsec_`` and base64.
        timeout: seconds to connect in, and once more to be answered in.

    The site's proxy and certificates are those of the environment (``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``), as for
    all that the LMS sends; a ``.netrc`` is not looked at, since it would send the partner a password.
    """

    def __init__(self, *, url: str, secrets: list[str], timeout: float = 10):
        self._url = _checked_url(url)
        self._secrets = _checked_secrets(secrets)
        self._timeout = _checked_timeout(timeout)
        # To connect: to each of two addresses, IPv6 and IPv4, and TLS. Then to send, and to be answered.
        self.seconds_per_message = 5 * self._timeout
        # In plain http, to this machine itself, nothing goes to a proxy.
        self._session = _Session(trust_env=urlsplit(self._url).scheme == "https")

    def send(self, delivery_id: str, entry: Entry) -> None:
        """Send how a learner stands now; the id is the same at every attempt. Raises ``DeliveryError``."""
        body = message(entry)
        headers = {"Content-Type": "application/json", **signatures.sign(self._secrets, delivery_id, body)}
        try:
            response = self._session.post(self._url, data=body, headers=headers, timeout=self._timeout, stream=True)
        except OSError as error:  # those of requests are, too
            code, retry_after = _code_of_error(error), None
        else:
            code, retry_after = _code_of_status(response.status_code), _retry_after(response)
            _let_go(response)
        if code:
            # Outside of the handler above: the error of the library, which knows address and body, is not part of it.
            raise DeliveryError(code, retry_after)

    def check(self) -> str:
        """Ask the partner's host for its root, by the same way as messages go; whatever it says, it is there."""
        parts = urlsplit(self._url)
        timeout = min(self._timeout, SECONDS_TO_CHECK)
        try:
            response = self._session.head(f"{parts.scheme}://{parts.netloc}/", timeout=timeout, stream=True)
        except OSError as error:
            code = _code_of_error(error)
        else:
            _let_go(response)
            return "its host answers"
        raise DeliveryError(code)


def message(entry: Entry) -> bytes:
    """Return the body that tells how a learner stands now: compact JSON in UTF-8."""
    content = {
        "type": f"learner.{entry.status.value}",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": entry.as_json(),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


class _Session(requests.Session):
    """Keeps the connection from one message to the next, and follows the partner nowhere else."""

    def __init__(self, *, trust_env: bool):
        super().__init__()
        self.trust_env = trust_env
        self.auth = _no_password
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["User-Agent"] = "platform-plugin-coaching"
        for scheme in ("https://", "http://"):
            self.mount(scheme, DeadlineAdapter())

    def get_redirect_target(self, resp: Any) -> None:
        """Return None. Only not following them, ``requests`` would still look ahead, and read the body whole."""
        return


def _no_password(request: Any) -> Any:
    """Leave the request as it is; with any ``auth`` of its own, ``requests`` looks for none in a ``.netrc``."""
    return request


def _let_go(response: requests.Response) -> None:
    """
    Give the connection back for the next message, where the answer has no body; else close it.

    Nothing of a body is read: it says nothing to us, and might never end.
    """
    if response.raw.length_remaining == 0:
        _ = response.content
    response.close()


def _code_of_status(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return "redirect" if 300 <= status < 400 else f"http_{status}"


def _code_of_error(error: OSError) -> str:
    if isinstance(error, requests.exceptions.SSLError) or not isinstance(error, requests.RequestException):
        # The one error that is not of requests' own: the certificates that the operator names are not there.
        return "tls"
    causes = list(_causes(error))
    # By way of a proxy, an answer that does not come is a proxy that fails, to those who do not look at the cause.
    if any(isinstance(cause, requests.Timeout | TimeoutError) for cause in causes):
        return "timeout"
    if any(isinstance(cause, HTTPException) and not isinstance(cause, RemoteDisconnected) for cause in causes):
        return "rubbish"
    return "connection" if isinstance(error, requests.ConnectionError) else "rubbish"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _retry_after(response: requests.Response) -> timedelta | None:
    """Return how long the partner asks to be left alone, a day at most; None where it does not, or in other words."""
    asked = response.headers.get("Retry-After", "").strip() if response.status_code in (429, 503) else ""
    if asked.isascii() and asked.isdigit():
        seconds = float(asked)
    else:
        seconds = (parse_http_date_safe(asked) or 0) - datetime.now(UTC).timestamp()
    return timedelta(seconds=min(seconds, LONGEST_PAUSE.total_seconds())) if seconds > 0 else None


def _checked_url(url: Any) -> str:
    # Never shown: whoever knows the address of some webhooks may write to them.
    parts = _parts(url)
    if parts is None:
        raise ImproperlyConfigured("its url is no address")
    if "@" in parts.netloc or parts.fragment:
        raise ImproperlyConfigured("its url holds a user, a password or a fragment, which are not sent")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ImproperlyConfigured("its url is not https (only for this machine itself it may be http)")
    return url


def _parts(url: Any) -> SplitResult | None:
    if not isinstance(url, str) or not _PLAIN_URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        # Port and host are looked at only now; a label that is empty or too long would come up with the first message.
        is_address = bool(parts.hostname and parts.hostname.encode("idna")) and parts.port != 0
    except ValueError:
        return None
    return parts if is_address else None


def _checked_secrets(secrets: Any) -> list[str]:
    try:
        checked = conf.webhook_secrets(secrets)
    except TypeError:
        raise ImproperlyConfigured("its secrets are no list of words") from None
    except ValueError as error:
        # Which says what is wrong, and never of what.
        raise ImproperlyConfigured(f"its secrets are not usable: {error}") from None
    if len(checked) not in (1, 2):
        raise ImproperlyConfigured("its secrets are one, or two while they are changed")
    return checked


def _checked_timeout(timeout: Any) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= LONGEST_TIMEOUT:
        raise ImproperlyConfigured(f"its timeout is not a number of seconds, {LONGEST_TIMEOUT} at most")
    return timeout
