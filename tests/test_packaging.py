"""What pip installs: the built package carries all of its files, and loads from a clean virtual environment."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

# Building and installing takes half a minute, and is the same on every platform and database.
pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
BUILT_FROM = ["LICENSE", "CHANGELOG.rst", "MANIFEST.in", "README.rst", "coaching_plugin", "pyproject.toml", "setup.py"]
# Beside them in the checkout, with packages of their own.
NOT_OURS = ["sandbox", "tutor"]
CARRIED = {".css", ".html", ".js", ".md", ".mo", ".po", ".py", ".svg", ".txt"}

# Runs in the clean environment, outside of the checkout: load the app from its entry point as the LMS does.
LOAD = """
import importlib.metadata, json
import django
from django.apps import apps
from django.conf import settings

(entry_point,) = importlib.metadata.entry_points(group="lms.djangoapp", name="coaching_plugin")
config = entry_point.load()
label = f"{config.__module__}.{config.__qualname__}"
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", label],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()

from django.core.management import call_command
from django.utils import translation

call_command("makemigrations", "coaching_plugin", check=True, dry_run=True)
with translation.override("ar"):
    arabic = translation.gettext("Would you like a coach?")
print(json.dumps({
    "config": label,
    "path": apps.get_app_config("coaching_plugin").path,
    "models": sorted(model.__name__ for model in apps.get_app_config("coaching_plugin").get_models()),
    "registered": sorted(config.plugin_app),
    "arabic": arabic,
}))
"""


def run(*command, cwd):
    """Run a command as a user in a fresh shell would, without what this test run has put on the path."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the folder with an sdist, and the wheel that was built from it, of a copy of the tree."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    generated = shutil.ignore_patterns("__pycache__", ".tox", "*.egg-info", "build")
    for name in BUILT_FROM + NOT_OURS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=generated)
        else:
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--outdir", dist, source, cwd=source)
    return dist


@pytest.fixture(scope="module")
def in_wheel(built):
    """Return the names of the files in the wheel."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="module")
def in_sdist(built):
    """Return the names of the files in the sdist, within its folder."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        return {name.partition("/")[2] for name in sdist.getnames()}


def files_of_the_package():
    """Return the package's own files, as the checkout has them."""
    files = (path for path in (ROOT / "coaching_plugin").rglob("*") if path.is_file() and path.suffix in CARRIED)
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_the_names_are_those_of_the_distribution(built):
    names = sorted(path.name for path in built.iterdir())
    assert [name.split("-")[0] for name in names] == ["platform_plugin_coaching"] * 2
    assert names[0].endswith("-py3-none-any.whl")


def test_wheel_and_sdist_carry_every_file_of_the_package(in_wheel, in_sdist):
    assert files_of_the_package() - in_wheel == set()
    assert files_of_the_package() - in_sdist == set()


@pytest.mark.parametrize(
    "kind", ["templates/", "mako_templates/", "static/", "conf/locale/ar/", "locale/ar/", "migrations/0001"]
)
def test_every_kind_of_file_is_there_at_all(in_wheel, kind):
    assert any(name.startswith(f"coaching_plugin/{kind}") for name in in_wheel)


def test_the_license_goes_along(in_wheel, in_sdist):
    assert "LICENSE" in in_sdist
    assert any(name.endswith("LICENSE") and ".dist-info/" in name for name in in_wheel)


def test_nothing_else_is_installed(in_wheel):
    assert {name.split("/")[0] for name in in_wheel if ".dist-info/" not in name} == {"coaching_plugin"}


def test_nothing_of_the_other_packages_is_in_the_sdist(in_sdist):
    assert {name.split("/")[0] for name in in_sdist} & set(NOT_OURS) == set()


def test_the_wheel_loads_from_a_clean_environment(built, tmp_path):
    clean = tmp_path / "clean"
    python = clean / "bin" / "python"
    run(sys.executable, "-m", "venv", clean, cwd=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", next(built.glob("*.whl")), cwd=tmp_path)
    run(python, "-m", "pip", "check", cwd=tmp_path)

    loaded = json.loads(run(python, "-I", "-c", LOAD, cwd=tmp_path).splitlines()[-1])

    assert loaded["config"] == "coaching_plugin.apps.CoachingPluginConfig"
    assert Path(loaded["path"]).is_relative_to(clean)
    assert "CoachingConsent" in loaded["models"]
    assert loaded["arabic"] == "هل يهمّك الحصول على مرشد؟"
    assert loaded["registered"] == ["settings_config", "signals_config", "url_config", "view_context_config"]
