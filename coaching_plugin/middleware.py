"""The course doors of platforms that call no courseware filters: every release in service in 2026."""

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject
from edx_rest_framework_extensions.auth.jwt.authentication import JwtAuthentication
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from coaching_plugin import course_doors, lms

# The attribute of a request under which the verdict waits for the view's answer.
_VERDICT = "_coaching_redirect"


class CourseDoorMiddleware:
    """
    Decides before the view, which may record the visit or put a masqueraded learner into the request.

    Raises ``MiddlewareNotUsed`` where the platform calls the filters, whose steps do the same.
    """

    def __init__(self, get_response):
        if lms.calls_courseware_filters():
            raise MiddlewareNotUsed("This platform calls the courseware filters.")
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on; the work is done in the hooks below."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view_func, view_args, view_kwargs) -> HttpResponseBase | None:
        """Redirect from a legacy course page; for the learning MFE, keep the verdict for its answer."""
        name = course_doors.view_name(request)
        if name in course_doors.LEGACY_COURSE_VIEWS:
            course_key = _course_key(view_kwargs.get("course_id"))
            url = course_key and course_doors.redirect_before_page(request, request.user, course_key)
            return redirect(url) if url else None
        if name == course_doors.COURSE_METADATA_VIEW:
            course_key = _course_key(view_kwargs.get("course_key_string"))
            user = SimpleLazyObject(lambda: _user_of_cookies(request))
            url = course_key and course_doors.redirect_before_mfe(request, user, course_key)
            setattr(request, _VERDICT, url)
        return None

    def process_template_response(self, request: HttpRequest, response):
        """Refuse the learning MFE a course that the platform had opened, and name the page to go to first."""
        url = getattr(request, _VERDICT, None)
        data = getattr(response, "data", None)
        if url and isinstance(data, dict) and (data.get("course_access") or {}).get("has_access"):
            data["course_access"] = {
                "has_access": False,
                "error_code": course_doors.REFUSED_ERROR_CODE,
                "developer_message": url,
                "user_message": course_doors.refused_message(),
                "additional_context_user_message": None,
                "user_fragment": None,
            }
        return response


def _course_key(course_id: str | None) -> CourseKey | None:
    try:
        return CourseKey.from_string(course_id) if course_id else None
    except InvalidKeyError:
        return None


def _user_of_cookies(request: HttpRequest):
    """Return the user of the session, or of the MFEs' JWT cookies where there is no session any more."""
    if request.user.is_authenticated:
        return request.user
    try:
        user_and_token = JwtAuthentication().authenticate(Request(request))
    except APIException:
        user_and_token = None
    return user_and_token[0] if user_and_token else AnonymousUser()
