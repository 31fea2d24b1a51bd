"""How often a learner may try to sign up on the consent page: the API's share, and no ledger to fill."""

import pytest
from django.test import Client
from rest_framework.throttling import SimpleRateThrottle

from coaching_plugin import consent, disclosures
from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests import factories
from tests.consent_pages import ACCEPT, COURSE, DECLINE, PAGE, page_of, way_on, with_next
from tests.factories import TYPED, evidence

pytestmark = pytest.mark.usefixtures("committed")

# Two refusals that are not one another's repetition: each is an event of its own.
REFUSED = [{**ACCEPT, "phone_number": "12"}, {**ACCEPT, "full_name": ""}]
USERS = "/api/coaching/v1/users/{}/"


@pytest.fixture
def three_a_minute(settings):
    settings.COACHING_API_THROTTLE = "3/minute"


def submit(browser, typed):
    return browser.post(with_next(PAGE), {"disclosure": disclosures.current().sha256, **typed})


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.usefixtures("three_a_minute")
def test_alternating_refusals_fill_no_ledger(browser):
    for number in range(20):
        submit(browser, REFUSED[number % 2])
    assert ConsentEvent.objects.count() == 3


@pytest.mark.course_doors
@pytest.mark.usefixtures("three_a_minute")
def test_who_tries_too_often_is_told_on_the_page_and_keeps_what_was_typed_and_the_way_on(browser, learner):
    for number in range(3):
        assert submit(browser, REFUSED[number % 2]).status_code == 200
    response = submit(browser, ACCEPT)
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 60
    page = page_of(response)
    assert "very often" in page.select_one("[role=alert]").text
    assert page.find("input", {"name": "phone_number"})["value"] == TYPED
    assert way_on(response) == COURSE
    assert browser.get(COURSE).status_code == 200, "the way on is no circle"
    assert consent.standing(learner).status == CoachingConsent.Status.UNDECIDED


@pytest.mark.usefixtures("three_a_minute")
def test_who_tries_too_often_may_still_say_no_and_look(browser, learner):
    for number in range(4):
        submit(browser, REFUSED[number % 2])
    assert browser.get(with_next(PAGE)).status_code == 200
    assert submit(browser, DECLINE).status_code == 302
    assert consent.standing(learner).status == CoachingConsent.Status.DECLINED


@pytest.mark.usefixtures("three_a_minute")
def test_yes_and_no_in_turn_fill_no_ledger_either(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    for _ in range(20):
        submit(browser, DECLINE)
        submit(browser, ACCEPT)
    assert ConsentEvent.objects.count() <= 1 + 2 * 3 + 1


@pytest.mark.usefixtures("three_a_minute")
def test_both_doors_draw_on_one_share(browser, learner):
    for number in range(2):
        assert submit(browser, REFUSED[number]).status_code == 200
    assert browser.get(USERS.format(learner.id)).status_code == 200
    assert browser.get(USERS.format(learner.id)).status_code == 429
    assert submit(browser, ACCEPT).status_code == 429


@pytest.mark.usefixtures("three_a_minute")
def test_one_learners_share_is_not_anothers(browser, learner):
    for number in range(4):
        submit(browser, REFUSED[number % 2])
    other = factories.eligible_learner()
    assert submit(logged_in(other), REFUSED[0]).status_code == 200
    assert submit(browser, ACCEPT).status_code == 429


@pytest.mark.usefixtures("three_a_minute")
def test_while_the_cache_that_counts_is_down_an_answer_is_taken(browser, learner, monkeypatch, caplog):
    class DeadCache:
        def get(self, *args):
            raise ConnectionError(TYPED)

    monkeypatch.setattr(SimpleRateThrottle, "cache", DeadCache())
    for _ in range(4):
        assert submit(browser, REFUSED[0]).status_code == 200
    assert {record.getMessage().splitlines()[0] for record in caplog.records} == {
        f"User {learner.id} is not throttled: ConnectionError"
    }
