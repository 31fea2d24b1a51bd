"""URLs of the legacy course pages, with the platform's names."""

from django.urls import re_path
from openedx.core.constants import COURSE_ID_PATTERN, COURSE_KEY_PATTERN, USAGE_KEY_PATTERN

from lms.djangoapps.courseware.masquerade import MasqueradeView
from lms.djangoapps.courseware.views import pages

COURSEWARE = rf"^courses/{COURSE_ID_PATTERN}/courseware"

urlpatterns = [
    re_path(rf"^xblock/{USAGE_KEY_PATTERN}$", pages.render_xblock, name="render_xblock"),
    re_path(rf"^courses/{COURSE_KEY_PATTERN}/masquerade$", MasqueradeView.as_view(), name="masquerade_update"),
    re_path(rf"^courses/{COURSE_ID_PATTERN}/course_wiki/?$", pages.course_wiki_redirect, name="course_wiki"),
    re_path(rf"^courses/{COURSE_ID_PATTERN}/jump_to/(?P<location>.*)$", pages.jump_to, name="jump_to"),
    re_path(rf"^courses/{COURSE_ID_PATTERN}/about$", pages.course_about, name="about_course"),
    re_path(rf"^courses/{COURSE_ID_PATTERN}/survey$", pages.course_survey, name="course_survey"),
    re_path(rf"^courses/{COURSE_ID_PATTERN}/course/$", pages.course_home, name="openedx.course_experience.course_home"),
    re_path(rf"^courses/{COURSE_ID_PATTERN}/dates", pages.dates, name="dates"),
    re_path(rf"{COURSEWARE}/?$", pages.CoursewareIndex.as_view(), name="courseware"),
    re_path(rf"{COURSEWARE}/(?P<chapter>[^/]*)/$", pages.CoursewareIndex.as_view(), name="courseware_chapter"),
    re_path(
        rf"{COURSEWARE}/(?P<chapter>[^/]*)/(?P<section>[^/]*)/$",
        pages.CoursewareIndex.as_view(),
        name="courseware_section",
    ),
    re_path(
        rf"{COURSEWARE}/(?P<chapter>[^/]*)/(?P<section>[^/]*)/(?P<position>[^/]*)/?$",
        pages.CoursewareIndex.as_view(),
        name="courseware_position",
    ),
    re_path(rf"^courses/{COURSE_ID_PATTERN}/progress$", pages.progress, name="progress"),
    re_path(rf"^courses/{COURSE_ID_PATTERN}/progress/(?P<student_id>\d+)/$", pages.progress, name="student_progress"),
    re_path(
        rf"^courses/{COURSE_ID_PATTERN}/tab/(?P<tab_type>[^/]+)/$",
        pages.CourseTabView.as_view(),
        name="course_tab_view",
    ),
]
