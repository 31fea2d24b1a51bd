"""Which requests enter a course, and where they go on to: what the filter steps and the middleware share."""

import logging
from urllib.parse import unquote, urlsplit

from django.http import HttpRequest
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import access, lms, monitoring, signals
from coaching_plugin.decisions import Decision
from coaching_plugin.faults import log_fault
from coaching_plugin.monitoring import MonitoredDoor, Result

log = logging.getLogger(__name__)

# The pages that the platform guards for its own enterprise consent, by URL name: courseware, course tabs, progress and
# the way into the wiki. Names that a release does not have are never met there.
LEGACY_COURSE_VIEWS = frozenset(
    {
        "courseware",
        "courseware_chapter",
        "courseware_section",
        "courseware_subsection",
        "courseware_position",
        "course_tab_view",
        "lti_course_tab",
        "progress",
        "student_progress",
        "course_wiki",
    }
)

# The one API call with which the learning MFE asks whether a learner may enter, and the code that sends it elsewhere.
COURSE_METADATA_VIEW = "course-home:course-metadata"
REFUSED_ERROR_CODE = "data_sharing_access_required"


def redirect_before_page(request: HttpRequest | None, user, course_key: CourseKey) -> str | None:
    """Return where to go before a course page that the LMS renders, or None where the way is free."""
    if request is None or "HTTP_X_REQUESTED_WITH" in request.META or not _is_person(request):
        return None
    return _redirect(request, user, course_key, request.get_full_path(), MonitoredDoor.COURSE_PAGE)


def redirect_before_mfe(request: HttpRequest | None, user, course_key: CourseKey) -> str | None:
    """Return the LMS path to go to before the learning MFE shows a course, or None where the way is free."""
    if request is None or view_name(request) != COURSE_METADATA_VIEW or not _is_person(request):
        return None
    # A browser names the page that asked in full only to the same origin; between hosts it names the host alone.
    page = request.META.get("HTTP_REFERER", "")
    is_of_this_course = str(course_key) in unquote(urlsplit(page).path)
    wanted = page if is_of_this_course else ""
    return _redirect(request, user, course_key, wanted, MonitoredDoor.COURSE_METADATA)


def refused_message() -> str:
    """Return what a client of the MFE's API that shows the refusal tells the learner."""
    return _("Please answer a question about coaching first.")


def view_name(request: HttpRequest) -> str:
    """Return the name of the URL that a request matched, with its namespace; empty where it matched none."""
    return request.resolver_match.view_name if request.resolver_match else ""


def _redirect(request: HttpRequest, user, course_key: CourseKey, wanted: str, door: MonitoredDoor) -> str | None:
    try:
        url = signals.first_redirect(user, course_key, _next_url_when_asked(request, course_key, wanted), door)
        # Asked last, since hardly any request comes this far.
        if url and (hasattr(user, "real_user") or lms.is_masquerading(request, course_key)):
            monitoring.note(door, Decision.MASQUERADING)
            return None
        return url
    except Exception as error:
        log_fault(log, error, "User %s enters course %s unasked, since the course door failed", user.id, course_key)
        monitoring.note(door, Result.FAILED)
        return None


def _next_url(request: HttpRequest, course_key: CourseKey, wanted: str) -> str:
    return wanted if access.is_own_url(request, wanted) else lms.course_home_url(course_key)


# Worked out only for those who are sent away: every course page of every learner comes here. Made once, since it makes
# a class: one for each request, for the garbage to collect, made a page three hundredths slower.
_next_url_when_asked = lazy(_next_url, str)


def _is_person(request: HttpRequest) -> bool:
    """Return whether a person's browser asks: scripts and mobile apps send a header of their own, browsers cookies."""
    return request.method == "GET" and "HTTP_AUTHORIZATION" not in request.META
