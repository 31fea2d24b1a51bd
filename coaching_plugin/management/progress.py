"""How far is a command? A terminal sees a bar, and nothing else does."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

T = TypeVar("T")


def with_bar(items: Iterable[T], label: str, length: int | None = None) -> Iterator[T]:
    """
    Pass the items on; on a terminal, standard error shows how many are left.

    Args:
        length: how many there are, where ``items`` does not tell.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, length=length, label=label, file=sys.stderr) as bar:
        yield from bar
