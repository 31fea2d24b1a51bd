"""Nobody learns of another learner, or acts for one: not by the answer, and not by what is asked of the database."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent
from tests import factories
from tests.consent_pages import ACCEPT, PAGE, RECEIPT
from tests.factories import MB102, TYPED, evidence
from tests.test_rest_api import (
    DECLINE,
    NOBODY,
    as_mfe,
    assert_refused,
    consent_form,
    dashboard_card,
    eligibility,
    receipts,
    send,
    statements,
    stored,
    users,
    with_session,
)

pytestmark = pytest.mark.usefixtures("committed")

RESOURCES = {
    f"{method} {path.__name__}": (method, path)
    for path, methods in {
        users: ["GET", "PATCH", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"],
        consent_form: ["PATCH", "GET", "OPTIONS", "DELETE"],
        dashboard_card: ["GET", "PATCH", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"],
        eligibility: ["GET", "HEAD", "OPTIONS", "PATCH"],
        receipts: ["GET", "HEAD", "OPTIONS", "PATCH", "DELETE"],
    }.items()
    for method in methods
}
ANSWERS = {
    "declines": DECLINE,
    "accepts": {"coaching_consent": True, "phone_number": TYPED},
    "changes the number": {"phone_number": TYPED},
    "sends nonsense": {"coaching_consent": "?"},
    "dismisses the card": {"dismissed": True},
}


def permit(user, codename):
    user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


WHO = {
    "a learner": lambda: factories.eligible_learner(),
    "staff with another permission": lambda: permit(factories.user(is_staff=True), "view_consentevent"),
}
# Whoever may see consents may see verdicts: the rest of the API is nobody's but the learner's all the same.
SUPPORT = {
    "support": lambda: permit(factories.user(), "view_coachingconsent"),
    "superuser": lambda: factories.user(is_staff=True, is_superuser=True),
}


@pytest.fixture
def others(coached, flags):
    """Learners of every standing, with ids in sequence."""
    learners = [factories.eligible_learner() for _ in range(5)]
    consent.give(learners[0], TYPED, None, evidence())
    consent.decline(learners[1], evidence())
    consent.ask(learners[2], evidence())
    factories.enroll(learners[3], MB102)
    return [*learners, factories.user(), factories.user(is_active=False), factories.user(is_staff=True)]


def ids_of_nobody(own):
    """Return ids that are nobody's: unused, out of every range, or spelled so that only a parser sees an id."""
    full_width = str(own).translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
    arabic = str(own).translate({ord(digit): ord(digit) - ord("0") + 0x0660 for digit in "0123456789"})
    return [
        *(NOBODY, 3 * 2**30, 2**63, 2**64, "9" * 5000, 0, -1, -own, f"0{own}", f"+{own}", f"{own}.0", f"0x{own:x}"),
        *(f"{own}e0", f"{own}_0", f"{own} ", f"%20{own}", f"{own}%00", f"{own}%0D", f"{own},{own}", f"{own}-0"),
        *(full_width, arabic, "%FF", "%ED%A0%80", "me", "self", "None", "null", "*", "'", "1 OR 1=1", "abc", "{}"),
    ]


def sight(client, method, path, body=DECLINE):
    """Return all that can be told of an answer, and what was asked of the database for it, with its values left out."""
    with CaptureQueriesContext(connection) as queries:
        response = send(client, method, path, body if method not in ("GET", "HEAD", "OPTIONS") else None)
    asked = [re.sub(r"'[^']*'|\b\d+\b", "?", sql) for sql in statements(queries)]
    # Expires is the time of the answer.
    headers = sorted((name, value) for name, value in response.headers.items() if name != "Expires")
    return response.status_code, tuple(headers), response.content, tuple(asked)


def client_of(user):
    return as_mfe(with_session(user, raise_request_exception=False))


@pytest.mark.once
@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("who", WHO)
def test_another_learner_and_nobody_look_the_same(others, who, resource):
    user = WHO[who]()
    client = client_of(user)
    method, path = RESOURCES[resource]
    before = stored()
    sight(client, method, path(NOBODY))  # the site is known then
    sights = {sight(client, method, path(other)) for other in [*others, *ids_of_nobody(user.id)]}
    assert len(sights) == 1
    ((status, _, content, _),) = sights
    assert status == 404
    assert bool(content) == (method != "HEAD")
    assert stored() == before


@pytest.mark.parametrize("path", [users, consent_form, dashboard_card])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("who", [*WHO, *SUPPORT])
def test_nobody_answers_for_another_and_no_answer_is_judged(others, who, path, answer):
    user = {**WHO, **SUPPORT}[who]()
    client, before = client_of(user), stored()
    sights = {sight(client, "PATCH", path(other), ANSWERS[answer]) for other in [*others, NOBODY, -1, "me"]}
    assert [status for status, *_ in sights] == [404]
    assert stored() == before


@pytest.mark.parametrize("who", SUPPORT)
def test_who_may_see_consents_sees_verdicts_and_nothing_else(others, who):
    user = SUPPORT[who]()
    client = client_of(user)
    for other in others:
        assert client.get(eligibility(other)).json()["user"] == other.id
    for path in (users, receipts):
        assert len({sight(client, "GET", path(other)) for other in [*others, NOBODY]}) == 1
    for nobody in ids_of_nobody(user.id):
        assert_refused(client.get(eligibility(nobody)), 404, "coaching")


def test_to_who_may_see_consents_every_learner_costs_the_same(others):
    """Not by whether they were asked, or how they answered: the standing is no part of the verdict."""
    client = client_of(SUPPORT["support"]())
    learners = [other for other in others if other.courseenrollment_set.exists()]
    client.get(eligibility(learners[0]))
    assert len({sight(client, "GET", eligibility(learner))[3] for learner in learners}) == 1


@pytest.mark.parametrize("resource", RESOURCES)
def test_who_is_not_logged_in_does_not_learn_who_exists(others, resource):
    method, path = RESOURCES[resource]
    client = Client()
    sight(client, method, path(NOBODY))
    sights = {sight(client, method, path(other)) for other in [*others, NOBODY, 0, "me", "%FF"]}
    assert len(sights) == 1
    ((status, *_),) = sights
    assert status == 401


def test_ones_own_record_is_another_sight(others):
    """So that the tests above can fail."""
    client = client_of(others[0])
    assert sight(client, "GET", users(others[0])) != sight(client, "GET", users(others[1]))


def test_the_receipt_is_nobodys_but_ones_own(browser, learner, others):
    named = dict.fromkeys(("user", "user_id", "id", "learner"), others[0].id) | {"username": others[0].username}
    content = browser.get(RECEIPT, named).content.decode()
    assert "nothing is kept about you" in content
    assert TYPED not in content


def test_the_consent_page_takes_nobodys_id(browser, learner, others):
    other = others[4]
    named = dict.fromkeys(("user", "user_id", "id", "learner", "lms_user_id"), other.id) | {"username": other.username}
    browser.get(PAGE, named)
    browser.post(PAGE, {**ACCEPT, **named, "answer": "decline"})
    assert consent.standing(learner).has_answered
    assert not CoachingConsent.objects.filter(user=other).exists()


def test_no_page_and_no_answer_names_another_learner(browser, learner, others):
    consent.give(learner, TYPED, None, evidence())
    resources = (users, eligibility, dashboard_card, receipts)
    pages = (PAGE, f"{PAGE}answered/", RECEIPT, "/dashboard")
    for path in (*pages, *(resource(learner) for resource in resources)):
        content = browser.get(path).content.decode()
        for other in others:
            assert other.username not in content
            assert other.email not in content
