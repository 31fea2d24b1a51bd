"""What the partner answers: the LMS's messages, a person's browser, and, where it may, tests that have it misbehave."""

import http.client
import json
import socket
import sys
import time
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from standardwebhooks import Webhook, WebhookVerificationError

from partner.page import page
from partner.storage import Message, Storage, Unreadable

LARGEST_BODY = 64 * 1024
OPT_OUTS = "/api/coaching/v1/partner/opt-outs/"
CSS = (Path(__file__).parent / "partner.css").read_bytes()
# The page shows people's names and numbers: it loads and is loaded by nothing, and no cache keeps it.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# What a partner may do to a message. "slow", "half" and "rubbish" have taken it by the time that they answer wrongly.
MISBEHAVIOURS = ("none", "down", "500", "429", "slow", "half", "rubbish")


class Refused(Exception):
    """Raised for a request that is answered with a status, and no more."""

    def __init__(self, status: HTTPStatus):
        super().__init__(status)
        self.status = status


class Partner(ThreadingHTTPServer):
    """The service, on loopback only; ``lms`` is the LMS's address."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, storage: Storage, lms: str, webhook_secrets: list[str], opt_out_secret: str):
        super().__init__(("127.0.0.1", port), Handler)
        self.storage, self.lms = storage, lms.rstrip("/")
        self.webhooks = [Webhook(secret) for secret in webhook_secrets]
        self.opt_out_webhook = Webhook(opt_out_secret)
        self.misbehaviour, self.seconds = "none", 0.0
        self.may_misbehave = False

    def verified(self, body: bytes, headers: dict[str, str]):
        """Return the JSON of a message that is signed with one of the secrets. Raises ``Refused``."""
        for webhook in self.webhooks:
            try:
                return webhook.verify(body, headers)
            except (WebhookVerificationError, ValueError):  # ValueError: of a signature that is none
                continue
        raise Refused(HTTPStatus.UNAUTHORIZED)

    def opt_out(self, partner_id: str) -> None:
        """Tell the LMS that a learner has said STOP, and note what it answers."""
        message_id, now = f"msg_{uuid4().hex}", datetime.now(UTC)
        body = json.dumps({"partner_id": partner_id, "reason": "STOP"})
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self.opt_out_webhook.sign(message_id, now, body),
        }
        self.storage.note_opt_out(message_id, partner_id, self._lms_answer(body, headers))

    def _lms_answer(self, body: str, headers: dict[str, str]) -> str:
        """Return what the LMS answers, in a word or two; redirects are not followed."""
        lms = urlsplit(self.lms)
        connect = http.client.HTTPSConnection if lms.scheme == "https" else http.client.HTTPConnection
        connection = connect(lms.netloc, timeout=20)
        try:
            connection.request("POST", lms.path + OPT_OUTS, body, headers)
            response = connection.getresponse()
            answer = response.read(LARGEST_BODY)
        except (OSError, http.client.HTTPException) as error:
            return f"nothing, {type(error).__name__}"
        finally:
            connection.close()
        try:
            return ", ".join([str(response.status), *(each["result"] for each in json.loads(answer)["results"])])
        except (KeyError, TypeError, ValueError):
            return str(response.status)


class Handler(BaseHTTPRequestHandler):
    """One request. Each has a connection of its own, so that a body which is left unread confuses no other."""

    server: Partner
    server_version, sys_version = "partner", ""
    timeout = 20  # seconds to wait for whoever is calling

    def do_GET(self):
        self._answer({"/": self._page, "/learners.json": self._learners, "/partner.css": self._css})

    def do_POST(self):
        self._answer({"/webhook": self._webhook, "/stop": self._stop, "/misbehave": self._misbehave})

    def _answer(self, doors):
        try:
            # Another site's page may have a name that leads here, and would read what the partner holds.
            own = {f"{host}:{self.server.server_port}" for host in ("127.0.0.1", "localhost")}
            if self.headers.get("Host") not in own:
                raise Refused(HTTPStatus.MISDIRECTED_REQUEST)
            if self.path not in doors:
                raise Refused(HTTPStatus.NOT_FOUND)
            doors[self.path]()
        except Refused as refusal:
            self._send(refusal.status, refusal.status.phrase.encode(), "text/plain")

    # For people

    def _page(self):
        storage = self.server.storage
        text = page(storage.learners(), storage.opt_outs(), self.server.lms)
        self._send(HTTPStatus.OK, text.encode(), "text/html; charset=utf-8")

    def _css(self):
        self._send(HTTPStatus.OK, CSS, "text/css; charset=utf-8")

    def _stop(self):
        """Do as if a learner had texted STOP: text no more from now on, and tell the LMS."""
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != self.headers["Host"]:
            raise Refused(HTTPStatus.FORBIDDEN)
        (partner_id,) = parse_qs(self._body().decode("ascii", "replace")).get("partner_id", [""])
        if not self.server.storage.stop(partner_id):
            raise Refused(HTTPStatus.NOT_FOUND)
        self.server.opt_out(partner_id)
        self._send(HTTPStatus.SEE_OTHER, b"", "text/plain", Location="/")

    # For programs

    def _learners(self):
        storage = self.server.storage
        self._send_json({"learners": storage.learners(), "opt_outs": storage.opt_outs()})

    def _webhook(self):
        misbehaviour = self.server.misbehaviour
        if misbehaviour == "down":
            self._hang_up()
            return
        if misbehaviour in ("500", "429"):
            headers = {"Retry-After": f"{self.server.seconds:.0f}"} if misbehaviour == "429" else {}
            self._send(HTTPStatus(int(misbehaviour)), b"", "text/plain", **headers)
            return
        try:
            message = Message.read(self.server.verified(self._body(), dict(self.headers)))
        except Unreadable:
            raise Refused(HTTPStatus.BAD_REQUEST) from None
        result = self.server.storage.take(self.headers["webhook-id"], message)
        self._say(f"{message.status} {message.partner_id} #{message.sequence}: {result}")
        if misbehaviour == "slow":
            time.sleep(self.server.seconds)
        elif misbehaviour == "half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
            self._hang_up()
            return
        elif misbehaviour == "rubbish":
            self.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n")
            self._hang_up()
            return
        self._send_json({"result": result})

    def _misbehave(self):
        if not self.server.may_misbehave:
            raise Refused(HTTPStatus.NOT_FOUND)
        wish = json.loads(self._body())
        if wish["mode"] not in MISBEHAVIOURS:
            raise Refused(HTTPStatus.BAD_REQUEST)
        self.server.misbehaviour, self.server.seconds = wish["mode"], float(wish.get("seconds", 2))
        self._send_json(wish)

    # Reading and writing

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise Refused(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > LARGEST_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self.rfile.read(int(length))

    def _send_json(self, value):
        self._send(HTTPStatus.OK, json.dumps(value).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, content_type: str, **headers: str):
        self.send_response(status)
        headers = {"Content-Type": content_type, "Content-Length": str(len(body)), **HEADERS, **headers}
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self):
        self.connection.shutdown(socket.SHUT_RDWR)

    def _say(self, line: str):
        print(f"[partner] {line}", file=sys.stderr, flush=True)

    def log_message(self, *args):
        """Log no requests; what a message brought is said when it is taken."""
