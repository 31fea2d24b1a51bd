"""The roster as CSV (RFC 4180, UTF-8 without a byte order mark), of which no spreadsheet runs a cell."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

COLUMNS = (
    "partner_id", "sequence", "status", "full_name", "phone_number", "email", "language", "programs", "consented_at",
    "disclosure_version",
)  # fmt: skip
MEDIA_TYPE = "text/csv"

# What a spreadsheet takes for the beginning of a formula, once it is in its plain form; U+2212 is the minus sign.
_BEGINS_A_FORMULA = frozenset("=+-@\u2212")
# Where one that goes by another separator than ours begins a cell in the middle of a field.
_BEGINS_A_CELL = re.compile(r"([;\t\r\n])")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def lines(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the header and a line for each entry, as ``Entry.as_json`` gives it; what an entry lacks stays empty."""
    yield _line(COLUMNS)
    for entry in entries:
        yield _line([_cell(entry.get(column)) for column in COLUMNS])


def defused(text: str) -> str:
    """
    Return a text with an apostrophe before whatever a spreadsheet would run; a phone number in E.164 stays as it is.

    It is run where it stands at the beginning, also after blanks and what is not seen, in another form of the sign
    (full-width, small, raised), and after a separator of other countries. A tab or a line break in front counts, too.
    """
    if _E164.fullmatch(text):
        return text
    if text[:1] in ("\t", "\r", "\n"):
        text = f"'{text}"
    return "".join(f"'{part}" if _is_run(part) else part for part in _BEGINS_A_CELL.split(text))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return defused("; ".join(value) if isinstance(value, list) else str(value))


def _is_run(text: str) -> bool:
    seen = next((character for character in text if unicodedata.category(character)[0] not in "ZC"), "")
    return unicodedata.normalize("NFKC", seen)[:1] in _BEGINS_A_FORMULA


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue()
