"""How the numbers of the report are read: the tables with their words, and what the charts draw."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

NONE = "–"

LEVELS = {"all": gettext_lazy("All learners"), "none": gettext_lazy("Course runs in no program")}
DELAYS = {
    "minute": gettext_lazy("Within a minute"),
    "five_minutes": gettext_lazy("1 to 5 minutes"),
    "hour": gettext_lazy("5 minutes to an hour"),
    "day": gettext_lazy("An hour to a day"),
    "week": gettext_lazy("A day to a week"),
    "later": gettext_lazy("More than a week"),
}
MEASURES = {
    "30": gettext_lazy("Active 30 days later"),
    "60": gettext_lazy("Active 60 days later"),
    "90": gettext_lazy("Active 90 days later"),
    "another_course": gettext_lazy("Took another coached run"),
}
GROUPS = {
    "consented": gettext_lazy("First said yes"),
    "declined": gettext_lazy("First said no"),
    "difference": gettext_lazy("Difference"),
}
# About a learner of whom staff read; ``receipts.REASONS`` says the same to the learner.
REASONS = {
    "phone_missing": gettext_lazy("No phone number"),
    "phone_malformed": gettext_lazy("Phone number not written in digits"),
    "phone_extension": gettext_lazy("Phone number with an extension"),
    "phone_invalid": gettext_lazy("No such phone number"),
    "phone_region": gettext_lazy("Phone number of another country"),
    "phone_type": gettext_lazy("Phone number that cannot receive text messages"),
    "name_missing": gettext_lazy("No name"),
    "name_malformed": gettext_lazy("Name not written as a name"),
    "agreement_missing": gettext_lazy("Box not ticked"),
    "disclosure_missing": gettext_lazy("Words not shown, or changed since"),
    "account_inactive": gettext_lazy("Account not activated"),
    "not_eligible": gettext_lazy("Not eligible"),
    "under_age": gettext_lazy("Not old enough"),
}
ATTEMPTS = {
    "consented": gettext_lazy("Said yes"),
    "declined": gettext_lazy("Said no"),
    "refused": gettext_lazy("Was refused"),
}


def _comparison(measure: str, group: str) -> str:
    return _("%(measure)s: %(group)s") % {"measure": MEASURES[measure], "group": GROUPS[group]}


def whole(value: int) -> str:
    """Return a whole number as the active language writes it."""
    return number_format(value, 0, use_l10n=True, force_grouping=True)


def percent(value: float) -> str:
    """Return a share in percent, as the active language writes it; a difference with its sign."""
    return _("%(number)s%%") % {"number": number_format(round(value * 100, 1), 1, use_l10n=True)}


def day(value: str) -> str:
    """Return a date (ISO 8601) as the active language writes it."""
    return date_format(date.fromisoformat(value), "DATE_FORMAT")


def duration(seconds: float) -> str:
    """Return a length of time in its largest unit, with one decimal place."""
    units = ((86_400, _("%(number)s d")), (3600, _("%(number)s h")), (60, _("%(number)s min")), (1, _("%(number)s s")))
    size, unit = next((size, unit) for size, unit in units if seconds >= size or size == 1)
    return unit % {"number": number_format(round(seconds / size, 1), 1, use_l10n=True)}


@dataclass(frozen=True)
class Table:
    """What is written of one table: its columns by their codes, which are the header of its CSV, with their words."""

    caption: Any
    # Of the first column, that says what a row is about.
    about: Any
    words: Callable[[dict[str, Any]], str]
    # Code, word, and how a value is written.
    columns: tuple[tuple[str, Any, Callable[[Any], str]], ...]
    # What the CSV has in front, without a word of any language.
    codes: tuple[str, ...] = ("key",)


TABLES = {
    "funnel": Table(
        gettext_lazy("How learners stand now"),
        gettext_lazy("Program or course run"),
        lambda row: row["title"] or str(LEVELS.get(row["key"], row["key"])),
        (
            ("learners", gettext_lazy("Learners"), whole),
            ("eligible", gettext_lazy("Eligible today"), whole),
            ("asked", gettext_lazy("Asked"), whole),
            ("consented", gettext_lazy("Consent"), whole),
            ("declined", gettext_lazy("Declined"), whole),
            ("withdrawn", gettext_lazy("Withdrew"), whole),
            ("opted_out", gettext_lazy("of these by STOP"), whole),
            ("unanswered", gettext_lazy("No answer"), whole),
            ("rate", gettext_lazy("Consent rate"), percent),
            ("rate_of_asked", gettext_lazy("Of those asked"), percent),
        ),
        ("level", "key", "title"),
    ),
    "weeks": Table(
        gettext_lazy("Week by week"),
        gettext_lazy("Week from"),
        lambda row: day(row["key"]),
        (
            ("eligible", gettext_lazy("Eligible"), whole),
            ("asked", gettext_lazy("Asked"), whole),
            ("consented", gettext_lazy("Said yes"), whole),
            ("declined", gettext_lazy("Said no"), whole),
            ("withdrawn", gettext_lazy("Withdrew"), whole),
            ("opted_out", gettext_lazy("Said STOP"), whole),
            ("refused", gettext_lazy("Were refused"), whole),
            ("rate", gettext_lazy("Consent rate"), percent),
        ),
    ),
    "delays": Table(
        gettext_lazy("From being asked to the first answer"),
        gettext_lazy("Time"),
        lambda row: str(DELAYS[row["key"]]),
        (("learners", gettext_lazy("Learners"), whole), ("share", gettext_lazy("Share"), percent)),
    ),
    "refusals": Table(
        gettext_lazy("Refused submissions by reason"),
        gettext_lazy("Reason"),
        lambda row: str(REASONS[row["key"]]),
        (("submissions", gettext_lazy("Submissions"), whole), ("learners", gettext_lazy("Learners"), whole)),
    ),
    "persistence": Table(
        gettext_lazy("Who said yes beside who said no"),
        gettext_lazy("What, and of whom"),
        lambda row: _comparison(*row["key"].split("-")),
        (
            ("learners", gettext_lazy("Learners"), whole),
            ("reached", gettext_lazy("Did so"), whole),
            ("share", gettext_lazy("Share"), percent),
            ("low", gettext_lazy("95 percent interval from"), percent),
            ("high", gettext_lazy("to"), percent),
        ),
    ),
}


def written(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a table with its words and numbers as texts of the active language, for a template."""
    table = TABLES[name]
    return {
        "name": name,
        "caption": table.caption,
        "about": table.about,
        "headers": [word for _code, word, _write in table.columns],
        "width": len(table.columns),
        "rows": [
            {
                "about": table.words(row),
                "level": row.get("level", ""),
                "link": _link(row) if name == "funnel" else "",
                "withheld": row["withheld"],
                "cells": [_written(row, code, write) for code, _word, write in table.columns],
            }
            for row in rows
        ],
    }


def _written(row: dict[str, Any], code: str, write: Callable[[Any], str]) -> str:
    if code in row["withheld_cells"]:
        return _("not shown")
    return NONE if row[code] is None else write(row[code])


def _link(row: dict[str, Any]) -> str:
    """Return the query of the report on what a row is about; nothing where it is on everybody, or on nothing."""
    if row["withheld"] or row["key"] in LEVELS:
        return ""
    return "?" + urlencode({row["level"]: row["key"]})


def csv_rows(name: str, rows: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Return header and rows of a table as CSV has them: codes and plain numbers, the same in every language."""
    if name == "first_ten":
        return ["number", "asked_on", "attempts", "answered", "met_error"], [_first_ten_csv(row) for row in rows]
    table = TABLES[name]
    codes = [*table.codes, *(code for code, _word, _write in table.columns)]
    return [*codes, "withheld"], [[*(row[code] for code in codes), _withheld(row)] for row in rows]


def _withheld(row: dict[str, Any]) -> str:
    """Return what a row does not show: all of it, or some of its cells."""
    return "row" if row["withheld"] else " ".join(row["withheld_cells"])


def _first_ten_csv(row: dict[str, Any]) -> list[Any]:
    attempts = "; ".join(" ".join([attempt["kind"], *attempt["reasons"]]) for attempt in row["attempts"])
    return [row["key"], row["asked_on"], attempts, row["answered"], row["met_error"]]


def first_ten(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first ten learners with the words of the active language, for a template."""
    return [
        {
            **row,
            "asked_on": day(row["asked_on"]),
            "attempts": [
                {
                    "what": ATTEMPTS[attempt["kind"]],
                    "why": [str(REASONS.get(code, code)) for code in attempt["reasons"]],
                }
                for attempt in row["attempts"]
            ],
        }
        for row in rows
    ]


# The charts: labels and numbers, of which ``report.js`` knows how they are drawn --------------------------------------


def charts(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what each chart draws, from the same rows as its table; none for a chart that would be empty."""
    tables = report["tables"]
    shown = [row for row in tables["funnel"] if not row["withheld"]]
    # Of a program, itself; of a course run, there is nothing else.
    programs = [row for row in shown if row["level"] != "course"] or shown
    weeks = tables["weeks"]
    mondays = [day(row["key"]) for row in weeks]
    goal = {"label": _("Goal"), "values": [report["goal"]] * len(weeks), "role": "goal"}
    found = {
        "funnel": _chart("bar", [TABLES["funnel"].words(row) for row in programs], _series("funnel", programs, 1, 6)),
        "weeks": _chart("line", mondays, _series("weeks", weeks, 1, 4)),
        "rate": _chart("line", mondays, [*_series("weeks", weeks, 7, 8), goal], percent=True),
        "delays": _chart(
            "bar", [str(DELAYS[row["key"]]) for row in tables["delays"]], _series("delays", tables["delays"], 0, 1)
        ),
        "persistence": _chart("interval", [str(word) for word in MEASURES.values()], _arms(report), percent=True),
    }
    return {name: chart for name, chart in found.items() if _has_numbers(chart)}


def _chart(kind: str, labels: list[str], series: list[dict[str, Any]], percent: bool = False) -> dict[str, Any]:
    return {"kind": kind, "labels": labels, "series": series, "percent": percent}


def _series(name: str, rows: list[dict[str, Any]], first: int, end: int) -> list[dict[str, Any]]:
    columns = TABLES[name].columns[first:end]
    return [{"label": str(word), "values": [row[code] for row in rows]} for code, word, _write in columns]


def _arms(report: dict[str, Any]) -> list[dict[str, Any]]:
    rows = {row["key"]: row for row in report["tables"]["persistence"]}
    if not rows:
        return []
    arms = {arm: [rows[f"{measure}-{arm}"] for measure in MEASURES] for arm in ("consented", "declined")}
    return [
        {
            "label": str(GROUPS[arm]),
            "values": [row["share"] for row in ours],
            "ranges": [None if row["low"] is None else [row["low"], row["high"]] for row in ours],
        }
        for arm, ours in arms.items()
    ]


def _has_numbers(chart: dict[str, Any]) -> bool:
    values = [value for series in chart["series"] if series.get("role") != "goal" for value in series["values"]]
    # A share of none is a share; where nobody did anything there is nothing to draw.
    return any(value is not None if chart["percent"] else value for value in values)
