"""Staff who look at a course as one of its learners."""

import json

from common.djangoapps.student.models import CourseEnrollment
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from opaque_keys.edx.keys import CourseKey

from lms.djangoapps.courseware.access import has_staff_access

# Where the session keeps a dictionary from course keys to CourseMasquerade objects.
MASQUERADE_SETTINGS_KEY = "masquerade_settings"


class CourseMasquerade:
    """As whom a member of staff looks at one course."""

    def __init__(self, course_key, role="student", user_partition_id=None, group_id=None, user_name=None):
        self.course_key = course_key
        self.role = role
        self.user_partition_id = user_partition_id
        self.group_id = group_id
        self.user_name = user_name


@method_decorator(login_required, name="dispatch")
class MasqueradeView(View):
    """Begins, or with the role `staff` ends, looking at a course as a learner."""

    def get(self, request, course_key_string):
        """Answer as whom the session looks, and as whom it may."""
        course_key = CourseKey.from_string(course_key_string)
        if not has_staff_access(request.user, course_key):
            return JsonResponse({"success": False})
        masquerades = request.session.get(MASQUERADE_SETTINGS_KEY, {})
        active = masquerades.get(course_key) or CourseMasquerade(course_key, role="staff")
        return JsonResponse(
            {
                "success": True,
                "active": {
                    "course_key": course_key_string,
                    "group_id": active.group_id,
                    "group_name": None,
                    "role": active.role,
                    "user_name": active.user_name,
                    "user_partition_id": active.user_partition_id,
                },
                "available": [
                    {"name": "Staff", "role": "staff"},
                    {"name": "Learner", "role": "student"},
                    {"name": "Specific Student...", "role": "student", "user_name": active.user_name or ""},
                ],
            }
        )

    def post(self, request, course_key_string):
        """Store whom the session looks as, from a JSON body with `role` and `user_name`."""
        course_key = CourseKey.from_string(course_key_string)
        if not has_staff_access(request.user, course_key):
            return JsonResponse({"success": False})
        wanted = json.loads(request.body or "{}")
        user_name = wanted.get("user_name")
        if user_name:
            learners = CourseEnrollment.objects.users_enrolled_in(course_key)
            learner = learners.filter(Q(email=user_name) | Q(username=user_name)).first()
            if learner is None:
                return JsonResponse({"success": False, "error": f"No such learner in this course: {user_name}"})
            user_name = learner.username
        masquerades = request.session.get(MASQUERADE_SETTINGS_KEY, {})
        masquerades[course_key] = CourseMasquerade(
            course_key,
            role=wanted.get("role", "student"),
            user_partition_id=wanted.get("user_partition_id"),
            group_id=wanted.get("group_id"),
            user_name=user_name,
        )
        request.session[MASQUERADE_SETTINGS_KEY] = masquerades
        return JsonResponse({"success": True})


def setup_masquerade(request, course_key, staff_access=False, reset_masquerade_data=False):
    """Return the masquerade of this session in a course, or None, and the user as whom the course is seen."""
    if request.user is None or not staff_access or not settings.FEATURES.get("ENABLE_MASQUERADE", False):
        return None, request.user
    masquerades = request.session.setdefault(MASQUERADE_SETTINGS_KEY, {})
    request.user.masquerade_settings = masquerades
    masquerade = masquerades.get(course_key)
    if not masquerade or not masquerade.user_name:
        return masquerade, request.user
    try:
        learner = CourseEnrollment.objects.users_enrolled_in(course_key).get(username=masquerade.user_name)
    except User.DoesNotExist:
        # The learner has left the course since.
        del masquerades[course_key]
        request.session.modified = True
        return None, request.user
    learner.masquerade_settings = masquerades
    learner.real_user = request.user
    return masquerade, learner


def get_course_masquerade(user, course_key):
    """Return the masquerade that was set up on a user for a course, or None."""
    return getattr(user, "masquerade_settings", {}).get(course_key)


def is_masquerading(user, course_key, course_masquerade=None):
    """Say whether a user, as set up in this request, is staff who masquerade."""
    return (course_masquerade or get_course_masquerade(user, course_key)) is not None
