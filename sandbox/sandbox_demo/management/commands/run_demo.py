"""Runs the demo: the LMS, a Celery worker and the coaching partner, which start and stop together."""

import io
import logging
import signal
import subprocess
import sys
import threading

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

log = logging.getLogger(__name__)

SECONDS_TO_STOP = 10
# What failed, or waited for its time, is due again.
SECONDS_BETWEEN_DELIVERIES = 15
WELCOME = """  What the coaching partner sees: {}/

  The start page lists the demo learners and logs in with a click; every password is "edx".
  Start with "eligible", or "staff" for the admin. Ctrl-C stops everything.
"""


class Command(BaseCommand):
    """Prepares the demo's data, and serves it until Ctrl-C, SIGTERM, or the end of one of its processes."""

    help = __doc__
    requires_system_checks: list[str] = []

    def handle(self, *args, **options):
        """Run, and leave no process behind."""
        if not settings.SANDBOX_PARTNER_URL:
            raise CommandError("This needs the demo's settings: DJANGO_SETTINGS_MODULE=lms.envs.demo")
        call_command("migrate", verbosity=0)
        call_command("seed_demo", stdout=self.stdout)
        call_command("seed_crowd", stdout=self.stdout)
        stopping = threading.Event()
        # Not an exception, which could come while a process has started and is not yet known.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: stopping.set())
        processes = {}
        schedule = threading.Thread(target=_deliver_now_and_then, args=[stopping], daemon=True)
        schedule.start()
        try:
            for name, command in _commands().items():
                processes[name] = _start(command)
            self.stdout.write(WELCOME.format(settings.SANDBOX_PARTNER_URL))
            ended = _wait(processes, stopping)
        finally:
            stopping.set()
            _stop(processes.values())
            schedule.join(SECONDS_TO_STOP)
        if ended:
            raise CommandError(f"{ended} has ended by itself, so the demo has stopped.", returncode=1)


def _commands() -> dict[str, list[str]]:
    partner = ["--port", str(settings.SANDBOX_PARTNER_PORT), "--lms", settings.LMS_ROOT_URL]
    partner += ["--database", str(settings.DATA_DIR / "partner.sqlite3")]
    worker = ["--pool", "solo", "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    # A worker warns whoever runs it as root, as a demo in a container does.
    celery = ["-W", "ignore:You're running the worker", "-m", "celery", "--quiet", "--app", "lms.celery"]
    return {
        "The coaching partner": ["-m", "partner", *partner],
        "The Celery worker": [*celery, "worker", *worker],
        "The LMS": ["manage.py", "runserver", "--noreload", f"127.0.0.1:{settings.PORT}"],
    }


def _start(command: list[str]) -> subprocess.Popen:
    # In a session of its own, as a terminal sends Ctrl-C to all of one: they are stopped in one way only, from here.
    return subprocess.Popen(
        [sys.executable, *command], cwd=settings.REPO_ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    )


def _wait(processes: dict[str, subprocess.Popen], stopping: threading.Event) -> str | None:
    """Return when the demo is to stop; the name of a process where it ended by itself."""
    while not stopping.wait(0.2):
        for name, process in processes.items():
            if process.poll() is not None:
                return name
    return None


def _stop(processes) -> None:
    """Have every process end: asked first, then made to."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _deliver_now_and_then(stopping: threading.Event) -> None:
    """Be the schedule that an operator sets up: what the worker could not deliver at once is tried again."""
    while not stopping.wait(SECONDS_BETWEEN_DELIVERIES):
        try:
            call_command("deliver_to_partner", stdout=io.StringIO())
        except Exception as error:
            log.error("deliver_to_partner: %s", type(error).__name__)
        finally:
            connections.close_all()
