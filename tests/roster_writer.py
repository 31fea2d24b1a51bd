"""
A process that writes a roster file, and may be killed or run out of room: ``python -m tests.roster_writer``.

Arguments: the folder, how many entries, and how many bytes a file may have (0: as many as it likes). Of the entries, it
stops before the last, says ``waiting``, and goes on when its input is closed. It writes what came of it: ``written``,
or the code of the ``DeliveryError``.
"""

import resource
import sys
from uuid import UUID

import django

NUMBER = "+14155552671"


def made_up(count, wait=None):
    """Yield as many entries of learners who agreed; what they hold is as long as real ones' is."""
    from coaching_plugin.partner.roster import Entry, Standing

    for number in range(count):
        if wait and number == count - 1:
            wait()
        yield Entry(
            partner_id=UUID(int=number),
            sequence=1,
            status=Standing.CONSENTED,
            full_name="Lena Learner",
            phone_number=NUMBER,
            email=f"learner{number}@example.com",
            language="en",
            programs=("Demo MicroBachelors",),
            disclosure_version=1,
        )


def say_and_wait():
    """Say that most is written, and wait."""
    print("waiting", flush=True)
    sys.stdin.read()


def main(folder, count, limit):
    """Write, within the limit."""
    from coaching_plugin.partner.channels import DeliveryError
    from coaching_plugin.partner.roster_file import FolderChannel

    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        FolderChannel(folder).write(made_up(count, say_and_wait))
    except DeliveryError as error:
        print(error.code, flush=True)
    else:
        print("written", flush=True)


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
