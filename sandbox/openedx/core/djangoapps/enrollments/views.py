"""Enrollments and courses, as lists."""

from common.djangoapps.student.models import CourseEnrollment
from django.conf import settings
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.user_api.accounts.views import LearnerAPIView


class EnrollmentListView(LearnerAPIView):
    """The active enrollments of the learner who asks."""

    def get(self, request):
        """Answer with the list."""
        enrollments = CourseEnrollment.enrollments_for_user(request.user).order_by("created")
        return Response(
            [
                {
                    "created": enrollment.created,
                    "mode": enrollment.mode,
                    "is_active": enrollment.is_active,
                    "course_details": _course_details(enrollment.course),
                    "user": request.user.username,
                }
                for enrollment in enrollments.select_related("course")
            ]
        )


def _course_details(course):
    """Return a course as enrollments show it."""
    return {
        "course_id": str(course.id),
        "course_name": course.display_name_with_default,
        "enrollment_start": course.enrollment_start,
        "enrollment_end": course.enrollment_end,
        "course_start": course.start,
        "course_end": course.end,
        "invite_only": course.invitation_only,
        "course_modes": [
            {
                "slug": mode.mode_slug,
                "name": mode.mode_display_name,
                "min_price": mode.min_price,
                "suggested_prices": mode.suggested_prices,
                "currency": mode.currency,
                "expiration_datetime": mode._expiration_datetime,
                "description": mode.description,
                "sku": mode.sku,
                "bulk_sku": mode.bulk_sku,
            }
            for mode in course.modes.order_by("min_price")
        ],
        "pacing_type": "Self Paced" if course.self_paced else "Instructor Paced",
    }


class CourseListView(LearnerAPIView):
    """All course runs."""

    permission_classes = [AllowAny]

    def get(self, request):
        """Answer with one page."""
        courses = CourseOverview.objects.order_by("id")
        results = [
            {
                "id": str(course.id),
                "course_id": str(course.id),
                "name": course.display_name_with_default,
                "number": course.display_number_with_default,
                "org": course.display_org_with_default,
                "start": course.start,
                "end": course.end,
                "pacing": "self" if course.self_paced else "instructor",
                "blocks_url": f"{settings.LMS_ROOT_URL}/api/courses/v2/blocks/?course_id={course.id}",
            }
            for course in courses
        ]
        pagination = {"next": None, "previous": None, "count": len(results), "num_pages": 1}
        return Response({"results": results, "pagination": pagination})
