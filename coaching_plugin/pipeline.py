"""The course doors of platforms that call the courseware filters: one step for each of their two filters."""

from crum import get_current_request
from openedx_filters import PipelineStep

from coaching_plugin import course_doors


class RedirectCoursewareView(PipelineStep):
    """
    Step of ``CoursewareViewStarted``: sends a learner who is to be asked from a legacy course page to the question.

    Raises ``CoursewareViewStarted.RedirectToUrl``; changes nothing otherwise.
    """

    def run_filter(self, course_key, view_name, **kwargs):
        """Redirect the learner of the current request, if there is one to ask."""
        request = get_current_request()
        url = request and course_doors.redirect_before_page(request, request.user, course_key)
        if url:
            # Imported here: the libraries of released platforms do not have it, and their platforms never come here.
            from openedx_filters.learning.filters import CoursewareViewStarted

            raise CoursewareViewStarted.RedirectToUrl("The learner is asked about coaching first.", redirect_to=url)
        return {}


class RefuseCoursewareAccess(PipelineStep):
    """
    Step of ``CoursewareAccessChecksRequested``: has the learning MFE send a learner to the question.

    Raises ``CoursewareAccessChecksRequested.PreventCoursewareAccess``; changes nothing otherwise.
    """

    def run_filter(self, user, course_key, **kwargs):
        """Refuse access to ``user``, who need not be the request's, if there is one to ask."""
        url = course_doors.redirect_before_mfe(get_current_request(), user, course_key)
        if url:
            from openedx_filters.learning.filters import CoursewareAccessChecksRequested

            raise CoursewareAccessChecksRequested.PreventCoursewareAccess(
                "The learner is asked about coaching first.",
                error_code=course_doors.REFUSED_ERROR_CODE,
                developer_message=url,
                user_message=course_doors.refused_message(),
            )
        return {}
