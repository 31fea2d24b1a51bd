"""Settings of the test suite: the sandbox's, with a cache of the process, empty at its start."""

import os

os.environ.setdefault("SANDBOX_CACHE", "locmem")

from lms.envs.sandbox import *  # noqa: E402, F403
