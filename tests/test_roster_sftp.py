"""The roster as a file on an SFTP server: a real sshd of our own, whatever goes wrong with it."""

import getpass
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import closing, suppress
from pathlib import Path

import paramiko
import pytest
from django.core.exceptions import ImproperlyConfigured

from coaching_plugin.partner import channels, sftp
from coaching_plugin.partner.channels import DeliveryError
from coaching_plugin.partner.sftp import SftpChannel
from tests.roster_writer import made_up
from tests.test_roster_files import OLD, assert_as_it_was, names, read

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
BACKEND = "coaching_plugin.partner.sftp.SftpChannel"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(
        SSHD is None and os.environ.get("REQUIRE_SSHD") != "1",
        reason="There is no sshd; with REQUIRE_SSHD=1 this fails.",
    ),
]


def new_key(path, kind="ed25519"):
    """Make a pair of keys, and return the public one."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
    return Path(f"{path}.pub").read_text()


def free_port():
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Server:
    """An sshd on loopback that lets the user of the tests in, with a key."""

    def __init__(self, home):
        assert SSHD, "REQUIRE_SSHD=1, and there is no sshd"
        self.host_key = new_key(home / "host")
        self.login = home / "login"
        (home / "authorized").write_text(new_key(self.login))
        self.port = free_port()
        config = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": home / "host",
            "AuthorizedKeysFile": home / "authorized",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "yes",
            "PermitRootLogin": "yes",
            "Subsystem": "sftp internal-sftp",
        }
        (home / "config").write_text("".join(f"{name} {value}\n" for name, value in config.items()))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.log = home / "log"
        self.process = subprocess.Popen([SSHD, "-D", "-f", home / "config", "-E", self.log], start_new_session=True)
        self._wait()

    def _wait(self):
        for _ in range(200):
            with closing(socket.socket()) as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def sessions(self):
        """Return the processes that serve a client now."""
        listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {int(pid): int(parent) for pid, parent in map(str.split, listed.splitlines())}
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found - {self.process.pid}

    def stop(self):
        for pid in (*self.sessions(), self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def options(self, folder, **others):
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "username": getpass.getuser(),
            "private_key": str(self.login),
            "host_key": self.host_key,
            "folder": str(folder),
        } | others


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path):
    """A folder on the server in which there is a roster already."""
    folder = tmp_path / "rosters"
    folder.mkdir()
    (folder / "roster.csv").write_bytes(OLD)
    return folder


def code_of(channel, entries):
    with pytest.raises(DeliveryError) as raised:
        channel.write(entries)
    return raised.value.code


# What is written


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_it_replaces_the_last_one_and_leaves_nothing_beside(server, folder, settings, format):
    (folder / f"roster.{format}").write_bytes(OLD)
    (folder / "roster.csv").chmod(0o644)
    options = server.options(folder, format=format)
    settings.COACHING_PARTNER_CHANNELS = {"partner": {"BACKEND": BACKEND, "OPTIONS": options}}
    channel = channels.configured()["partner"]
    for count in (3, 0, 2_000):
        channel.write(made_up(count))
        assert len(read(folder, f"roster.{format}")) == count
        assert set(names(folder)) == {"roster.csv", f"roster.{format}", f"roster.{format}.meta.json"}
    for name in (f"roster.{format}", f"roster.{format}.meta.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_the_key_may_stand_in_the_settings_and_the_folder_from_where_the_user_is_let_in(server, folder):
    relative = os.path.relpath(folder, Path.home())
    options = server.options(relative, private_key=server.login.read_text())
    SftpChannel(**options).write(made_up(1))
    assert len(read(folder)) == 1


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_every_usual_kind_of_key_will_do(tmp_path, kind):
    new_key(tmp_path / "key", kind)
    options = {"host": "h", "username": "u", "folder": "f", "private_key": str(tmp_path / "key")}
    assert SftpChannel(**options, host_key=(tmp_path / "key.pub").read_text())


def test_fifty_thousand_take_no_more_memory_than_five_thousand(server, folder):
    channel = SftpChannel(**server.options(folder))

    def peak(count):
        tracemalloc.start()
        try:
            channel.write(made_up(count))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(5_000)
    # What is on its way to the server is bounded by the window of the connection, a few megabytes.
    assert peak(50_000) < 2 * peak(5_000)
    channel.write(made_up(50_000))
    assert len(read(folder)) == 50_000


def test_no_connection_is_left_open(server, folder):
    before = set(threading.enumerate())
    opened = set()

    def entries():
        opened.update(set(threading.enumerate()) - before)
        yield from made_up(1)

    SftpChannel(**server.options(folder)).write(entries())
    assert code_of(SftpChannel(**server.options(folder / "missing")), made_up(1)) == "folder_missing"
    opened.update(set(threading.enumerate()) - before)
    assert opened
    for thread in opened:
        thread.join(10)
        assert not thread.is_alive()


# Who is there


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_server_with_another_host_key_gets_nothing(server, folder, tmp_path, kind):
    channel = SftpChannel(**server.options(folder, host_key=new_key(tmp_path / "other", kind)))
    asked = []
    assert code_of(channel, (asked.append(entry) or entry for entry in made_up(1))) == "host_key"
    assert asked == []
    assert_as_it_was(folder)


def test_the_known_hosts_of_the_machine_do_not_count(server, folder, tmp_path, monkeypatch):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_key}")
    monkeypatch.setenv("HOME", str(tmp_path))
    channel = SftpChannel(**server.options(folder, host_key=new_key(tmp_path / "other")))
    assert code_of(channel, made_up(1)) == "host_key"


WRONG_LOGINS = {
    "another key": lambda home: {"private_key": str(home / "other")},
    "a wrong password": lambda home: {"private_key": None, "password": "wrong"},
    "nobody's name": lambda home: {"username": "nobody-of-that-name"},
}


@pytest.mark.parametrize("login", WRONG_LOGINS.values(), ids=WRONG_LOGINS)
def test_who_is_not_let_in(server, folder, tmp_path, login):
    new_key(tmp_path / "other")
    assert code_of(SftpChannel(**server.options(folder, **login(tmp_path))), made_up(1)) == "authentication"
    assert_as_it_was(folder)


def test_the_key_of_the_user_of_the_machine_is_not_tried(server, folder, tmp_path, monkeypatch):
    (tmp_path / ".ssh").mkdir()
    shutil.copy(server.login, tmp_path / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(tmp_path))
    new_key(tmp_path / "other")
    options = server.options(folder, private_key=str(tmp_path / "other"))
    assert code_of(SftpChannel(**options), made_up(1)) == "authentication"


class LetInByPassword(paramiko.ServerInterface):
    """A server that notes the password, and has no SFTP."""

    passwords: list = []

    def get_allowed_auths(self, username):
        return "password"

    def check_auth_password(self, username, password):
        self.passwords.append(password)
        return paramiko.AUTH_SUCCESSFUL


def test_a_password_is_sent_to_the_right_server_only(server, folder, tmp_path):
    """Which sshd checks against the machine's own accounts; here is one that lets everybody in."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve():
            for _ in range(2):
                transport = paramiko.Transport(listening.accept()[0])
                transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(server.login)))
                transport.start_server(server=LetInByPassword(), event=threading.Event())

        threading.Thread(target=serve, daemon=True).start()
        others = {"port": listening.getsockname()[1], "private_key": None, "password": "secret"}
        stranger = SftpChannel(**server.options(folder, **others))
        assert code_of(stranger, made_up(1)) == "host_key"
        assert LetInByPassword.passwords == []
        known = SftpChannel(**server.options(folder, **others, host_key=Path(f"{server.login}.pub").read_text()))
        assert code_of(known, made_up(1)) == "connection_lost"
        assert LetInByPassword.passwords == ["secret"]


# What goes wrong


def test_a_server_that_is_down(server, folder):
    assert code_of(SftpChannel(**server.options(folder, port=free_port())), made_up(1)) == "unreachable"


def test_a_server_that_does_not_exist(server, folder):
    assert code_of(SftpChannel(**server.options(folder, host="no-such-host.invalid")), made_up(1)) == "unreachable"


def test_a_server_that_says_nothing(server, folder, monkeypatch):
    monkeypatch.setattr(sftp, "SECONDS_TO_CONNECT", 0.5)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        channel = SftpChannel(**server.options(folder, port=silent.getsockname()[1]))
        assert code_of(channel, made_up(1)) == "connection_lost"


def test_a_server_that_falls_silent(server, folder, monkeypatch):
    monkeypatch.setattr(sftp, "SECONDS_OF_SILENCE", 0.5)
    stopped = []

    def entries():
        yield from made_up(10)
        stopped.extend(server.sessions())
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)

    try:
        assert code_of(SftpChannel(**server.options(folder)), entries()) == "timeout"
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert (folder / "roster.csv").read_bytes() == OLD


def test_a_connection_that_breaks_half_way(server, folder):
    def entries():
        yield from made_up(5_000)
        for pid in server.sessions():
            os.kill(pid, signal.SIGKILL)
        yield from made_up(5_000)

    channel = SftpChannel(**server.options(folder))
    assert code_of(channel, entries()) == "connection_lost"
    assert (folder / "roster.csv").read_bytes() == OLD
    (draft,) = set(names(folder)) - {"roster.csv"}

    os.utime(folder / draft, (0, 0))
    channel.write(made_up(3))
    assert names(folder) == ["roster.csv", "roster.csv.meta.json"]
    assert len(read(folder)) == 3


def test_what_the_entries_raise_is_the_callers(server, folder):
    def failing():
        yield from made_up(5_000)
        raise ConnectionResetError("the database's, for example")

    with pytest.raises(ConnectionResetError):
        SftpChannel(**server.options(folder)).write(failing())
    assert_as_it_was(folder)


def test_a_disk_of_the_server_that_is_full(server, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("Mounting is for root; a connection that breaks half-way is tried in any case.")
    try:
        (folder / "roster.csv").write_bytes(OLD)
        # Which of the two depends on whether the server's answer is in before the file is closed.
        assert code_of(SftpChannel(**server.options(folder)), made_up(5_000)) in {"file_error", "incomplete"}
        assert_as_it_was(folder)
    finally:
        subprocess.run(["umount", folder], check=True)


# Options


WRONG = {
    "no way to log in": {"private_key": None},
    "two ways to log in": {"password": "secret"},
    "a key that is none": {"private_key": "-----BEGIN secret-----"},
    "a file that is missing": {"private_key": "/missing/secret"},
    "a file that holds none": {"private_key": __file__},
    "a host key that is none": {"host_key": "ssh-ed25519 secret"},
    "a host key of one word": {"host_key": "secret"},
    "no host key": {"host_key": ""},
    "a host key of an unknown kind": {"host_key": "ssh-secret AAAA"},
    "a port that is none": {"port": "secret"},
    "a format that is none": {"format": "secret"},
    "an option that is none": {"passwrd": "secret"},
}


@pytest.mark.parametrize("others", WRONG.values(), ids=WRONG)
def test_options_that_cannot_be_meant_are_not_quoted(server, folder, settings, others):
    settings.COACHING_PARTNER_CHANNELS = {
        "partner": {"BACKEND": BACKEND, "OPTIONS": server.options(folder, **others)},
    }
    with pytest.raises(ImproperlyConfigured) as raised:
        channels.make("partner")
    assert "secret" not in str(raised.value)


def test_an_encrypted_key_is_no_key(server, folder, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "key"], check=True)
    with pytest.raises(ImproperlyConfigured, match="unencrypted"):
        SftpChannel(**server.options(folder, private_key=str(tmp_path / "key")))


def test_without_paramiko_it_says_what_to_install(server, folder, settings, monkeypatch):
    settings.COACHING_PARTNER_CHANNELS = {"partner": {"BACKEND": BACKEND, "OPTIONS": server.options(folder)}}
    monkeypatch.setitem(sys.modules, "paramiko", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install platform-plugin-coaching\[sftp\]"):
        channels.make("partner")
    assert channels.configured() == {}


# Whether the server is there


def test_a_server_is_tried_and_nothing_put_there(server, folder):
    assert "has the folder" in SftpChannel(**server.options(folder)).check()
    assert_as_it_was(folder)


def test_a_server_that_is_not_as_expected_says_why(server, folder, tmp_path):
    cases = {
        "folder_missing": server.options(tmp_path / "gone"),
        "authentication": server.options(folder, username="nobody-we-know"),
        "host_key": server.options(folder, host_key=new_key(tmp_path / "other")),
        "unreachable": server.options(folder, port=free_port()),
    }
    for code, options in cases.items():
        with pytest.raises(DeliveryError) as failed:
            SftpChannel(**options).check()
        assert failed.value.code == code


def test_a_file_is_no_folder(server, folder):
    with pytest.raises(DeliveryError, match="folder_missing"):
        SftpChannel(**server.options(folder / "roster.csv")).check()
