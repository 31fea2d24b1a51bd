"""A partner's server on loopback that answers a request with whatever bytes a test gives it, over real sockets."""

import contextlib
import datetime
import ipaddress
import socket
import socketserver
import ssl
import threading
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
# How long a server that never ends goes on, so that a test of a client that never ends does.
FOR_EVER = 30


@dataclass
class Received:
    """A request as it came."""

    line: str
    headers: dict
    body: bytes


@dataclass
class PartnerServer:
    """Where it listens, what it answers, and what it got."""

    answer: object = TAKEN
    port: int = 0
    scheme: str = "http"
    received: list = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self):
        return f"{self.scheme}://localhost:{self.port}/hook"

    def handle(self, connection):
        self.connections += 1
        with contextlib.suppress(OSError), connection.makefile("rb") as file:
            while (request := read(file)) is not None:
                self.received.append(request)
                if callable(self.answer):
                    self.answer(connection, self.closing)
                    return
                connection.sendall(self.answer)


def read(file):
    line = file.readline().decode().strip()
    if not line:
        return None
    headers = {}
    while (header := file.readline().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Received(line, headers, file.read(int(headers.get("content-length", 0))))


@contextlib.contextmanager
def serving(answer=TAKEN, certificate=None):
    """Serve till the end of the block; with TLS where there is a certificate."""
    partner = PartnerServer(answer, scheme="https" if certificate else "http")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            partner.handle(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def get_request(self):
            connection, address = super().get_request()
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                connection = context.wrap_socket(connection, server_side=True)
            return connection, address

        def handle_error(self, request, client_address):
            """Say nothing: a client that hangs up is what is tested."""

    with Server(("127.0.0.1", 0), Handler) as server:
        partner.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield partner
        finally:
            partner.closing.set()
            server.shutdown()
            thread.join()


def silent(connection, closing):
    """Say nothing, and stay."""
    closing.wait(FOR_EVER)


def hang_up(connection, closing):
    """Say nothing, and go."""


def reset(connection, closing):
    """Go with an error."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def then_hang_up(data):
    """Send this much of an answer, and go."""

    def answer(connection, closing):
        connection.sendall(data)

    return answer


def dripping(head, drop, tail=b""):
    """Send the head, then drop by drop, each well within any timeout; at an end that nobody should see, close down."""

    def answer(connection, closing):
        connection.sendall(head)
        for _ in range(FOR_EVER * 20):
            if closing.wait(0.05):
                return
            connection.sendall(drop)
        closing.set()
        connection.sendall(tail)

    return answer


def tunnel_to(port):
    """Be a proxy that leads there."""

    def answer(connection, closing):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as beyond:
            threading.Thread(target=_pass_on, args=(beyond, connection), daemon=True).start()
            _pass_on(connection, beyond)

    return answer


def _pass_on(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def self_signed(path):
    """Return a file with a key and a certificate for this machine, vouched for by nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
