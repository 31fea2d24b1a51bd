"""The yardstick of consent writes: rows like the plugin's, stored by plain statements, in as many transactions."""

from collections.abc import Callable
from uuid import uuid4

from common.djangoapps.student.models import UserProfile
from django.contrib.auth.models import User
from django.db import connection, transaction

from coaching_plugin.models import CoachingConsent, ConsentEvent, PartnerDelivery

# What an answer after the first changes of a learner's row.
MOVED = ("status", "answered_at", "changed_at", "last_sequence", "last_hash")


def by_hand(model: User, learner: User) -> Callable[[], None]:
    """Return what stores for one learner rows as they are stored for another: a transaction for each answer."""
    (row,) = CoachingConsent.objects.filter(user=model).values()
    events = list(ConsentEvent.objects.filter(learner_id=model.pk).order_by("sequence").values())
    told = {delivery["sequence"]: delivery for delivery in _deliveries(row).values()}
    number = UserProfile.objects.get(user=model).phone_number
    row |= {"user_id": learner.pk, "partner_id": uuid4()}
    change = f"UPDATE {CoachingConsent._meta.db_table} SET {', '.join(f'{name} = %s' for name in MOVED)} WHERE id = %s"
    moved = [row[name] for name in MOVED]
    profile = f"UPDATE {UserProfile._meta.db_table} SET phone_number = %s WHERE user_id = %s"

    def store():
        consent_id = None
        for event in events:
            with transaction.atomic(), connection.cursor() as cursor:
                if consent_id is None:
                    consent_id = _insert(cursor, CoachingConsent, row)
                else:
                    cursor.execute(change, [*moved, consent_id])
                _insert(cursor, ConsentEvent, event | {"consent_id": consent_id, "learner_id": learner.pk})
                if event["sequence"] in told:
                    _insert(cursor, PartnerDelivery, told[event["sequence"]] | {"partner_id": row["partner_id"]})
                if event["kind"] == ConsentEvent.Kind.CONSENTED:
                    cursor.execute(profile, [number, learner.pk])

    return store


def _deliveries(row):
    return PartnerDelivery.objects.filter(partner_id=row["partner_id"])


def _insert(cursor, model, row):
    """Insert a row under the next id, and return that."""
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns, marks = ", ".join(field.column for field in fields), ", ".join(["%s"] * len(fields))
    values = [field.get_db_prep_save(row[field.attname], connection) for field in fields]
    cursor.execute(f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({marks})", values)
    return cursor.lastrowid
