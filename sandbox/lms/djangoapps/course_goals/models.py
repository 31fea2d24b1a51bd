"""Engagement days."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from opaque_keys.edx.django.models import CourseKeyField

from lms.djangoapps.courseware.masquerade import is_masquerading


class UserActivity(models.Model):
    """A day on which a learner visited a course."""

    id = models.BigAutoField(primary_key=True)
    # The two indexes below begin with the learner; the platform's table has no third.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    course_key = CourseKeyField(max_length=255)
    date = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "course_key", "date"], name="unique_user_course_date")]
        indexes = [models.Index(fields=["user", "course_key"], name="user_course_index")]
        verbose_name_plural = "User activities"

    @classmethod
    def record_user_activity(cls, user, course_key):
        """Note today's visit, unless staff masquerade. The sandbox is a site with course goals switched on."""
        if user.is_anonymous or is_masquerading(user, course_key):
            return None
        activity, _ = cls.objects.get_or_create(user=user, course_key=course_key, date=timezone.now().date())
        return activity.id
