"""
A coaching partner on loopback: takes messages as a receiver should, or does not take them, in every way it can.

Beside it, two channels as an operator would write them: one that posts JSON, and one that writes a file.
"""

import json
import threading
from collections import deque
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from coaching_plugin.models import CoachingConsent
from coaching_plugin.partner.channels import DeliveryError, MessageChannel, RosterChannel


class JsonChannel(MessageChannel):
    """Posts each message as JSON."""

    def __init__(self, url, seconds=5):
        self.url, self.seconds_per_message = url, seconds

    def send(self, delivery_id, entry):
        try:
            response = requests.post(
                self.url,
                json={"id": delivery_id, "data": entry.as_json()},
                timeout=self.seconds_per_message,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise DeliveryError(type(error).__name__) from None
        if response.status_code != 200:
            seconds = response.headers.get("Retry-After")
            raise DeliveryError(f"http_{response.status_code}", timedelta(seconds=int(seconds)) if seconds else None)


class FileChannel(RosterChannel):
    """Writes the roster to a file, a line of JSON for each entry."""

    interval = timedelta(minutes=15)

    def __init__(self, path):
        self.path = Path(path)

    def write(self, entries):
        with self.path.with_suffix(".part").open("w", encoding="utf-8") as file:
            for entry in entries:
                file.write(json.dumps(entry.as_json()) + "\n")
        self.path.with_suffix(".part").rename(self.path)

    def read(self):
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


class Partner:
    """
    What a partner holds, and how it answers.

    ``moods`` are what it does to the next messages, one each: ``500``, ``slow`` and the like; then ``mood`` holds. A
    mood ``..., taken`` answers so after it has taken the message.
    """

    def __init__(self):
        self.held = {}  # entries by partner_id
        self.seen = set()  # ids of messages
        self.received = []  # (id, partner_id, sequence) of all that came, in order
        self.went_back = []  # messages that would have put older over newer
        self.mood, self.moods = "200", deque()
        self.during = None  # called with each message, while its sender waits
        self.is_over = threading.Event()  # till then, whoever is answered slowly waits
        self._lock = threading.Lock()
        partner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                partner._answer(self, body)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self):
        # By name: an address alone in a log is taken for a learner's, and the client logs where it connects.
        return f"http://localhost:{self._server.server_port}/"

    def stop(self):
        self.is_over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def _answer(self, request, message):
        with self._lock:
            entry = message["data"]
            self.received.append((message["id"], entry["partner_id"], entry["sequence"]))
            status, _, then = (self.moods.popleft() if self.moods else self.mood).partition(", ")
            if self.during:
                self.during(message)
            if status == "200" or then == "taken":
                self._take(message["id"], entry)
        if status in ("cut", "nothing", "rubbish"):
            # Half an answer, none, or what is no HTTP.
            said = {
                "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nthank",
                "nothing": b"",
                "rubbish": b"\0\xff?\n",
            }
            request.wfile.write(said[status])
            request.close_connection = True
            return
        if status == "slow":
            self.is_over.wait(30)
            return
        code, _, retry_after = status.partition(" ")
        request.send_response(int(code))
        if retry_after:
            request.send_header("Retry-After", retry_after)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _take(self, message_id, entry):
        """Drop a message that was seen, and a sequence not above what is held."""
        if message_id in self.seen:
            return
        self.seen.add(message_id)
        held = self.held.get(entry["partner_id"])
        if held is None or entry["sequence"] > held["sequence"]:
            self.held[entry["partner_id"]] = entry
        elif entry["sequence"] < held["sequence"]:
            self.went_back.append(message_id)

    def forget(self):
        """Lose all that was told."""
        self.held, self.seen, self.received = {}, set(), []


def lms_state():
    """Return how everybody stands of whom a partner should know: status, and the number of who consents."""
    rows = CoachingConsent.objects.filter(changed_at__isnull=False)
    return {str(row.partner_id): _state(row.status, row.phone_number, row.erased_at) for row in rows}


def _state(status, number, erased_at):
    if status == CoachingConsent.Status.CONSENTED:
        return status, number
    return ("erased" if erased_at else "withdrawn"), None


def partner_state(partner):
    """Return the same as the partner knows it."""
    return {name: (entry["status"], entry.get("phone_number")) for name, entry in partner.held.items()}
