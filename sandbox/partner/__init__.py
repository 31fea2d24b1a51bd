"""
A stand-in for a coaching partner: a receiver of the plugin's webhook, of its own, that can pass STOP on.

Nothing here is the plugin's: what it is sent is read as a partner would read it, from its documentation.
"""

from base64 import b64encode


def _sandbox_secret(words: bytes) -> str:
    return f"whsec_{b64encode(words).decode()}"


# Good for a sandbox only, as everybody can read them here.
WEBHOOK_SECRET = _sandbox_secret(b"sandbox only: what the LMS tells the partner")
OPT_OUT_SECRET = _sandbox_secret(b"sandbox only: what the partner tells the LMS")
