"""What the LMS keeps at hand of each course run."""

from django.db import models
from opaque_keys.edx.django.models import CourseKeyField, UsageKeyField


class CourseOverview(models.Model):
    """A course run, as lists and access checks need it."""

    VERSION = 19

    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)
    version = models.IntegerField(default=VERSION)
    id = CourseKeyField(primary_key=True, max_length=255)
    _location = UsageKeyField(max_length=255)
    org = models.TextField(default="outdated_entry")
    display_name = models.TextField(null=True)
    display_number_with_default = models.TextField()
    display_org_with_default = models.TextField()

    start = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    # Two columns that the platform has left behind, but not dropped.
    start_date = models.DateTimeField(null=True)
    end_date = models.DateTimeField(null=True)
    advertised_start = models.TextField(null=True)
    announcement = models.DateTimeField(null=True)

    banner_image_url = models.TextField(default="")
    course_image_url = models.TextField(default="")
    social_sharing_url = models.TextField(null=True)
    end_of_course_survey_url = models.TextField(null=True)
    certificates_display_behavior = models.TextField(null=True)
    certificates_show_before_end = models.BooleanField(default=False)
    cert_html_view_enabled = models.BooleanField(default=False)
    has_any_active_web_certificate = models.BooleanField(default=False)
    cert_name_short = models.TextField(default="")
    cert_name_long = models.TextField(default="")
    certificate_available_date = models.DateTimeField(null=True)
    lowest_passing_grade = models.DecimalField(max_digits=5, decimal_places=2, null=True)

    days_early_for_beta = models.FloatField(null=True)
    mobile_available = models.BooleanField(default=False)
    visible_to_staff_only = models.BooleanField(default=False)
    _pre_requisite_courses_json = models.TextField(default="[]")

    enrollment_start = models.DateTimeField(null=True)
    enrollment_end = models.DateTimeField(null=True)
    enrollment_domain = models.TextField(null=True)
    invitation_only = models.BooleanField(default=False)
    max_student_enrollments_allowed = models.IntegerField(null=True)

    catalog_visibility = models.TextField(null=True)
    short_description = models.TextField(null=True)
    course_video_url = models.TextField(null=True)
    effort = models.TextField(null=True)
    self_paced = models.BooleanField(default=False)
    marketing_url = models.TextField(null=True)
    eligible_for_financial_aid = models.BooleanField(default=True)
    language = models.TextField(null=True)
    has_highlights = models.BooleanField(null=True, default=None)

    allow_proctoring_opt_out = models.BooleanField(default=False)
    enable_proctored_exams = models.BooleanField(default=False)
    proctoring_provider = models.TextField(null=True)
    proctoring_escalation_email = models.TextField(null=True)
    entrance_exam_enabled = models.BooleanField(default=False)
    entrance_exam_id = models.CharField(max_length=255, blank=True, default="")
    entrance_exam_minimum_score_pct = models.FloatField(default=0.65)
    external_id = models.CharField(max_length=128, null=True, blank=True)
    force_on_flexible_peer_openassessments = models.BooleanField(default=False)

    class Meta:
        app_label = "course_overviews"

    def save(self, *args, **kwargs):
        """Fill what the platform reads from the course itself."""
        if not self._location:
            self._location = self.id.make_usage_key("course", "course")
        self.org = self.id.org
        self.display_org_with_default = self.display_org_with_default or self.id.org
        self.display_number_with_default = self.display_number_with_default or self.id.course
        super().save(*args, **kwargs)

    @classmethod
    def get_from_id(cls, course_key):
        """Return the overview of a course run; raises DoesNotExist."""
        return cls.objects.get(id=course_key)

    @property
    def display_name_with_default(self):
        """The title of the course, or its number."""
        return self.display_name or self.display_number_with_default
