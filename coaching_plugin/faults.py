"""How a failure of ours is logged: what kind and where, and never the value that it happened on."""

import logging
import traceback


def log_fault(log: logging.Logger, error: Exception, message: str, *args: object) -> None:
    """
    Log, in one record, a message with the type of ``error`` and the frames of its traceback.

    Its own message is left out: what a database or a library says of a value may be a learner's phone number or name.
    """
    frames = "".join(
        f"\n  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    )
    log.error(f"{message}: %s%s", *args, type(error).__name__, frames)
