"""`make demo`: the LMS, a Celery worker and the coaching partner, as real processes that start and stop together."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from django.core import management
from django.db import DatabaseError
from sandbox_demo.management.commands import run_demo
from waffle.models import Switch

from coaching_plugin import consent
from tests import factories
from tests.factories import NUMBER, evidence
from tests.partner_process import SANDBOX, Partner, ask

pytestmark = pytest.mark.once

SECONDS = 90
# What may be set where the tests run, and would not be the demo's.
LEFT_OUT = re.compile("DATABASE_URL|SANDBOX_CACHE|PORT|PARTNER_PORT|CELERY_.*|COACHING_.*")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment_of(folder, **more):
    """Return the environment in which the Makefile runs the demo, with its data in a folder."""
    kept = {name: value for name, value in os.environ.items() if not LEFT_OUT.fullmatch(name)}
    path = os.pathsep.join([str(SANDBOX.parent), str(SANDBOX)])
    ours = {"DJANGO_SETTINGS_MODULE": "lms.envs.demo", "SANDBOX_DATA_DIR": str(folder), "PYTHONPATH": path}
    return kept | ours | {name: str(value) for name, value in more.items()}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A folder whose database has its tables already, which takes the longest."""
    folder = tmp_path_factory.mktemp("migrated")
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=SANDBOX, env=environment_of(folder), check=True)
    return folder


@pytest.fixture
def folder(migrated, tmp_path):
    return shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)


class Demo:
    """The demo as the Makefile starts it, with its data elsewhere."""

    def __init__(self, folder, **environment):
        self.port, self.partner_port = free_port(), free_port()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "run_demo"],
            cwd=SANDBOX,
            env=environment_of(folder, **{"PORT": self.port, "PARTNER_PORT": self.partner_port, **environment}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.partner = Partner(f"http://127.0.0.1:{self.partner_port}")

    def start_page(self):
        """Return the start page. Raises ``OSError`` while it cannot be had."""
        assert self.process.poll() is None, self.ends()
        answer = ask(f"http://127.0.0.1:{self.port}")
        assert answer.status == 200
        return answer.text

    def ends(self):
        """Return the exit status and all that was said; every process holds the pipe open, till the last has ended."""
        said, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said


@contextmanager
def running_demo(folder, **environment):
    demo = Demo(folder, **environment)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.communicate(timeout=SECONDS)


def eventually(look):
    """Return what ``look`` finds, as soon as it finds something."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except OSError:
            pass
        time.sleep(0.2)
    return pytest.fail(f"never came true: {look}")


def test_the_whole_loop_with_a_real_broker_and_worker(folder):
    with running_demo(folder) as demo:
        assert f'href="{demo.partner.url}/"' in eventually(demo.start_page)
        (learner,) = eventually(demo.partner.holds).values()
        assert learner["email"] == "consented@example.com"

        demo.partner.stop(learner["partner_id"])
        assert [each["answer"] for each in demo.partner.opt_outs()] == ["200, withdrawn"]
        eventually(lambda: [each["status"] for each in demo.partner.holds().values()] == ["withdrawn"])
        eventually(lambda: list((folder / "roster").glob("*.csv")))

        demo.process.terminate()
        status, said = demo.ends()
    assert status == 0, said
    assert f"http://127.0.0.1:{demo.port}/" in said
    assert demo.partner.url in said
    assert not re.search(r"ERROR|Traceback|consented@|4155552671", said), said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_stop_everything(folder, number):
    with running_demo(folder) as demo:
        eventually(demo.start_page)
        eventually(demo.partner.page)
        os.killpg(demo.process.pid, number)  # as a terminal does, to all that are in its foreground
        status, said = demo.ends()
    assert status == 0, said
    assert "Traceback" not in said
    for port in (demo.port, demo.partner_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize(("taken", "name"), [("PORT", "The LMS"), ("PARTNER_PORT", "The coaching partner")])
def test_where_one_ends_by_itself_all_do(folder, taken, name):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with running_demo(folder, **{taken: listener.getsockname()[1]}) as demo:
            status, said = demo.ends()
    assert status == 1
    assert f"{name} has ended by itself" in said


def test_it_asks_for_the_settings_of_the_demo(folder):
    with running_demo(folder, DJANGO_SETTINGS_MODULE="lms.envs.sandbox") as demo:
        status, said = demo.ends()
    assert status == 1
    assert "lms.envs.demo" in said


def test_a_process_that_does_not_end_when_asked_is_made_to(monkeypatch):
    monkeypatch.setattr(run_demo, "SECONDS_TO_STOP", 0.5)
    ready = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", ready], stdout=subprocess.PIPE) as deaf:
        deaf.stdout.readline()
        run_demo._stop([deaf])
        assert deaf.returncode == -signal.SIGKILL


def test_the_schedule_delivers_what_waits_and_outlives_a_failure(
    committed, coached, flags, settings, monkeypatch, tmp_path, caplog
):
    options = {"folder": str(tmp_path), "format": "csv"}
    channel = {"BACKEND": "coaching_plugin.partner.roster_file.FolderChannel", "OPTIONS": options}
    settings.COACHING_PARTNER_CHANNELS = {"roster": channel}
    consent.give(factories.eligible_learner(), phone_number=NUMBER, full_name=None, evidence=evidence())
    Switch.objects.create(name="coaching.partner_delivery", active=True)
    failures = iter([DatabaseError("of +14155552671")])

    def call_command(*args, **options):
        for failure in failures:
            raise failure
        management.call_command(*args, **options)

    monkeypatch.setattr(run_demo, "call_command", call_command)
    monkeypatch.setattr(run_demo, "SECONDS_BETWEEN_DELIVERIES", 0.05)
    stopping = threading.Event()
    schedule = threading.Thread(target=run_demo._deliver_now_and_then, args=[stopping])
    schedule.start()
    try:
        eventually((tmp_path / "roster.csv").exists)
    finally:
        stopping.set()
        schedule.join()
    assert "deliver_to_partner: DatabaseError" in caplog.text


PROBE = """
from django.conf import settings as s
print(s.SANDBOX_PARTNER_URL, list(s.COACHING_PARTNER_CHANNELS), len(s.COACHING_PARTNER_OPT_OUT_SECRETS))
"""


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"PORT": "8123"}, "http://127.0.0.1:8124 ['webhook', 'roster'] 1"),
        ({"PORT": "8123", "PARTNER_PORT": "9000"}, "http://127.0.0.1:9000 ['webhook', 'roster'] 1"),
        ({"PORT": "8123", "PARTNER_PORT": ""}, "http://127.0.0.1:8124 ['webhook', 'roster'] 1"),
        (
            {"COACHING_PARTNER_CHANNELS": "{}", "COACHING_PARTNER_OPT_OUT_SECRETS": "[]"},
            "http://127.0.0.1:8001 [] 0",
        ),
    ],
)
def test_the_settings_of_the_demo_follow_the_environment(tmp_path, environment, found):
    environ = environment_of(tmp_path, **environment)
    run = subprocess.run([sys.executable, "-c", PROBE], env=environ, capture_output=True, text=True)
    assert run.stdout.strip() == found, run.stderr
