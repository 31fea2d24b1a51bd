"""URLs of the sandbox LMS, with the platform's names."""

from common.djangoapps.student.views.dashboard import student_dashboard
from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path, re_path
from edx_django_utils.plugins import get_plugin_url_patterns
from openedx.core.constants import COURSE_KEY_PATTERN
from openedx.core.djangoapps.courseware_api.views import CourseOutlineView
from openedx.core.djangoapps.enrollments.views import CourseListView, EnrollmentListView
from openedx.core.djangoapps.oauth_dispatch.views import AccessTokenView
from openedx.core.djangoapps.plugins.constants import ProjectType
from openedx.core.djangoapps.user_authn.views import login

from lms.djangoapps.learner_home.views import InitializeView
from lms.djangoapps.learner_home.waffle import redirect_to_learner_home_mfe
from lms.djangoapps.mfe_config_api.views import MFEConfigView

urlpatterns = [
    path("", include("sandbox_demo.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("login", login.LoginPage.as_view(), name="signin_user"),
    path("logout", login.log_out, name="logout"),
    path("login_refresh", login.login_refresh, name="login_refresh"),
    re_path(
        r"^api/user/(?P<api_version>v(1|2))/account/login_session/$", login.login_session, name="user_api_login_session"
    ),
    path("password_reset/", login.password_reset, name="password_reset"),
    path("csrf/api/v1/token", login.csrf_token, name="csrf_token"),
    path("event", login.event, name="event"),
    path("oauth2/access_token", AccessTokenView.as_view(), name="access_token"),
    re_path(r"^dashboard/?$", redirect_to_learner_home_mfe(student_dashboard), name="dashboard"),
    path("api/user/", include("openedx.core.djangoapps.user_api.urls")),
    path("api/enrollment/v1/enrollment", EnrollmentListView.as_view(), name="courseenrollments"),
    path("api/courses/v1/courses/", CourseListView.as_view(), name="course-list"),
    path("api/learner_home/init", InitializeView.as_view(), name="initialize"),
    path("api/course_home/", include(("lms.djangoapps.course_home_api.urls", "course-home"))),
    path("api/mfe_config/v1", MFEConfigView.as_view(), name="config"),
    path("api/courseware/", include("openedx.core.djangoapps.courseware_api.urls")),
    re_path(
        rf"^api/learning_sequences/v1/course_outline/{COURSE_KEY_PATTERN}$",
        CourseOutlineView.as_view(),
        name="course_outline",
    ),
    path("", include("lms.djangoapps.courseware.urls")),
    *get_plugin_url_patterns(ProjectType.LMS),
    # Good enough for a sandbox: without DEBUG, too, and without another server.
    path("static/<path:path>", serve, {"insecure": True}),
]
