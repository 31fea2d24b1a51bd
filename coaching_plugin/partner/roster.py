"""What the partner learns of a learner, and of whom: everyone who agrees now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from coaching_plugin import conf, enrollments, lms
from coaching_plugin.models import CoachedCourse, CoachingConsent

# As many in a statement, twice: of a large site's roster, 500 took a fifth longer.
CHUNK_SIZE = 2_000
OWN_COLUMNS = (
    "pk", "user_id", "partner_id", "last_sequence", "status", "phone_number", "answered_at", "changed_at", "erased_at",
    "disclosure__version", "disclosure__language",
)  # fmt: skip


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
    """
    Yield, in constant memory, an entry for everyone who agrees now.

    Chunk by chunk, each as it stands when it is read: no transaction is held while the caller writes. Who consents
    meanwhile may be missing, and is on the next.
    """
    after = 0
    while chunk := list(on_roster().filter(pk__gt=after).order_by("pk")[:CHUNK_SIZE]):
        yield from entries_of(chunk)
        after = chunk[-1]["pk"]


def entry_of(partner_id: UUID) -> Entry:
    """Return how one learner stands now. Raises ``CoachingConsent.DoesNotExist`` for who was never told of."""
    row = ever_told().filter(partner_id=partner_id).first()
    if row is None:
        raise CoachingConsent.DoesNotExist("the partner was never told of such a learner")
    return entries_of([row])[0]


def ever_told() -> QuerySet[Any, dict[str, Any]]:
    """Return the rows of all of whom the partner was ever told, with all that ``entries_of`` wants to know of them."""
    # Sequence, number and the rest in one statement, so that what is sent under a sequence is what stood then.
    of_learner = lms.roster_columns()
    consents = CoachingConsent.objects.filter(changed_at__isnull=False).annotate(**of_learner)
    return consents.values(*OWN_COLUMNS, *of_learner)


def on_roster() -> QuerySet[Any, dict[str, Any]]:
    """Return the rows of those who agree now, whose account is active and not about to be deleted."""
    return ever_told().filter(status=CoachingConsent.Status.CONSENTED, is_active=True, is_retiring=False)


def entries_of(rows: Sequence[dict[str, Any]]) -> list[Entry]:
    """Return the entries of rows of ``ever_told`` or ``on_roster``; of their programs, in one more query."""
    programs = _programs_of({row["user_id"] for row in rows if _is_on_roster(row)})
    return [_entry(row, programs.get(row["user_id"], ())) for row in rows]


def _is_on_roster(row: dict[str, Any]) -> bool:
    return row["status"] == CoachingConsent.Status.CONSENTED and bool(row["is_active"]) and not row["is_retiring"]


def _entry(row: dict[str, Any], programs: tuple[str, ...]) -> Entry:
    if not _is_on_roster(row):
        gone = Standing.ERASED if row["erased_at"] else Standing.WITHDRAWN
        return Entry(row["partner_id"], row["last_sequence"], gone)
    return Entry(
        partner_id=row["partner_id"],
        sequence=row["last_sequence"],
        status=Standing.CONSENTED,
        full_name=row["full_name"] or "",
        phone_number=row["phone_number"],
        email=row["email"],
        language=row["preferred_language"] or row["disclosure__language"] or settings.LANGUAGE_CODE,
        programs=programs,
        consented_at=row["answered_at"],
        disclosure_version=row["disclosure__version"],
    )


def _programs_of(user_ids: set[int]) -> dict[int, tuple[str, ...]]:
    """
    Return, by learner, the titles of the programs of the coached course runs in which they are enrolled now.

    A run that an operator listed without a program is part of none, and adds nothing.
    """
    if not user_ids:
        return {}
    runs = CoachedCourse.objects.filter(active=True).exclude(program_title="")
    titles: dict[int, set[str]] = {}
    for user_id, title in enrollments.enrolled_in(runs, "program_title", user_ids, modes=conf.enrollment_modes()):
        titles.setdefault(user_id, set()).add(title)
    return {user_id: tuple(sorted(titles_of_one)) for user_id, titles_of_one in titles.items()}
