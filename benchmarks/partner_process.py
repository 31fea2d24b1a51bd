"""The partner of the benchmark, a process of its own: says its address, takes messages till its input ends."""

import sys

import django


def main():
    """Serve, and say in the end how many learners it was told of."""
    django.setup()
    from tests.loopback_partner import Partner

    partner = Partner()
    sys.stdout.write(f"{partner.url}\n")
    sys.stdout.flush()
    sys.stdin.read()
    sys.stdout.write(f"{len(partner.held)}\n")


if __name__ == "__main__":
    main()
