"""Was this sent by who holds the secret, and lately? Messages in both directions are signed after Standard Webhooks."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook, WebhookVerificationError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class InvalidSignature(Exception):
    """Raised for a message that is not signed, by nobody who holds a secret, or more than five minutes off."""


def sign(secrets: Sequence[str], message_id: str, body: bytes) -> dict[str, str]:
    """
    Return the headers that sign ``body``, as of now, with each of ``secrets``.

    A receiver that holds any one of them accepts the message, so that both sides need not change theirs at one moment.
    """
    now = datetime.now(UTC)
    signatures = [Webhook(secret).sign(message_id, now, body.decode()) for secret in secrets]
    return {ID: message_id, TIMESTAMP: str(int(now.timestamp())), SIGNATURE: " ".join(signatures)}


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    """Return the id of a message that one of ``secrets`` signed. Raises ``InvalidSignature``, whatever is wrong."""
    signed = {name: headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE)}
    for secret in secrets:
        try:
            Webhook(secret).verify(body, signed, json_parse=False)
        except (WebhookVerificationError, ValueError):
            # The library lets what it trips over in a malformed header or body pass as it is: all of it ValueErrors.
            continue
        return signed[ID]
    raise InvalidSignature
