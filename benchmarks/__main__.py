"""The command behind `make bench`: measures, part by part, and fails where a count or a ratio is not as it must be."""

import argparse
import importlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pymysql

from benchmarks import budgets, site
from benchmarks.site import SIZES, Size

ROOT = Path(__file__).parent.parent

# What is measured on the sites that `make bench-data` has made. Each is a module with ``run(sizes, rounds)``, which
# returns an ``Outcome``.
SITE_PARTS: tuple[str, ...] = ("site_doors", "edges", "enterprise", "whole_site", "consent_writes", "load")


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    rounds: int
    sizes: list[Size]
    parts: list[str]
    # Whether a broken budget fails, and not a count alone.
    judges_ratios: bool


def main():
    """Measure, and return 1 where something is not as it must be, or where a MariaDB is required and none answers."""
    wanted = _wanted()
    failed = False
    if "doors" in wanted.parts:
        failed |= _measure("", wanted.rounds)
    problem = _problem()
    if problem is not None:
        sys.stdout.write(f"\nMariaDB: not measured, none answers at {site.server()} ({problem}).\n")
        return int(failed or os.environ.get("REQUIRE_MARIADB") == "1")
    if "doors" in wanted.parts:
        failed |= _measure(site.server_url(), wanted.rounds)
    return int(failed | _measure_sites(wanted))


def _wanted():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything is measured (default: 40; of counts, once)")
    parser.add_argument(
        "--sizes", default=",".join(SIZES), help="which of the made sites (default: all that there are)"
    )
    parts = ["doors", *SITE_PARTS]
    parser.add_argument("--parts", default=",".join(parts), help=f"what of {', '.join(parts)} (default: all)")
    parser.add_argument("--counts", action="store_true", help="judge counts alone: on a machine that is busy, say")
    arguments = parser.parse_args()
    unknown = {*arguments.sizes.split(",")} - {*SIZES} | {*arguments.parts.split(",")} - {*parts}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return Wanted(
        arguments.rounds or (1 if arguments.counts else 40),
        [SIZES[name] for name in arguments.sizes.split(",")],
        arguments.parts.split(","),
        not arguments.counts,
    )


def _measure(database_url, rounds):
    """Measure the course doors on one database and return whether something is not as designed."""
    environment = {**os.environ, "DATABASE_URL": database_url, "PYTHONPATH": str(ROOT / "sandbox")}
    command = [sys.executable, "-m", "benchmarks.one_database", "--rounds", str(rounds)]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode != 0


def _measure_sites(wanted):
    """Measure the sites that are made and return whether something is not as it must be."""
    made = _made()
    sizes = [size for size in wanted.sizes if size.database in made]
    missing = [size.name for size in wanted.sizes if size.database not in made]
    if missing:
        sys.stdout.write(f"\nNot made, so not measured: {', '.join(missing)} (make bench-data SIZE=...).\n")
    if not sizes:
        return os.environ.get("REQUIRE_BENCH_DATA") == "1"
    wrong, over = [], []
    for part in wanted.parts:
        if part == "doors":
            continue
        sys.stderr.write(f"  {part} ...\n")
        outcome = _outcome(part, sizes, wanted.rounds)
        wrong += outcome.wrong
        over += budgets.broken(outcome.measured)
        sys.stdout.write(f"{outcome.text}\n")
        sys.stdout.flush()
    if wanted.judges_ratios:
        wrong += over
    else:
        sys.stdout.writelines(f"\nOver its budget, and let pass: {problem}" for problem in over)
    sys.stdout.writelines(f"\nNOT AS IT MUST BE: {problem}" for problem in wrong)
    if not wrong:
        ratios = ", and all ratios within their budgets" if not over else ""
        sys.stdout.write(f"\nAll counts are as designed{ratios}.")
    sys.stdout.write("\n")
    return bool(wrong)


def _outcome(part, sizes, rounds):
    """Return what a part found; what it needs beside the tests, it imports then."""
    return importlib.import_module(f"benchmarks.{part}").run(sizes, rounds)


def _made():
    """Return the names of the databases that `make bench-data` has finished."""
    with site.connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT table_schema FROM information_schema.tables WHERE table_name = 'coaching_bench_made'")
        return {name for (name,) in cursor.fetchall()}


def _problem():
    """Return why no MariaDB or MySQL lets us in; None where one does."""
    try:
        site.connection().close()
    except pymysql.MySQLError as error:
        return type(error).__name__
    return None


if __name__ == "__main__":
    sys.exit(main())
