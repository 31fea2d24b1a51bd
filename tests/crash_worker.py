"""
A worker that dies: each run of the command that delivers to the partner is a process of its own, killed at a point.

It is told and tells what ``crash_server`` is told and tells, but for the port.
"""

import os
import pkgutil
import sys

import django
from django.core.management import call_command

from tests.crash_server import AFTER, BEFORE, die

# In the order in which a worker comes to them.
POINTS = {
    "before anything is claimed": (BEFORE, "coaching_plugin.partner.claims.claim"),
    "after a message is claimed": (AFTER, "coaching_plugin.partner.claims.claim"),
    "after an entry is read": (AFTER, "coaching_plugin.partner.roster.entry_of"),
    "after a message is sent": (AFTER, "tests.loopback_partner.JsonChannel.send"),
    "before it is marked": (BEFORE, "coaching_plugin.partner.claims.mark_sent"),
    "after it is marked": (AFTER, "coaching_plugin.partner.claims.mark_sent"),
    "before a roster is written": (BEFORE, "tests.loopback_partner.FileChannel.write"),
    "after a roster is written": (AFTER, "tests.loopback_partner.FileChannel.write"),
    "before the lease is given back": (BEFORE, "coaching_plugin.partner.health.give_back_lease"),
    "after the lease is given back": (AFTER, "coaching_plugin.partner.health.give_back_lease"),
}


def work():
    """Deliver as told, until there is nothing more to be told; not at all where a point is gone."""
    django.setup()
    for _, target in POINTS.values():
        pkgutil.resolve_name(target)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            if point := line.strip():
                die(*POINTS[point])
            with open(os.devnull, "w") as nowhere:
                call_command("deliver_to_partner", stdout=nowhere)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    work()
