"""
The settings of edx-enterprise where it is measured: those of its own tests, on our site's database.

Its filter steps stand in ``OPEN_EDX_FILTERS_CONFIG`` already: its plugin settings put them there, as in an LMS.
"""

import os
from urllib.parse import urlsplit

# isort: off
import benchmarks.without_plugin  # noqa: F401  # a checkout in which the plugin was installed tells of it to all
from enterprise.settings.test import *  # noqa: F403

# isort: on
_parts = urlsplit(os.environ["DATABASE_URL"])

# As in the sandbox, but for the requests' transactions: no request handler is run here.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": _parts.hostname,
        "PORT": _parts.port or 3306,
        "USER": _parts.username,
        "PASSWORD": _parts.password or "",
        "NAME": _parts.path.lstrip("/"),
        "OPTIONS": {"charset": "utf8mb4", "isolation_level": "read committed"},
    }
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# What is logged from a warning up is made, but shown to nobody; so it is with us.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

# Its own addresses need more packages than it requires itself; the step wants two.
ROOT_URLCONF = "benchmarks.enterprise_stand_ins"
ALLOWED_HOSTS = ["testserver"]
