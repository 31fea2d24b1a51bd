"""Who has which rights in a course."""

from common.djangoapps.student.models import CourseAccessRole


def has_staff_access(user, course_key):
    """Say whether a user is global staff, or on the team of a course or of its organization."""
    if user.is_anonymous:
        return False
    if user.is_staff:
        return True
    roles = CourseAccessRole.objects.filter(user=user, role__in=["staff", "instructor"], org=course_key.org)
    return any(role.course_id in (None, course_key) for role in roles)
