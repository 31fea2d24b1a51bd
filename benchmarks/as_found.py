"""A site is left as it was found: what learners do in a benchmark is taken back, and it is looked whether all was."""

from collections.abc import Iterable

from common.djangoapps.student.models import UserProfile
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max
from lms.djangoapps.course_goals.models import UserActivity
from lms.djangoapps.courseware.models import StudentModule

from coaching_plugin.models import CoachingConsent, ConsentEvent, PartnerDelivery

# What visits add, by the column that names the learner. Too many rows to count: the highest id must be the same.
VISITS = {StudentModule: "student_id", UserActivity: "user_id"}
LEDGER = (CoachingConsent, ConsentEvent, PartnerDelivery)
RESTORED = ("name", "phone_number", "meta")


class AsFound:
    """How a site stands before some of its learners do things; of those who answer, the ledger knows nothing yet."""

    def __init__(self, users: Iterable[User]):
        self._user_ids = [user.pk for user in users]
        self._profiles = self._stored_profiles()
        self._positions = self._stored_positions()
        known = CoachingConsent.objects.filter(user_id__in=self._user_ids)
        self._answering = sorted({*self._user_ids} - {*known.values_list("user_id", flat=True)})
        self._found = self._standing()

    @transaction.atomic
    def restore(self) -> list[str]:
        """Take back whatever these learners have done since, and return, in words, what is not as it was found."""
        self.forget_answers()
        for model, column in VISITS.items():
            _delete(model, column, self._user_ids, since=self._found[model] or 0)
        _put_back(StudentModule, self._positions, self._stored_positions())
        now = self._standing()
        differing = [model._meta.db_table for model, was in self._found.items() if now[model] != was]
        if self._stored_profiles() != self._profiles:
            differing.append(UserProfile._meta.db_table)
        return [f"{table} is not left as it was found" for table in differing]

    @transaction.atomic
    def forget_answers(self) -> None:
        """Take back what these learners have answered, in the ledger and in their profiles."""
        known = CoachingConsent.objects.filter(user_id__in=self._answering)
        as_stored = CoachingConsent._meta.get_field("partner_id").get_db_prep_value
        partner_ids = [as_stored(partner_id, connection) for partner_id in known.values_list("partner_id", flat=True)]
        # By SQL of our own, since nothing else may delete of a ledger.
        _delete(PartnerDelivery, "partner_id", partner_ids)
        _delete(ConsentEvent, "learner_id", self._answering)
        _delete(CoachingConsent, "user_id", self._answering)
        _put_back(UserProfile, self._profiles, self._stored_profiles())

    def _standing(self):
        of_visits = {model: model.objects.aggregate(highest=Max("pk"))["highest"] for model in VISITS}
        return of_visits | {model: model.objects.count() for model in LEDGER}

    def _stored_profiles(self):
        return list(UserProfile.objects.filter(user_id__in=self._user_ids).order_by("pk").values("pk", *RESTORED))

    def _stored_positions(self):
        """Return where learners stood in their courses: opening a page moves that."""
        ours = StudentModule.objects.filter(student_id__in=self._user_ids, module_type__in=["course", "chapter"])
        return list(ours.order_by("pk").values("pk", "state", "modified"))


def _delete(model, column, values, since=0):
    if values:
        marks = ", ".join(["%s"] * len(values))
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {model._meta.db_table} WHERE id > %s AND {column} IN ({marks})", [since, *values]
            )


def _put_back(model, rows, stored):
    """Store again what rows held; those are of a benchmark's learners, and few of them are changed."""
    for row, now in zip(rows, stored, strict=True):
        if row != now:
            model.objects.filter(pk=row["pk"]).update(**{name: row[name] for name in row.keys() - {"pk"}})
