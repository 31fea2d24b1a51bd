"""Eligible learners that a made site gets for a while, and loses again with all that they have answered."""

import random
from contextlib import AbstractContextManager
from datetime import timedelta

from common.djangoapps.student.models import CourseEnrollment, UserProfile
from completion.models import BlockCompletion
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.site import COACHED_RUNS
from coaching_plugin.models import CoachingConsent, ConsentEvent, PartnerDelivery

USERNAME = "answering-for-a-while-"
# All that such a learner leaves, the last first, by the column that names the learner.
TRACES = (
    (ConsentEvent, "learner_id"),
    (CoachingConsent, "user_id"),
    (BlockCompletion, "user_id"),
    (CourseEnrollment, "user_id"),
    (UserProfile, "user_id"),
    (User, "id"),
)
LEDGER = (CoachingConsent, ConsentEvent, PartnerDelivery)
YESTERDAY = timedelta(days=1)


class NewLearners(AbstractContextManager):
    """
    So many learners, verified in a coached run that is drawn for each, and active there yesterday.

    They come and go: one whose row in the ledger was deleted, which nothing but a benchmark does, is no new one. Till
    InnoDB has purged that row, a new one in its place locks the gap beside it, and neighbours wait for each other.
    """

    def __init__(self, number: int):
        self._number = number

    def __enter__(self) -> list[User]:
        _remove()
        names = [f"{USERNAME}{place}" for place in range(self._number)]
        chance, at = random.Random(self._number), timezone.now() - YESTERDAY
        User.objects.bulk_create(User(username=name, email=f"{name}@example.com") for name in names)
        users = list(User.objects.filter(username__startswith=USERNAME).order_by("pk"))
        UserProfile.objects.bulk_create(UserProfile(user=user, name="Lena Learner") for user in users)
        runs = {user: chance.choice(COACHED_RUNS) for user in users}
        CourseEnrollment.objects.bulk_create(
            CourseEnrollment(user=user, course_id=run, mode="verified") for user, run in runs.items()
        )
        BlockCompletion.objects.bulk_create(
            BlockCompletion(
                user=user,
                context_key=run,
                block_key=run.make_usage_key("video", "video1"),
                block_type="video",
                completion=1.0,
                created=at,
                modified=at,
            )
            for user, run in runs.items()
        )
        return list(User.objects.filter(pk__in=[user.pk for user in users]).select_related("profile").order_by("pk"))

    def __exit__(self, *exc_info: object) -> None:
        _remove()


def counts(models: tuple = (User, UserProfile, *LEDGER)) -> dict[str, int]:
    """Return how many rows tables hold: by default those that learners add to who come to answer."""
    return {model._meta.db_table: model.objects.count() for model in models}


@transaction.atomic
def _remove():
    """Remove these learners, and whoever an earlier benchmark could not remove."""
    ours = User.objects.filter(username__startswith=USERNAME)
    user_ids = list(ours.values_list("pk", flat=True))
    as_stored = PartnerDelivery._meta.get_field("partner_id").get_db_prep_value
    partner_ids = CoachingConsent.objects.filter(user_id__in=user_ids).values_list("partner_id", flat=True)
    _delete(PartnerDelivery, "partner_id", [as_stored(partner_id, connection) for partner_id in partner_ids])
    for model, column in TRACES:
        _delete(model, column, user_ids)


def _delete(model, column, values):
    """Delete by SQL of our own: nothing else may delete of a ledger."""
    if values:
        marks = ", ".join(["%s"] * len(values))
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE {column} IN ({marks})", values)
