"""The hook before legacy course pages. Only a platform that calls the courseware filters has this module."""

from functools import wraps

from django.conf import settings
from django.shortcuts import redirect

if settings.SANDBOX_COURSEWARE_HOOKS != "filters":
    raise ImportError("This platform does not call the courseware filters.")

from openedx_filters.learning.filters import CoursewareViewStarted  # noqa: E402

from lms.djangoapps.courseware.courses import course_key_or_404  # noqa: E402


def courseware_view_hooks(view):
    """Ask plugins, before a course page is shown, whether the visitor has to go elsewhere first."""

    @wraps(view)
    def hooked(request, *args, **kwargs):
        try:
            CoursewareViewStarted.run_filter(course_key=course_key_or_404(kwargs["course_id"]), view_name=view.__name__)
        except CoursewareViewStarted.RedirectToUrl as answer:
            return redirect(answer.redirect_to)
        return view(request, *args, **kwargs)

    return hooked
