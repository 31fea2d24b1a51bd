"""What the partner holds: of each learner the newest that it was told, in a file that outlives the process."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

SCHEMA = """
CREATE TABLE IF NOT EXISTS learner (
    partner_id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    status TEXT NOT NULL,
    known TEXT NOT NULL,
    heard_at TEXT NOT NULL,
    stopped_at TEXT
);
CREATE TABLE IF NOT EXISTS message (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS opt_out (
    id TEXT PRIMARY KEY,
    partner_id TEXT NOT NULL,
    sent_at TEXT NOT NULL,
    answer TEXT NOT NULL
);
"""
# What is known of somebody who is to be coached.
KNOWN = {
    "full_name": str,
    "phone_number": str,
    "email": str,
    "language": str,
    "programs": list,
    "consented_at": str | None,
    "disclosure_version": int | None,
}
STATES = {"learner.consented": "consented", "learner.withdrawn": "withdrawn", "learner.erased": "erased"}


class Unreadable(ValueError):
    """Raised for a message that is signed, and yet not one of those that were agreed on."""


@dataclass(frozen=True)
class Message:
    """What one message says: how a learner stands, as of a sequence."""

    partner_id: str
    sequence: int
    status: str
    known: dict[str, Any]

    @classmethod
    def read(cls, body: Any) -> "Message":
        """Return what a message's JSON says. Raises ``Unreadable``."""
        try:
            data = body["data"]
            status = STATES[body["type"]]
            known = {name: data[name] for name in KNOWN} if status == "consented" else {}
            message = cls(str(UUID(data["partner_id"])), int(data["sequence"]), status, known)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unreadable from None
        if data.get("status") != status or not all(isinstance(known[name], KNOWN[name]) for name in known):
            raise Unreadable
        return message


class Storage:
    """The file, and what may be asked of it. Every change is on disk before its function returns."""

    def __init__(self, path: Path):
        self.path = path
        with self._transaction() as database:
            for statement in SCHEMA.split(";"):
                database.execute(statement)

    def take(self, message_id: str, message: Message) -> str:
        """
        Keep what a message says, and return "taken"; or "repeated" or "older", where it says nothing new.

        Of a learner who is not to be coached any more, what was known is overwritten.
        """
        with self._transaction() as database:
            if not database.execute("INSERT OR IGNORE INTO message VALUES (?)", [message_id]).rowcount:
                return "repeated"
            held = database.execute("SELECT sequence FROM learner WHERE partner_id = ?", [message.partner_id])
            if (row := held.fetchone()) and row["sequence"] >= message.sequence:
                return "older"
            database.execute(
                "INSERT OR REPLACE INTO learner VALUES (?, ?, ?, ?, ?, NULL)",
                [message.partner_id, message.sequence, message.status, json.dumps(message.known), _now()],
            )
            return "taken"

    def learners(self) -> list[dict[str, Any]]:
        """Return all that is held of anybody, whoever was heard of last first."""
        with self._transaction() as database:
            rows = database.execute("SELECT * FROM learner ORDER BY heard_at DESC, partner_id").fetchall()
        learners = [dict(row) for row in rows]
        return [learner | json.loads(learner.pop("known")) for learner in learners]

    def stop(self, partner_id: str) -> bool:
        """Note that a learner has said STOP; return whether there is such a learner to be coached."""
        with self._transaction() as database:
            return bool(
                database.execute(
                    "UPDATE learner SET stopped_at = ? WHERE partner_id = ? AND status = 'consented'",
                    [_now(), partner_id],
                ).rowcount
            )

    def note_opt_out(self, message_id: str, partner_id: str, answer: str) -> None:
        """Note what the LMS answered to an opt-out."""
        with self._transaction() as database:
            database.execute("INSERT INTO opt_out VALUES (?, ?, ?, ?)", [message_id, partner_id, _now(), answer])

    def opt_outs(self) -> list[dict[str, Any]]:
        """Return the opt-outs that were passed on, newest first, and what the LMS answered."""
        with self._transaction() as database:
            rows = database.execute("SELECT * FROM opt_out ORDER BY sent_at DESC, id LIMIT 20").fetchall()
        return [dict(row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # A connection each: any thread may come here.
        with closing(sqlite3.connect(self.path, timeout=20, isolation_level=None)) as database:
            database.row_factory = sqlite3.Row
            # What is deleted is gone from the file, too, and not only marked as free.
            database.execute("PRAGMA secure_delete = ON")
            database.execute("BEGIN")
            yield database
            database.execute("COMMIT")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
