"""URLs of the learning MFE's API for what is inside a course, with the platform's names."""

from django.urls import re_path

from openedx.core.constants import COURSE_KEY_PATTERN, USAGE_KEY_PATTERN
from openedx.core.djangoapps.courseware_api import views

urlpatterns = [
    re_path(rf"^course/{COURSE_KEY_PATTERN}", views.CoursewareInformation.as_view(), name="courseware-api"),
    re_path(rf"^sequence/{USAGE_KEY_PATTERN}", views.SequenceMetadata.as_view(), name="sequence-api"),
    re_path(rf"^resume/{COURSE_KEY_PATTERN}", views.Resume.as_view(), name="resume-api"),
]
