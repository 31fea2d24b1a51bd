"""What is asked of the platform, on the platforms that answer in different ways."""

import sys

import pytest
from openedx_filters import PipelineStep
from openedx_filters.learning import filters

from coaching_plugin import lms
from coaching_plugin.middleware import CourseDoorMiddleware
from coaching_plugin.settings.filters import COURSE_STEPS, STEPS
from tests import factories

pytestmark = pytest.mark.course_doors

ON_A_PLATFORM_WITH_FILTERS = "The platform of this run calls no courseware filters; the other pass of the suite does."


class ManageEveryName(PipelineStep):
    """What an enterprise plugin adds on platforms that ask for read-only account fields through a filter."""

    def run_filter(self, readonly_fields, user, **kwargs):
        return {"readonly_fields": readonly_fields | {"name"}, "user": user}


@pytest.fixture
def newer_platform(monkeypatch):
    """A platform without the function that names the fields of an enterprise: it calls a filter instead."""
    if not hasattr(filters, "AccountSettingsReadOnlyFieldsRequested"):
        pytest.skip("The library of released platforms does not have the filter.")
    monkeypatch.setitem(sys.modules, "openedx.features.enterprise_support.utils", None)


@pytest.mark.django_db
@pytest.mark.usefixtures("newer_platform")
@pytest.mark.parametrize(("pipeline", "managed"), [([], False), (["tests.test_lms.ManageEveryName"], True)])
def test_newer_platforms_tell_managed_names_through_a_filter(settings, pipeline, managed):
    name = "org.openedx.learning.account.settings.read_only_fields.requested.v1"
    settings.OPEN_EDX_FILTERS_CONFIG = {**settings.OPEN_EDX_FILTERS_CONFIG, name: {"pipeline": pipeline}}
    assert lms.is_name_managed(factories.user()) is managed


@pytest.mark.django_db
def test_released_platforms_tell_managed_names_through_a_function(manage_name):
    learner = factories.user()
    assert not lms.is_name_managed(learner)
    manage_name(learner)
    assert lms.is_name_managed(learner)


@pytest.mark.parametrize("missing", COURSE_STEPS)
def test_the_middleware_stays_where_one_of_our_steps_was_taken_out(settings, missing):
    config = {name: entry for name, entry in settings.OPEN_EDX_FILTERS_CONFIG.items() if name != missing}
    settings.OPEN_EDX_FILTERS_CONFIG = config
    assert not lms.calls_courseware_filters()
    assert CourseDoorMiddleware(lambda request: None)


@pytest.mark.parametrize("missing", STEPS.keys() - COURSE_STEPS.keys())
def test_the_dashboards_step_says_nothing_of_course_doors(settings, missing):
    before = lms.calls_courseware_filters()
    config = {name: entry for name, entry in settings.OPEN_EDX_FILTERS_CONFIG.items() if name != missing}
    settings.OPEN_EDX_FILTERS_CONFIG = config
    assert lms.calls_courseware_filters() is before is (settings.SANDBOX_COURSEWARE_HOOKS == "filters")


def test_the_middleware_stays_where_the_library_has_the_filters_and_the_platform_does_not_call_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "lms.djangoapps.courseware.decorators", None)
    assert not lms.calls_courseware_filters()


def test_the_middleware_stays_where_the_mfe_door_calls_no_filter(monkeypatch, settings):
    if settings.SANDBOX_COURSEWARE_HOOKS != "filters":
        pytest.skip(ON_A_PLATFORM_WITH_FILTERS)
    monkeypatch.setattr("lms.djangoapps.courseware.courses.check_course_access", lambda course, user, action: None)
    assert not lms.calls_courseware_filters()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/privacy", "http://127.0.0.1:8000/privacy"),
        ("https://example.org/p?x=1", "https://example.org/p?x=1"),
        ("privacy", "http://127.0.0.1:8000/privacy"),
    ],
)
def test_paths_become_addresses_of_the_lms(url, expected):
    assert lms.absolute_url(url) == expected


@pytest.mark.parametrize(
    ("mfe_url", "expected"),
    [
        ("https://apps.example.org/account", "https://apps.example.org/account"),
        (None, "http://127.0.0.1:8000/account/settings"),
        ("", "http://127.0.0.1:8000/account/settings"),
    ],
)
def test_account_settings_are_the_mfes_or_those_of_the_lms(settings, db, mfe_url, expected):
    settings.ACCOUNT_MICROFRONTEND_URL = mfe_url
    assert lms.account_settings_url() == expected


def test_account_settings_of_a_platform_that_knows_no_mfe(settings, db):
    del settings.ACCOUNT_MICROFRONTEND_URL
    assert lms.account_settings_url() == "http://127.0.0.1:8000/account/settings"


def test_account_settings_may_differ_from_site_to_site(monkeypatch, db):
    values = {"ACCOUNT_MICROFRONTEND_URL": "https://account.another.example.org"}
    monkeypatch.setattr(
        "openedx.core.djangoapps.site_configuration.helpers.get_value", lambda name, default: values.get(name, default)
    )
    assert lms.account_settings_url() == "https://account.another.example.org"


@pytest.mark.parametrize(
    ("name", "problem"),
    [("Lena <b>", "characters"), ("http://spam.example.com", ""), ("x" * 256, ""), ("", "")],
    ids=["tags", "an address", "too long", "empty"],
)
def test_malformed_names_are_refused_in_the_platforms_words(name, problem):
    with pytest.raises(lms.FullNameError) as refused:
        lms.check_full_name(name)
    assert problem in str(refused.value)
    assert str(refused.value)


def test_a_learner_without_a_profile_has_an_empty_one(django_user_model, db):
    learner = django_user_model.objects.create_user("noprofile")
    assert lms.profile(learner) == lms.Profile("", "", None)
