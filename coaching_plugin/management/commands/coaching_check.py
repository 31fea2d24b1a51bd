"""``coaching_check``: say whether coaching is set up on this site, and what to do where it is not."""

import json
import textwrap
from collections import Counter

from django.core.management.base import BaseCommand, CommandError

from coaching_plugin import setup_check
from coaching_plugin.setup_check import Finding, Level

WIDTH = 98
INDENT = 11
PROBLEMS = (Level.WARNING, Level.ERROR)


class Command(BaseCommand):
    """Run it after each deploy, and after each change of the settings. Nothing of any learner is sent or shown."""

    help = (
        "Look at flags, settings, tables, cache, course doors, coached course runs, disclosure, partner and upkeep, "
        "and say what is set up and what is not. Exits 1 where something is broken. --verbosity 0 tells of problems "
        "alone."
    )
    # It tells of them itself.
    requires_system_checks = []

    def add_arguments(self, parser):
        """Take what scripts may want."""
        parser.add_argument("--json", action="store_true", help="Write JSON, for scripts.")
        parser.add_argument(
            "--fail-on",
            choices=[Level.ERROR.value, Level.WARNING.value],
            default=Level.ERROR.value,
            help="How bad it must be for an exit code of 1; by default, an error.",
        )

    def handle(self, *args, fail_on, verbosity, **options):
        """Look, and tell; exit 1 where something is broken, or with ``--fail-on warning`` doubtful."""
        counts: Counter[Level] = Counter()
        told = []
        for group, findings in setup_check.inspect():
            heading = f"{group}\n"
            for finding in findings:
                counts[finding.level] += 1
                if verbosity == 0 and finding.level not in PROBLEMS:
                    continue
                told.append({"group": group, **_as_json(finding)})
                if not options["json"]:
                    self.stdout.write(heading + self._as_text(finding))
                    # As it is found: a partner may take seconds to answer.
                    self.stdout.flush()
                    heading = ""
        summary = ", ".join(f"{level.value}: {counts[level]}" for level in Level)
        if options["json"]:
            in_json = {"counts": {level.value: counts[level] for level in Level}, "findings": told}
            self.stdout.write(json.dumps(in_json, indent=2))
        elif told:
            self.stdout.write(summary)
        if counts[Level.ERROR] or (fail_on == Level.WARNING.value and counts[Level.WARNING]):
            raise CommandError(f"Coaching is not set up as it should be ({summary}).", returncode=1)

    def _as_text(self, finding: Finding) -> str:
        style = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.ERROR: self.style.ERROR}
        lines = _wrapped(finding.what)
        if finding.to_do:
            lines += _wrapped(f"> {finding.to_do}", subsequent_indent="  ")
        label = style.get(finding.level, str)(f"{finding.level.value:8}")
        return f"  {label} " + f"\n{' ' * INDENT}".join(lines)


def _wrapped(text: str, **options) -> list[str]:
    return textwrap.wrap(text, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False, **options)


def _as_json(finding: Finding) -> dict[str, str]:
    return {"level": finding.level.value, "what": finding.what, "to_do": finding.to_do}
