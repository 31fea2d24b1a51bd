"""What the learner dashboard MFE shows."""

from common.djangoapps.course_modes.models import CourseMode
from common.djangoapps.student.models import CourseEnrollment
from django.conf import settings
from django.urls import reverse
from openedx.core.djangoapps.catalog.utils import get_programs
from openedx.core.djangoapps.user_api.accounts.views import LearnerAPIView
from openedx.features.course_experience.url_helpers import get_learning_mfe_home_url
from rest_framework.response import Response

UTM_PARAMETERS = "utm_medium=social&utm_campaign=social-sharing-db&utm_source="


class InitializeView(LearnerAPIView):
    """The whole dashboard in one answer."""

    def get(self, request):
        """Answer with the learner's courses, newest first."""
        enrollments = CourseEnrollment.enrollments_for_user(request.user).order_by("-created")
        return Response(
            {
                "emailConfirmation": {"isNeeded": not request.user.is_active, "sendEmailUrl": ""},
                "enterpriseDashboard": None,
                "platformSettings": {
                    "supportEmail": "support@example.com",
                    "billingEmail": "billing@example.com",
                    "courseSearchUrl": "/courses",
                },
                "courses": [_card(enrollment) for enrollment in enrollments.select_related("course")],
                "socialShareSettings": {
                    network: {"isEnabled": False, "socialBrand": None, "utmParams": UTM_PARAMETERS + network}
                    for network in ("facebook", "twitter")
                },
                "suggestedCourses": [],
            }
        )


def _card(enrollment):
    """Return one course of the dashboard."""
    course = enrollment.course
    course_id = str(course.id)
    is_verified = CourseMode.is_verified_slug(enrollment.mode)
    programs = get_programs(course=course_id)
    return {
        "course": {
            "bannerImgSrc": course.course_image_url,
            "courseName": course.display_name_with_default,
            "courseNumber": course.display_number_with_default,
            "socialShareUrl": settings.LMS_ROOT_URL + reverse("about_course", kwargs={"course_id": course_id}),
        },
        "courseProvider": {"name": course.display_org_with_default},
        "courseRun": {
            "isStarted": True,
            "isArchived": False,
            "courseId": course_id,
            "minPassingGrade": "0.50",
            "startDate": course.start,
            "advertisedStart": course.advertised_start,
            "endDate": course.end,
            "homeUrl": get_learning_mfe_home_url(course.id, "home"),
            "marketingUrl": course.marketing_url,
            "progressUrl": reverse("progress", kwargs={"course_id": course_id}),
            "unenrollUrl": f"/course_run/{course_id}/refund_status",
            "upgradeUrl": None,
            "resumeUrl": None,
        },
        "enrollment": {
            "accessExpirationDate": None,
            "isAudit": enrollment.mode == CourseMode.AUDIT,
            "hasStarted": False,
            "coursewareAccess": {"hasUnmetPrerequisites": False, "isTooEarly": False, "isStaff": False},
            "isVerified": is_verified,
            "canUpgrade": False,
            "isAuditAccessExpired": False,
            "isEmailEnabled": False,
            "hasOptedOutOfEmail": False,
            "lastEnrolled": enrollment.created,
            "isEnrolled": enrollment.is_active,
            "mode": enrollment.mode,
        },
        "certificate": {
            "availableDate": None,
            "isRestricted": False,
            "isEarned": False,
            "isDownloadable": False,
            "certPreviewUrl": None,
        },
        "entitlement": {},
        "gradeData": {"isPassing": False},
        "programs": {"relatedPrograms": [{"title": program["title"]} for program in programs]},
        "credit": {},
    }
