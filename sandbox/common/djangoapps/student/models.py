"""Profiles, enrollments and course roles, in the platform's tables."""

import json

from django.contrib.auth.models import User
from django.db import models
from edx_django_utils.cache import RequestCache
from opaque_keys.edx.django.models import CourseKeyField
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from common.djangoapps.course_modes.models import CourseMode


class UserProfile(models.Model):
    """What the platform knows of a person beyond the Django user."""

    user = models.OneToOneField(User, related_name="profile", on_delete=models.CASCADE)
    name = models.CharField(blank=True, max_length=255, db_index=True)
    meta = models.TextField(blank=True)
    courseware = models.CharField(blank=True, max_length=255, default="course.xml")
    language = models.CharField(blank=True, max_length=255, db_index=True)
    location = models.CharField(blank=True, max_length=255, db_index=True)
    year_of_birth = models.IntegerField(blank=True, null=True, db_index=True)
    gender = models.CharField(blank=True, null=True, max_length=6, db_index=True)
    level_of_education = models.CharField(blank=True, null=True, max_length=6, db_index=True)
    mailing_address = models.TextField(blank=True, null=True)
    city = models.TextField(blank=True, null=True)
    country = models.CharField(blank=True, null=True, max_length=2)
    state = models.CharField(blank=True, null=True, max_length=2)
    goals = models.TextField(blank=True, null=True)
    bio = models.CharField(blank=True, null=True, max_length=3000)
    profile_image_uploaded_at = models.DateTimeField(null=True, blank=True)
    phone_number = models.CharField(blank=True, null=True, max_length=50)

    class Meta:
        db_table = "auth_userprofile"

    def get_meta(self):
        """Return the free-form data as a dictionary."""
        return json.loads(self.meta) if self.meta else {}

    def set_meta(self, meta):
        """Replace the free-form data; the caller saves."""
        self.meta = json.dumps(meta)


class CourseAccessRole(models.Model):
    """A role of a user in a course, or without a course in its organization."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    org = models.CharField(max_length=64, db_index=True, blank=True)
    course_id = CourseKeyField(max_length=255, db_index=True, blank=True)
    role = models.CharField(max_length=64, db_index=True)

    class Meta:
        unique_together = ("user", "org", "course_id", "role")


class CourseEnrollmentManager(models.Manager):
    """Questions about a course and its learners."""

    def users_enrolled_in(self, course_id, include_inactive=False, verified_only=False):
        """Return the users enrolled in a course."""
        conditions = {"courseenrollment__course_id": course_id}
        if not include_inactive:
            conditions["courseenrollment__is_active"] = True
        if verified_only:
            conditions["courseenrollment__mode"] = CourseMode.VERIFIED
        return User.objects.filter(**conditions)


class CourseEnrollment(models.Model):
    """One learner in one course run; there is no time of the last change, as on the platform."""

    # Its index is listed below: MySQL would do without, beside those that begin with the user; the platform does not.
    user = models.ForeignKey(User, db_index=False, on_delete=models.CASCADE)
    # No constraint: on the platform an enrollment may outlive, or come before, the overview of its course.
    course = models.ForeignKey(CourseOverview, db_constraint=False, on_delete=models.DO_NOTHING)
    created = models.DateTimeField(auto_now_add=True, null=True, db_index=True)
    is_active = models.BooleanField(default=True)
    mode = models.CharField(default=CourseMode.DEFAULT_MODE_SLUG, max_length=100)

    objects = CourseEnrollmentManager()

    class Meta:
        unique_together = (("user", "course"),)
        indexes = [
            models.Index(fields=["user"], name="student_courseenrollment_user"),
            models.Index(fields=["user", "-created"], name="student_cou_user_id_b19dcd_idx"),
        ]
        ordering = ("user", "course")

    @classmethod
    def get_enrollment(cls, user, course_key, select_related=None):
        """Return the enrollment of a user in a course, or None; remembered for the request."""
        if user.is_anonymous:
            return None
        cache = RequestCache("get_enrollment")
        cached = cache.get_cached_response((user.id, str(course_key)))
        if cached.is_found:
            return cached.value
        enrollments = cls.objects.select_related(*select_related or ())
        enrollment = enrollments.filter(user=user, course_id=course_key).first()
        if enrollment:
            cache.set((user.id, str(course_key)), enrollment)
        return enrollment

    @classmethod
    def is_enrolled(cls, user, course_key):
        """Say whether a user has an active enrollment in a course."""
        enrollment = cls.get_enrollment(user, course_key)
        return bool(enrollment and enrollment.is_active)

    @classmethod
    def enrollments_for_user(cls, user):
        """Return the active enrollments of a user."""
        return cls.objects.filter(user=user, is_active=True)

    @classmethod
    def enroll(cls, user, course_key, mode=None, check_access=False):
        """Enroll a user, in the platform's two saves: first inactive in the default mode, then as asked."""
        enrollment, _ = cls.objects.get_or_create(
            user=user,
            course_id=course_key,
            defaults={"mode": CourseMode.DEFAULT_MODE_SLUG, "is_active": False},
        )
        enrollment.update_enrollment(mode=mode or CourseMode.DEFAULT_MODE_SLUG, is_active=True)
        return enrollment

    @classmethod
    def unenroll(cls, user, course_key):
        """Make the enrollment of a user inactive, where there is one."""
        enrollment = cls.get_enrollment(user, course_key)
        if enrollment:
            enrollment.update_enrollment(is_active=False)

    def update_enrollment(self, mode=None, is_active=None):
        """Change mode or activity, saving only where something changes."""
        RequestCache("get_enrollment").clear()
        wanted = {"mode": mode, "is_active": is_active}
        changes = {name: value for name, value in wanted.items() if value not in (None, getattr(self, name))}
        if changes:
            for name, value in changes.items():
                setattr(self, name, value)
            self.save()
