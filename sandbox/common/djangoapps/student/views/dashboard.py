"""The legacy dashboard."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponseRedirect
from django.views.decorators.csrf import ensure_csrf_cookie
from edx_django_utils.plugins import get_plugins_view_context
from openedx.core.djangoapps.plugins.constants import ProjectType
from openedx_filters.learning.filters import DashboardRenderStarted

from common.djangoapps.edxmako.shortcuts import render_to_response
from common.djangoapps.student.models import CourseEnrollment

COURSE_DASHBOARD_PLUGIN_VIEW_NAME = "course_dashboard"


@login_required
@ensure_csrf_cookie
def student_dashboard(request):
    """
    Show a learner's courses. Plugins add to the context first, then filters may change it, or the template.

    The template, as the platform's, prints nothing of what plugins add.
    """
    enrollments = CourseEnrollment.enrollments_for_user(request.user).select_related("course").order_by("-created")
    context = {"course_enrollments": list(enrollments), "user": request.user}
    context.update(get_plugins_view_context(ProjectType.LMS, COURSE_DASHBOARD_PLUGIN_VIEW_NAME, context))
    try:
        context, template = DashboardRenderStarted.run_filter(context=context, template_name="dashboard.html")
    except DashboardRenderStarted.RenderInvalidDashboard as refusal:
        return render_to_response(refusal.dashboard_template, refusal.template_context)
    except DashboardRenderStarted.RedirectToPage as refusal:
        return HttpResponseRedirect(refusal.redirect_to or settings.ACCOUNT_MICROFRONTEND_URL)
    except DashboardRenderStarted.RenderCustomResponse as refusal:
        return refusal.response
    return render_to_response(template, context)
