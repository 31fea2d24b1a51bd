"""A plugin of pytest for ``make mutation``, which runs some tests for each mutant: makes the start of a run cheap."""

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from django.db import connection

DIRECTORY = Path(tempfile.gettempdir())
TEMPLATE = DIRECTORY / "coaching-mutation.sqlite3"

# One example that fails is enough: nobody reads it, so it need not be made small.
hypothesis.settings.register_profile(
    "mutation", derandomize=True, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
)
hypothesis.settings.load_profile("mutation")


def own_database():
    """Return the file of this process: it is forked from one that has read the settings already."""
    return DIRECTORY / f"coaching-mutation-{os.getpid()}.sqlite3"


def pytest_sessionstart(session):
    """Start with a copy of the database that was made once."""
    if TEMPLATE.exists():
        shutil.copyfile(TEMPLATE, own_database())
    settings.DATABASES["default"]["TEST"]["NAME"] = own_database()


@pytest.fixture(scope="session", autouse=True)
def _one_database_for_all(django_db_setup):
    """Keep the first database, as it is before any test, for all who follow; remove our own in the end."""
    if own_database().exists() and not TEMPLATE.exists():
        shutil.copyfile(own_database(), TEMPLATE)
    yield
    connection.close()
    own_database().unlink(missing_ok=True)
