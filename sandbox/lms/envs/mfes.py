"""Which MFEs the sandbox knows: the origins that may call it, where each MFE is, and what it tells them of itself."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

# The sandbox answers at no other host, and browsers keep cookies by host, whatever the port.
HOSTS = ("127.0.0.1", "localhost")
DEFAULT_PORTS = {"http": 80, "https": 443}


def microfrontend_urls(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment's ``*_MICROFRONTEND_URL``, each without a slash at its end."""
    return {
        name: _microfrontend_url(name, value.strip())
        for name, value in environ.items()
        if name.endswith("_MICROFRONTEND_URL") and value.strip()
    }


def allowed_origins(environ: Mapping[str, str]) -> list[str]:
    """Return the origins that ``MFE_ORIGINS`` lists, with commas or spaces, and those of the named MFEs, each once."""
    listed = [word for word in re.split(r"[\s,]+", environ.get("MFE_ORIGINS", "")) if word]
    origins = [_allowed_origin("MFE_ORIGINS", word) for word in listed]
    return list(dict.fromkeys([*origins, *map(_origin, microfrontend_urls(environ).values())]))


def configuration(lms_root_url: str, site_name: str, learning_url: str, account_url: str) -> dict[str, Any]:
    """Return what an MFE has to know of the sandbox: what its own ``.env`` file says of another LMS."""
    logo = f"{lms_root_url}/static/sandbox/logo.svg"
    return {
        "SITE_NAME": site_name,
        "LMS_BASE_URL": lms_root_url,
        "LOGIN_URL": f"{lms_root_url}/login",
        "LOGOUT_URL": f"{lms_root_url}/logout",
        "REFRESH_ACCESS_TOKEN_ENDPOINT": f"{lms_root_url}/login_refresh",
        "CSRF_TOKEN_API_PATH": "/csrf/api/v1/token",
        "ACCESS_TOKEN_COOKIE_NAME": "edx-jwt-cookie-header-payload",
        "LANGUAGE_PREFERENCE_COOKIE_NAME": "openedx-language-preference",
        "SESSION_COOKIE_DOMAIN": urlsplit(lms_root_url).hostname,
        "MARKETING_SITE_BASE_URL": lms_root_url,
        "LEARNING_BASE_URL": learning_url,
        "ACCOUNT_SETTINGS_URL": account_url,
        "PRIVACY_POLICY_URL": f"{lms_root_url}/privacy",
        "SUPPORT_URL": "",
        "LOGO_URL": logo,
        "LOGO_WHITE_URL": logo,
        "LOGO_TRADEMARK_URL": logo,
        "FAVICON_URL": logo,
        # The account MFE of 2023 shows coaching only where this is set.
        "COACHING_ENABLED": True,
    }


def _microfrontend_url(name: str, value: str) -> str:
    parts = _split(name, value)
    if parts.query or parts.fragment:
        raise ImproperlyConfigured(f"{name}: {value} holds more than an address and a path")
    return f"{_origin(value)}{parts.path.rstrip('/')}"


def _allowed_origin(name: str, value: str) -> str:
    if "*" in value:
        raise ImproperlyConfigured(f"{name}: name each origin instead of {value}, since no cookies go with a wildcard")
    parts = _split(name, value)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ImproperlyConfigured(f"{name}: {value} is more than an origin, which is {_origin(value)}")
    return _origin(value)


def _split(name: str, value: str) -> SplitResult:
    """Return the parts of an address at one of the sandbox's hosts; ImproperlyConfigured says what is wrong with it."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {value} is no address: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise ImproperlyConfigured(f"{name}: {value} is no address like http://localhost:1997")
    if parts.hostname not in HOSTS or "@" in parts.netloc or port == 0:
        raise ImproperlyConfigured(
            f"{name}: {value} is not at {' or '.join(HOSTS)}, where alone browsers send the sandbox's cookies"
        )
    return parts


def _origin(url: str) -> str:
    """Return the origin of an address as browsers send it: in small letters, without its scheme's own port."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"
