"""What ``tutor local do init`` runs. The script itself is run against a real LMS stand-in in ``/tests``."""

import re
import subprocess
from pathlib import Path

import pytest

import tutorcoaching

SCRIPT = Path(tutorcoaching.__file__).parent / "templates" / "coaching" / "tasks" / "lms" / "init"


@pytest.fixture(scope="module")
def plan(project):
    return project.plan()


def test_the_lms_runs_the_script_as_it_is_and_nothing_else_does(plan):
    ours = [task for task in plan["all"] if "coaching" in task[1]]
    assert ours == plan["coaching"]
    ((service, script),) = ours
    assert service == "lms"
    assert script.strip() == SCRIPT.read_text(encoding="utf-8").strip()


def test_it_runs_after_the_lms_has_migrated(plan):
    tasks = [task for _, task in plan["all"]]
    migrates = [number for number, task in enumerate(tasks) if re.search(r"^\./manage.py lms migrate$", task, re.M)]
    assert migrates, "the LMS's own init"
    assert tasks.index(plan["coaching"][0][1]) > max(migrates)


def test_limited_to_this_plugin_it_migrates_first(plan):
    commands = [line for line in plan["coaching"][0][1].splitlines() if "manage.py" in line]
    assert commands[0] == "./manage.py lms migrate coaching_plugin"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_can_read_it(plan, shell):
    for service, task in plan["coaching"]:
        done = subprocess.run([shell, "-n"], input=task, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), service
