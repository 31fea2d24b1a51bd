"""What it takes to have the plugin: installed, enabled, with tutor-mfe or without, and taken out again."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from conftest import HAS_MFE, needs_mfe

FOLDER = Path(__file__).parent.parent
LMS_FILES = {"build/openedx/Dockerfile"}
MFE_FILES = {"plugins/mfe/build/mfe/Dockerfile", "plugins/mfe/build/mfe/env.config.jsx"}


def test_this_environment_is_the_one_that_was_asked_for():
    """Else a test that is skipped for want of tutor-mfe would be skipped everywhere, and nobody would see."""
    release = os.environ.get("EXPECTED_TUTOR_RELEASE")
    if release:
        assert version("tutor").partition(".")[0] == release
        assert os.environ["EXPECTED_TUTOR_MFE"] == ("yes" if HAS_MFE else "no")


def test_tutor_finds_it_by_its_entry_point():
    (entry_point,) = entry_points(group="tutor.plugin.v1", name="coaching")
    assert entry_point.value == "tutorcoaching.plugin"
    assert entry_point.dist.name == "tutor-contrib-coaching"


def test_installed_but_not_enabled_it_changes_nothing(new_project):
    assert new_project().enable(*(["mfe"] if HAS_MFE else [])).mentions() == set()


def test_enabled_it_changes_these_files_alone(project):
    assert project.mentions() == LMS_FILES | (MFE_FILES if HAS_MFE else set())


def test_without_tutor_mfe_enabled_the_lms_has_it_all_the_same(new_project):
    assert new_project().enable("coaching").mentions() == LMS_FILES


@needs_mfe
def test_the_order_in_which_the_two_are_enabled_does_not_matter(new_project, project):
    other = new_project().enable("coaching").enable("mfe")
    assert other.text("plugins/mfe/build/mfe/env.config.jsx") == project.text("plugins/mfe/build/mfe/env.config.jsx")


def test_disabled_again_it_leaves_nothing(new_project):
    project = new_project().enable(*(["mfe"] if HAS_MFE else []), "coaching")
    assert project.mentions()
    project.tutor("plugins", "disable", "coaching")
    project.tutor("config", "save")
    assert project.mentions() == set()
    assert "oaching" not in (project.root / "config.yml").read_text()


def test_saving_twice_renders_the_same(new_project):
    project = new_project().enable("coaching")
    before = project.text("build/openedx/Dockerfile")
    project.tutor("config", "save")
    assert project.text("build/openedx/Dockerfile") == before


@pytest.mark.parametrize("name", ["COACHING_PIP_REQUIREMENT", "COACHING_NPM_PACKAGE", "COACHING_PARTNER_NAME"])
def test_its_configuration_can_be_looked_up(project, name):
    assert project.tutor("config", "printvalue", name).strip()


def test_the_package_carries_every_file(tmp_path):
    # A copy: building leaves a folder behind.
    source = shutil.copytree(FOLDER, tmp_path / "source", ignore=shutil.ignore_patterns(".tox", "*.egg-info", "build"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    package = FOLDER / "tutorcoaching"
    wanted = {
        path.relative_to(FOLDER).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == wanted
    assert any(name.endswith("LICENSE") for name in names)
