"""May this user enter this course?"""

from urllib.parse import urlencode

from common.djangoapps.student.models import CourseEnrollment
from django.conf import settings
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey, UsageKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from lms.djangoapps.courseware.access import has_staff_access
from lms.djangoapps.courseware.access_response import ACCESS_DENIED, ACCESS_GRANTED, AccessResponse, refused
from lms.djangoapps.courseware.exceptions import CourseAccessRedirect, CoursewareAccessException


def course_key_or_404(text):
    """Return the course key that a URL names."""
    try:
        return CourseKey.from_string(text)
    except InvalidKeyError:
        raise Http404("Course not found.") from None


def usage_key_or_404(text):
    """Return the key of a block that a URL names."""
    try:
        return UsageKey.from_string(text)
    except InvalidKeyError:
        raise Http404("Block not found.") from None


def get_course_with_access(user, action, course_key, check_if_enrolled=False, check_if_authenticated=False):
    """Return a course that a user may enter; else raises a redirect to where they have to go, or a 404."""
    try:
        course = CourseOverview.get_from_id(course_key)
    except CourseOverview.DoesNotExist:
        raise Http404("Course not found.") from None
    access = check_course_access(course, user, action, check_if_enrolled, True, check_if_authenticated)
    if access:
        return course
    if access.error_code == "course_not_started":
        raise CourseAccessRedirect(f"{reverse('dashboard')}?{urlencode({'notlive': course.start})}", access)
    if access.error_code in ("enrollment_required", "authentication_required"):
        raise CourseAccessRedirect(reverse("about_course", args=[str(course.id)]), access)
    raise CoursewareAccessException(access.user_message)


def check_course_access(
    course,
    user,
    action,
    check_if_enrolled=False,
    check_survey_complete=True,
    check_if_authenticated=False,
    apply_enterprise_checks=False,
):
    """Say whether a user may do something in a course, and why not. Nobody here has surveys or an enterprise."""
    access = _check_learner_access(course, user, action, check_if_enrolled, check_if_authenticated)
    return access if access or not has_staff_access(user, course.id) else ACCESS_GRANTED


def _check_learner_access(course, user, action, check_if_enrolled, check_if_authenticated):
    """Say whether someone who is not staff may do something in a course."""
    if action == "staff" or course.visible_to_staff_only:
        return ACCESS_DENIED
    if course.start and course.start > timezone.now():
        return refused("course_not_started", "Course does not start until later", "Course has not started")
    if check_if_authenticated and user.is_anonymous:
        return refused("authentication_required", "User must be authenticated to view the course", "Please log in")
    if check_if_enrolled and not CourseEnrollment.is_enrolled(user, course.id):
        return refused(
            "enrollment_required", "User must be enrolled to view the course", "You must be enrolled to see the course"
        )
    return ACCESS_GRANTED


if settings.SANDBOX_COURSEWARE_HOOKS == "filters":
    # Only a platform that calls the filter has it, and only such a platform's function takes the argument.
    from openedx_filters.learning.filters import CoursewareAccessChecksRequested

    _check_platform_access = check_course_access

    def check_course_access(*args, apply_priority_access_checks=False, **kwargs):
        """Say whether a user may do something in a course; plugins are asked last, and staff are not exempt."""
        access = _check_platform_access(*args, **kwargs)
        if access and apply_priority_access_checks:
            course, user = args[:2]
            try:
                CoursewareAccessChecksRequested.run_filter(user=user, course_key=course.id)
            except CoursewareAccessChecksRequested.PreventCoursewareAccess as refusal:
                return AccessResponse(False, refusal.error_code, refusal.developer_message, refusal.user_message)
        return access
