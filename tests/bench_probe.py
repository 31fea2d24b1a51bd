"""A probe for the tests of probes: it needs no site, so that what it answers is all that there is to it."""

import os

from benchmarks.probe import serve


def say_and_answer():
    """Print something on the way to the answer."""
    print("not an answer")  # noqa: T201
    return "an answer"


def fail():
    """Raise, as a question does that cannot be answered."""
    raise ValueError("no answer")


if __name__ == "__main__":
    serve(
        {
            "add": lambda one, another: one + another,
            "environment": lambda name: os.environ.get(name),
            "say_and_answer": say_and_answer,
            "fail": fail,
        }
    )
