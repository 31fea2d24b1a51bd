"""Fills the sandbox with a crowd of learners who were asked over the last weeks, for the report to tell of."""

import random
from datetime import UTC, date, datetime, time, timedelta

from common.djangoapps.student.models import CourseEnrollment, UserProfile
from completion.models import BlockCompletion
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from lms.djangoapps.course_goals.models import UserActivity
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import disclosures, ledger
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door, EligibleCount
from sandbox_demo.cast import LIST1, MB101, MB102, PROGRAM

Kind = ConsentEvent.Kind
Status = CoachingConsent.Status

LEARNERS = 320
WEEKS = 20
NAME = "crowd{:03}"
# Valid numbers, each of one learner, of a range kept for nobody in particular.
NUMBER = "+1628555{}"
# How the crowd answers, and how often.
ANSWERS = {Kind.CONSENTED: 64, Kind.DECLINED: 24, None: 12}
MISTAKES = ["phone_region", "phone_region", "phone_invalid", "phone_missing", "agreement_missing", "name_missing"]


class Command(BaseCommand):
    """
    Creates the crowd once; where it is, nothing is changed.

    The partner was never told of it, so that its page shows only who answers in the demo.
    """

    help = __doc__

    def handle(self, *args, **options):
        """Make learners, what they did in their courses, their answers, and the nightly counts of those weeks."""
        if User.objects.filter(username=NAME.format(1)).exists():
            return
        chance = random.Random(2026)
        today = timezone.now().astimezone(UTC).date()
        with transaction.atomic():
            crowd = [Member(number, today, chance) for number in range(1, LEARNERS + 1)]
            _enroll(crowd)
            words = disclosures.current("en")
            for member in sorted(crowd, key=lambda member: member.asked_at):
                _answer(member, words, chance)
            _count(crowd, today)
        self.stdout.write(f"Seeded a crowd of {LEARNERS} learners for the report.")


class Member:
    """One of the crowd: in which courses, asked and active when, and how they answer."""

    def __init__(self, number: int, today: date, chance: random.Random):
        self.number = number
        day = today - timedelta(days=chance.randrange(1, 7 * WEEKS))
        self.asked_at = datetime.combine(day, time(chance.randrange(8, 22), chance.randrange(60)), tzinfo=UTC)
        self.enrolled_at = self.asked_at - timedelta(days=chance.randrange(1, 40))
        self.answer = chance.choices(list(ANSWERS), list(ANSWERS.values()))[0]
        first = MB101 if number % 4 else LIST1
        self.courses = {first: self.enrolled_at}
        likes_it = self.answer == Kind.CONSENTED
        if first == MB101 and chance.random() < (0.45 if likes_it else 0.25):
            self.courses[MB102] = min(
                self.asked_at + timedelta(days=chance.randrange(5, 60)), datetime.combine(today, time(), tzinfo=UTC)
            )
        # How long they go on after being asked.
        stays = int(chance.expovariate(1 / (110 if likes_it else 60)))
        self.active_on = min(day + timedelta(days=stays), today - timedelta(days=1))
        self.user: User


def _enroll(crowd: list[Member]) -> None:
    password = make_password(None)
    users = [
        User(username=NAME.format(member.number), email=f"{NAME.format(member.number)}@example.com", password=password)
        for member in crowd
    ]
    User.objects.bulk_create(users)
    # Not every database tells the ids of many rows.
    known = {user.username: user for user in User.objects.filter(username__startswith=NAME[:5])}
    for member in crowd:
        member.user = known[NAME.format(member.number)]
    UserProfile.objects.bulk_create(UserProfile(user=member.user, name=f"Crowd {member.number:03}") for member in crowd)
    for member in crowd:
        for course, enrolled_at in member.courses.items():
            key = CourseKey.from_string(course)
            row = CourseEnrollment.objects.create(user=member.user, course_id=key, mode="verified", is_active=True)
            CourseEnrollment.objects.filter(pk=row.pk).update(created=enrolled_at)
            UserActivity.objects.create(user=member.user, course_key=key, date=member.active_on)
            block = BlockCompletion.objects.create(
                user=member.user,
                context_key=key,
                block_key=key.make_usage_key("html", "html1"),
                block_type="html",
                completion=1.0,
            )
            moment = datetime.combine(member.active_on, time(12), tzinfo=UTC)
            BlockCompletion.objects.filter(pk=block.pk).update(created=moment, modified=moment)


def _answer(member: Member, words: disclosures.ShownDisclosure, chance: random.Random) -> None:
    """Write what happened as ``consent.py`` does, but for the time, which is long ago."""
    row = CoachingConsent.objects.create(user=member.user, asked_at=member.asked_at)
    at = member.asked_at

    def record(kind: str, **fields) -> datetime:
        fields.setdefault("door", Door.PAGE)
        ledger.append(row, kind, shown=words, user_agent="seed_crowd", occurred_at=at, **fields)
        return at

    record(Kind.ASKED)
    if member.answer is not None:
        # In seconds, most of them few, and some of them many.
        patience = chance.lognormvariate(4.5, 2.2)
        if chance.random() < 0.2:
            at += timedelta(seconds=patience / 2)
            record(Kind.REFUSED, reason=chance.choice(MISTAKES))
        at = min(at + timedelta(seconds=patience), timezone.now())
        if member.answer == Kind.CONSENTED:
            row.status, row.disclosure = Status.CONSENTED, words.disclosure
            row.phone_number = NUMBER.format(2000 + member.number)
            row.answered_at = record(Kind.CONSENTED, phone_number=row.phone_number)
        else:
            row.status = Status.DECLINED
            row.answered_at = record(Kind.DECLINED)
    if row.status == Status.CONSENTED and chance.random() < 0.09:
        at = min(at + timedelta(days=chance.randrange(3, 40)), timezone.now())
        row.status = Status.WITHDRAWN
        if chance.random() < 0.5:
            row.opted_out_at = row.answered_at = record(Kind.OPTED_OUT, reason="stop", door=Door.PARTNER)
        else:
            row.answered_at = record(Kind.WITHDRAWN, reason="learner")
    row.save()


def _count(crowd: list[Member], today: date) -> None:
    """Store what the nightly command would have counted."""
    scopes = {"": None, PROGRAM["uuid"]: {MB101, MB102}, MB101: {MB101}, MB102: {MB102}, LIST1: {LIST1}}
    days = [today - timedelta(days=days) for days in range(1, 7 * WEEKS)]
    EligibleCount.objects.bulk_create(
        (
            EligibleCount(day=day, scope=scope, learners=sum(_is_eligible(member, courses, day) for member in crowd))
            for scope, courses in scopes.items()
            for day in days
        ),
        ignore_conflicts=True,
    )


def _is_eligible(member: Member, courses: set[str] | None, day: date) -> bool:
    began = [at.date() for course, at in member.courses.items() if courses is None or course in courses]
    return bool(began) and min(began) <= day <= member.active_on + timedelta(days=90)
