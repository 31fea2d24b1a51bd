"""How a course says no."""

from django.http import Http404


class CoursewareAccessException(Http404):
    """The course, or this part of it, is not for this user."""


class CourseAccessRedirect(Exception):
    """The user has to go elsewhere first."""

    def __init__(self, url, access_error=None):
        super().__init__(url)
        self.url = url
        self.access_error = access_error
