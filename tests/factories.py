"""People, enrollments and activity, made the way the platform records them."""

import itertools
from datetime import timedelta
from uuid import UUID

from common.djangoapps.student.models import CourseEnrollment, UserProfile
from completion.models import BlockCompletion
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from lms.djangoapps.course_goals.models import UserActivity
from lms.djangoapps.courseware.models import StudentModule
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from waffle.models import Flag, Switch

from coaching_plugin import disclosures
from coaching_plugin.consent import Evidence
from coaching_plugin.models import CoachedCourse, Door

MB101 = CourseKey.from_string("course-v1:DemoX+MB101+2026")
MB102 = CourseKey.from_string("course-v1:DemoX+MB102+2026")
LIST1 = CourseKey.from_string("course-v1:DemoX+LIST1+2026")
PLAIN = CourseKey.from_string("course-v1:DemoX+PLAIN+2026")
PROGRAM_UUID = UUID("6f1a3c52-63d4-4f4b-8a4e-0a4a4c1d9f10")

# A number that can be texted, and the same as people type it. 555-01xx is kept for fiction, but is not "valid".
NUMBER, TYPED = "+14155552671", "(415) 555-2671"
OTHER_NUMBER, OTHER_TYPED = "+12125552368", "212-555-2368"
CANADIAN = "+16135550123"

LONG_AGO = timedelta(days=400)
_serial = itertools.count(1)


def user(name="Lena Learner", phone_number=None, year_of_birth=None, **fields):
    """Return a new user with a profile."""
    username = fields.pop("username", f"user{next(_serial)}")
    account = User.objects.create_user(username, f"{username}@example.com", "edx", **fields)
    UserProfile.objects.create(user=account, name=name, phone_number=phone_number, year_of_birth=year_of_birth)
    return account


def overview(key):
    """Return the overview of a course run, made where it is missing."""
    return CourseOverview.objects.get_or_create(
        id=key,
        defaults={
            "org": key.org,
            "display_name": key.course,
            "start": timezone.now() - LONG_AGO,
            "_location": key.make_usage_key("course", "course"),
        },
    )[0]


def coach_courses():
    """Have two course runs of a program coached, and one that an operator listed."""
    for key in (MB101, MB102):
        CoachedCourse.objects.create(
            course_key=key,
            program_uuid=PROGRAM_UUID,
            program_title="Demo MicroBachelors",
            source=CoachedCourse.Source.CATALOG,
        )
    CoachedCourse.objects.create(course_key=LIST1, source=CoachedCourse.Source.OPERATOR)


def set_flag(name, on):
    """Turn one flag on or off, as a row, the way an operator does."""
    flag, _ = Flag.objects.update_or_create(name=name, defaults={"everyone": on})
    flag.flush()


def set_switch(on, name="coaching.partner_delivery"):
    """Turn a switch on or off, as a row, the way an operator does."""
    switch, _ = Switch.objects.update_or_create(name=name, defaults={"active": on})
    switch.flush()


def turn_on_flags():
    """Turn all flags on."""
    for part in ("enabled", "course_redirect", "dashboard_card", "account_settings"):
        set_flag(f"coaching.{part}", True)


def enroll(learner, key=MB101, mode="verified", is_active=True, ago=LONG_AGO):
    """Return the enrollment of a learner, made ``ago``, so that it is no recent activity unless one says so."""
    overview(key)
    enrollment = CourseEnrollment.enroll(learner, key, mode=mode)
    CourseEnrollment.objects.filter(pk=enrollment.pk).update(created=timezone.now() - ago, is_active=is_active)
    return enrollment


def complete_block(learner, at, key=MB101, block="video1"):
    """Record that a learner completed a block."""
    row = BlockCompletion.objects.create(
        user=learner, context_key=key, block_key=key.make_usage_key("video", block), block_type="video", completion=1.0
    )
    BlockCompletion.objects.filter(pk=row.pk).update(modified=at)


def engage(learner, on, key=MB101):
    """Record a day on which a learner was in a course."""
    UserActivity.objects.create(user=learner, course_key=key, date=on)


def save_state(learner, at, key=MB101, block="problem1"):
    """Record that a learner's state in a block changed."""
    row = StudentModule.objects.create(
        student=learner, course_id=key, module_state_key=key.make_usage_key("problem", block), module_type="problem"
    )
    StudentModule.objects.filter(pk=row.pk).update(modified=at, created=at)


def save_many_states(learners, blocks, at):
    """Record, in one statement, state of learners in as many blocks of every course run in which they are enrolled."""
    digits = "(SELECT 0 AS digit" + "".join(f" UNION ALL SELECT {digit}" for digit in range(1, 10)) + ")"
    state, enrollment = StudentModule._meta.db_table, CourseEnrollment._meta.db_table
    learner_ids = [learner.pk for learner in learners]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {state} (module_type, student_id, course_id, done, created, modified, module_id)
            SELECT 'problem', user_id, course_id, 'na', %s, %s, REPLACE(
                REPLACE('block-v1:RUN+type@problem+block@NUMBER', 'RUN', SUBSTR(course_id, LENGTH('course-v1:') + 1)),
                'NUMBER', number)
            FROM {enrollment}
            CROSS JOIN (
                SELECT 1000 * a.digit + 100 * b.digit + 10 * c.digit + d.digit AS number
                FROM {digits} a CROSS JOIN {digits} b CROSS JOIN {digits} c CROSS JOIN {digits} d
            ) numbers
            WHERE number < %s AND user_id IN ({", ".join(["%s"] * len(learner_ids))})
            """,
            [at, at, blocks, *learner_ids],
        )


def eligible_learner(key=MB101, **fields):
    """Return a learner who is verified in a coached run and was active in it yesterday."""
    learner = user(**fields)
    enroll(learner, key)
    complete_block(learner, timezone.now() - timedelta(days=1), key)
    return learner


def evidence(door=Door.PAGE, **fields):
    """Return what the consent page knows of a submission."""
    fields.setdefault("disclosure", disclosures.current())
    return Evidence(door=door, names_disclosure=door == Door.PAGE, ip="192.0.2.7", user_agent="a browser", **fields)
