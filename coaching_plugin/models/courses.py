"""Which course runs are coached, and how many learners were eligible for it."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from opaque_keys.edx.django.models import CourseKeyField


class CoachedCourse(models.Model):
    """
    A course run whose verified learners are offered a coach: told by the catalog, or by an operator.

    .. no_pii:
    """

    class Source(models.TextChoices):
        """Whose word it is."""

        CATALOG = "catalog", _("Catalog")
        OPERATOR = "operator", _("Operator")

    course_key = CourseKeyField(max_length=255, unique=True)
    program_uuid = models.UUIDField(null=True, blank=True)
    program_title = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.OPERATOR)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["course_key"]

    def __str__(self) -> str:
        return str(self.course_key)


class EligibleCount(models.Model):
    """
    How many learners were eligible on a day: what nobody can tell later, since eligibility leaves no trace.

    .. no_pii:
    """

    day = models.DateField(help_text=_("UTC."))
    scope = models.CharField(
        max_length=255, help_text=_("A course key, the UUID of a program, or nothing: all."), blank=True
    )
    learners = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "scope"], name="coaching_eligible_count_unique")]

    def __str__(self) -> str:
        return f"{self.day} {self.scope}"
