"""What the partner learns of a learner, and of whom: everyone who agrees now."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _


class Standing(models.TextChoices):
    """How a learner stands with the partner."""

    CONSENTED = "consented", _("Consented")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    ERASED = "erased", _("Erased")


@dataclass(frozen=True)
class Entry:
    """All that the partner learns of one learner; of one who does not agree now, only that."""

    partner_id: UUID
    # Of the learner's last event: an entry with a lower one than another's is older.
    sequence: int
    status: Standing
    full_name: str = field(default="", repr=False)
    phone_number: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    language: str = ""
    programs: tuple[str, ...] = ()
    consented_at: datetime | None = None
    # None: the words were not shown by us.
    disclosure_version: int | None = None

    @property
    def is_on_roster(self) -> bool:
        """Whether the partner may coach the learner now."""
        return self.status == Standing.CONSENTED

    def as_json(self) -> dict[str, Any]:
        """Return it as it is sent: of somebody who is not on the roster, no more than that."""
        known = {"partner_id": str(self.partner_id), "sequence": self.sequence, "status": self.status.value}
        if not self.is_on_roster:
            return known
        return known | {
            "full_name": self.full_name,
            "phone_number": self.phone_number,
            "email": self.email,
            "language": self.language,
            "programs": list(self.programs),
            "consented_at": self.consented_at.isoformat() if self.consented_at else None,
            "disclosure_version": self.disclosure_version,
        }


def entries() -> Iterator[Entry]:
    """Yield, in constant memory, an entry for everyone who agrees now."""
    raise NotImplementedError


def entry_of(partner_id: UUID) -> Entry:
    """Return how one learner stands now."""
    raise NotImplementedError
