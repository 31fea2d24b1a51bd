"""The system checks: what they say where another setting has replaced what the plugin merged into it."""

import ast
import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings as running
from django.core import checks as django_checks

from coaching_plugin import checks, conf
from coaching_plugin.settings import common
from coaching_plugin.settings.filters import STEPS

pytestmark = pytest.mark.course_doors

MIDDLEWARE = common.COURSE_DOOR_MIDDLEWARE
SHARED = ["OPEN_EDX_FILTERS_CONFIG", "MIDDLEWARE", "TRACKING_IGNORE_URL_PATTERNS", "MAKO_TEMPLATE_DIRS_BASE"]
THEIRS = "other_plugin.pipeline.Step"


# The suite runs on both kinds of platform. Only where the filters are not called is the middleware the way in.
WITHOUT_MIDDLEWARE = [] if running.SANDBOX_COURSEWARE_HOOKS == "filters" else ["coaching_plugin.W002"]


def found():
    """Return what Django's own runner makes of our checks."""
    return django_checks.run_checks(tags=["coaching_plugin"])


def ids():
    return [message.id for message in found()]


def test_there_is_nothing_to_say_of_the_settings_as_the_plugin_made_them():
    assert found() == []


def test_other_checks_do_not_wait_for_ours():
    """Ours are among those that every command runs, and ask no database."""
    assert checks.check_shared_settings in django_checks.registry.registry.get_checks()


def test_no_query_is_asked(django_assert_num_queries, db, settings):
    settings.MIDDLEWARE = []
    settings.OPEN_EDX_FILTERS_CONFIG = {}
    with django_assert_num_queries(0):
        assert found()


# Steps


def test_a_replaced_filter_configuration_is_told_with_what_to_write_instead(settings):
    settings.OPEN_EDX_FILTERS_CONFIG = {"org.openedx.learning.dashboard.render.started.v1": [THEIRS]}
    (message,) = found()
    assert message.id == "coaching_plugin.W001"
    for filter_type, step in STEPS.items():
        assert step in message.msg
        assert filter_type in message.hint

    code = message.hint.partition("What is missing: ")[2]
    names = {"OPEN_EDX_FILTERS_CONFIG": {}}
    exec(compile(ast.parse(code), "hint", "exec"), names)
    settings.OPEN_EDX_FILTERS_CONFIG = names["OPEN_EDX_FILTERS_CONFIG"]
    assert found() == [], "the hint helps"


@pytest.mark.parametrize("filter_type", STEPS)
def test_each_step_is_looked_for(settings, filter_type):
    settings.OPEN_EDX_FILTERS_CONFIG = copy.deepcopy(settings.OPEN_EDX_FILTERS_CONFIG)
    settings.OPEN_EDX_FILTERS_CONFIG[filter_type] = {"fail_silently": True, "pipeline": [THEIRS]}
    (message,) = found()
    assert message.id == "coaching_plugin.W001"
    assert [step for step in STEPS.values() if step in message.msg] == [STEPS[filter_type]]
    assert filter_type in message.hint


@pytest.mark.parametrize("filter_type", STEPS)
@pytest.mark.parametrize("form", ["list", "tuple", "path", "beside others"])
def test_a_step_counts_in_every_form_that_the_library_takes(settings, filter_type, form):
    step = STEPS[filter_type]
    settings.OPEN_EDX_FILTERS_CONFIG = {
        **settings.OPEN_EDX_FILTERS_CONFIG,
        filter_type: {
            "list": [step],
            "tuple": (step,),
            "path": step,
            "beside others": {"pipeline": [THEIRS, step]},
        }[form],
    }
    assert found() == []


# The way into a course


def test_without_the_middleware_nobody_is_asked_where_the_platform_calls_no_filters(settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != MIDDLEWARE]
    assert ids() == WITHOUT_MIDDLEWARE


def test_without_steps_and_middleware_nobody_is_asked_anywhere(settings):
    settings.MIDDLEWARE = ["a.Middleware"]
    settings.OPEN_EDX_FILTERS_CONFIG = {}
    messages = {message.id: message for message in found()}
    assert messages.keys() == {"coaching_plugin.W001", "coaching_plugin.W002"}
    assert MIDDLEWARE in messages["coaching_plugin.W002"].hint


def test_where_the_steps_are_missing_the_middleware_does_their_work(settings):
    settings.OPEN_EDX_FILTERS_CONFIG = {}
    assert ids() == ["coaching_plugin.W001"]


# The tracking log


@pytest.mark.parametrize("pattern", common.TRACKING_IGNORE_URL_PATTERNS)
def test_a_path_that_would_be_logged_is_told(settings, pattern):
    settings.TRACKING_IGNORE_URL_PATTERNS = ["^/event", *common.TRACKING_IGNORE_URL_PATTERNS]
    settings.TRACKING_IGNORE_URL_PATTERNS.remove(pattern)
    (message,) = found()
    assert message.id == "coaching_plugin.W003"
    assert pattern in message.msg
    named = ast.literal_eval(re.search(r"\[.*\]", message.hint)[0])
    assert named == [pattern]


# The dashboard card


def test_a_folder_of_templates_that_is_missing_is_told(settings):
    theirs = [path for path in settings.MAKO_TEMPLATE_DIRS_BASE if str(path) != common.MAKO_TEMPLATES]
    settings.MAKO_TEMPLATE_DIRS_BASE = theirs
    (message,) = found()
    assert message.id == "coaching_plugin.W005"
    assert f'"{common.MAKO_TEMPLATES}"' in message.hint
    settings.MAKO_TEMPLATE_DIRS_BASE = [*theirs, Path(common.MAKO_TEMPLATES)]
    assert found() == []


# Our own settings


BAD_SETTINGS = {
    "COACHING_ENROLLMENT_MODES": 5,
    "COACHING_PROGRAM_TYPES": [None],
    "COACHING_ACTIVITY_WINDOW_DAYS": "90",
    "COACHING_MINIMUM_AGE": -1,
    "COACHING_PHONE_REGIONS": ["US", "Atlantis"],
    "COACHING_PARTNER_NAME": " ",
    "COACHING_PRIVACY_URL": "https://[",
    "COACHING_REQUIRE_DISCLOSURE": "false",
    "COACHING_API_THROTTLE": "often",
    "COACHING_PARTNER_CHANNELS": [],
    "COACHING_PARTNER_MAX_ATTEMPTS": None,
    "COACHING_PARTNER_OPT_OUT_SECRETS": ["whsec_c2hvcnQ="],
    "COACHING_EVIDENCE_RETENTION_DAYS": "never",
    "COACHING_CONSENT_GOAL": 60,
}


@pytest.mark.parametrize("name", conf.DEFAULTS)
def test_a_setting_that_is_not_usable_is_told_and_not_logged(settings, name, caplog):
    setattr(settings, name, BAD_SETTINGS[name])
    (message,) = found()
    assert message.id == ("coaching_plugin.W006" if name == "COACHING_PARTNER_CHANNELS" else "coaching_plugin.W007")
    assert name in message.msg
    assert conf.problems()[name] in message.msg + message.hint
    assert caplog.messages == []


def test_the_settings_words_name_what_is_wrong_and_no_secret(settings):
    settings.COACHING_PHONE_REGIONS = ["US", "Atlantis"]
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = ["whsec_c2hvcnQ="]
    regions, secrets = found()
    assert "ATLANTIS" in regions.msg
    assert "['US']" in regions.hint
    assert "whsec_ and 24 to 64 random bytes" in secrets.msg
    assert "c2hvcnQ" not in secrets.msg + secrets.hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("COACHING_PHONE_REGION", "COACHING_PHONE_REGIONS"),
        ("COACHING_ENROLMENT_MODES", "COACHING_ENROLLMENT_MODES"),
        ("COACHING_COLOUR", "something else"),
    ],
)
def test_a_setting_that_nothing_reads_is_told(settings, name, hint):
    setattr(settings, name, ["US"])
    (message,) = found()
    assert message.id == "coaching_plugin.W008"
    assert message.msg.endswith(f" {name}.")
    assert hint in message.hint


# Twice


@pytest.mark.parametrize("filter_type", STEPS)
def test_a_step_that_stands_twice_is_told(settings, filter_type):
    step = STEPS[filter_type]
    settings.OPEN_EDX_FILTERS_CONFIG = {
        **settings.OPEN_EDX_FILTERS_CONFIG,
        filter_type: {"pipeline": [step, THEIRS, step, step]},
    }
    (message,) = found()
    assert message.id == "coaching_plugin.W004"
    assert message.msg.startswith(f"{step} stands 3 times")
    assert filter_type in message.msg


def test_a_middleware_that_stands_twice_is_told(settings):
    settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]
    assert ids() == ["coaching_plugin.W004"]


# What no setting should be


NONSENSE = {
    "none": None,
    "a number": 5,
    "true": True,
    "a text": "coaching_plugin",
    "an empty text": "",
    "bytes": b"x",
    "a list of nonsense": [None, 5, {}, []],
    "a dictionary": {"a": 1},
    "a set": {1},
    "an object": SimpleNamespace(),
}
OF_FILTERS = {f"entry: {name}": dict.fromkeys(STEPS, value) for name, value in NONSENSE.items()} | {
    f"pipeline: {name}": dict.fromkeys(STEPS, {"pipeline": value}) for name, value in NONSENSE.items()
}


@pytest.mark.parametrize("value", [*NONSENSE.values(), *OF_FILTERS.values()], ids=[*NONSENSE, *OF_FILTERS])
def test_a_filter_configuration_that_makes_no_sense_is_one_without_our_steps(settings, value):
    settings.OPEN_EDX_FILTERS_CONFIG = value
    assert ids() == ["coaching_plugin.W001"]


@pytest.mark.parametrize("value", NONSENSE.values(), ids=NONSENSE)
def test_middleware_that_makes_no_sense_is_one_without_ours(settings, value):
    settings.MIDDLEWARE = value
    assert ids() == WITHOUT_MIDDLEWARE


@pytest.mark.parametrize("value", NONSENSE.values(), ids=NONSENSE)
def test_tracking_patterns_that_make_no_sense_are_none(settings, value):
    settings.TRACKING_IGNORE_URL_PATTERNS = value
    assert ids() == ["coaching_plugin.W003"]


@pytest.mark.parametrize("value", NONSENSE.values(), ids=NONSENSE)
def test_folders_of_templates_that_make_no_sense_are_none(settings, value):
    settings.MAKO_TEMPLATE_DIRS_BASE = value
    assert ids() == ["coaching_plugin.W005"]


@pytest.mark.parametrize("value", NONSENSE.values(), ids=NONSENSE)
def test_steps_cannot_be_in_effect_in_a_configuration_that_makes_no_sense(settings, value):
    settings.OPEN_EDX_FILTERS_CONFIG = value
    settings.MIDDLEWARE = []
    assert ids() == ["coaching_plugin.W001", "coaching_plugin.W002"]


@pytest.mark.parametrize("name", SHARED)
def test_a_setting_that_is_gone_is_no_crash(settings, name):
    delattr(settings, name)
    assert isinstance(found(), list)


# As an operator runs them


def manage_check(assignments, tmp_path, hooks, *arguments):
    """Run ``manage.py check`` on a sandbox whose settings go on with these assignments, as a patch of Tutor's does."""
    sandbox = Path(running.REPO_ROOT)
    (tmp_path / "patched.py").write_text(f"from lms.envs.test import *\n{assignments}\n")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COACHING_")},
        "DJANGO_SETTINGS_MODULE": "patched",
        "SANDBOX_COURSEWARE_HOOKS": hooks,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(sandbox.parent), str(sandbox)]),
    }
    command = [sys.executable, "manage.py", "lms", "check", *arguments]
    return subprocess.run(command, cwd=sandbox, env=environment, capture_output=True, text=True)


@pytest.mark.once
@pytest.mark.parametrize("hooks", ["none", "filters"])
def test_an_untouched_lms_has_no_issues(tmp_path, hooks):
    done = manage_check("", tmp_path, hooks)
    assert done.returncode == 0, done.stderr
    assert "coaching_plugin." not in done.stdout + done.stderr


@pytest.mark.once
@pytest.mark.parametrize("hooks", ["none", "filters"])
def test_an_lms_whose_settings_were_assigned_starts_and_says_so(tmp_path, hooks):
    assignments = f"""
OPEN_EDX_FILTERS_CONFIG = {json.dumps({next(iter(STEPS)): [THEIRS]})}
MIDDLEWARE = [name for name in MIDDLEWARE if "coaching" not in name]
TRACKING_IGNORE_URL_PATTERNS = ["^/event"]
MAKO_TEMPLATE_DIRS_BASE = []
"""
    done = manage_check(assignments, tmp_path, hooks)
    assert done.returncode == 0, "a warning stops nothing"
    for number in (1, 2, 3, 5):
        assert f"(coaching_plugin.W00{number})" in done.stderr
    assert "HINT" in done.stderr
    assert manage_check(assignments, tmp_path, hooks, "--fail-level", "WARNING").returncode == 1


@pytest.mark.once
def test_a_warning_can_be_silenced(tmp_path):
    silenced = 'TRACKING_IGNORE_URL_PATTERNS = []\nSILENCED_SYSTEM_CHECKS = ["coaching_plugin.W003"]'
    done = manage_check(silenced, tmp_path, "none", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.once
def test_the_middleware_missing_alone_matters_only_where_it_is_the_way_in(tmp_path):
    assignments = 'MIDDLEWARE = [name for name in MIDDLEWARE if "coaching" not in name]'
    assert "coaching_plugin.W002" in manage_check(assignments, tmp_path, "none").stderr
    assert "coaching_plugin." not in manage_check(assignments, tmp_path, "filters").stderr
