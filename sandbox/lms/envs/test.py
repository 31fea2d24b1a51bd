"""Settings of the test suite: the sandbox's, with a cache of the process and a database of the run, both empty."""

import os
import tempfile

os.environ.setdefault("SANDBOX_CACHE", "locmem")

from lms.envs.sandbox import *  # noqa: E402, F403
from lms.envs.sandbox import DATABASES, Path, django  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file and not memory, so that the threads of a live server, and other processes, each have a connection of
    # their own, as they have to MariaDB.
    DATABASES["default"]["TEST"] = {"NAME": Path(tempfile.gettempdir()) / f"coaching-tests-{os.getpid()}.sqlite3"}
    # Two thirds of the time that migrating takes go into 22 steps to these tables, on which nothing of ours builds:
    # they are made as they are in the end. SQLite alone makes a table before the one that it refers to.
    MIGRATION_MODULES = {"oauth2_provider": None}
    if django.VERSION >= (5, 1):
        # Nothing here has to survive a power cut.
        DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA synchronous=OFF"
