"""What the learning MFE asks of the LMS inside a course."""

from common.djangoapps.student.models import CourseEnrollment
from lms.djangoapps.course_home_api.content import CHAPTER, SEQUENCE, UNIT, usage_keys
from lms.djangoapps.course_home_api.views import course_or_404
from lms.djangoapps.courseware.courses import usage_key_or_404
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from openedx.core.djangoapps.user_api.accounts.views import LearnerAPIView


class CoursewareInformation(LearnerAPIView):
    """The course, as its units show it."""

    permission_classes = [AllowAny]

    def get(self, request, course_key_string):
        """Answer with the course."""
        course = course_or_404(course_key_string)
        enrollment = CourseEnrollment.get_enrollment(request.user, course.id)
        image = {"uri": course.course_image_url}
        return Response(
            {
                "access_expiration": None,
                "content_type_gating_enabled": False,
                "course_goals": {"selected_goal": None, "weekly_learning_goal_enabled": False},
                "effort": None,
                "end": course.end,
                "enrollment": {
                    "mode": enrollment.mode if enrollment else None,
                    "is_active": bool(enrollment and enrollment.is_active),
                },
                "enrollment_start": course.enrollment_start,
                "enrollment_end": course.enrollment_end,
                "entrance_exam_data": {
                    "entrance_exam_current_score": 0.0,
                    "entrance_exam_enabled": False,
                    "entrance_exam_id": "",
                    "entrance_exam_minimum_score_pct": 0.65,
                    "entrance_exam_passed": True,
                },
                "id": str(course.id),
                "license": None,
                "language": "en",
                "media": {"course_image": image, "course_video": {"uri": None}, "image": {}},
                "name": course.display_name_with_default,
                "offer": None,
                "related_programs": None,
                "short_description": None,
                "start": course.start,
                "start_display": None,
                "start_type": "timestamp",
                "pacing": "self" if course.self_paced else "instructor",
                "user_timezone": None,
                "show_calculator": False,
                "can_access_proctored_exams": False,
                "notes": {"enabled": False, "visible": True},
                "marketing_url": course.marketing_url,
                "celebrations": None,
                "user_has_passing_grade": False,
                "course_exit_page_is_active": False,
                "certificate_data": None,
                "verify_identity_url": None,
                "verification_status": "none",
                "linkedin_add_to_profile_url": None,
                "is_integrity_signature_enabled": False,
                "user_needs_integrity_signature": False,
                "learning_assistant_enabled": False,
            }
        )


class CourseOutlineView(LearnerAPIView):
    """The sequences of a course, in their sections."""

    permission_classes = [AllowAny]

    def get(self, request, course_key_string):
        """Answer with the outline."""
        course = course_or_404(course_key_string)
        _root, chapter, sequence, _unit = map(str, usage_keys(course.id))
        always = {"start": None, "effective_start": None}
        return Response(
            {
                "course_key": str(course.id),
                "title": course.display_name_with_default,
                "outline": {
                    "sections": [{"id": chapter, "title": CHAPTER, "sequence_ids": [sequence], **always}],
                    "sequences": {sequence: {"id": sequence, "title": SEQUENCE, "accessible": True, **always}},
                },
            }
        )


class SequenceMetadata(LearnerAPIView):
    """A sequence, with its units."""

    permission_classes = [AllowAny]

    def get(self, request, usage_key_string):
        """Answer with the sequence."""
        sequence = usage_key_or_404(usage_key_string)
        course = course_or_404(str(sequence.course_key))
        unit = usage_keys(course.id)[-1]
        return Response(
            {
                "items": [
                    {
                        "content": "",
                        "page_title": UNIT,
                        "type": "other",
                        "id": str(unit),
                        "bookmarked": False,
                        "path": f"{CHAPTER} > {SEQUENCE} > {UNIT}",
                        "graded": False,
                        "contains_content_type_gated_content": False,
                        "href": "",
                        "complete": False,
                    }
                ],
                "element_id": sequence.block_id,
                "item_id": str(sequence),
                "is_time_limited": False,
                "is_proctored": False,
                "position": 1,
                "tag": "sequential",
                "next_url": None,
                "prev_url": None,
                "banner_text": None,
                "save_position": False,
                "show_completion": False,
                "gated_content": {
                    "prereq_id": None,
                    "prereq_url": None,
                    "prereq_section_name": None,
                    "gated": False,
                    "gated_section_name": SEQUENCE,
                },
                "display_name": SEQUENCE,
                "format": None,
                "is_hidden_after_due": False,
                "navigation_disabled": False,
                "allow_proctoring_opt_out": False,
            }
        )


class Resume(LearnerAPIView):
    """Where in a course the learner left off: at its beginning."""

    def get(self, request, course_key_string):
        """Answer with the place."""
        _root, _chapter, sequence, unit = map(str, usage_keys(course_or_404(course_key_string).id))
        return Response({"block_id": unit, "section_id": sequence, "unit_id": unit})
