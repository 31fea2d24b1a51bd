"""Runs the stand-in for a coaching partner: `python -m partner --help`, in the sandbox's folder."""

import argparse
import os
import signal
import sys
from pathlib import Path

from partner import OPT_OUT_SECRET, WEBHOOK_SECRET
from partner.server import Partner
from partner.storage import Storage


def main():
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m partner",
        description="A stand-in for a coaching partner, on loopback.",
        epilog="PARTNER_WEBHOOK_SECRETS (one or more, with spaces) and PARTNER_OPT_OUT_SECRET in the environment take "
        "the place of the sandbox's own secrets, which everybody knows.",
    )
    parser.add_argument("--port", type=int, default=8001, help="0: any that is free; it is printed (default: 8001)")
    parser.add_argument("--lms", default="http://127.0.0.1:8000", help="address of the LMS (default: %(default)s)")
    parser.add_argument("--database", type=Path, default="partner.sqlite3", help="a file (default: %(default)s)")
    parser.add_argument("--misbehave", action="store_true", help="answer wrongly where POST /misbehave says so")
    options = parser.parse_args()

    os.umask(0o077)  # what it holds is personal
    try:
        partner = Partner(
            options.port,
            Storage(options.database),
            options.lms,
            os.environ.get("PARTNER_WEBHOOK_SECRETS", WEBHOOK_SECRET).split(),
            os.environ.get("PARTNER_OPT_OUT_SECRET", OPT_OUT_SECRET),
        )
    except OSError as error:
        sys.exit(f"The coaching partner cannot have port {options.port}: {error.strerror}.")
    partner.may_misbehave = options.misbehave
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"  What the coaching partner sees: http://127.0.0.1:{partner.server_port}/", flush=True)
    try:
        partner.serve_forever()
    except KeyboardInterrupt:
        partner.server_close()


if __name__ == "__main__":
    main()
