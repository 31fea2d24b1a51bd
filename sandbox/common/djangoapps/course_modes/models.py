"""The modes, such as audit and verified, in which a course run is offered."""

from django.db import models


class CourseMode(models.Model):
    """One way to take a course run."""

    AUDIT = "audit"
    HONOR = "honor"
    VERIFIED = "verified"
    PROFESSIONAL = "professional"
    MASTERS = "masters"
    EXECUTIVE_EDUCATION = "executive-education"
    PAID_EXECUTIVE_EDUCATION = "paid-executive-education"
    PAID_BOOTCAMP = "paid-bootcamp"

    DEFAULT_MODE_SLUG = AUDIT
    VERIFIED_MODES = [VERIFIED, PROFESSIONAL, MASTERS, EXECUTIVE_EDUCATION, PAID_EXECUTIVE_EDUCATION, PAID_BOOTCAMP]

    course = models.ForeignKey(
        "course_overviews.CourseOverview",
        db_constraint=False,
        db_index=True,
        related_name="modes",
        on_delete=models.CASCADE,
    )
    mode_slug = models.CharField(max_length=100)
    mode_display_name = models.CharField(max_length=255)
    min_price = models.IntegerField(default=0)
    currency = models.CharField(default="usd", max_length=8)
    # The name is kept apart from the column, as on the platform, which computes an expiry date around it.
    _expiration_datetime = models.DateTimeField(db_column="expiration_datetime", default=None, null=True, blank=True)
    expiration_datetime_is_explicit = models.BooleanField(default=False)
    expiration_date = models.DateField(default=None, null=True, blank=True)
    suggested_prices = models.CharField(max_length=255, blank=True, default="")
    description = models.TextField(null=True, blank=True)
    sku = models.CharField(max_length=255, null=True, blank=True)
    bulk_sku = models.CharField(max_length=255, null=True, blank=True)
    android_sku = models.CharField(max_length=255, null=True, blank=True)
    ios_sku = models.CharField(max_length=255, null=True, blank=True)

    class Meta:
        unique_together = ("course", "mode_slug", "currency")

    @classmethod
    def is_verified_slug(cls, mode_slug):
        """Say whether a mode counts as verified."""
        return mode_slug in cls.VERIFIED_MODES
