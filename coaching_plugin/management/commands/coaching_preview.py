"""``coaching_preview``: count whom course doors would ask tomorrow, if the flags were on, without asking anyone."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from functools import partial

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from coaching_plugin import preview, toggles
from coaching_plugin.cohorts import Outlook
from coaching_plugin.eligibility import Rules
from coaching_plugin.management.progress import with_bar
from coaching_plugin.preview import Group, Preview, Program

FLAGS = (toggles.ENABLED, toggles.COURSE_REDIRECT)
LABEL_WIDTH = 60
WHY_NOT = {
    Outlook.INACTIVE: "inactive account",
    Outlook.STAFF: "global staff",
    Outlook.COURSE_TEAM: "course team of each course run that they would enter",
    Outlook.MODE_DOES_NOT_COUNT: "enrolled in no mode that counts ({modes})",
    Outlook.NO_RECENT_ACTIVITY: "not active since {since} in a course run that counts",
    Outlook.UNDER_AGE: "possibly younger than {age}",
    Outlook.DO_NOT_ASK: "not to be asked, by an operator",
    Outlook.ANSWERED: "answered already",
}


class Command(BaseCommand):
    """Run it before a flag is turned on, or for another program. It reads, and writes nothing."""

    help = (
        "Count how many learners would be asked tomorrow (UTC), by program and course run, if coaching.enabled and "
        "coaching.course_redirect were on for everyone; and why the others would not. Asks nobody, stores nothing."
    )

    def add_arguments(self, parser):
        """Take what else an operator may want."""
        parser.add_argument("--program", help="Count at the doors of one program: its UUID, or its title in any case.")
        parser.add_argument("--json", action="store_true", help="Write JSON, for scripts.")

    def handle(self, *args, program, **options):
        """Count, and say of how many learners; a terminal is told how far it is. Exit 2 for an unknown program."""
        programs = preview.programs()
        try:
            doors = [preview.find(programs, program)] if program is not None else programs
        except preview.UnknownProgram as error:
            raise CommandError(str(error), returncode=2) from None
        day = timezone.now().astimezone(UTC).date() + timedelta(days=1)
        rules = Rules.on(day)
        counted = preview.count(doors, rules, partial(with_bar, label="Counting"))
        lines = [json.dumps(_as_json(day, counted), indent=2)] if options["json"] else _as_text(day, rules, counted)
        for line in lines:
            self.stdout.write(line)


def _as_text(day: date, rules: Rules, counted: Preview) -> Iterator[str]:
    everybody = counted.everybody
    yield f"On {day} (UTC), if {' and '.join(flag.name for flag in FLAGS)} were on for everyone:"
    yield ""
    if not counted.runs:
        yield "Nobody would be asked, since no course run is coached."
        return
    yield (
        f"{everybody.asked:,} of {everybody.enrolled:,} learners enrolled in a coached course run would be asked once "
        "they enter one."
    )
    yield ""
    yield from _table(counted)
    yield ""
    yield "Who is enrolled in several course runs counts in each of them, and once in all."
    yield "No answer yet: the share of those whom the doors are for. The others have answered, or are not to be asked."
    yield ""
    if everybody.enrolled > everybody.asked:
        yield "Not asked, each under the first of these reasons that applies:"
        words = {"modes": ", ".join(rules.modes), "since": rules.since.date(), "age": rules.minimum_age}
        for reason, why in WHY_NOT.items():
            if number := everybody.outlook[reason]:
                yield f"{number:>10,}  {why.format(**words)}"
        yield ""
    yield "Nobody has been asked by this, and nothing was stored. As the flags are now:"
    for flag in FLAGS:
        yield f"  {flag.name} is {toggles.reach(flag)}."


def _table(counted: Preview) -> Iterator[str]:
    titles = Counter(program.title.casefold() for program, _ in counted.programs)
    rows: list[tuple[str, Group]] = [("All", counted.everybody)]
    for program, group in counted.programs:
        is_named_by_title = program.title and titles[program.title.casefold()] == 1
        rows.append((program.title if is_named_by_title else str(program), group))
        rows += [(f"  {key}", counted.runs[key]) for key in program.runs]
    width = min(max(len(label) for label, _ in rows), LABEL_WIDTH)
    yield f"{'':{width}}  {'Enrolled':>9}  {'To be asked':>11}  {'No answer yet':>13}"
    for label, group in rows:
        if len(label) > width:
            yield label
            label = ""
        share = group.share_without_answer
        yield (
            f"{label:{width}}  {group.enrolled:>9,}  {group.asked:>11,}  "
            f"{'-' if share is None else format(share, '.0%'):>13}"
        )


def _as_json(day: date, counted: Preview) -> dict:
    def of_program(program: Program, group: Group) -> dict:
        runs = [{"course_key": str(key), **_group_as_json(counted.runs[key])} for key in program.runs]
        uuid = str(program.uuid) if program.uuid else None
        return {"uuid": uuid, "title": program.title, **_group_as_json(group), "runs": runs}

    reaches = {flag.name: toggles.reach(flag) for flag in FLAGS}
    return {
        "day": day.isoformat(),
        "flags": {name: {"everyone": reach.everyone, "some": list(reach.some)} for name, reach in reaches.items()},
        **_group_as_json(counted.everybody),
        "programs": [of_program(program, group) for program, group in counted.programs],
    }


def _group_as_json(group: Group) -> dict:
    return {
        "enrolled": group.enrolled,
        "to_be_asked": group.asked,
        "share_without_answer": group.share_without_answer,
        "left_out": {reason.value: group.outlook[reason] for reason in WHY_NOT},
    }
