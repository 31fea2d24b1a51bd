"""Rows that come one after the other."""

from collections.abc import Iterable, Iterator
from itertools import islice


def strewn(few: Iterable[str], few_count: int, rows: Iterable[str], count: int) -> Iterator[str]:
    """Yield ``count`` rows with few others evenly among them: at no place more than two together, if they are fewer."""
    few = iter(few)
    put = 0
    for number, row in enumerate(rows, start=1):
        yield row
        due = few_count * number // count
        if due > put:
            yield from islice(few, due - put)
            put = due
