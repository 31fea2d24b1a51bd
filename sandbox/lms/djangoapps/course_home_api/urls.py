"""URLs of the learning MFE's API."""

from django.urls import re_path
from openedx.core.constants import COURSE_KEY_PATTERN

from lms.djangoapps.course_home_api import views

urlpatterns = [
    re_path(rf"course_metadata/{COURSE_KEY_PATTERN}", views.CourseHomeMetadataView.as_view(), name="course-metadata"),
    re_path(rf"outline/{COURSE_KEY_PATTERN}", views.OutlineTabView.as_view(), name="outline-tab"),
    re_path(rf"navigation/{COURSE_KEY_PATTERN}", views.CourseNavigationBlocksView.as_view(), name="course-navigation"),
    re_path(rf"dates/{COURSE_KEY_PATTERN}", views.DatesTabView.as_view(), name="dates-tab"),
    re_path(rf"progress/{COURSE_KEY_PATTERN}", views.ProgressTabView.as_view(), name="progress-tab"),
    re_path(r"save_course_goal", views.SaveCourseGoalView.as_view(), name="save-course-goal"),
]
