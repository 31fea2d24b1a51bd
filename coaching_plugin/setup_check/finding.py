"""What was found of one piece of the setup, how bad that is, and what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: not at all, worth knowing, not what was meant most likely, or broken."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One finding, in plain words without personal data or secrets."""

    level: Level
    what: str
    to_do: str = ""


Check = Callable[[], Iterable[Finding]]


def findings_of(check: Check) -> Iterator[Finding]:
    """Yield what a check finds; what keeps it from looking is a finding, too."""
    try:
        yield from check()
    except Exception as error:
        # Its own words are left out: a database or a library may quote what they stumbled upon.
        piece = check.__name__.removeprefix("check_").replace("_", " ")
        yield Finding(
            Level.ERROR,
            f"Could not be looked at: {piece} ({type(error).__name__}).",
            "Are the database and the cache up, and the migrations applied?",
        )
