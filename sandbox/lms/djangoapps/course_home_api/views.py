"""What the learning MFE asks of the LMS when a learner enters a course."""

from common.djangoapps.course_modes.models import CourseMode
from common.djangoapps.student.models import CourseEnrollment
from django.conf import settings
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.user_api.accounts.views import LearnerAPIView
from openedx.features.course_experience.url_helpers import get_learning_mfe_home_url
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from lms.djangoapps.course_goals.models import UserActivity
from lms.djangoapps.course_home_api.content import CHAPTER, SEQUENCE, UNIT, usage_keys
from lms.djangoapps.courseware.access import has_staff_access
from lms.djangoapps.courseware.courses import check_course_access, course_key_or_404
from lms.djangoapps.courseware.masquerade import setup_masquerade

# A platform that calls the courseware filters does so here alone, at the one door that asks for priority checks.
PRIORITY_CHECKS = {"apply_priority_access_checks": True} if settings.SANDBOX_COURSEWARE_HOOKS == "filters" else {}


def course_or_404(course_key_string):
    """Return the overview of the course run that a URL names."""
    return get_object_or_404(CourseOverview, id=course_key_or_404(course_key_string))


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class CourseHomeMetadataView(LearnerAPIView):
    """The course, the user in it, and whether they may enter: `course_access`."""

    permission_classes = [AllowAny]

    def get(self, request, course_key_string):
        """Answer, in the platform's order: access of the real user, masquerade, the visit of whom it is seen as."""
        course = course_or_404(course_key_string)
        is_staff = has_staff_access(request.user, course.id)
        access = check_course_access(
            course,
            request.user,
            "load",
            check_if_enrolled=True,
            check_if_authenticated=True,
            apply_enterprise_checks=True,
            **PRIORITY_CHECKS,
        )
        _masquerade, request.user = setup_masquerade(
            request, course.id, staff_access=is_staff, reset_masquerade_data=True
        )
        enrollment = CourseEnrollment.get_enrollment(request.user, course.id)
        UserActivity.record_user_activity(request.user, course.id)
        modes = CourseMode.objects.filter(course_id=course.id).order_by("min_price")
        return Response(
            {
                "verified_mode": None,
                "celebrations": {
                    "first_section": False,
                    "streak_length_to_celebrate": None,
                    "streak_discount_enabled": False,
                    "weekly_goal": False,
                },
                "course_access": access.to_json(),
                "studio_access": request.user.is_staff,
                "course_id": str(course.id),
                "is_enrolled": bool(enrollment and enrollment.is_active),
                "is_self_paced": course.self_paced,
                "is_staff": has_staff_access(request.user, course.id),
                "number": course.display_number_with_default,
                "org": course.display_org_with_default,
                "original_user_is_staff": is_staff,
                "start": course.start,
                "tabs": _tabs(course),
                "title": course.display_name_with_default,
                "username": request.user.username or None,
                "user_timezone": None,
                "can_view_certificate": False,
                "course_modes": [{"slug": mode.mode_slug, "name": mode.mode_display_name} for mode in modes],
                "is_new_discussion_sidebar_view_enabled": False,
                "has_course_author_access": request.user.is_staff,
            }
        )


def _tabs(course):
    """Return the tabs of a course, with their addresses."""
    progress = settings.LMS_ROOT_URL + reverse("progress", kwargs={"course_id": str(course.id)})
    return [
        {"tab_id": "courseware", "title": "Course", "url": get_learning_mfe_home_url(course.id, "home")},
        {"tab_id": "progress", "title": "Progress", "url": progress},
        {"tab_id": "dates", "title": "Dates", "url": get_learning_mfe_home_url(course.id, "dates")},
    ]


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OutlineTabView(LearnerAPIView):
    """The outline of a course, to its sequences. It asks no one for access, as the platform's does not."""

    permission_classes = [AllowAny]

    def get(self, request, course_key_string):
        """Answer with the outline."""
        course = course_or_404(course_key_string)
        enrollment = CourseEnrollment.get_enrollment(request.user, course.id)
        is_enrolled = bool(enrollment and enrollment.is_active)
        root, chapter, sequence, _unit = usage_keys(course.id)
        blocks = [
            _block(course, root, course.display_name_with_default, [chapter], has_scheduled_content=False),
            _block(course, chapter, CHAPTER, [sequence]),
            _block(course, sequence, SEQUENCE, []),
        ]
        return Response(
            {
                "dates_banner_info": _dates_banner(),
                "verified_mode": None,
                "access_expiration": None,
                "cert_data": None,
                "course_blocks": {"blocks": {block["id"]: block for block in blocks}},
                "course_goals": {"selected_goal": None, "weekly_learning_goal_enabled": is_enrolled},
                "course_tools": [
                    {
                        "analytics_id": "edx.bookmarks",
                        "title": "Bookmarks",
                        "url": f"{settings.LMS_ROOT_URL}/courses/{course.id}/bookmarks/",
                    }
                ],
                "dates_widget": {
                    "course_date_blocks": [],
                    "dates_tab_link": get_learning_mfe_home_url(course.id, "dates"),
                    "user_timezone": None,
                },
                "enroll_alert": {"can_enroll": True, "extra_text": None},
                "enrollment_mode": enrollment.mode if is_enrolled else None,
                "enable_proctored_exams": False,
                "handouts_html": "",
                "has_ended": False,
                "offer": None,
                "resume_course": {"has_visited_course": False, "url": _jump_to(course, sequence)},
                "welcome_message_html": None,
                "user_has_passing_grade": False,
            }
        )


class CourseNavigationBlocksView(LearnerAPIView):
    """The blocks of a course down to its units, for the sidebar beside a unit."""

    permission_classes = [AllowAny]

    def get(self, request, course_key_string):
        """Answer with the blocks."""
        course = course_or_404(course_key_string)
        root, chapter, sequence, unit = usage_keys(course.id)
        blocks = [
            _block(course, root, course.display_name_with_default, [chapter], has_scheduled_content=False),
            _block(course, chapter, CHAPTER, [sequence]),
            _block(course, sequence, SEQUENCE, [unit]),
            _block(course, unit, UNIT, []) | {"icon": "other"},
        ]
        nothing_done = {"completion_stat": {"completion": 0, "completable_children": 1}}
        return Response({"blocks": {block["id"]: block | nothing_done for block in blocks}})


class DatesTabView(LearnerAPIView):
    """The dates of a course: there are none to meet."""

    def get(self, request, course_key_string):
        """Answer with no dates."""
        course_or_404(course_key_string)
        return Response(
            {
                "dates_banner_info": _dates_banner(),
                "course_date_blocks": [],
                "has_ended": False,
                "learner_is_full_access": True,
                "user_timezone": None,
            }
        )


class ProgressTabView(LearnerAPIView):
    """How far a learner has come: nothing is graded."""

    def get(self, request, course_key_string):
        """Answer with no grades."""
        course = course_or_404(course_key_string)
        enrollment = CourseEnrollment.get_enrollment(request.user, course.id)
        return Response(
            {
                "verified_mode": None,
                "access_expiration": None,
                "certificate_data": None,
                "assignment_type_grade_summary": [],
                "completion_summary": {"complete_count": 0, "incomplete_count": 1, "locked_count": 0},
                "course_grade": {"letter_grade": None, "percent": 0.0, "is_passing": False},
                "credit_course_requirements": None,
                "end": course.end,
                "enrollment_mode": enrollment.mode if enrollment and enrollment.is_active else None,
                "final_grades": 0.0,
                "grading_policy": {"assignment_policies": [], "grade_range": {"Pass": 0.5}},
                "has_scheduled_content": False,
                "section_scores": [],
                "studio_url": None,
                "username": request.user.username,
                "user_has_passing_grade": False,
                "verification_data": {"link": None, "status": "none", "status_date": None},
                "disable_progress_graph": False,
            }
        )


class SaveCourseGoalView(LearnerAPIView):
    """A learner's weekly goal, of which the sandbox reminds nobody."""

    def post(self, request):
        """Answer as if it were kept."""
        return Response({"header": "Your course goal has been successfully set.", "message": "Course goal updated"})


def _dates_banner():
    return {
        "missed_deadlines": False,
        "content_type_gating_enabled": False,
        "missed_gated_content": False,
        "verified_upgrade_link": reverse("dashboard"),
    }


def _block(course, usage_key, name, children, has_scheduled_content=None):
    """Return a block of the outline."""
    return {
        "children": [str(child) for child in children],
        "complete": False,
        "description": None,
        "display_name": name,
        "due": None,
        "effort_activities": 1,
        "effort_time": 1,
        "icon": None,
        "id": str(usage_key),
        "lms_web_url": _jump_to(course, usage_key),
        "resume_block": False,
        "type": usage_key.block_type,
        "has_scheduled_content": has_scheduled_content,
        "hide_from_toc": False,
    }


def _jump_to(course, usage_key):
    return settings.LMS_ROOT_URL + reverse("jump_to", kwargs={"course_id": str(course.id), "location": str(usage_key)})
