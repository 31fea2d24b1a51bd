"""What the operator's ``COACHING_*`` settings mean, read when used: a bad value is logged and the default holds."""

import base64
import functools
import logging
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from django.conf import settings

log = logging.getLogger(__name__)

# One place for every default. ``settings/common.py`` documents each and writes it into the LMS settings if missing.
DEFAULTS: dict[str, Any] = {
    "COACHING_ENROLLMENT_MODES": ["verified"],
    "COACHING_PROGRAM_TYPES": ["microbachelors"],
    "COACHING_ACTIVITY_WINDOW_DAYS": 90,
    "COACHING_MINIMUM_AGE": 13,
    "COACHING_PHONE_REGIONS": ["US"],
    "COACHING_PARTNER_NAME": "InsideTrack",
    "COACHING_PRIVACY_URL": "/privacy",
    "COACHING_REQUIRE_DISCLOSURE": False,
    "COACHING_API_THROTTLE": "60/minute",
    "COACHING_PARTNER_CHANNELS": {},
    "COACHING_PARTNER_MAX_ATTEMPTS": 20,
    "COACHING_PARTNER_OPT_OUT_SECRETS": [],
    "COACHING_EVIDENCE_RETENTION_DAYS": None,
    "COACHING_CONSENT_GOAL": 0.6,
}


def enrollment_modes() -> list[str]:
    """Return the enrollment modes that count as verified-like."""
    return _read("COACHING_ENROLLMENT_MODES")


def program_types() -> list[str]:
    """Return the program type slugs whose course runs are coached, in lower case."""
    return [slug.lower() for slug in _read("COACHING_PROGRAM_TYPES")]


def activity_window_days() -> int:
    """Return how many whole days back a learner's activity still counts, a century at most."""
    return min(_read("COACHING_ACTIVITY_WINDOW_DAYS"), 36_500)


def minimum_age() -> int:
    """Return the age in years below which nobody is asked or may consent."""
    return _read("COACHING_MINIMUM_AGE")


def phone_regions() -> list[str]:
    """Return the ISO 3166 regions whose numbers may be consented with; the first reads numbers without a ``+``."""
    return _read("COACHING_PHONE_REGIONS")


def partner_name() -> str:
    """Return the name of the coaching partner, as learners read it."""
    return _read("COACHING_PARTNER_NAME")


def privacy_url() -> str:
    """Return the address of the site's privacy policy: an absolute URL, or a path of the LMS."""
    return _read("COACHING_PRIVACY_URL")


def require_disclosure() -> bool:
    """Return whether an API client that names no disclosure is refused."""
    return _read("COACHING_REQUIRE_DISCLOSURE")


def api_throttle() -> str:
    """Return how often one learner may call the API or try to sign up, as Django REST framework writes rates."""
    return _read("COACHING_API_THROTTLE")


def partner_channels() -> dict[str, dict[str, Any]]:
    """Return, by name, the ways to hand the roster to the partner: ``BACKEND``, a class, and its ``OPTIONS``."""
    return _read("COACHING_PARTNER_CHANNELS")


def partner_max_attempts() -> int:
    """Return after how many failed attempts a delivery is parked."""
    return _read("COACHING_PARTNER_MAX_ATTEMPTS") or 1


def opt_out_secrets() -> list[str]:
    """Return the secrets with which the partner may sign opt-outs; more than one while they are changed."""
    return _read("COACHING_PARTNER_OPT_OUT_SECRETS")


def evidence_retention_days() -> int | None:
    """Return after how many days the evidence of who does not consent may be erased; None: with the account."""
    return _read("COACHING_EVIDENCE_RETENTION_DAYS")


def consent_goal() -> float:
    """Return which share of a program's learners are to consent, from 0 to 1."""
    return _read("COACHING_CONSENT_GOAL")


def webhook_secrets(value: Any) -> list[str]:
    """Return the secrets of a setting. Raises ``ValueError`` for what is none after Standard Webhooks, unnamed."""
    secrets = _strings(value)
    for secret in secrets:
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not 24 <= len(key) <= 64:
            raise ValueError("a secret is whsec_ and 24 to 64 random bytes in base64")
    return secrets


def problems() -> dict[str, str]:
    """Return what is wrong with each setting that is not usable, by its name; nothing is logged."""
    return {name: problem for name in DEFAULTS if (problem := _checked(name)[1])}


def unread() -> list[str]:
    """Return the names of settings that begin like ours and that nothing reads, such as one that is misspelled."""
    return sorted(name for name in dir(settings) if name.startswith("COACHING_") and name not in DEFAULTS)


def _read(name: str) -> Any:
    """Return the checked value of a setting; the default, with a log line, where it is not usable."""
    value, problem = _checked(name)
    if not problem:
        return value
    _complain(name, problem)
    return _CHECKS[name](DEFAULTS[name])


def _checked(name: str) -> tuple[Any, str]:
    """Return the value of a setting as it is used, or what is wrong with it."""
    try:
        return _CHECKS[name](getattr(settings, name, DEFAULTS[name])), ""
    except (TypeError, ValueError) as error:
        return None, str(error) or type(error).__name__


@functools.cache
def _complain(name: str, problem: str) -> None:
    """Log what is wrong with a setting, once in a process: some are read many times for one page."""
    log.error("%s is not usable (%s); its default is used instead.", name, problem)


def _strings(value: Any) -> list[str]:
    # One bare word is what an environment variable or a hurried operator gives for a list of one.
    values = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(item, str) and item for item in values):
        raise ValueError("a list of words is expected")
    return values


def _regions(value: Any) -> list[str]:
    regions = [region.upper() for region in _strings(value)]
    unknown = [region for region in regions if region not in phonenumbers.SUPPORTED_REGIONS]
    if unknown or not regions:
        raise ValueError(f"regions unknown to phonenumbers: {', '.join(unknown) or 'none given'}")
    return regions


def _whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number, zero or more, is expected")
    return value


def _whole_number_or_none(value: Any) -> int | None:
    return None if value is None else _whole_number(value)


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1 is expected")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text is expected")
    return value.strip()


def _address(value: Any) -> str:
    urlsplit(_text(value))  # raises ValueError for what cannot be made a full address
    return value.strip()


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def _channels(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError("a dictionary of channels is expected")
    # What the OPTIONS mean is for each class to say.
    for name, channel in value.items():
        if not (isinstance(name, str) and re.fullmatch(r"[a-z0-9_-]{1,40}", name)):
            raise ValueError("a channel's name is of 1 to 40 lower-case letters, digits, - and _")
        if not (isinstance(channel, dict) and isinstance(channel.get("BACKEND"), str)):
            raise ValueError(f"channel {name} needs a BACKEND, the dotted path of a class")
        if not isinstance(channel.get("OPTIONS", {}), dict):
            raise ValueError(f"the OPTIONS of channel {name} are a dictionary")
    return value


def _rate(value: Any) -> str:
    # The form that rest_framework.throttling.SimpleRateThrottle.parse_rate takes.
    if not re.fullmatch(r"[0-9]+/[smhd][a-z]*", _text(value)):
        raise ValueError("a rate such as 60/minute is expected")
    return value.strip()


# What each setting must be; each raises ``ValueError`` or ``TypeError``, whose words name no secret.
_CHECKS: dict[str, Callable[[Any], Any]] = {
    "COACHING_ENROLLMENT_MODES": _strings,
    "COACHING_PROGRAM_TYPES": _strings,
    "COACHING_ACTIVITY_WINDOW_DAYS": _whole_number,
    "COACHING_MINIMUM_AGE": _whole_number,
    "COACHING_PHONE_REGIONS": _regions,
    "COACHING_PARTNER_NAME": _text,
    "COACHING_PRIVACY_URL": _address,
    "COACHING_REQUIRE_DISCLOSURE": _boolean,
    "COACHING_API_THROTTLE": _rate,
    "COACHING_PARTNER_CHANNELS": _channels,
    "COACHING_PARTNER_MAX_ATTEMPTS": _whole_number,
    "COACHING_PARTNER_OPT_OUT_SECRETS": webhook_secrets,
    "COACHING_EVIDENCE_RETENTION_DAYS": _whole_number_or_none,
    "COACHING_CONSENT_GOAL": _share,
}
