"""Learners who agreed, by the thousand: as ``consent.give`` leaves them, without the ledger."""

import itertools

from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from django.utils import timezone

from coaching_plugin import disclosures
from coaching_plugin.models import CoachingConsent
from tests.factories import MB101, NUMBER, overview

_serial = itertools.count(1)


def consent_many(count, **fields):
    """Have ``count`` new learners of MB101 agree now, or as ``fields`` of their rows say."""
    overview(MB101)
    now = timezone.now()
    names = [f"one-of-many-{next(_serial)}" for _ in range(count)]
    User.objects.bulk_create([User(username=name, email=f"{name}@example.com") for name in names], batch_size=1000)
    # Asked for, since MariaDB's driver gives no ids back.
    users = list(User.objects.filter(username__startswith="one-of-many-").order_by("-pk")[:count])
    UserProfile.objects.bulk_create([UserProfile(user=user, name="Lena Learner") for user in users], batch_size=1000)
    CourseEnrollment.objects.bulk_create(
        [CourseEnrollment(user=user, course_id=MB101, mode="verified") for user in users], batch_size=1000
    )
    agreed = {
        "status": "consented",
        "phone_number": NUMBER,
        "disclosure": disclosures.current().disclosure,
        "answered_at": now,
        "changed_at": now,
        "last_sequence": 1,
    }
    CoachingConsent.objects.bulk_create(
        [CoachingConsent(user=user, **(agreed | fields)) for user in users], batch_size=1000
    )
