"""Settings of the sandbox LMS as it is served under load: as ever, but that connections to the database last."""

from lms.envs.sandbox import *  # noqa: F403
from lms.envs.sandbox import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = None
