"""Which course door is active on this platform, and why that one?"""

from collections.abc import Iterator

from django.core.handlers.base import BaseHandler

from coaching_plugin import lms
from coaching_plugin.middleware import CourseDoorMiddleware
from coaching_plugin.setup_check.finding import Finding, Level


def check_course_doors() -> Iterator[Finding]:
    """Tell by which way learners are asked on entering a course."""
    why_no_filters = lms.why_no_courseware_filters()
    if not why_no_filters:
        yield Finding(
            Level.OK,
            "The filter steps are the course door: this platform calls both courseware filters, and our steps stand in "
            "them. The middleware is not needed, and not loaded.",
        )
    elif _middleware_is_loaded():
        yield Finding(Level.OK, f"The middleware is the course door, and loaded: {why_no_filters}.")
    else:
        yield Finding(
            Level.ERROR,
            f"Nobody is asked on entering a course: the middleware is not loaded, and {why_no_filters}.",
            "Look at the findings about MIDDLEWARE under Settings.",
        )


def _middleware_is_loaded() -> bool:
    """Load all middleware as a process of the LMS does, and return whether ours stayed."""
    handler = BaseHandler()
    handler.load_middleware()
    hooks = [getattr(hook, "__self__", None) for hook in getattr(handler, "_view_middleware", [])]
    return any(isinstance(middleware, CourseDoorMiddleware) for middleware in hooks)
