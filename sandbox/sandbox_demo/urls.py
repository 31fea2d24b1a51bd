"""Pages of the demo, and the answers that real MFEs need beside the platform's own."""

from django.http import JsonResponse
from django.urls import path, re_path
from django.views.decorators.http import require_safe
from openedx.core.constants import COURSE_ID_PATTERN

from sandbox_demo import views

# The smallest answers with which the MFEs of account, dashboard and learning are content.
MFE_ANSWERS = {
    "api/third_party_auth/v0/providers/user_status": [],
    "user_api/v1/preferences/time_zones/": [{"time_zone": "UTC", "description": "UTC"}],
    "user_api/v1/account/registration/": {
        "fields": [{"name": "country", "options": [{"value": "US", "name": "United States"}]}],
    },
    "api/edx_name_affirmation/v1/verified_name/history": {"results": [], "use_verified_name_for_certs": False},
    "api/notifications/enrollments/": {"count": 0, "num_pages": 1, "next": None, "previous": None, "results": []},
    "api/notifications/v3/configurations/": {"status": "success", "show_preferences": False, "data": {}},
    "api/notifications/count/": {"show_notifications_tray": False, "count": 0, "count_by_app_name": {}},
    "api/user_tours/v1/<str:username>": {"course_home_tour_status": "no-tour", "show_courseware_tour": False},
    "api/edx_proctoring/v1/proctored_exam/attempt/course_id/<str:course_id>": {"exam": {}, "active_attempt": {}},
    "api/discussion/v1/courses/<str:course_id>": {"id": None, "provider": None},
    "courses/<str:course_id>/courseware-search/enabled/": {"enabled": False},
    "courses/<str:course_id>/courseware-navigation-sidebar/toggles/": {
        "enable_navigation_sidebar": True,
        "always_open_auxiliary_sidebar": False,
        "enable_completion_tracking": False,
    },
}


def _no_onboarding_exam(request):
    """Answer that no course of the sandbox has an exam to prepare for."""
    return JsonResponse({"detail": "There is no onboarding exam related to this course id."}, status=404)


def _answer(data):
    return require_safe(lambda request, **kwargs: JsonResponse(data, safe=False))


urlpatterns = [
    path("", views.start_page, name="root"),
    path("privacy", views.privacy, name="privacy"),
    path("sandbox/login/<str:username>", views.log_in_as, name="sandbox-login"),
    path("account/settings", views.account_settings, name="account-settings"),
    re_path(
        rf"^learning/course/{COURSE_ID_PATTERN}(?:/(?P<page>.*))?$", views.learning_mfe, name="sandbox-learning-mfe"
    ),
    path("api/edx_proctoring/v1/user_onboarding/status", _no_onboarding_exam),
    *(path(address, _answer(data)) for address, data in MFE_ANSWERS.items()),
]
