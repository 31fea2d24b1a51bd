"""Pages of the demo, and the answers that real MFEs need beside the platform's own."""

from django.http import JsonResponse
from django.urls import path, re_path
from django.views.decorators.http import require_safe
from openedx.core.constants import COURSE_ID_PATTERN

from sandbox_demo import views

# The smallest answers with which the MFEs of the account and the dashboard start.
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
}


def _answer(data):
    return require_safe(lambda request: JsonResponse(data, safe=False))


urlpatterns = [
    path("", views.start_page, name="root"),
    path("privacy", views.privacy, name="privacy"),
    path("sandbox/login/<str:username>", views.log_in_as, name="sandbox-login"),
    path("account/settings", views.account_settings, name="account-settings"),
    re_path(
        rf"^learning/course/{COURSE_ID_PATTERN}(?:/(?P<page>.*))?$", views.learning_mfe, name="sandbox-learning-mfe"
    ),
    *(path(address, _answer(data)) for address, data in MFE_ANSWERS.items()),
]
