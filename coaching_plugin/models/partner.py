"""What the coaching partner must hear of, by which ways, and what it has told us."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PartnerDelivery(models.Model):
    """
    The outbox: one change that the partner must hear of, for one channel. What is sent is built when it is sent.

    .. no_pii: A random id, numbers and times.
    """

    class Status(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        PARKED = "parked", _("Parked")

    channel = models.CharField(max_length=40)
    partner_id = models.UUIDField()
    sequence = models.PositiveIntegerField(help_text=_("Of the learner's event in the ledger."))
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, help_text=_("Not sent before."))
    leased_until = models.DateTimeField(null=True, blank=True, help_text=_("A worker has it till then."))
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=100, blank=True, help_text=_("A code: never what was answered or sent."))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "partner_id", "sequence"], name="coaching_delivery_unique")
        ]
        indexes = [models.Index(fields=["channel", "status", "due_at"], name="coaching_delivery_due")]
        verbose_name_plural = _("partner deliveries")

    def __str__(self) -> str:
        return f"{self.channel}: {self.partner_id} #{self.sequence}"


class PartnerChannel(models.Model):
    """
    How one channel to the partner is doing: whether it is to be left alone for a while, and who writes to it.

    .. no_pii:
    """

    name = models.CharField(max_length=40, unique=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text=_("Nothing is sent before."))
    failures = models.PositiveIntegerField(default=0, help_text=_("In a row."))
    lease = models.UUIDField(null=True, blank=True, help_text=_("Of the worker that writes the roster."))
    leased_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class PartnerOptOut(models.Model):
    """
    A message by which the partner reported an opt-out, so that the same one does not count twice.

    .. no_pii: A digest of the message's id, and what was answered: random ids.
    """

    message_digest = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the message's id."))
    received_at = models.DateTimeField(default=timezone.now)
    answer = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.message_digest
