"""Which lines of a server's log tell of an error."""

import re

# Of the LMS, of Python, and of gunicorn.
ERROR = re.compile(r"^(?:ERROR|CRITICAL|Traceback|\[.*\] \[(?:ERROR|CRITICAL)\]).*", re.MULTILINE)


def errors_in(log: str) -> list[str]:
    """Return the lines that tell of an error, each once; what it is about may stand below them."""
    return sorted(set(ERROR.findall(log)))
