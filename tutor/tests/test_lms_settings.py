"""What the LMS gets: Tutor's settings, run in the platform's order around the settings of the LMS plugin itself."""

import builtins
import copy
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import pytest
import yaml
from coaching_plugin.conf import DEFAULTS
from coaching_plugin.settings import common, production
from coaching_plugin.settings.filters import STEPS, steps_of
from conftest import HAS_MFE

from tutorcoaching.plugin import LMS_SETTINGS

README = (Path(__file__).parent.parent / "README.rst").read_text(encoding="utf-8")
LMS_YML = "apps/openedx/config/lms.env.yml"
SETTINGS = {"production": "lms.envs.production", "development": "lms.envs.devstack"}
THEIRS = "other_plugin.pipeline.Step"
FILTER = next(iter(STEPS))


class Platform(dict):
    """Names of a settings module; what the platform would have set, and no test is about, is a mock."""

    def __missing__(self, name):
        if hasattr(builtins, name):
            raise KeyError(name)
        return self.setdefault(name, MagicMock(name=name))


def lms_settings(project, monkeypatch, mode="production", **present):
    """
    Return the settings that the LMS ends up with.

    The order is the platform's: its own, the plugins' common, the configuration file, the plugins' production. Then
    Tutor's.
    """
    settings = SimpleNamespace(MIDDLEWARE=["a.Middleware"], TRACKING_IGNORE_URL_PATTERNS=["^/event"], **present)
    common.plugin_settings(settings)
    vars(settings).update(yaml.safe_load(project.text(LMS_YML)))
    production.plugin_settings(settings)

    module = ModuleType(SETTINGS[mode])
    vars(module).update(copy.deepcopy(vars(settings)))
    for name in SETTINGS[mode], "lms", "lms.envs", "codejail", "xmodule", "xmodule.modulestore":
        monkeypatch.setitem(sys.modules, name, module if name == SETTINGS[mode] else MagicMock(__path__=[]))
    for name in "codejail.jail_code", "xmodule.modulestore.modulestore_settings":
        monkeypatch.setitem(sys.modules, name, MagicMock())
    # It makes its folders at the root of the file system.
    monkeypatch.setattr("os.makedirs", lambda *args, **kwargs: None)
    path = project.file(f"apps/openedx/settings/lms/{mode}.py")
    names = Platform()
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), {}, names)  # the file that the LMS would run
    return SimpleNamespace(**names)


def assert_our_steps_stand(config):
    assert [step for filter_type, step in STEPS.items() if step not in steps_of(config, filter_type)] == []


def assert_ours_are_whole(settings):
    assert_our_steps_stand(settings.OPEN_EDX_FILTERS_CONFIG)
    assert list(settings.MIDDLEWARE) == ["a.Middleware", common.COURSE_DOOR_MIDDLEWARE]
    assert set(settings.TRACKING_IGNORE_URL_PATTERNS) == {"^/event", *common.TRACKING_IGNORE_URL_PATTERNS}


def test_every_setting_of_the_lms_plugin_can_be_given_in_tutors_configuration():
    assert set(LMS_SETTINGS) == set(DEFAULTS)
    assert len(LMS_SETTINGS) == len(DEFAULTS)
    for name in LMS_SETTINGS:
        assert f"``{name}``" in README, f"{name} is not in the README"


def test_what_is_not_given_is_not_written(project):
    assert not [name for name in yaml.safe_load(project.text(LMS_YML)) if name.startswith("COACHING_")]


@pytest.mark.parametrize("mode", SETTINGS)
def test_tutors_settings_leave_ours_whole(project, monkeypatch, mode):
    settings = lms_settings(project, monkeypatch, mode, OPEN_EDX_FILTERS_CONFIG={FILTER: [THEIRS]})
    assert_ours_are_whole(settings)
    assert settings.OPEN_EDX_FILTERS_CONFIG[FILTER]["pipeline"] == [THEIRS, STEPS[FILTER]]
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS


GIVEN = {
    "COACHING_ENROLLMENT_MODES": ["verified", "professional"],
    "COACHING_PROGRAM_TYPES": [],
    "COACHING_ACTIVITY_WINDOW_DAYS": 0,
    "COACHING_MINIMUM_AGE": 16,
    "COACHING_PHONE_REGIONS": ["CA", "US"],
    "COACHING_PARTNER_NAME": 'مرشد & "Søn\'s" <Co>: #1 \\',
    "COACHING_PRIVACY_URL": "https://www.example.com/privacy?a=1&b=2",
    "COACHING_REQUIRE_DISCLOSURE": True,
    "COACHING_API_THROTTLE": "600/minute",
    "COACHING_PARTNER_CHANNELS": {
        "crm": {
            "BACKEND": "a.Channel",
            "OPTIONS": {"url": "https://crm.example.com/?a=1", "secrets": ["whsec_+/="]},
        }
    },
    "COACHING_PARTNER_MAX_ATTEMPTS": 5,
    "COACHING_PARTNER_OPT_OUT_SECRETS": ["whsec_+/="],
    "COACHING_EVIDENCE_RETENTION_DAYS": 365,
    "COACHING_CONSENT_GOAL": 0.75,
}


@pytest.mark.parametrize("mode", SETTINGS)
def test_what_is_given_arrives_as_it_was_given(new_project, monkeypatch, mode):
    assert GIVEN.keys() == DEFAULTS.keys()
    project = new_project().enable(*(["mfe"] if HAS_MFE else []), "coaching")
    project.configure(**{name: json.dumps(value) for name, value in GIVEN.items()})
    settings = lms_settings(project, monkeypatch, mode)
    assert {name: getattr(settings, name) for name in GIVEN} == GIVEN
    assert_ours_are_whole(settings)


def patching(project, settings):
    """Add an operator's plugin whose patch of the LMS's settings is this."""
    indented = "\n".join(f"    {line}" for line in settings.splitlines())
    text = f"name: site\npatches:\n  openedx-lms-common-settings: |\n{indented}\n"
    return project.write_plugin("site.yml", text).enable("coaching", "site")


@pytest.mark.parametrize(
    ("assignment", "erased"),
    [
        (f'OPEN_EDX_FILTERS_CONFIG = {{"{FILTER}": ["{THEIRS}"]}}', "OPEN_EDX_FILTERS_CONFIG"),
        ('MIDDLEWARE = ["a.Middleware", "b.Middleware"]', "MIDDLEWARE"),
        ('TRACKING_IGNORE_URL_PATTERNS = ["^/event"]', "TRACKING_IGNORE_URL_PATTERNS"),
    ],
    ids=["filters", "middleware", "tracking"],
)
def test_a_patch_that_assigns_erases_ours_as_the_readme_warns(new_project, monkeypatch, assignment, erased):
    settings = lms_settings(patching(new_project(), assignment), monkeypatch)
    assert "coaching" not in str(getattr(settings, erased))
    assert f"``{erased}``" in README


def test_a_patch_that_merges_as_the_readme_says_leaves_ours_whole(new_project, monkeypatch):
    (example,) = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README)
    merging = "\n".join(line.removeprefix("    ") for line in example.splitlines()).strip()
    assert "OPEN_EDX_FILTERS_CONFIG" in merging
    settings = lms_settings(patching(new_project(), merging), monkeypatch)
    assert_our_steps_stand(settings.OPEN_EDX_FILTERS_CONFIG)
    assert settings.MIDDLEWARE[:2] == ["a.Middleware", common.COURSE_DOOR_MIDDLEWARE]
    assert len(settings.MIDDLEWARE) == 3
    assert set(common.TRACKING_IGNORE_URL_PATTERNS) < set(settings.TRACKING_IGNORE_URL_PATTERNS)
    assert "my_plugin" in str(settings.OPEN_EDX_FILTERS_CONFIG)
