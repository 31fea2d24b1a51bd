"""What the Tutor plugin runs at init: its script, as Tutor runs it, on the sandbox with a database of its own."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

import coaching_plugin

pytestmark = pytest.mark.once

SANDBOX = Path(settings.REPO_ROOT)
SCRIPT = SANDBOX.parent / "tutor" / "tutorcoaching" / "templates" / "coaching" / "tasks" / "lms" / "init"
FLAGS = {"coaching.enabled", "coaching.course_redirect", "coaching.dashboard_card", "coaching.account_settings"}
SWITCH = "coaching.partner_delivery"
# For everybody; for a share of them; for staff, superusers, whoever is logged in. Not "no" for everybody: a flag that
# says so cannot be tried with a few.
OFF = (None, None, 0, 0, 0)
MANAGE = f'exec "{sys.executable}" "{SANDBOX}/manage.py" "$@"'


class Lms:
    """A folder with ``./manage.py``, which notes how it was called, and a database."""

    def __init__(self, folder: Path, manage: str = MANAGE):
        self.folder = folder
        script = folder / "manage.py"
        script.write_text(f'#!/bin/sh\necho "$*" >> "{folder}/calls"\n{manage}\n')
        script.chmod(0o755)

    def run(self, *command):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COACHING_")},
            "DJANGO_SETTINGS_MODULE": "lms.envs.sandbox",
            "DATABASE_URL": f"sqlite:///{self.folder / 'db.sqlite3'}",
            "SANDBOX_CACHE": "locmem",
            "PYTHONPATH": os.pathsep.join([str(SANDBOX.parent), str(SANDBOX)]),
        }
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def init(self):
        """Run the init as Tutor does; return what came of it, and which flags and switches it set."""
        before = len(self.calls())
        done = self.run("sh", "-e", "-c", SCRIPT.read_text(encoding="utf-8"))
        return done, [call for call in self.calls()[before:] if "waffle" in call and "--list" not in call]

    def calls(self):
        log = self.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def query(self, statement):
        with sqlite3.connect(self.folder / "db.sqlite3") as database:
            return database.execute(statement).fetchall()

    def flags(self):
        rows = self.query("SELECT name, everyone, percent, staff, superusers, authenticated FROM waffle_flag")
        return {name: tuple(rest) for name, *rest in rows}

    def switches(self):
        return dict(self.query("SELECT name, active FROM waffle_switch"))


def test_init_creates_what_is_missing_switched_off_and_leaves_what_is_there(tmp_path):
    lms = Lms(tmp_path)
    # A platform in use, to which the plugin is new.
    for arguments in (["migrate"], ["migrate", "coaching_plugin", "zero"]):
        assert lms.run("./manage.py", "lms", *arguments).returncode == 0

    done, _ = lms.init()

    assert done.returncode == 0, done.stderr
    assert lms.flags() == dict.fromkeys(FLAGS, OFF)
    assert lms.switches() == {SWITCH: 0}
    assert lms.query("SELECT COUNT(*) FROM coaching_plugin_coachingconsent") == [(0,)], "the tables are there"
    assert "Coached course runs: none in the catalog." in done.stdout

    # An operator turns things on, for everybody and for a few, and throws one away.
    lms.query("UPDATE waffle_flag SET everyone = 1 WHERE name = 'coaching.enabled'")
    lms.query("UPDATE waffle_flag SET staff = 1, percent = '5.0' WHERE name = 'coaching.course_redirect'")
    lms.query("UPDATE waffle_switch SET active = 1")
    lms.query("UPDATE waffle_flag SET name = 'coaching.dashboard_card.2' WHERE name = 'coaching.dashboard_card'")
    before = lms.flags()

    done, changed = lms.init()

    assert done.returncode == 0, done.stderr
    assert changed == ["lms waffle_flag --create coaching.dashboard_card"]
    assert lms.flags() == {**before, "coaching.dashboard_card": OFF}
    assert lms.switches() == {SWITCH: 1}


def test_every_flag_that_the_plugin_reads_is_created():
    package = Path(coaching_plugin.__file__).parent
    annotated = {
        name for path in package.rglob("*.py") for name in re.findall(r"toggle_name: (coaching\.\w+)", path.read_text())
    }
    assert annotated
    assert annotated <= FLAGS | {SWITCH}


# Where a command fails. The commands themselves do not matter here.


@pytest.mark.parametrize("command", ["migrate", "waffle_flag --list", "waffle_switch --list"])
def test_where_the_database_does_not_answer_the_init_stops_and_sets_nothing(tmp_path, command):
    """No list would read like "none is there", and to create a flag once more takes back that it is on."""
    listed = "\n".join(f"NAME: {flag}" for flag in FLAGS)
    lms = Lms(tmp_path, f'case "$*" in "lms {command}"*) exit 1;; *flag*) echo "{listed}";; esac')
    done, changed = lms.init()
    assert done.returncode == 1
    assert changed == []


def test_a_catalog_that_answers_nonsense_does_not_stop_the_init_of_others(tmp_path):
    lms = Lms(tmp_path, 'case "$*" in *sync_coached_courses) exit 1;; esac')
    done, changed = lms.init()
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "The coached course runs are as they were."
    assert len(changed) == len(FLAGS) + 1
