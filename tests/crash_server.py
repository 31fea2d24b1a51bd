"""
A server of the sandbox LMS that dies: each request is served by a process of its own, which kills itself at a point.

It reads the names of points from its input, one a line, an empty one for a request that is served to its end; forks
for each; and writes ``reached`` when the point is, then how the process ended. The first line that it writes is its
port. A function that was renamed, or is no longer called, is thus noticed.
"""

import os
import pkgutil
import signal
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.core.wsgi import get_wsgi_application
from django.urls import reverse

BEFORE, AFTER = "before", "after"
CONNECTION = "django.db.backends.base.base.BaseDatabaseWrapper"

# In the order in which a request that gives consent comes to them.
POINTS = {
    "before the row is made": (BEFORE, "coaching_plugin.consent._make_row"),
    "after the row is made": (AFTER, "coaching_plugin.consent._make_row"),
    "after row and profile are locked": (AFTER, "coaching_plugin.lms.profile"),
    "before the event is saved": (BEFORE, "coaching_plugin.models.ConsentEvent.save"),
    "after the event is saved": (AFTER, "coaching_plugin.models.ConsentEvent.save"),
    "after the name is written": (AFTER, "coaching_plugin.lms.write_full_name"),
    "before the number is written": (BEFORE, "coaching_plugin.lms.write_phone_number"),
    "after the number is written": (AFTER, "coaching_plugin.lms.write_phone_number"),
    "before the row is saved": (BEFORE, "coaching_plugin.models.CoachingConsent.save"),
    "after the row is saved": (AFTER, "coaching_plugin.models.CoachingConsent.save"),
    "before COMMIT": (BEFORE, f"{CONNECTION}.commit"),
    "after COMMIT": (AFTER, f"{CONNECTION}.commit"),
    "after what follows the COMMIT": (AFTER, f"{CONNECTION}.run_and_clear_commit_hooks"),
    "before the answer is sent": (BEFORE, "wsgiref.handlers.BaseHandler.finish_response"),
}
COMMITTED = list(POINTS)[list(POINTS).index("after COMMIT") :]


class QuietHandler(WSGIRequestHandler):
    """Writes no log of requests."""

    def log_message(self, *args):
        """Write nothing."""


def die(when, target):
    """Have this process killed before or after a function runs."""
    owner, _, name = target.rpartition(".")
    owner = pkgutil.resolve_name(owner)
    original = getattr(owner, name)

    def deadly(*args, **kwargs):
        if when == AFTER:
            original(*args, **kwargs)
        os.write(sys.stdout.fileno(), b"reached\n")
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, deadly)


def serve():
    """Serve requests as told, until there is nothing more to be told; not at all where a point is gone."""
    django.setup()
    for _, target in POINTS.values():
        pkgutil.resolve_name(target)
    application = get_wsgi_application()
    reverse("coaching:consent")  # so that whatever answers is imported once, here, and not by each process
    server = make_server("127.0.0.1", 0, application, handler_class=QuietHandler)
    print(server.server_port, flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            if point := line.strip():
                die(*POINTS[point])
            server.handle_request()
            os._exit(0)  # without tidying up, which takes longer than the request
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
