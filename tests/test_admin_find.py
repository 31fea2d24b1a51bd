"""A learner is found by what an operator knows of them, and nothing that is typed comes into an address or a log."""

import json

import pytest
from django.contrib.auth.models import User
from django.core.signals import got_request_exception
from django.test import Client
from django.urls import reverse
from django.views.debug import SafeExceptionReporterFilter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent, Door
from tests import factories
from tests.factories import NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.operators import CONSENTS, FIND, operator, page_of, soup, text

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("coached", "flags")]

NOBODY = "Nobody is found by this."


def find(browser, sought):
    return browser.post(FIND, {"sought": sought})


def assert_leads_to(response, learner):
    assert (response.status_code, response.headers.get("Location")) == (302, page_of(learner))


def typed_back(response):
    return soup(response).select_one("#id_sought")["value"]


@pytest.fixture
def consented(learner):
    """The learner, who agreed."""
    assert not consent.give(learner, TYPED, None, evidence()).is_refused
    return learner


@pytest.fixture
def staff(db):
    """The browser of a superuser."""
    return operator()


WAYS = {
    "user name": lambda learner: learner.username,
    "user name in another case": lambda learner: learner.username.upper(),
    "address": lambda learner: learner.email,
    "address in another case": lambda learner: learner.email.title(),
    "address with blanks around it": lambda learner: f"  {learner.email} ",
    "user id": lambda learner: str(learner.pk),
}
OF_THOSE_ON_RECORD = {
    "partner id": lambda learner: str(learner.coaching_consent.partner_id),
    "partner id without hyphens": lambda learner: learner.coaching_consent.partner_id.hex.upper(),
}


@pytest.mark.parametrize("way", [*WAYS, *OF_THOSE_ON_RECORD])
def test_one_learner_is_led_to_by_whatever_names_them(consented, way):
    factories.eligible_learner()
    assert_leads_to(find(operator(), {**WAYS, **OF_THOSE_ON_RECORD}[way](consented)), consented)


@pytest.mark.parametrize("way", WAYS)
def test_a_learner_of_whom_nothing_is_recorded_is_found_too(learner, way):
    assert_leads_to(find(operator(), WAYS[way](learner)), learner)
    assert not CoachingConsent.objects.exists()


SPELLINGS = [NUMBER, TYPED, "415.555.2671", "1 415 555 2671", "\u202a+1 (415) 555‑2671\u202c", "٤١٥٥٥٥٢٦٧١"]


@pytest.mark.parametrize("typed", SPELLINGS, ids=range(len(SPELLINGS)))
def test_a_number_finds_who_consented_with_it_in_any_spelling(consented, typed):
    consent.give(factories.eligible_learner(), OTHER_TYPED, None, evidence())
    assert_leads_to(find(operator(), typed), consented)


def test_a_number_of_before_finds_them_still(consented):
    consent.change_phone(consented, OTHER_TYPED, evidence())
    browser = operator()
    assert_leads_to(find(browser, TYPED), consented)
    assert_leads_to(find(browser, OTHER_NUMBER), consented)


def test_a_number_that_was_erased_finds_nobody_and_the_page_says_so(consented):
    consent.erase(consented, evidence(Door.RETIREMENT, disclosure=None))
    response = find(operator(), TYPED)
    assert NOBODY in text(response)
    assert "numbers that were erased find nobody" in text(response)
    assert typed_back(response) == TYPED


def test_several_are_listed_with_the_way_to_each(consented):
    other = factories.eligible_learner()
    consent.give(other, TYPED, None, evidence())
    response = find(operator(), TYPED)
    assert "2 learners are found" in text(response)
    links = {link["href"] for link in soup(response).select(".results a")}
    assert links == {page_of(consented), page_of(other)}
    for learner in (consented, other):
        assert learner.username in text(response)


def test_a_text_may_be_one_learners_name_and_anothers_id(learner):
    namesake = factories.user(username=str(learner.pk))
    response = find(operator(), str(learner.pk))
    assert {link["href"] for link in soup(response).select(".results a")} == {page_of(learner), page_of(namesake)}


def test_a_deleted_account_is_found_by_number_partner_id_and_former_user_id(consented):
    row, user_id = consented.coaching_consent, consented.pk
    User.objects.get(pk=user_id).delete()
    browser = operator()
    page = reverse("admin:coaching_plugin_coachingconsent_change", args=[row.pk])
    for sought in (NUMBER, str(row.partner_id), str(user_id)):
        assert find(browser, sought).headers["Location"] == page
    assert "Learner whose account was deleted" in text(browser.get(page_of(User(pk=user_id))))


@pytest.mark.parametrize("sought", ["", "   "], ids=["empty", "blank"])
def test_nothing_typed_finds_nothing(learner, sought):
    assert "This field is required." in text(find(operator(), sought))


@pytest.mark.parametrize(
    "sought", ["nobody", "nobody@example.com", "(212) 555-2368", "999999", "9" * 30, "0", "-1", "%", "_", "user%"]
)
def test_nobody_found_is_said_and_what_was_typed_is_kept(consented, sought):
    response = find(operator(), sought)
    assert NOBODY in text(response)
    assert typed_back(response) == sought
    assert soup(response).title.text.startswith("Error:")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sought=st.text(max_size=300))
@example("\0")
@example("١٢٣")
@example("²")
@example("9" * 250)
@example("{00000000-0000-0000-0000-000000000000}")
@pytest.mark.once
def test_whatever_is_typed_is_answered(learner, staff, sought):
    assert find(staff, sought).status_code in (200, 302)


def test_asking_costs_a_handful_of_queries(consented, django_assert_max_num_queries):
    browser = operator()
    find(browser, "nobody")
    with django_assert_max_num_queries(9):
        find(browser, NUMBER)
    with django_assert_max_num_queries(9):
        find(browser, str(consented.pk))


# Nothing that is typed leaves the page


@pytest.mark.parametrize("sought", [NUMBER, TYPED, "nobody.here@example.com", "Zwetschge"], ids=range(4))
def test_nothing_typed_is_logged(consented, caplog, sought):
    """The platform's tracking logs what is posted, unless an address is left out; the watch looks through all logs."""
    caplog.set_level("DEBUG")
    browser = operator()
    browser.get(FIND)
    find(browser, sought)
    browser.get(CONSENTS)
    tracked = [json.loads(record.message) for record in caplog.records if record.name == "tracking"]
    assert [event for event in tracked if "coaching_plugin" in event["event_type"]] == []
    browser.get(reverse("admin:index"))
    assert any(record.name == "tracking" for record in caplog.records), "and the log was looked at"


@pytest.mark.logs_personal_data("the test shows that the tracking would log it")
def test_without_the_pattern_it_would_be_logged(learner, settings):
    ours = [pattern for pattern in settings.TRACKING_IGNORE_URL_PATTERNS if "admin" in pattern]
    assert ours == ["^/admin/coaching_plugin/"]
    settings.TRACKING_IGNORE_URL_PATTERNS = [
        pattern for pattern in settings.TRACKING_IGNORE_URL_PATTERNS if pattern not in ours
    ]
    find(operator(), TYPED)


def test_an_error_report_leaves_out_what_was_typed(learner, monkeypatch):
    """What Django mails to the administrators holds the parameters of a request, but for those that are sensitive."""

    def fail(text):
        raise RuntimeError("broken")

    def look(sender, request, **kwargs):
        reported.append(request)

    reported = []
    monkeypatch.setattr("coaching_plugin.admin.learners.found_by", fail)
    got_request_exception.connect(look)
    try:
        assert find(operator(raise_request_exception=False), TYPED).status_code == 500
    finally:
        got_request_exception.disconnect(look)
    (request,) = reported
    hidden = SafeExceptionReporterFilter().get_post_parameters(request)
    assert TYPED not in str(hidden)
    assert TYPED in str(request.POST)


def test_no_list_has_a_search_box(consented):
    """People type addresses into any search box, and it would come into the query."""
    browser = operator()
    for model in ("coachingconsent", "consentevent"):
        page = soup(browser.get(reverse(f"admin:coaching_plugin_{model}_changelist")))
        assert not page.select("#searchbar, #content input[type=search], input[name=q]")


def test_the_form_is_linked_from_the_list_and_from_the_apps_page(learner):
    browser = operator("view_coachingconsent")
    for page in (CONSENTS, reverse("admin:app_list", args=["coaching_plugin"])):
        assert soup(browser.get(page)).select(f'a[href="{FIND}"]'), page


def test_who_may_not_find_anybody_is_not_led_to_the_form(learner):
    browser = operator("view_coachedcourse")
    assert not soup(browser.get(reverse("admin:app_list", args=["coaching_plugin"]))).select(f'a[href="{FIND}"]')


# Who may


@pytest.mark.parametrize("permission", ["view_coachingconsent", "change_coachingconsent"])
def test_who_may_see_consents_may_find(consented, permission):
    assert_leads_to(find(operator(permission), consented.username), consented)


def test_who_may_not_see_consents_finds_nobody_and_learns_of_nobody(consented):
    browser = operator("view_user", "view_consentevent", "change_consentevent")
    assert browser.get(FIND).status_code == 403
    assert find(browser, consented.username).status_code == 403
    for somebody in (consented, User(pk=999_999)):
        assert browser.get(page_of(somebody)).status_code == 403


def test_who_is_not_logged_in_or_no_staff_is_sent_to_the_login(consented, browser):
    for client in (Client(), browser):
        response = client.post(FIND, {"sought": consented.username})
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("admin:login"))


def test_no_other_site_can_ask(consented):
    assert find(operator(enforce_csrf_checks=True), consented.username).status_code == 403
