"""Settings of the sandbox LMS, in the platform's order: its own, plugins', the operator's, plugins' again."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import django
from corsheaders.defaults import default_headers
from edx_django_utils.plugins import add_plugins, get_plugin_apps
from openedx.core.constants import COURSE_ID_PATTERN, COURSE_KEY_PATTERN, COURSE_KEY_REGEX  # noqa: F401
from openedx.core.djangoapps.oauth_dispatch.keys import signing_keys
from openedx.core.djangoapps.plugins.constants import ProjectType, SettingsType

from lms.envs import mfes

# ---------------------------------------------------------------------------------------------------------------------
# The site

REPO_ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = Path(os.environ.get("SANDBOX_DATA_DIR") or REPO_ROOT.parent / ".demo").resolve()

SECRET_KEY = "sandbox-only, never use this key elsewhere"
DEBUG = os.environ.get("SANDBOX_DEBUG", "") == "1"
PORT = os.environ.get("PORT", "8000")

PLATFORM_NAME = "Sandbox Academy"
# Where real MFEs are that are developed against the sandbox. It takes their host for its own: browsers tell `localhost`
# no cookie of `127.0.0.1`.
MFE_ORIGINS = mfes.allowed_origins(os.environ)
LMS_BASE = f"{urlsplit(MFE_ORIGINS[0]).hostname if MFE_ORIGINS else mfes.HOSTS[0]}:{PORT}"
LMS_ROOT_URL = f"http://{LMS_BASE}"
LEARNING_MICROFRONTEND_URL = f"{LMS_ROOT_URL}/learning"
ACCOUNT_MICROFRONTEND_URL = f"{LMS_ROOT_URL}/account/settings"
LEARNER_HOME_MICROFRONTEND_URL = None
globals().update(mfes.microfrontend_urls(os.environ))
SANDBOX_HAS_ACCOUNT_MFE = "ACCOUNT_MICROFRONTEND_URL" in mfes.microfrontend_urls(os.environ)
# Where the demo's coaching partner shows what it holds.
SANDBOX_PARTNER_URL = ""

MFE_CONFIG = mfes.configuration(LMS_ROOT_URL, PLATFORM_NAME, LEARNING_MICROFRONTEND_URL, ACCOUNT_MICROFRONTEND_URL)

ALLOWED_HOSTS = [*mfes.HOSTS, "testserver"]
CSRF_TRUSTED_ORIGINS = [LMS_ROOT_URL, *MFE_ORIGINS]
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOWED_ORIGINS = MFE_ORIGINS
CORS_ALLOW_HEADERS = [*default_headers, "cache-control", "expires", "pragma", "use-jwt-cookie"]
LOGIN_REDIRECT_WHITELIST = [urlsplit(origin).netloc for origin in MFE_ORIGINS]
LOGIN_URL = "/login"
SITE_ID = 1
ROOT_URLCONF = "lms.urls"
WSGI_APPLICATION = "wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

FEATURES = {"ENABLE_MASQUERADE": True}

# Which kind of platform this is: one that calls the courseware filters (`filters`), or one that does not (`none`).
SANDBOX_COURSEWARE_HOOKS = os.environ.get("SANDBOX_COURSEWARE_HOOKS") or "none"
if SANDBOX_COURSEWARE_HOOKS not in ("filters", "none"):
    raise ValueError("SANDBOX_COURSEWARE_HOOKS is either filters or none")

# ---------------------------------------------------------------------------------------------------------------------
# Apps and middleware

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_countries",
    "oauth2_provider",
    "rest_framework",
    "waffle",
    "openedx.core.djangoapps.content.course_overviews",
    "openedx.core.djangoapps.plugins.apps.PluginsConfig",
    "openedx.core.djangoapps.site_configuration",
    "openedx.core.djangoapps.user_api",
    "common.djangoapps.course_modes",
    "common.djangoapps.student",
    "lms.djangoapps.course_goals",
    "lms.djangoapps.courseware",
    "sandbox_demo",
    *get_plugin_apps(ProjectType.LMS),
]

MIDDLEWARE = [
    "crum.CurrentRequestUserMiddleware",
    "edx_django_utils.cache.middleware.RequestCacheMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sites.middleware.CurrentSiteMiddleware",
    "edx_rest_framework_extensions.auth.jwt.middleware.JwtAuthCookieMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "common.djangoapps.track.middleware.TrackMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "lms.djangoapps.courseware.middleware.RedirectMiddleware",
    "waffle.middleware.WaffleMiddleware",
    "edx_django_utils.cache.middleware.TieredCacheMiddleware",
    "edx_rest_framework_extensions.auth.jwt.middleware.EnsureJWTAuthSettingsMiddleware",
]

CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.template.context_processors.i18n",
    "django.template.context_processors.csrf",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
    "openedx.core.djangoapps.site_configuration.context_processors.platform_name",
]
MAKO_TEMPLATE_DIRS_BASE = [REPO_ROOT / "lms" / "templates"]
TEMPLATES = [
    {
        "NAME": "django",
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [REPO_ROOT / "lms" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": CONTEXT_PROCESSORS},
    },
    {
        "NAME": "mako",
        "BACKEND": "common.djangoapps.edxmako.backend.Mako",
        "DIRS": [],  # derived from MAKO_TEMPLATE_DIRS_BASE, below
        "APP_DIRS": False,
        "OPTIONS": {"context_processors": CONTEXT_PROCESSORS},
    },
]

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [REPO_ROOT / "lms" / "static"]

# ---------------------------------------------------------------------------------------------------------------------
# Language and time

USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es-419", "Español (Latinoamérica)"), ("ar", "العربية")]
LOCALE_PATHS = [REPO_ROOT / "conf" / "locale"]
LANGUAGE_COOKIE_NAME = "openedx-language-preference"

# ---------------------------------------------------------------------------------------------------------------------
# Database, cache, sessions, Celery

DATABASES = {
    "default": dj_database_url.parse(os.environ.get("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'db.sqlite3'}"),
}
DATABASES["default"]["ATOMIC_REQUESTS"] = True
if DATABASES["default"]["ENGINE"].endswith("mysql"):
    try:
        import MySQLdb  # noqa: F401
    except ImportError:
        import pymysql

        pymysql.install_as_MySQLdb()
    DATABASES["default"]["OPTIONS"] = {
        "charset": "utf8mb4",
        "isolation_level": os.environ.get("SANDBOX_ISOLATION") or "read committed",
    }
    DATABASES["default"]["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"}
elif DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {"timeout": 20}
    if django.VERSION >= (5, 1):
        # A transaction that first reads and then writes fails at once beside another writer; one that begins as a
        # writer waits its turn.
        DATABASES["default"]["OPTIONS"]["transaction_mode"] = "IMMEDIATE"
    if DATABASES["default"]["NAME"] == str(DATA_DIR / "db.sqlite3"):
        DATA_DIR.mkdir(parents=True, exist_ok=True)

# Tests must not meet what the demo has cached.
SANDBOX_CACHE = os.environ.get("SANDBOX_CACHE") or ("locmem" if "pytest" in sys.modules else "file")
if SANDBOX_CACHE == "locmem":
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
elif SANDBOX_CACHE.startswith("redis://"):
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": SANDBOX_CACHE}}
else:
    # Files are shared by the server and the commands, and outlive both, as the catalog's entries must.
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": DATA_DIR / "cache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        },
    }

# In the database, so that emptying the cache logs nobody out. Pickled, as the platform's: masquerading keeps objects.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_SERIALIZER = "openedx.core.lib.session_serializers.PickleSerializer"

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "")
CELERY_TASK_ALWAYS_EAGER = not CELERY_BROKER_URL

# ---------------------------------------------------------------------------------------------------------------------
# Who is calling

# Accounts that are not activated keep their sessions and tokens; only logging in refuses them.
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

JWT_PRIVATE_SIGNING_KEY, _public_keys = signing_keys(DATA_DIR / "jwt.pem")
JWT_AUTH = {
    "JWT_ISSUER": f"{LMS_ROOT_URL}/oauth2",
    "JWT_AUDIENCE": "lms-key",
    "JWT_SECRET_KEY": SECRET_KEY,
    "JWT_ALGORITHM": "RS512",
    "JWT_PUBLIC_SIGNING_JWK_SET": _public_keys,
    "JWT_VERIFY_AUDIENCE": False,
    "JWT_VERIFY_EXPIRATION": True,
    # "Bearer" stays for the tokens of OAuth2.
    "JWT_AUTH_HEADER_PREFIX": "JWT",
    "JWT_AUTH_COOKIE": "edx-jwt-cookie",
    "JWT_AUTH_COOKIE_HEADER_PAYLOAD": "edx-jwt-cookie-header-payload",
    "JWT_AUTH_COOKIE_SIGNATURE": "edx-jwt-cookie-signature",
    "JWT_DECODE_HANDLER": "edx_rest_framework_extensions.auth.jwt.decoder.jwt_decode_handler",
}
JWT_AUTH["JWT_ISSUERS"] = [
    {"ISSUER": JWT_AUTH["JWT_ISSUER"], "AUDIENCE": JWT_AUTH["JWT_AUDIENCE"], "SECRET_KEY": SECRET_KEY},
]
# The LMS is where users are made: a token tells it nothing new about them.
EDX_DRF_EXTENSIONS = {"JWT_PAYLOAD_USER_ATTRIBUTE_MAPPING": {}}
OAUTH2_PROVIDER = {
    "OAUTH2_VALIDATOR_CLASS": "openedx.core.djangoapps.oauth_dispatch.validators.PlatformOAuth2Validator",
    "SCOPES": {"read": "Read", "write": "Write", "email": "E-mail", "profile": "Profile"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "edx_rest_framework_extensions.auth.jwt.authentication.JwtAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# ---------------------------------------------------------------------------------------------------------------------
# Plugins

OPEN_EDX_FILTERS_CONFIG = {}
# Nobody watches a sandbox; without this, the library warns at every start that New Relic is missing.
OPENEDX_TELEMETRY = []
TRACKING_IGNORE_URL_PATTERNS = ["^/event", "^/login", "^/heartbeat"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            # INFO shows, among others, what the tracking middleware logs of each request.
            "level": os.environ.get("SANDBOX_LOG_LEVEL") or "WARNING",
        },
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    # Without Django's own handlers, of which one mails failed requests, whole, to the administrators.
    "loggers": {"django": {"handlers": [], "propagate": True}},
}

add_plugins(__name__, ProjectType.LMS, SettingsType.COMMON)


def _parse(value):
    """Return an operator's value: JSON where it is JSON, else the words as they stand."""
    try:
        return json.loads(value)
    except ValueError:
        return value


for _name, _value in os.environ.items():
    if _name.startswith("COACHING_"):
        globals()[_name] = _parse(_value)

# The platform derives these between its plugins' common settings and their production ones.
TEMPLATES[1]["DIRS"] = MAKO_TEMPLATE_DIRS_BASE

add_plugins(__name__, ProjectType.LMS, SettingsType.PRODUCTION)
