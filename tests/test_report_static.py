"""The files of the report, as a production site collects them."""

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

pytestmark = pytest.mark.once

FILES = ["report.css", "report.js", "vendor/chartjs/chart.umd.min.js", "vendor/chartjs/LICENSE.md"]


@pytest.mark.parametrize("name", FILES)
def test_it_is_found(name):
    assert finders.find(f"coaching_plugin/{name}")


def test_a_storage_with_a_manifest_takes_them(settings, tmp_path):
    """As an LMS has in production. It follows what a script says of its source map, and stops where that is missing."""
    settings.STATIC_ROOT = tmp_path
    storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
    call_command("collectstatic", interactive=False, verbosity=0)
    for name in FILES:
        stem, _, suffix = name.rpartition(".")
        assert list(tmp_path.glob(f"coaching_plugin/{stem}.*.{suffix}"))
