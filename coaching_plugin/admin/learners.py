"""Who is meant? Learners by what operators know of them: an id, a name, an address, a number."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.urls import reverse

from coaching_plugin import conf, phone
from coaching_plugin.models import CoachingConsent, ConsentEvent

# More than anybody looks through.
MOST_FOUND = 100

# The largest id of a user that the platform's tables hold.
LARGEST_ID = 2**31 - 1


@dataclass(frozen=True)
class Learner:
    """A learner with the record of where they stand, which is not stored where nothing was ever recorded."""

    # None: the account was deleted. Not in the ``repr``: templates log what they cannot find a name in.
    user: Any = field(repr=False)
    consent: CoachingConsent

    @property
    def url(self) -> str:
        """The address of the learner's page, which tells nothing but an id."""
        if self.user is None:
            return reverse("admin:coaching_plugin_coachingconsent_change", args=[self.consent.pk])
        return reverse("admin:coaching_plugin_coachingconsent_learner", args=[self.consent.user_id])

    @property
    def phone_number(self) -> str:
        """The number consented for, spaced for people; empty where there is none."""
        return phone.international_format(self.consent.phone_number, [])


def with_id(user_id: int) -> Learner | None:
    """Return the learner who has an LMS user id, or had it when the account was deleted; None where nobody did."""
    if user_id > LARGEST_ID:
        return None
    if user := get_user_model().objects.filter(pk=user_id).select_related("coaching_consent").first():
        return _learner(user)
    row = _deleted(user_id).first()
    return Learner(None, row) if row else None


def found_by(text: str) -> list[Learner]:
    """
    Return the learners whose user name, e-mail address, LMS user id or ``partner_id`` a text is, at most MOST_FOUND.

    A phone number finds whoever consented with it, then or now, until it is erased.
    """
    found = {("user", user.pk): _learner(user) for user in _users(text)}
    for row in CoachingConsent.objects.filter(pk__in=_rows(text)).select_related("user").order_by("-pk"):
        key = ("user", row.user_id) if row.user_id else ("consent", row.pk)
        found.setdefault(key, Learner(row.user, row))
    return list(found.values())[:MOST_FOUND]


def _users(text: str) -> list:
    """Return the users whom a text names. Each question by itself has an index, and all of them in one have none."""
    users = get_user_model().objects.select_related("coaching_consent")
    found = [*users.filter(username__iexact=text)[:MOST_FOUND], *users.filter(email__iexact=text)[:MOST_FOUND]]
    return [*found, *users.filter(pk=number)] if (number := _user_id(text)) else found


def _rows(text: str) -> list[int]:
    """Return the keys of the records that a text leads to, those of deleted accounts too."""
    found = _consented_with(text)
    if partner_id := _uuid(text):
        found += CoachingConsent.objects.filter(partner_id=partner_id).values_list("pk", flat=True)
    if user_id := _user_id(text):
        found += _deleted(user_id).values_list("pk", flat=True)
    return found


def _learner(user) -> Learner:
    return Learner(user, getattr(user, "coaching_consent", None) or CoachingConsent(user=user))


def _deleted(user_id: int) -> QuerySet[CoachingConsent]:
    # The rows whose user is gone are few. By the learner's id alone all events would be read.
    return CoachingConsent.objects.filter(user__isnull=True, events__sequence=1, events__learner_id=user_id)


def _consented_with(text: str) -> list[int]:
    """Return the rows of whom consented with a number; by the ledger, which has an index of numbers and all of them."""
    try:
        number = text if phone.is_e164(text) else phone.valid(text, conf.phone_regions())
    except phone.InvalidPhoneNumber:
        return []
    events = ConsentEvent.objects.filter(phone_number=number).order_by()
    return list(events.values_list("consent_id", flat=True).distinct()[:MOST_FOUND])


def _user_id(text: str) -> int | None:
    """Return the LMS user id that a text is, if it can be one."""
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
