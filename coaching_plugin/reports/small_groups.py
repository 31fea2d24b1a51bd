"""Which groups are too small to be shown? All that the report says of groups passes through here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

SMALLEST = 10


@dataclass(frozen=True)
class Row:
    """What is known of one group of learners; it leaves this package as ``shown`` writes it, and in no other way."""

    key: str
    # How many learners the group has.
    learners: int
    cells: dict[str, Any]
    # Cells that tell of a part of the group, by how many learners it has: such a part may be too small where the
    # group is not.
    parts: dict[str, int] = field(default_factory=dict)


def is_small(learners: int) -> bool:
    """Return whether a group is too small to be shown; one without anybody tells of nobody."""
    return 0 < learners < SMALLEST


def shown(rows: Sequence[Row], whole: int | None = None, also: Iterable[str] = ()) -> list[dict[str, Any]]:
    """
    Return the rows of a breakdown as plain data, without the numbers of those that must not be seen.

    Args:
        rows: the groups.
        whole: how many learners all of them have together, where that is told elsewhere, so that no small group comes
            out by subtraction; None where it is not.
        also: keys of rows that must not be seen, since what is above them is not.
    """
    hidden = withheld([row.learners for row in rows], whole)
    keys = {rows[index].key for index in hidden} | set(also)
    return [_blank(row) if row.key in keys else _plain(row) for row in rows]


def withheld(groups: Sequence[int], whole: int | None = None) -> set[int]:
    """
    Return the indexes of the groups that are not shown: the small ones, and those that would give one away.

    A group gives one away where those outside of it are a small group (``whole`` less the group), and the largest shown
    ones do together: ``whole`` less all that is shown is a small group. Then the next smallest is withheld as well.
    """
    hidden = {index for index, learners in enumerate(groups) if is_small(learners)}
    if whole is None:
        return hidden
    hidden |= {index for index, learners in enumerate(groups) if learners and is_small(whole - learners)}
    while is_small(whole - sum(learners for index, learners in enumerate(groups) if index not in hidden)):
        rest = [index for index, learners in enumerate(groups) if learners and index not in hidden]
        if not rest:
            break
        hidden.add(min(rest, key=lambda index: (groups[index], index)))
    return hidden


def _plain(row: Row) -> dict[str, Any]:
    small = {cell for cell, learners in row.parts.items() if is_small(learners)}
    cells = {cell: None if cell in small else value for cell, value in row.cells.items()}
    return {"key": row.key, "withheld": False, "withheld_cells": sorted(small), **cells}


def _blank(row: Row) -> dict[str, Any]:
    return {"key": row.key, "withheld": True, "withheld_cells": [], **dict.fromkeys(row.cells)}
