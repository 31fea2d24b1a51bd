"""``explain_eligibility``: say why a learner is asked, or not, and what each door would do."""

import json
import re
import textwrap
from dataclasses import asdict

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import translation
from opaque_keys import InvalidKeyError
from opaque_keys.edx.locator import CourseLocator

from coaching_plugin import support
from coaching_plugin.coached_courses import CoachedCoursesUnknown

WIDTH = 79
MARKS = {True: "yes", False: "NO", None: "-"}


class Command(BaseCommand):
    """Changes nothing, and names the learner by nothing but the id."""

    help = (
        "Explain why a learner is asked about coaching, or not: each rule, the facts behind it, and what each door "
        "would do. Exits 2 where there is no such learner or course key."
    )

    def add_arguments(self, parser):
        """Take the learner, and what else to look at."""
        parser.add_argument("user", metavar="USER", help="User name, e-mail address or LMS user id of the learner.")
        parser.add_argument(
            "--by",
            choices=["username", "email", "id"],
            help="What USER is, where it is one learner's user name and another's id.",
        )
        parser.add_argument(
            "--course", metavar="KEY", help="Look at this course run alone, whether or not it is coached."
        )
        parser.add_argument("--json", action="store_true", help="Answer in JSON, with codes, for scripts.")

    def handle(self, *args, user, by, course, **options):
        """Print the explanation in English. What was typed is repeated in no error: it may be an e-mail address."""
        learner, course_key = _learner(user, by), _course_key(course)
        try:
            with translation.override("en"):
                explanation = support.explain(learner, course_key)
        except CoachedCoursesUnknown as error:
            raise CommandError(f"{error} Has the plugin been migrated?") from None
        if options["json"]:
            self.stdout.write(json.dumps(asdict(explanation), default=str, indent=2))
        else:
            for line in _lines(explanation):
                self.stdout.write(line)


def _learner(typed, by):
    """Return whom an operator means. Raises ``CommandError`` where it is nobody, or more than one."""
    is_id = re.fullmatch(r"[1-9][0-9]{0,8}", typed)
    meant = {
        "username": Q(username=typed),
        "email": Q(email__iexact=typed) & ~Q(email=""),
        "id": Q(pk=int(typed)) if is_id else Q(pk__in=[]),
    }
    chosen = [meant[by]] if by else meant.values()
    condition = Q(pk__in=[])
    for one in chosen:
        condition |= one
    found = list(get_user_model().objects.filter(condition).order_by("pk")[:2])
    if not found:
        raise CommandError("There is no such learner.", returncode=2)
    if len(found) > 1:
        raise CommandError("More than one learner may be meant: say which by --by username, email or id.", returncode=2)
    return found[0]


def _course_key(typed):
    """Return the key of a course run, or None where none is named. Raises ``CommandError`` for what is none."""
    try:
        return CourseLocator.from_string(typed) if typed is not None else None
    except InvalidKeyError:
        raise CommandError("This is not the key of a course run.", returncode=2) from None


def _lines(explanation):
    """Yield the explanation in lines of a width."""
    yield from _wrapped(f"Learner {explanation.user_id}: {explanation.summary}", "")
    yield ""
    yield from _rules(explanation.rules)
    for run in explanation.runs:
        yield ""
        yield f"{run.course_key}{' makes the learner eligible' if run.is_eligible else ''}"
        yield from _rules(run.rules)
        yield from _wrapped(f"{run.door.name}: {run.door.says}", "  => ")
    yield ""
    for door in explanation.doors:
        yield from _wrapped(f"{door.name}: {door.says}", "  => ")
    for note in explanation.notes:
        yield from _wrapped(note, "Note: ")


def _rules(rules):
    for rule in rules:
        yield from _wrapped(f"{rule.name}: {rule.facts}", f"  {MARKS[rule.met]:<4}")


def _wrapped(text, mark):
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        # A key that is longer than a line is still copied whole.
        break_long_words=False,
        break_on_hyphens=False,
    )
