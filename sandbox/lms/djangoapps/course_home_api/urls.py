"""URLs of the learning MFE's API."""

from django.urls import re_path
from openedx.core.constants import COURSE_KEY_PATTERN

from lms.djangoapps.course_home_api import views

urlpatterns = [
    re_path(rf"course_metadata/{COURSE_KEY_PATTERN}", views.CourseHomeMetadataView.as_view(), name="course-metadata"),
    re_path(rf"outline/{COURSE_KEY_PATTERN}", views.OutlineTabView.as_view(), name="outline-tab"),
]
