"""Preferences, and retirement: how a learner who asks to be forgotten moves through the queue."""

from hashlib import sha256

from django.contrib.auth.models import User
from django.db import models
from model_utils.models import TimeStampedModel


class UserPreference(models.Model):
    """One preference of a learner, as text."""

    user = models.ForeignKey(User, related_name="preferences", on_delete=models.CASCADE)
    key = models.CharField(max_length=255, db_index=True)
    value = models.TextField()

    class Meta:
        unique_together = ("user", "key")

    @classmethod
    def get_all_preferences(cls, user):
        """Return what a learner prefers, by key."""
        return dict(cls.objects.filter(user=user).values_list("key", "value"))


class RetirementStateError(Exception):
    """A retirement cannot begin, or cannot move on."""


class RetirementState(models.Model):
    """One step of the retirement queue."""

    state_name = models.CharField(max_length=30, unique=True)
    state_execution_order = models.SmallIntegerField(unique=True)
    is_dead_end_state = models.BooleanField(default=False, db_index=True)
    required = models.BooleanField(default=False)

    class Meta:
        ordering = ("state_execution_order",)

    def __str__(self):
        return f"{self.state_name} (step {self.state_execution_order})"


class UserRetirementStatus(TimeStampedModel):
    """Where the retirement of one learner stands; the row is the request itself."""

    user = models.OneToOneField(User, on_delete=models.CASCADE)
    original_username = models.CharField(max_length=150, db_index=True)
    original_email = models.EmailField(db_index=True)
    original_name = models.CharField(max_length=255, blank=True, db_index=True)
    retired_username = models.CharField(max_length=150, db_index=True)
    retired_email = models.EmailField(db_index=True)
    current_state = models.ForeignKey(RetirementState, related_name="current_state", on_delete=models.CASCADE)
    last_state = models.ForeignKey(RetirementState, blank=True, related_name="last_state", on_delete=models.CASCADE)
    responses = models.TextField()

    class Meta:
        verbose_name = "User Retirement Status"
        verbose_name_plural = "User Retirement Statuses"

    @classmethod
    def create_retirement(cls, user):
        """Put a learner into the queue, in its first state."""
        if cls.objects.filter(user=user).exists():
            raise RetirementStateError(f"User {user} already has a retirement status row!")
        # The platform populates its states with a command; the sandbox does with the first of them.
        pending = RetirementState.objects.first() or RetirementState.objects.create(
            state_name="PENDING", state_execution_order=1, required=True
        )
        return cls.objects.create(
            user=user,
            original_username=user.username,
            original_email=user.email,
            original_name=user.profile.name,
            retired_username=f"retired__user_{sha256(user.username.encode()).hexdigest()[:40]}",
            retired_email=f"retired__user_{sha256(user.email.encode()).hexdigest()[:40]}@retired.invalid",
            current_state=pending,
            last_state=pending,
            responses=f"Created in state {pending} by create_retirement",
        )
