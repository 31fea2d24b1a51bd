"""The command behind `make bench`: measures on SQLite, and on MariaDB where one answers, each in its own process."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pymysql

ROOT = Path(__file__).parent.parent
MARIADB_URL = "mysql://root@127.0.0.1:3306/coaching_bench"


def main():
    """Measure, and return 1 where a count is not as designed, or where a MariaDB is required and none answers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="how often everything is measured (default: 40)")
    rounds = parser.parse_args().rounds
    failed = _measure("", rounds)
    url = os.environ.get("BENCH_DATABASE_URL") or MARIADB_URL
    address = f"{urlsplit(url).hostname}:{urlsplit(url).port or 3306}"
    problem = _problem_of(url)
    if problem is None:
        failed |= _measure(url, rounds)
    else:
        sys.stdout.write(f"\nMariaDB: not measured, none answers at {address} ({problem}).\n")
        failed |= os.environ.get("REQUIRE_MARIADB") == "1"
    return int(failed)


def _measure(database_url, rounds):
    """Measure on one database and return whether something is not as designed."""
    environment = {**os.environ, "DATABASE_URL": database_url, "PYTHONPATH": str(ROOT / "sandbox")}
    command = [sys.executable, "-m", "benchmarks.one_database", "--rounds", str(rounds)]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode != 0


def _problem_of(url):
    """Return why no MariaDB or MySQL lets us in at an address; None where one does."""
    parts = urlsplit(url)
    try:
        pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            connect_timeout=3,
        ).close()
    except pymysql.MySQLError as error:
        return type(error).__name__
    return None


if __name__ == "__main__":
    sys.exit(main())
