"""A sandbox LMS served by gunicorn on a free port, and what is to be seen of it from outside: its log and its time."""

import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

import psutil

from benchmarks.environment import ROOT, child_environment
from benchmarks.server_log import errors_in

START_SECONDS = 120


class NotServed(Exception):
    """Raised where gunicorn does not come up."""


class ServedLms(AbstractContextManager):
    """
    A gunicorn with its workers, till the end of the block.

    Args:
        settings: the settings of the LMS, as a dotted path.
        workers: how many processes answer, each one request at a time.
        log: the file to which gunicorn and the LMS write.
        environment: what else the LMS is told, such as ``DATABASE_URL``.
    """

    def __init__(self, settings: str, workers: int, log: Path, **environment: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self._log = f"http://127.0.0.1:{port}", log
        command = [
            *(sys.executable, "-m", "gunicorn", "--chdir", "sandbox", "--bind", f"127.0.0.1:{port}"),
            *("--workers", str(workers), "--log-level", "warning", "--no-control-socket", "wsgi"),
        ]
        with log.open("w") as file:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=child_environment(DJANGO_SETTINGS_MODULE=settings, **environment),
                stdout=file,
                stderr=file,
            )
        try:
            self._wait()
        except NotServed:
            self.__exit__()
            raise

    def seconds_of_work(self) -> float:
        """Return the processor time that the workers have taken so far."""
        times = [worker.cpu_times() for worker in psutil.Process(self._process.pid).children()]
        return sum(spent.user + spent.system for spent in times)

    def connections(self, port: int) -> int:
        """Return how many connections the workers have to a port of this machine or another."""
        workers = psutil.Process(self._process.pid).children()
        known = [connection for worker in workers for connection in worker.net_connections("tcp")]
        return sum(connection.status == "ESTABLISHED" and connection.raddr.port == port for connection in known)

    def problems(self) -> list[str]:
        """Return the lines of the log that tell of an error."""
        return errors_in(self._log.read_text())

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def _wait(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/login", timeout=30) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        raise NotServed(self._log.read_text()[-2000:])
