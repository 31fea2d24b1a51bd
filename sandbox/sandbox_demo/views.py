"""The start page of the demo, and stand-ins for the learning MFE and account settings."""

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.user_authn.cookies import set_logged_in_cookies
from openedx.features.course_experience.url_helpers import get_learning_mfe_home_url

from sandbox_demo.cast import COURSES, PASSWORD, PEOPLE


def start_page(request):
    """List who may be logged in as, and which courses there are to enter."""
    courses = [
        {
            "course": course,
            "legacy_url": reverse("courseware", kwargs={"course_id": course.key}),
            "mfe_url": get_learning_mfe_home_url(CourseKey.from_string(course.key), "home"),
        }
        for course in COURSES
    ]
    context = {"people": PEOPLE, "courses": courses, "password": PASSWORD, "partner_url": settings.SANDBOX_PARTNER_URL}
    return render(request, "sandbox_demo/start.html", context)


@require_POST
def log_in_as(request, username):
    """Log in as a learner of the demo, without a password: only because this is a sandbox, and only as one of them."""
    if username not in {person.username for person in PEOPLE}:
        raise Http404
    user = get_object_or_404(User, username=username, is_active=True)
    login(request, user)
    return set_logged_in_cookies(request, HttpResponseRedirect(reverse("dashboard")), user)


@ensure_csrf_cookie
def learning_mfe(request, course_id, page=""):
    """Stand in for the learning MFE: an empty page, and a script that asks the LMS as the MFE does."""
    lms_base_url = request.build_absolute_uri("/").rstrip("/")
    return render(request, "sandbox_demo/learning_mfe.html", {"course_id": course_id, "lms_base_url": lms_base_url})


@login_required
def account_settings(request):
    """Stand in for account settings, as a theme would make such a page, or lead to the MFE that they are elsewhere."""
    if settings.SANDBOX_HAS_ACCOUNT_MFE:
        return HttpResponseRedirect(settings.ACCOUNT_MICROFRONTEND_URL)
    return render(request, "sandbox_demo/account_settings.html")


def privacy(request):
    """Show the policy that the sandbox has not got."""
    return render(request, "sandbox_demo/privacy.html")
