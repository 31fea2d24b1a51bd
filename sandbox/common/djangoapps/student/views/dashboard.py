"""The legacy dashboard."""

from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from edx_django_utils.plugins import get_plugins_view_context
from openedx.core.djangoapps.plugins.constants import ProjectType

from common.djangoapps.student.models import CourseEnrollment

COURSE_DASHBOARD_PLUGIN_VIEW_NAME = "course_dashboard"


@login_required
@ensure_csrf_cookie
def student_dashboard(request):
    """Show a learner's courses. Plugins add to the context; the template, as the platform's, prints nothing of it."""
    enrollments = CourseEnrollment.enrollments_for_user(request.user).select_related("course").order_by("-created")
    context = {"course_enrollments": list(enrollments), "user": request.user}
    context.update(get_plugins_view_context(ProjectType.LMS, COURSE_DASHBOARD_PLUGIN_VIEW_NAME, context))
    return render(request, "dashboard.html", context)
