"""Rows into a table, as a stream: one LOAD DATA, whose file is a pipe that another process writes."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from time import perf_counter

from coaching_plugin.management.progress import with_bar

_ROWS_AT_ONCE = 2_000


class LoadError(Exception):
    """Raised where not all rows arrived in a table."""


def load(
    connection, table: str, columns: tuple[str, ...], rows: Iterable[str], length: int, *, has_bar: bool = True
) -> None:
    """
    Fill an empty table with rows: lines of text with tabs between the values, ``\\N`` for none.

    On a terminal, standard error shows how far it is; otherwise a line is told when it is done.

    Args:
        connection: of pymysql, with ``local_infile``.
        length: how many rows there are.
        has_bar: whether there is a bar on a terminal, and not a line there too.
    """
    has_bar = has_bar and sys.stderr.isatty()
    started = perf_counter()
    reader, writer = os.pipe()
    blocks = _blocks(rows)
    if has_bar:
        blocks = with_bar(blocks, f"{table:36}", -(-length // _ROWS_AT_ONCE))
    process = multiprocessing.get_context("fork").Process(target=_write, args=(reader, writer, blocks))
    process.start()
    os.close(writer)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"LOAD DATA LOCAL INFILE '/dev/fd/{reader}' INTO TABLE {table} ({', '.join(columns)})")
            loaded, warnings = cursor.rowcount, cursor.warning_count
        connection.commit()
    finally:
        os.close(reader)
        process.join()
    if process.exitcode or warnings or loaded != length:
        raise LoadError(
            f"{table}: {loaded} of {length} rows, {warnings} warnings, and what made them ended with {process.exitcode}"
        )
    if not has_bar:
        sys.stderr.write(f"  {table}: {loaded:,} rows in {perf_counter() - started:.0f} s\n")


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Have work done in another process meanwhile; it ends if the block fails. Raises ``LoadError`` where it fails."""
    process = multiprocessing.get_context("fork").Process(target=_alone, args=(work,))
    process.start()
    try:
        yield
        process.join()
    finally:
        process.terminate()
        process.join()
    if process.exitcode:
        raise LoadError(f"what was done beside ended with {process.exitcode}")


def _alone(work: Callable[[], None]) -> None:
    # An interrupt is for the process that started this one, and so are its ways to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    work()


def _write(reader: int, writer: int, blocks: Iterable[str]) -> None:
    # An interrupt ends the process that loads, and so the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.close(reader)
    try:
        with open(writer, "w", encoding="utf-8", newline="\n") as pipe:
            for block in blocks:
                pipe.write(block)
    except BrokenPipeError:
        os._exit(1)


def _blocks(rows: Iterable[str]) -> Iterator[str]:
    rows = iter(rows)
    while block := "".join(islice(rows, _ROWS_AT_ONCE)):
        yield block
