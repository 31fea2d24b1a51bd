"""The command behind `make bench-data`: makes a site to be measured, anew, in a database of its own on MariaDB."""

import argparse
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import pymysql

from benchmarks import site
from benchmarks.site import SIZES, Size

ROOT = Path(__file__).parent.parent.parent
SEED = 2026
# What the whole takes on the server's disk at most, while it is filled.
GIGABYTES = 40


class CannotMakeError(Exception):
    """Raised where a site cannot be made here; says why."""


def main() -> int:
    """Make the site that the command line names; return 1 where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.add_argument("--size", required=True, help=f"one of {', '.join(SIZES)}")
    parser.add_argument("--seed", type=int, default=SEED, help="another one makes another site (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.size not in SIZES:
        parser.error(f"there is no size {arguments.size!r}, but {', '.join(SIZES)}")
    size = SIZES[arguments.size]
    started = perf_counter()
    try:
        make(size, arguments.seed, datetime.now(UTC).date())
    except CannotMakeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted: {size.database} is not whole, and will not be measured.\n")
        return 1
    sys.stderr.write(f"{size.database} is made, in {perf_counter() - started:.0f} s.\n")
    return 0


def make(size: Size, seed: int, day: date) -> None:
    """Make a site anew, as of the beginning of a day. Raises ``CannotMakeError``; what it leaves then is not whole."""
    with _connection() as connection, connection.cursor() as cursor:
        _check(cursor, size)
        cursor.execute(f"DROP DATABASE IF EXISTS `{size.database}`")
        cursor.execute(f"CREATE DATABASE `{size.database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    command = [sys.executable, "-m", "benchmarks.data.fill", "--name", size.name, "--share", repr(size.share)]
    command += ["--seed", str(seed), "--day", day.isoformat()]
    path = os.pathsep.join([str(ROOT), str(ROOT / "sandbox")])
    environment = {**os.environ, "DATABASE_URL": size.database_url, "PYTHONPATH": path}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        failed = process.wait()
    except KeyboardInterrupt:
        # It ends what it has begun.
        process.terminate()
        process.wait()
        raise
    if failed:
        raise CannotMakeError(f"{size.database} is not whole, and will not be measured; why is said above.")


def _check(cursor, size: Size) -> None:
    cursor.execute("SELECT @@local_infile, @@datadir")
    local_infile, directory = cursor.fetchone()
    if not local_infile:
        raise CannotMakeError("The server takes no rows from its clients: SET GLOBAL local_infile = 1")
    # That of a server on another machine cannot be seen.
    if _is_local() and os.path.isdir(directory):
        needed, free = GIGABYTES * size.share, shutil.disk_usage(directory).free / 1e9
        if free < needed:
            raise CannotMakeError(f"{size.name} takes {needed:.1f} GB on the server's disk, which has {free:.1f} free.")


def _is_local() -> bool:
    return urlsplit(site.server_url()).hostname in ("127.0.0.1", "localhost", "::1")


def _connection(**options):
    try:
        return site.connection(**options)
    except pymysql.MySQLError as error:
        problem = f"{type(error).__name__}: {error.args[0]}"
        raise CannotMakeError(f"No MariaDB lets us in at {site.server()} ({problem}).") from None


if __name__ == "__main__":
    sys.exit(main())
