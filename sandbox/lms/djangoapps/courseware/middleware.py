"""Redirects that views raise."""

from django.shortcuts import redirect

from lms.djangoapps.courseware.exceptions import CourseAccessRedirect


class RedirectMiddleware:
    """Turns a CourseAccessRedirect raised by a view into a redirect; middleware that raises one is not covered."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        """Answer a raised redirect."""
        return redirect(exception.url) if isinstance(exception, CourseAccessRedirect) else None
