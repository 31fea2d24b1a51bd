"""Processes that measure and wait to be told what: so that several databases, or two plugins, take turns in one run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


class ProbeError(Exception):
    """Raised where a probe ended, or could not do what it was asked."""


class Probe(AbstractContextManager):
    """
    A process that answers one question after another. As a context manager, it ends with the block.

    Args:
        module: the module to run, which calls ``serve``.
        python: the interpreter; this one by default.
        environment: what is added to this process's environment, such as ``DATABASE_URL``.
    """

    def __init__(self, module: str, python: str = sys.executable, **environment: str):
        path = os.pathsep.join([str(ROOT), str(ROOT / "sandbox")])
        self._module = module
        self._process = subprocess.Popen(
            [python, "-m", module],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, question: str, **arguments: Any) -> Any:
        """Have a question answered. Raises ``ProbeError`` where it fails; why, the probe has said on stderr."""
        # One that has ended before takes no question; it has no answer either.
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps([question, arguments]) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ProbeError(f"{self._module} ended when it was asked for {question}")
        return json.loads(line)

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate()


def serve(questions: dict[str, Callable[..., Any]]) -> None:
    """Answer, as JSON, what comes on standard input, till it ends; an exception ends the process."""
    # What else is printed must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        question, arguments = json.loads(line)
        answers.write(json.dumps(questions[question](**arguments)) + "\n")
        answers.flush()
