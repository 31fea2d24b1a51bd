"""The API's resource for dashboards that are no page of the LMS: whether to show the card, and its dismissal."""

import pytest
from django.db import DatabaseError
from django.test import Client

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests import factories
from tests.cost import counted
from tests.factories import TYPED, evidence
from tests.test_rest_api import as_mfe, assert_refused, dashboard_card, patch, stored, with_session

pytestmark = pytest.mark.usefixtures("committed")

DISMISSED = {"dismissed": True}


@pytest.fixture
def mfe(learner, log_in):
    client = as_mfe(log_in(learner))
    client.raise_request_exception = False
    return client


def answer(learner, show):
    return {"user": learner.id, "show": show, "consent_url": "http://127.0.0.1:8000/coaching/consent/"}


def test_it_says_whether_to_show_the_card_and_where_it_leads(mfe, learner):
    response = mfe.get(dashboard_card(learner))
    assert response.status_code == 200
    assert response.json() == answer(learner, show=True)
    assert not CoachingConsent.objects.exists(), "reading stores nothing"


@pytest.mark.parametrize(
    ("arrange", "show"),
    [
        (lambda learner: consent.decline(learner, evidence()), True),
        (lambda learner: consent.give(learner, TYPED, None, evidence()), False),
        (lambda learner: consent.do_not_ask(learner, evidence(), reason="x"), False),
        (lambda learner: consent.dismiss_card(learner), False),
        (lambda learner: learner.courseenrollment_set.update(mode="audit"), False),
        (lambda learner: factories.set_flag("coaching.dashboard_card", False), False),
        (lambda learner: factories.set_flag("coaching.enabled", False), False),
        (lambda learner: factories.set_flag("coaching.account_settings", False), True),
    ],
    ids=["declined", "consented", "do not ask", "dismissed", "not eligible", "card off", "all off", "settings off"],
)
def test_it_shows_what_the_dashboard_of_the_lms_shows(mfe, learner, arrange, show):
    arrange(learner)
    assert mfe.get(dashboard_card(learner)).json() == answer(learner, show)
    assert ("coaching-card-template" in mfe.get("/dashboard").content.decode()) is show


def test_where_it_leads_is_the_page_of_the_site(mfe, learner, settings):
    settings.LMS_ROOT_URL = "https://lms.example.org"
    url = mfe.get(dashboard_card(learner)).json()["consent_url"]
    assert url == "https://lms.example.org/coaching/consent/"


def test_dismissing_is_for_good_on_every_dashboard_and_twice_is_once(mfe, learner):
    for _ in range(2):
        response = patch(mfe, dashboard_card(learner), DISMISSED)
        assert (response.status_code, response.json()) == (200, answer(learner, show=False))
    assert CoachingConsent.objects.get(user=learner).card_dismissed_at
    assert not ConsentEvent.objects.exists()
    assert mfe.get(dashboard_card(learner)).json()["show"] is False
    assert "coaching-card" not in mfe.get("/dashboard").content.decode()


def test_who_is_not_eligible_any_more_may_dismiss_what_is_still_on_the_screen(mfe, learner):
    learner.courseenrollment_set.update(is_active=False)
    assert patch(mfe, dashboard_card(learner), DISMISSED).json()["show"] is False
    learner.courseenrollment_set.update(is_active=True)
    assert mfe.get(dashboard_card(learner)).json()["show"] is False


@pytest.mark.parametrize("flag", ["coaching.enabled", "coaching.dashboard_card"])
def test_with_a_flag_off_there_is_nothing_to_dismiss(mfe, learner, set_flag, flag):
    set_flag(flag, False)
    before = stored()
    response = patch(mfe, dashboard_card(learner), DISMISSED)
    assert (response.status_code, response.json()) == (200, answer(learner, show=False))
    assert stored() == before


@pytest.mark.parametrize(
    "body",
    [
        *(
            {},
            {"dismissed": False},
            {"dismissed": None},
            {"dismissed": "true"},
            {"dismissed": 1},
            {"dismissed": [True]},
        ),
        *({"show": False}, [], [DISMISSED], "dismissed", None, {"coaching_consent": True, "phone_number": TYPED}),
    ],
    ids=str,
)
def test_anything_else_is_refused(mfe, learner, body):
    before = stored()
    assert_refused(patch(mfe, dashboard_card(learner), body), 400, "coaching")
    assert stored() == before


def test_a_dismissal_gives_and_takes_no_consent(mfe, learner):
    patch(mfe, dashboard_card(learner), {**DISMISSED, "coaching_consent": True, "phone_number": TYPED})
    assert consent.standing(learner).status == CoachingConsent.Status.UNDECIDED
    consent.give(learner, TYPED, None, evidence())
    patch(mfe, dashboard_card(learner), {**DISMISSED, "coaching_consent": False})
    assert consent.standing(learner).is_consented


def test_it_is_nobody_elses(mfe, learner):
    other = factories.eligible_learner()
    assert_refused(mfe.get(dashboard_card(other)), 404)
    assert_refused(patch(mfe, dashboard_card(other), DISMISSED), 404)
    assert_refused(Client().get(dashboard_card(learner)), 401)
    assert not CoachingConsent.objects.exists()


def test_an_account_that_is_not_activated_is_refused(learner):
    client = as_mfe(with_session(factories.eligible_learner(is_active=False)))
    own = dashboard_card(int(client.session["_auth_user_id"]))
    assert_refused(client.get(own), 403)
    assert_refused(patch(client, own, DISMISSED), 403)


def test_it_draws_on_the_learners_share(mfe, learner, settings):
    settings.COACHING_API_THROTTLE = "2/minute"
    for _ in range(2):
        assert mfe.get(dashboard_card(learner)).status_code == 200
    assert_refused(mfe.get(dashboard_card(learner)), 429)
    assert_refused(patch(mfe, dashboard_card(learner), DISMISSED), 429)
    assert not CoachingConsent.objects.exists()


@pytest.mark.parametrize("method", ["get", "patch"])
def test_a_failure_is_json_and_says_nothing_of_what_was_being_done(mfe, learner, monkeypatch, caplog, method):
    def fail(*args, **kwargs):
        raise DatabaseError("Key (phone_number)=(+14155552671)")

    monkeypatch.setattr("coaching_plugin.consent.standing", fail)
    monkeypatch.setattr("coaching_plugin.consent.dismiss_card", fail)
    path = dashboard_card(learner)
    assert_refused(mfe.get(path) if method == "get" else patch(mfe, path, DISMISSED), 500)
    assert not [part for part in ("Key (", "+1415", "5552671") if part in caplog.text]


def test_it_costs_no_more_than_the_dashboards_card(learner):
    """The session and its user are not ours."""
    client = with_session(learner)
    client.get(dashboard_card(learner))
    with counted() as to_be_shown:
        assert client.get(dashboard_card(learner)).json()["show"] is True
    consent.give(learner, TYPED, None, evidence())
    client.get(dashboard_card(learner))
    with counted() as consented:
        assert client.get(dashboard_card(learner)).json()["show"] is False
    assert to_be_shown.queries - consented.queries == 2
