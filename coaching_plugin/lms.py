"""What the LMS knows: the only module that imports the platform, always lazily, and answers with plain values."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import (
    Exists,
    F,
    OuterRef,
    Subquery,
)
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import get_text_list
from opaque_keys.edx.keys import CourseKey

from coaching_plugin.settings.common import COURSE_DOOR_MIDDLEWARE
from coaching_plugin.settings.filters import has_course_steps


class FullNameError(ValueError):
    """Raised where the platform finds a full name malformed; ``str()`` is the platform's message to the learner."""


@dataclass(frozen=True)
class Profile:
    """The profile's name, phone number (as stored: not proof of anything) and year of birth, none in its ``repr``."""

    name: str = field(repr=False)
    phone_number: str = field(repr=False)
    year_of_birth: int | None = field(repr=False)


@dataclass(frozen=True)
class Tables:
    """The platform's models of which whole groups of learners are asked: ``cohorts.py`` does."""

    enrollment: Any
    completion: Any
    engagement: Any
    courseware_state: Any
    course_role: Any
    course_overview: Any


def tables() -> Tables:
    """Return the platform's models, for questions that no function here answers with plain values."""
    from common.djangoapps.student.models import CourseAccessRole, CourseEnrollment
    from completion.models import BlockCompletion
    from lms.djangoapps.course_goals.models import UserActivity
    from lms.djangoapps.courseware.models import StudentModule
    from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

    return Tables(CourseEnrollment, BlockCompletion, UserActivity, StudentModule, CourseAccessRole, CourseOverview)


def catalog_programs() -> Iterator[dict[str, Any]]:
    """Yield the programs that the catalog cache holds for each site; one that several sites offer comes again."""
    from django.contrib.sites.models import Site
    from openedx.core.djangoapps.catalog.utils import get_programs

    for site in Site.objects.order_by("pk"):
        yield from get_programs(site=site)


def course_run_keys_for_program(program: dict[str, Any]) -> set[str]:
    """Return the keys of all course runs of a program, its curricula and child programs included."""
    from openedx.core.djangoapps.catalog.utils import course_run_keys_for_program as platform_course_run_keys

    return set(platform_course_run_keys(program))


def profile(user, lock: bool = False) -> Profile:
    """Return the learner's profile, empty where there is none; ``lock`` holds it till the end of the transaction."""
    from common.djangoapps.student.models import UserProfile

    rows = UserProfile.objects.select_for_update() if lock else UserProfile.objects.all()
    row = rows.filter(user_id=user.id).values_list("name", "phone_number", "year_of_birth").first()
    name, phone_number, year_of_birth = row or ("", "", None)
    return Profile(name or "", phone_number or "", year_of_birth)


def is_retiring(user) -> bool:
    """Return whether the learner has asked for the account to be deleted, and has not taken that back."""
    from openedx.core.djangoapps.user_api.models import UserRetirementStatus

    return UserRetirementStatus.objects.filter(user_id=user.id).exists()


def roster_columns() -> dict[str, Any]:
    """
    Return what the platform knows of a learner, as expressions to ``annotate`` rows with that have a ``user``.

    ``is_active`` (not where the user was deleted), ``is_retiring``, ``full_name``, ``email`` and ``preferred_language``
    are then read in the statement that reads the row itself.
    """
    from openedx.core.djangoapps.lang_pref import LANGUAGE_KEY
    from openedx.core.djangoapps.user_api.models import UserPreference, UserRetirementStatus

    preference = UserPreference.objects.filter(user_id=OuterRef("user_id"), key=LANGUAGE_KEY)
    return {
        "is_active": F("user__is_active"),
        "is_retiring": Exists(UserRetirementStatus.objects.filter(user_id=OuterRef("user_id"))),
        "full_name": F("user__profile__name"),
        "email": F("user__email"),
        "preferred_language": Subquery(preference.values("value")[:1]),
    }


def is_name_managed(user) -> bool:
    """Return whether an enterprise manages the learner's name, so that it must not be written."""
    try:
        from openedx.features.enterprise_support.utils import get_enterprise_readonly_account_fields
    except ImportError:
        # Newer platforms ask the enterprise plugin through a filter.
        from openedx_filters.learning.filters import AccountSettingsReadOnlyFieldsRequested

        fields, _ = AccountSettingsReadOnlyFieldsRequested.run_filter(readonly_fields=set(), user=user)
    else:
        fields = get_enterprise_readonly_account_fields(user)
    return "name" in fields


def check_full_name(full_name: str) -> None:
    """Raise ``FullNameError`` where the platform would find the name malformed (empty, too long, HTML, an address)."""
    from openedx.core.djangoapps.user_authn.views.registration_form import validate_name

    try:
        validate_name(full_name)
    except ValidationError as error:
        raise FullNameError(" ".join(error.messages)) from None


def write_full_name(user, full_name: str) -> bool:
    """
    Write the learner's name as the account API does and return whether the platform's policy let it.

    A name that ID verification has bound stays; ``check_full_name`` has told malformed names apart before.
    """
    from openedx.core.djangoapps.user_api.accounts.api import update_account_settings
    from openedx.core.djangoapps.user_api.errors import AccountValidationError

    try:
        with transaction.atomic():
            update_account_settings(user, {"name": full_name}, username=user.username)
    except AccountValidationError:
        return False
    return True


def write_phone_number(user, phone_number: str) -> None:
    """Write the learner's phone number (E.164, or empty to remove it) as the account API does."""
    from openedx.core.djangoapps.user_api.accounts.api import update_account_settings

    update_account_settings(user, {"phone_number": phone_number}, username=user.username)


def country_names(regions: Sequence[str]) -> str:
    """Return the names of ISO 3166 regions, listed as the active language lists things."""
    from django_countries import countries

    return get_text_list([str(countries.name(region)) or region for region in regions])


def site_name() -> str:
    """Return the name under which the current site appears to learners."""
    return _site_value("platform_name", settings.PLATFORM_NAME)


def absolute_url(url: str) -> str:
    """Return a path of the current site as a full address; a full address stays as it is."""
    return urljoin(_site_value("LMS_ROOT_URL", settings.LMS_ROOT_URL), url)


def course_home_url(course_key: CourseKey) -> str:
    """Return the address of a course run's home in the learning MFE."""
    from openedx.features.course_experience.url_helpers import get_learning_mfe_home_url

    return get_learning_mfe_home_url(course_key, url_fragment="home")


def dashboard_url() -> str:
    """Return the path of the learner's dashboard."""
    return reverse("dashboard")


def account_settings_url() -> str:
    """Return the address of the learner's account settings, where an account is deleted."""
    mfe_url = _site_value("ACCOUNT_MICROFRONTEND_URL", getattr(settings, "ACCOUNT_MICROFRONTEND_URL", None) or "")
    return mfe_url or absolute_url("/account/settings")


def is_masquerading(request: HttpRequest, course_key: CourseKey) -> bool:
    """Return whether a member of the course team looks at the course as somebody else."""
    from lms.djangoapps.courseware.masquerade import MASQUERADE_SETTINGS_KEY

    session = getattr(request, "session", {})
    return bool((session.get(MASQUERADE_SETTINGS_KEY) or {}).get(course_key))


def calls_courseware_filters() -> bool:
    """Return whether this platform calls the courseware filters, and our steps stand in them."""
    return not why_no_courseware_filters()


def why_no_courseware_filters() -> str:
    """
    Return, for an operator, why our steps are not what guards the ways into a course; empty where they are.

    The platform is asked, not the openedx-filters library: a library that has the filters says nothing about a
    platform that calls them.
    """
    try:
        from lms.djangoapps.courseware.decorators import courseware_view_hooks  # noqa: F401
    except ImportError:
        return "this platform's course pages call no filter (it has no courseware_view_hooks)"
    from lms.djangoapps.courseware.courses import check_course_access

    if "apply_priority_access_checks" not in inspect.signature(check_course_access).parameters:
        return "this platform calls no filter for the learning MFE (check_course_access has none)"
    if not has_course_steps(settings.OPEN_EDX_FILTERS_CONFIG):
        return "this platform calls the filters, but our steps are missing from OPEN_EDX_FILTERS_CONFIG"
    return ""


def has_course_door() -> bool:
    """Return whether anything asks on entering a course: our steps where they are called, or our middleware."""
    return COURSE_DOOR_MIDDLEWARE in settings.MIDDLEWARE or calls_courseware_filters()


def bearer_authentication() -> type:
    """Return the platform's authentication class for OAuth2 bearer tokens."""
    from openedx.core.lib.api.authentication import BearerAuthenticationAllowInactiveUser

    return BearerAuthenticationAllowInactiveUser


def _site_value(name: str, default: str) -> str:
    """Return what the current site's configuration says, on a platform of several sites."""
    from openedx.core.djangoapps.site_configuration.helpers import get_value

    return get_value(name, default)
