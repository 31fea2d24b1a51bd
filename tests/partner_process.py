"""The sandbox's coaching partner as a process of its own, and messages for it such as the LMS signs."""

import http.client
import json
import os
import re
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from partner import WEBHOOK_SECRET
from standardwebhooks import Webhook

SANDBOX = Path(__file__).parent.parent / "sandbox"


@dataclass
class Answer:
    """What was answered, redirects not followed."""

    status: int
    headers: Message
    text: str

    def json(self):
        return json.loads(self.text)


def ask(url, method="GET", path="/", body=b"", headers=None, timeout=30):
    """Send a request. Raises ``OSError`` or ``http.client.HTTPException`` where there is no whole answer."""
    # Without a library that would log each request in the process of the tests, or ask a proxy.
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())


class Partner:
    """A partner that runs: its address, what may be said to it, and what it holds."""

    def __init__(self, url, process=None):
        self.url, self.process = url, process

    def ask(self, method, path, body=b"", headers=None, timeout=30):
        return ask(self.url, method, path, body, headers, timeout)

    def holds(self):
        """Return what it holds of each learner, by partner id."""
        return {learner["partner_id"]: learner for learner in self.ask("GET", "/learners.json").json()["learners"]}

    def opt_outs(self):
        return self.ask("GET", "/learners.json").json()["opt_outs"]

    def page(self):
        return self.ask("GET", "/").text

    def tell(self, message, message_id=None, secret=WEBHOOK_SECRET, at=None):
        """Send a message as the LMS does, and return the answer; ``message`` is what is sent as JSON, or bytes."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.ask("POST", "/webhook", body, signed(body, message_id, secret, at))

    def stop(self, partner_id):
        """Press the button that says STOP for a learner."""
        return self.ask("POST", "/stop", urlencode({"partner_id": partner_id}), {"Origin": self.url})

    def misbehave(self, mode, **options):
        answer = self.ask("POST", "/misbehave", json.dumps({"mode": mode, **options}))
        assert answer.status == 200, answer.text


def signed(body, message_id=None, secret=WEBHOOK_SECRET, at=None):
    """Return the headers that go with a body, after Standard Webhooks."""
    message_id, at = message_id or f"msg_{uuid4().hex}", at or datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }


@contextmanager
def running_partner(database, *arguments, lms="http://127.0.0.1:9", **environment):
    """Run the partner on a free port, with its data in ``database``, for as long as a ``with`` block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "partner", "--port", "0", "--database", database, "--lms", lms, *arguments],
        cwd=SANDBOX,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found, f"the partner did not start: {process.stderr.read()}"
        yield Partner(found.group(), process)
    finally:
        process.terminate()
        process.communicate(timeout=30)
