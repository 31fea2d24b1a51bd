"""The roster as a file in a folder: replaced whole or not at all, with row count and SHA-256 beside it."""

import abc
import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from coaching_plugin.partner import csv_format
from coaching_plugin.partner.channels import DeliveryError, RosterChannel
from coaching_plugin.partner.roster import Entry

BLOCK_SIZE = 64 * 1024
# A draft that is older was left by a worker that was killed: whole rosters are not to lie about.
DRAFT_LIVES = timedelta(days=1)
MODE = 0o600  # The owner's, nobody else's.

_CODES = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.ENOENT: "folder_missing",
    errno.ENOTDIR: "folder_missing",
    errno.EACCES: "folder_not_writable",
    errno.EPERM: "folder_not_writable",
    errno.EROFS: "folder_not_writable",
}


def error_code(error: OSError) -> str:
    """Return the code under which an error of files is told of."""
    return _CODES.get(error.errno or 0, "file_error")


class Draft(abc.ABC):
    """A file that is being written under a name of its own. Every method raises ``DeliveryError``."""

    @abc.abstractmethod
    def write(self, block: bytes) -> None:
        """Append a block."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Have all that was written stored, and take no more."""

    @abc.abstractmethod
    def put_in_place(self) -> None:
        """Give it its final name, at which it replaces what was there."""

    @abc.abstractmethod
    def discard(self) -> None:
        """Remove it, unless it is in place; what keeps it from that is not told."""


class Folder(abc.ABC):
    """Where the files are put. Every method raises ``DeliveryError``."""

    @abc.abstractmethod
    def check(self) -> str:
        """Return in words that it is there."""

    @abc.abstractmethod
    def draft(self, name: str) -> Draft:
        """Return a new, empty draft of the file of a name, which only its owner may read."""

    @abc.abstractmethod
    def sweep(self, name: str) -> None:
        """Remove what drafts of a name a killed worker left."""


class RosterFileChannel(RosterChannel):
    """
    The current roster as one file, ``<name>.<format>``, and beside it ``<name>.<format>.meta.json``.

    Both are complete before either is put in place, the roster first: who reads between the two finds a SHA-256 that
    is not the roster's, and reads again. Args:

        format: ``csv`` or ``jsonl`` (JSON Lines).
        name: of the file, without its ending.
        interval_minutes: it is not written more often than that.
    """

    def __init__(self, format: str = "csv", name: str = "roster", interval_minutes: float = 15):
        if format not in _FORMATS:
            raise ImproperlyConfigured(f"its format is one of {', '.join(_FORMATS)}")
        if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name)):
            raise ImproperlyConfigured("its name is of letters, digits, - and _")
        if isinstance(interval_minutes, bool) or not (0 <= interval_minutes < float("inf")):
            raise ImproperlyConfigured("its interval_minutes are a number, zero or more")
        self.interval = timedelta(minutes=interval_minutes)
        self.file_name = f"{name}.{format}"
        self._lines = _FORMATS[format]

    @abc.abstractmethod
    def folder(self) -> AbstractContextManager[Folder]:
        """Open the folder that the files are put in. Raises ``DeliveryError``."""

    def write(self, entries: Iterable[Entry]) -> None:
        """Put a new roster in place of the last one, whole or not at all. Raises ``DeliveryError``."""
        with self.folder() as folder, contextlib.ExitStack() as drafts:
            roster = self._draft(folder, self.file_name, drafts)
            about = self._copy(entries, roster)
            roster.finish()
            meta = self._draft(folder, f"{self.file_name}.meta.json", drafts)
            meta.write(json.dumps(about, indent=2).encode() + b"\n")
            meta.finish()
            # A disk that is full has said so by now, and nothing is replaced yet.
            roster.put_in_place()
            meta.put_in_place()
            drafts.pop_all()

    def check(self) -> str:
        """Open the folder, and put nothing there."""
        with self.folder() as folder:
            return folder.check()

    def _draft(self, folder: Folder, name: str, drafts: contextlib.ExitStack) -> Draft:
        folder.sweep(name)
        draft = folder.draft(name)
        drafts.callback(draft.discard)
        return draft

    def _copy(self, entries: Iterable[Entry], draft: Draft) -> dict[str, Any]:
        """Write the entries into a draft, and return what is told beside it."""
        written_at, rows, digest, block = timezone.now(), 0, hashlib.sha256(), bytearray()

        def counted() -> Iterator[dict[str, Any]]:
            nonlocal rows
            for entry in entries:
                rows += 1
                yield entry.as_json()

        for line in self._lines(counted()):
            block += line.encode()
            if len(block) >= BLOCK_SIZE:
                digest.update(block)
                draft.write(bytes(block))
                block.clear()
        digest.update(block)
        draft.write(bytes(block))
        return {
            "file": self.file_name,
            "rows": rows,
            "sha256": digest.hexdigest(),
            # Taken before the first row was read: whatever was committed by then is in the file.
            "written_at": written_at.isoformat(),
        }


class FolderChannel(RosterFileChannel):
    """The roster in a folder of this machine, or one mounted there; ``folder`` is its full path."""

    def __init__(self, folder: str, **options):
        super().__init__(**options)
        self._folder = Path(folder)
        if not self._folder.is_absolute():
            raise ImproperlyConfigured("its folder is a full path")

    @contextmanager
    def folder(self) -> Iterator[Folder]:
        """Open the folder."""
        yield _LocalFolder(self._folder)


def draft_name(name: str) -> str:
    """Return a name for a new draft of a file, which is nobody else's and which listings leave out."""
    return f".{name}.{secrets.token_hex(8)}.draft"


def is_stale(found: str, name: str, modified_at: float) -> bool:
    """Return whether a file is a draft of ``name`` that nobody writes any more; ``modified_at`` is in Unix time."""
    is_draft = re.fullmatch(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.draft", found)
    return is_draft is not None and time.time() - modified_at > DRAFT_LIVES.total_seconds()


def _json_lines(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    # In ASCII: some readers take other characters for the end of a line.
    return (f"{json.dumps(entry)}\n" for entry in entries)


_FORMATS: dict[str, Callable[[Iterable[dict[str, Any]]], Iterator[str]]] = {
    "csv": csv_format.lines,
    "jsonl": _json_lines,
}


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the file system says into a ``DeliveryError``."""
    try:
        yield
    except OSError as error:
        raise DeliveryError(error_code(error)) from error


class _LocalFolder(Folder):
    def __init__(self, path: Path):
        self._path = path

    def check(self) -> str:
        if not self._path.is_dir():
            raise DeliveryError("folder_missing")
        if not os.access(self._path, os.W_OK | os.X_OK):
            raise DeliveryError("folder_not_writable")
        return "its folder is there and may be written to"

    def draft(self, name: str) -> Draft:
        with _told():
            return _LocalDraft(self._path, name)

    def sweep(self, name: str) -> None:
        with _told():
            for found in os.scandir(self._path):
                if is_stale(found.name, name, found.stat(follow_symlinks=False).st_mtime):
                    os.unlink(found)


class _LocalDraft(Draft):
    def __init__(self, folder: Path, name: str):
        self._folder, self._path, self._place = folder, folder / draft_name(name), folder / name
        # Never an existing file, whatever a link of that name leads to.
        self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb")

    def write(self, block: bytes) -> None:
        with _told():
            self._file.write(block)

    def finish(self) -> None:
        with _told():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def put_in_place(self) -> None:
        with _told():
            os.replace(self._path, self._place)
            # So that the new name, too, outlives a power cut.
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        # Closing writes what is left in the buffer, which may fail as it did before.
        with contextlib.suppress(OSError):
            self._file.close()
