"""Each learner's standing, the ledger of every change, and the words that were agreed to."""

import hashlib
import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class AppendOnlyError(Exception):
    """Raised when something tries to change or delete what must stay as it was written."""


class Door(models.TextChoices):
    """The way by which a change reached us."""

    PAGE = "page", _("Consent page")
    ACCOUNT_SETTINGS = "account_settings", _("Account settings")
    API = "api", _("API")
    PARTNER = "partner", _("Coaching partner")
    ADMIN = "admin", _("Administration")
    PROFILE = "profile", _("Profile change")
    RETIREMENT = "retirement", _("Account retirement")


class DisclosureQuerySet(models.QuerySet):
    """A query set that keeps its hands off what is published."""

    def update(self, **kwargs):
        """Change drafts. Raises ``AppendOnlyError`` where a published disclosure is among them."""
        self._refuse_published()
        return super().update(**kwargs)

    def delete(self):
        """Delete drafts. Raises ``AppendOnlyError`` where a published disclosure is among them."""
        self._refuse_published()
        return super().delete()

    def _refuse_published(self):
        if self.filter(published_at__isnull=False).exists():
            raise AppendOnlyError("A published disclosure is neither edited nor deleted; write a new version.")


class Disclosure(models.Model):
    """
    The words a learner agrees to, in one language of one version; published, they never change.

    ``body`` is plain text in paragraphs. ``${site_name}``, ``${partner_name}``, ``${minimum_age}`` and
    ``${privacy_url}`` stand for what the ledger keeps beside each event, so that the words shown can be made again.

    .. no_pii:
    """

    version = models.PositiveIntegerField()
    language = models.CharField(max_length=35, help_text=_("Language code, such as en, es-419 or ar."))
    body = models.TextField()
    sha256 = models.CharField(max_length=64, editable=False)
    published_at = models.DateTimeField(null=True, blank=True)

    objects = DisclosureQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "language"], name="coaching_disclosure_unique")]
        ordering = ["-version", "language"]

    def __str__(self) -> str:
        return f"{self.version} ({self.language})"

    def save(self, *args, **kwargs):
        """Store a draft, or publish it. Raises ``AppendOnlyError`` where the stored one is published already."""
        if self._is_published():
            raise AppendOnlyError("A published disclosure is never edited; write a new version.")
        self.sha256 = self.digest(self.body)
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        """Delete a draft. Raises ``AppendOnlyError`` for a published disclosure."""
        if self._is_published():
            raise AppendOnlyError("A published disclosure is never deleted.")
        return super().delete(*args, **kwargs)

    def _is_published(self) -> bool:
        """Return whether it is published in the database, whatever this copy of it says."""
        return self.pk is not None and type(self).objects.filter(pk=self.pk, published_at__isnull=False).exists()

    @staticmethod
    def digest(text: str) -> str:
        """Return the SHA-256 of a text, in hexadecimal."""
        return hashlib.sha256(text.encode()).hexdigest()


class CoachingConsent(models.Model):
    """
    Where one learner stands now. Only ``consent.py`` writes it.

    .. pii: The phone number consented for. Blanked at USER_RETIRE_LMS_CRITICAL, or by erase_expired_evidence before.
    .. pii_types: phone_number
    .. pii_retirement: local_api
    """

    class Status(models.TextChoices):
        """How the learner last answered."""

        UNDECIDED = "undecided", _("Undecided")
        CONSENTED = "consented", _("Consented")
        DECLINED = "declined", _("Declined")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="coaching_consent"
    )
    partner_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, help_text=_("All that the partner learns of the identity.")
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.UNDECIDED)
    phone_number = models.CharField(max_length=16, blank=True, help_text=_("Consented for, in E.164."))
    disclosure = models.ForeignKey(
        Disclosure, null=True, blank=True, on_delete=models.PROTECT, help_text=_("Through which consent was given.")
    )
    asked_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    do_not_ask = models.BooleanField(default=False)
    card_dismissed_at = models.DateTimeField(null=True, blank=True)
    opted_out_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("Last change that the partner hears of; none: it was never told of them."),
    )
    erased_at = models.DateTimeField(null=True, blank=True)
    last_sequence = models.PositiveIntegerField(default=0)
    last_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        permissions = [
            ("export_roster", "Can export the roster for the coaching partner"),
            ("view_report", "Can view the coaching report"),
        ]
        indexes = [
            models.Index(fields=["status"], name="coaching_consent_status"),
            models.Index(fields=["changed_at"], name="coaching_consent_changed"),
        ]

    def __str__(self) -> str:
        return str(self.partner_id)

    @property
    def has_answered(self) -> bool:
        """Whether the asking is over: an answer, or an operator's "do not ask", is stored."""
        return self.do_not_ask or self.status != self.Status.UNDECIDED

    @property
    def is_consented(self) -> bool:
        """Whether the learner agrees now."""
        return self.status == self.Status.CONSENTED


class AppendOnlyQuerySet(models.QuerySet):
    """A query set that adds and reads; ``ledger.blank_personal_data`` alone goes around it."""

    def update(self, **kwargs):
        """Refuse: an event is never changed."""
        raise AppendOnlyError("Consent events are never changed.")

    def delete(self):
        """Refuse: an event is never deleted."""
        raise AppendOnlyError("Consent events are never deleted.")

    def bulk_update(self, objs, fields, batch_size=None):
        """Refuse: an event is never changed."""
        raise AppendOnlyError("Consent events are never changed.")


class ConsentEvent(models.Model):
    """
    One entry of the append-only ledger; ``ledger.py`` writes, chains and verifies it.

    Learner and actor are plain ids, not foreign keys, so that deleting a user changes no event.

    .. pii: Phone number, IP address and user agent as evidence. Blanked, with the salt, at USER_RETIRE_LMS_CRITICAL, or
      by erase_expired_evidence before.
    .. pii_types: phone_number, ip, other
    .. pii_retirement: local_api
    """

    class Kind(models.TextChoices):
        """What happened."""

        ASKED = "asked", _("Asked")
        REFUSED = "refused", _("Submission refused")
        CONSENTED = "consented", _("Consented")
        DECLINED = "declined", _("Declined")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        PHONE_CHANGED = "phone_changed", _("Phone number changed")
        OPTED_OUT = "opted_out", _("Opted out at the partner")
        DO_NOT_ASK = "do_not_ask", _("Not to be asked")
        ASK_AGAIN = "ask_again", _("To be asked again")
        ERASED = "erased", _("Erased")

    consent = models.ForeignKey(CoachingConsent, on_delete=models.PROTECT, related_name="events")
    learner_id = models.BigIntegerField(null=True, help_text=_("LMS user id of the learner."))
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=14, choices=Kind.choices)
    reason = models.CharField(
        max_length=200, blank=True, help_text=_("Codes, separated by spaces, or an operator's words.")
    )
    occurred_at = models.DateTimeField()
    door = models.CharField(max_length=16, choices=Door.choices)
    actor_id = models.BigIntegerField(null=True, help_text=_("LMS user id of who acted, if not the learner."))
    disclosure = models.ForeignKey(
        Disclosure, null=True, on_delete=models.PROTECT, help_text=_("None: not shown by us.")
    )
    shown_sha256 = models.CharField(max_length=64, blank=True, help_text=_("SHA-256 of the words as shown."))
    shown_with = models.JSONField(default=dict, help_text=_("The names filled into the disclosure."))
    phone_number = models.CharField(max_length=16, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=512, blank=True)
    salt = models.CharField(max_length=64, blank=True)
    personal_digest = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consent", "sequence"], name="coaching_event_sequence_unique")]
        indexes = [
            # Who consented with a number that says STOP at the partner.
            models.Index(fields=["phone_number"], name="coaching_event_number"),
            # What operators list, and the report counts by week.
            models.Index(fields=["occurred_at"], name="coaching_event_occurred"),
            models.Index(fields=["kind", "occurred_at"], name="coaching_event_kind"),
            # Of one learner, whose account may be gone; and by which door: what operators filter by.
            models.Index(fields=["learner_id"], name="coaching_event_learner"),
            models.Index(fields=["door"], name="coaching_event_door"),
        ]
        ordering = ["consent_id", "sequence"]

    def __str__(self) -> str:
        return f"{self.kind} #{self.sequence}"

    def save(self, *args, **kwargs):
        """Append the event. Raises ``AppendOnlyError`` where it is stored already."""
        if not self._state.adding:
            raise AppendOnlyError("Consent events are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        """Refuse: an event is never deleted."""
        raise AppendOnlyError("Consent events are never deleted.")
