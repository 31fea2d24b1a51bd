"""The roster as a file on a server of the partner's, put there by SFTP; needs the extra ``sftp`` (paramiko)."""

import binascii
import contextlib
import functools
import io
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from coaching_plugin.partner.channels import DeliveryError
from coaching_plugin.partner.roster_file import MODE, Draft, Folder, RosterFileChannel, draft_name, error_code, is_stale

SECONDS_TO_CONNECT = 15
SECONDS_OF_SILENCE = 60


class SftpChannel(RosterFileChannel):
    """
    The roster in a folder of an SFTP server, which must know OpenSSH's ``posix-rename``. Args:

        host, port, username: of the server.
        folder: its path there, full or from where the user is let in.
        host_key: the server's public key as ``ssh-keyscan`` prints it: ``ssh-ed25519 AAAA...``.
        private_key: an unencrypted key in PEM or OpenSSH form, or the full path of a file that holds one; or
        password: if there is no key.
    """

    def __init__(
        self,
        host: str,
        username: str,
        host_key: str,
        folder: str,
        port: int = 22,
        password: str | None = None,
        private_key: str | None = None,
        **options,
    ):
        super().__init__(**options)
        self._paramiko = _paramiko()
        if isinstance(port, bool) or not (isinstance(port, int) and 0 < port < 65536):
            raise ImproperlyConfigured("its port is a number")
        if (password is None) == (private_key is None):
            raise ImproperlyConfigured("it needs a private_key or a password")
        self._host, self._port, self._username, self._password = host, port, username, password
        self._key = None if private_key is None else self._parsed(private_key)
        self._host_key = self._parsed_host_key(host_key)
        self._folder = PurePosixPath(folder)

    @contextmanager
    def folder(self) -> Iterator[Folder]:
        """Connect, and open the folder. Raises ``DeliveryError``, of another host key than the one expected, too."""
        with contextlib.closing(self._paramiko.SSHClient()) as client:
            with self._told():
                sftp = self._connected(client)
            yield _SftpFolder(sftp, self._folder, functools.partial(self._told, sftp))

    def _connected(self, client: Any) -> Any:
        # Nothing of the machine's: neither its known hosts nor an agent's keys.
        known_as = self._host if self._port == 22 else f"[{self._host}]:{self._port}"
        client.get_host_keys().add(known_as, self._host_key.get_name(), self._host_key)
        client.set_missing_host_key_policy(self._paramiko.RejectPolicy())
        client.connect(
            self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            pkey=self._key,
            look_for_keys=False,
            allow_agent=False,
            timeout=SECONDS_TO_CONNECT,
            banner_timeout=SECONDS_TO_CONNECT,
            auth_timeout=SECONDS_TO_CONNECT,
            channel_timeout=SECONDS_TO_CONNECT,
        )
        sftp = client.open_sftp()
        sftp.get_channel().settimeout(SECONDS_OF_SILENCE)
        return sftp

    @contextmanager
    def _told(self, sftp: Any = None) -> Iterator[None]:
        """Turn what goes wrong with the server into a ``DeliveryError``."""
        try:
            yield
        except self._paramiko.BadHostKeyException as error:
            raise DeliveryError("host_key") from error
        except self._paramiko.AuthenticationException as error:
            raise DeliveryError("authentication") from error
        except TimeoutError as error:
            raise DeliveryError("timeout") from error
        except (ConnectionError, socket.gaierror, self._paramiko.ssh_exception.NoValidConnectionsError) as error:
            raise DeliveryError("unreachable") from error
        except OSError as error:
            # A connection that is gone looks like an error of the file.
            lost = sftp is not None and sftp.get_channel().closed
            raise DeliveryError("connection_lost" if lost else error_code(error)) from error
        except (self._paramiko.SSHException, EOFError) as error:
            raise DeliveryError("connection_lost") from error

    def _parsed(self, private_key: str) -> Any:
        if not private_key.lstrip().startswith("-----BEGIN"):
            private_key = _text_of(private_key)
        for kind in (self._paramiko.Ed25519Key, self._paramiko.ECDSAKey, self._paramiko.RSAKey):
            # Whatever is wrong with it: what paramiko or cryptography say of it might quote it.
            with contextlib.suppress(Exception):
                return kind.from_private_key(io.StringIO(private_key))
        raise ImproperlyConfigured("its private key is no unencrypted Ed25519, ECDSA or RSA key")

    def _parsed_host_key(self, host_key: str) -> Any:
        try:
            kind, encoded, *_comment = host_key.split()
            return self._paramiko.PKey.from_type_string(kind, binascii.a2b_base64(encoded))
        except Exception:
            raise ImproperlyConfigured("its host_key is a public key, such as ssh-ed25519 AAAA...") from None


def _paramiko() -> Any:
    try:
        import paramiko
    except ImportError:
        raise ImproperlyConfigured("SFTP needs paramiko: pip install platform-plugin-coaching[sftp]") from None
    return paramiko


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError):
        raise ImproperlyConfigured("its private_key is neither a key nor a file that can be read") from None


class _SftpFolder(Folder):
    def __init__(self, sftp: Any, path: PurePosixPath, told: Any):
        self._sftp, self._path, self._told = sftp, path, told

    def check(self) -> str:
        with self._told():
            if not stat.S_ISDIR(self._sftp.stat(str(self._path)).st_mode or 0):
                raise DeliveryError("folder_missing")
        return "the server has the expected key, lets us in, and has the folder"

    def draft(self, name: str) -> Draft:
        with self._told():
            return _SftpDraft(self._sftp, self._path, name, self._told)

    def sweep(self, name: str) -> None:
        with self._told():
            for found in self._sftp.listdir_attr(str(self._path)):
                if is_stale(found.filename, name, found.st_mtime or 0):
                    self._sftp.remove(str(self._path / found.filename))


class _SftpDraft(Draft):
    def __init__(self, sftp: Any, folder: PurePosixPath, name: str, told: Any):
        self._sftp, self._told = sftp, told
        self._path, self._place = str(folder / draft_name(name)), str(folder / name)
        self._size = 0
        self._file = sftp.open(self._path, "wx")
        self._file.chmod(MODE)
        # Without waiting for the answer to each block.
        self._file.set_pipelined(True)

    def write(self, block: bytes) -> None:
        with self._told():
            self._file.write(block)
        self._size += len(block)

    def finish(self) -> None:
        with self._told():
            self._file.close()
            if self._sftp.stat(self._path).st_size != self._size:
                raise DeliveryError("incomplete")

    def put_in_place(self) -> None:
        with self._told():
            self._sftp.posix_rename(self._path, self._place)

    def discard(self) -> None:
        # In place, it has another name; and where the server is gone, the next one sweeps.
        with contextlib.suppress(DeliveryError), self._told():
            self._sftp.remove(self._path)
