"""What edx-enterprise's consent step asks of the platform and other services, answered at once; what that omits."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.urls import path
from edx_django_utils.cache import get_cache_key
from opaque_keys.edx.keys import CourseKey

# What the benchmark says of itself. Each of these costs edx-enterprise more in an LMS than it does here.
LEFT_OUT = (
    "The request to the LMS's own consent API: the token made for it, HTTP, authentication, throttling. What that API "
    "reads is read in the process, by the same function.",
    "The requests to the catalog service (of which course is this a run?) and to the enterprise catalog (does the "
    "customer have it?): counted, and answered at once. The queries for the accounts that send them are not asked.",
    "Where the platform finds the customer of the request: at once in the session, not in a cookie or the database.",
    "Its log lines, four or five for a page: none is made.",
)


class _Elsewhere:
    """What would have been asked of other servers, counted, and whether the customer's catalog has the course run."""

    def __init__(self) -> None:
        self.requests = 0
        self.catalog_has_course = True
        # What watches while the consent API looks a record up.
        self.watch_api: Callable[[], AbstractContextManager] = nullcontext


elsewhere = _Elsewhere()


class ConsentApi:
    """The platform's client of the consent API, without HTTP."""

    def __init__(self, user) -> None:
        elsewhere.requests += 1

    def consent_required(self, enrollment_exists: bool, username: str, course_id: str, enterprise_customer_uuid: str):
        """Return whether a learner has to consent, as the API says; it is believed only where it knows the learner."""
        from consent.helpers import get_data_sharing_consent

        with elsewhere.watch_api():
            record = get_data_sharing_consent(username, enterprise_customer_uuid, course_id=course_id).serialize()
        return record["consent_required"] and (record["exists"] or not enrollment_exists)


class CatalogService:
    """The client of the catalog service: knows the course of a run."""

    def get_course_id(self, course_identifier: str) -> str:
        """Return the key of the course, without the run."""
        elsewhere.requests += 1
        key = CourseKey.from_string(course_identifier)
        return f"{key.org}+{key.course}"


class EnterpriseCatalog:
    """The client of the enterprise catalog service: has all that it is asked for, or nothing."""

    def enterprise_contains_content_items(self, enterprise_uuid, content_ids) -> dict[str, Any]:
        """Return whether the catalogs of a customer have course runs."""
        elsewhere.requests += 1
        return {"contains_content_items": elsewhere.catalog_has_course}


def put_in() -> None:
    """Put everything in its place: the names that edx-enterprise leaves empty outside the platform."""
    import consent.helpers
    import consent.models
    import enterprise.models

    consent.helpers.ConsentApiClient = ConsentApi
    consent.helpers.enterprise_customer_uuid_for_request = _customer_of_request
    consent.helpers.get_data_consent_share_cache_key = _consent_cache_key
    consent.models.get_course_catalog_api_service_client = lambda site=None: CatalogService()
    enterprise.models.EnterpriseCatalogApiClient = EnterpriseCatalog


def _customer_of_request(request) -> str:
    return request.session["enterprise_customer"]["uuid"]


def _consent_cache_key(user_id, course_id, enterprise_customer_uuid) -> str:
    return get_cache_key(asks="consent", user=user_id, course=course_id, customer=enterprise_customer_uuid)


def _no_page(request):
    raise NotImplementedError("Nobody goes where the step redirects to.")


urlpatterns = [
    path("dashboard", _no_page, name="dashboard"),
    path("enterprise/grant_data_sharing_permissions", _no_page, name="grant_data_sharing_permissions"),
]
