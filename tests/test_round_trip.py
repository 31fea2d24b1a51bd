"""
The learner's path from end to end, as a browser goes it: logged out, login, course, question, answer, course.

Nothing is set up behind the LMS's back but the learners themselves, as `make demo` seeds them.
"""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from common.djangoapps.student.models import CourseEnrollment
from django.contrib.auth.models import User
from django.core.cache import cache
from lms.djangoapps.courseware.models import StudentModule

from coaching_plugin import answered, consent, ledger
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door
from tests.browser import ANSWERED, CONSENT, DOORS, LEGACY, MFE_HOME, SITE, Browser
from tests.factories import CANADIAN, LIST1, MB101, MB102, NUMBER, TYPED
from tests.fixtures_sandbox import seed

pytestmark = [pytest.mark.course_doors, pytest.mark.usefixtures("committed", "demo")]

Status = CoachingConsent.Status


@pytest.fixture
def demo():
    seed()


@pytest.fixture
def learner():
    return User.objects.get(username="eligible")


def standing(learner):
    return CoachingConsent.objects.get(user=learner)


def kinds(learner):
    return list(ConsentEvent.objects.filter(learner_id=learner.id).order_by("sequence").values_list("kind", flat=True))


def at_the_question(door, username="eligible"):
    """Return a browser that came to the question from a logged-out course page."""
    browser = Browser().open(door)
    assert browser.path == "/login", browser
    assert browser.heading == "Sign in"
    browser.log_in(username)
    assert browser.url.startswith(f"{CONSENT}?"), browser
    assert browser.heading == "Would you like a coach?"
    return browser


def go_on(browser):
    """Follow the confirmation's link."""
    return browser.follow(browser.page.select_one("main a.coaching-button"))


def enters(browser, door):
    browser.open(door)
    return browser.url == door and browser.is_in_course


# The round trip


@pytest.mark.parametrize("door", DOORS.values(), ids=list(DOORS))
def test_wrong_number_right_number_course_and_never_asked_again(door, learner):
    browser = at_the_question(door)
    assert parse_qs(urlsplit(browser.url).query)["next"] == [comes_back_to(door)]
    assert not was_in_courseware(learner), "the visit was not recorded"

    browser.press("Sign up", phone_number="613 555 0123", full_name="Elena Q. Garcia", agree="on")
    assert browser.response.status_code == 200
    assert browser.heading == "Would you like a coach?"
    assert "United States" in browser.page.select_one("[role=alert]").text
    assert browser.form()[1]["phone_number"] == "613 555 0123", "what was typed is kept"
    assert standing(learner).status == Status.UNDECIDED

    browser.press("Sign up", phone_number=TYPED, agree="on")
    assert browser.url.startswith(f"{ANSWERED}?")
    assert browser.heading == "You are signed up for coaching"
    assert browser.page.select_one("main bdi").text == TYPED

    go_on(browser)
    assert browser.url == door, "to the letter"
    assert browser.is_in_course

    row = standing(learner)
    assert (row.status, row.phone_number) == (Status.CONSENTED, NUMBER)
    learner.profile.refresh_from_db()
    assert (learner.profile.phone_number, learner.profile.name) == (NUMBER, "Elena Q. Garcia")
    assert kinds(learner) == ["asked", "refused", "consented"]
    assert ledger.verify_one(row) is None
    assert_never_asked_again(browser)
    assert kinds(learner) == ["asked", "refused", "consented"]


@pytest.mark.parametrize("door", DOORS.values(), ids=list(DOORS))
def test_no_thanks_course_and_never_asked_again(door, learner):
    browser = at_the_question(door)
    browser.press("No thanks")
    assert browser.url.startswith(f"{ANSWERED}?")
    assert browser.heading == "Your answer is saved"
    go_on(browser)
    assert browser.url == door, "to the letter"
    assert browser.is_in_course
    row = standing(learner)
    assert (row.status, row.phone_number) == (Status.DECLINED, "")
    learner.profile.refresh_from_db()
    assert learner.profile.phone_number is None
    assert kinds(learner) == ["asked", "declined"]
    assert ledger.verify_one(row) is None
    assert_never_asked_again(browser)


def comes_back_to(door):
    """Return what `next` holds: a legacy page is asked for by its path, the MFE's by the full address."""
    return door if "/learning/" in door else door.removeprefix(SITE)


def was_in_courseware(learner):
    """Return whether the platform noted that the learner opened a section."""
    return StudentModule.objects.filter(student=learner, module_type="chapter").exists()


def assert_never_asked_again(browser):
    """Neither in this session nor in a new one, by no door, and in no other coached run, whatever the cache knows."""
    elsewhere = Browser().open(LEGACY).log_in("eligible")
    assert elsewhere.url == LEGACY
    assert elsewhere.is_in_course
    other_run = [door.replace("MB101", "MB102") for door in DOORS.values()]
    for forget in (False, True):
        for client in (browser, elsewhere):
            for door in [*DOORS.values(), *other_run]:
                if forget:
                    cache.delete(answered.key(User.objects.get(username="eligible").id))
                assert enters(client, door), client


# On the way


def test_a_wrong_password_on_the_way_loses_nothing(learner):
    browser = Browser().open(LEGACY)
    browser.press("Sign in", email_or_username="eligible", password="wrong")
    assert browser.path == "/login"
    assert browser.page.select_one("#login-error").text
    browser.press("Sign in", email_or_username="eligible", password="edx")
    assert browser.url.startswith(f"{CONSENT}?")
    browser.press("No thanks")
    assert go_on(browser).url == LEGACY


def test_several_wrong_answers_lose_nothing(learner):
    browser = at_the_question(LEGACY)
    for typed in (
        {"phone_number": ""},
        {"phone_number": TYPED},
        {"phone_number": CANADIAN, "agree": "on"},
        {"phone_number": TYPED, "agree": "on", "full_name": ""},
        {"phone_number": TYPED, "agree": "on", "full_name": "<b>"},
    ):
        browser.press("Sign up", **typed)
        assert browser.page.select_one("[role=alert]"), typed
        assert standing(learner).status == Status.UNDECIDED
    browser.press("Sign up", phone_number=TYPED, agree="on", full_name="Elena Garcia")
    assert go_on(browser).url == LEGACY
    assert browser.is_in_course


def test_a_form_without_its_token_is_refused_and_the_way_stays_open(learner):
    browser = at_the_question(LEGACY)
    question = browser.url
    browser.press("No thanks", csrfmiddlewaretoken="x" * 64)
    assert browser.response.status_code == 403
    assert standing(learner).status == Status.UNDECIDED
    assert go_on(browser.open(question).press("No thanks")).url == LEGACY


def test_the_question_opened_in_two_tabs_is_answered_in_both(learner):
    browser = at_the_question(LEGACY)
    question = browser.url
    action, fields = browser.form()
    browser.press("No thanks")
    browser._request("post", action, {**fields, "answer": "accept", "phone_number": TYPED, "agree": "on"})
    assert browser.heading == "You are signed up for coaching"
    assert kinds(learner) == ["asked", "declined", "consented"]
    assert browser.open(question).url == LEGACY, "nothing is left to ask"


def test_the_confirmation_may_be_reloaded(learner):
    browser = at_the_question(LEGACY)
    browser.press("Sign up", phone_number=TYPED, agree="on")
    before = kinds(learner)
    for _ in range(2):
        browser.open(browser.url)
        assert browser.heading == "You are signed up for coaching"
    assert kinds(learner) == before


def test_who_leaves_without_an_answer_is_asked_at_every_door_until_there_is_one(learner):
    browser = at_the_question(LEGACY)
    for door in [*DOORS.values(), *[door.replace("MB101", "MB102") for door in DOORS.values()]]:
        browser.open(door)
        assert browser.url.startswith(f"{CONSENT}?"), browser
    browser.open(f"{SITE}/courses/{LIST1}/courseware")
    assert "/coaching/" not in browser.url, "a run in which one is not enrolled does not ask"
    browser.open(f"{SITE}/dashboard")
    assert browser.path == "/dashboard"
    assert kinds(learner) == ["asked"]


def test_who_signs_out_at_the_question_comes_back_to_it(learner):
    browser = at_the_question(LEGACY)
    question, action, fields = browser.url, *browser.form()
    browser.open(f"{SITE}/logout")
    browser._request("post", action, {**fields, "answer": "decline"})
    assert browser.response.status_code in (200, 403)
    assert standing(learner).status == Status.UNDECIDED
    browser.open(question)
    assert browser.path == "/login"
    browser.log_in("eligible")
    assert browser.url == question
    browser.press("No thanks")
    assert go_on(browser).url == LEGACY


def test_a_learner_who_changes_their_mind_signs_up_from_the_confirmation(learner):
    browser = at_the_question(LEGACY)
    browser.press("No thanks")
    (link,) = [link for link in browser.page.select("main a") if link.text == "sign up for a coach"]
    browser.follow(link)
    assert "You said no before" in browser.page.main.text
    browser.press("Sign up", phone_number=TYPED, agree="on")
    assert standing(learner).is_consented
    assert go_on(browser).url == LEGACY


def test_an_account_that_only_the_jwt_cookies_know_is_led_the_whole_way(learner):
    """The session has ended, the MFE's cookies have not: the question needs a new session first."""
    browser = at_the_question(MFE_HOME)
    del browser.client.cookies["sessionid"]
    headers = {"USE-JWT-COOKIE": "true", "Referer": MFE_HOME}
    response = browser._fetch("get", f"{SITE}/api/course_home/course_metadata/{MB101}", headers=headers)
    message = response.json()["course_access"]["developer_message"]
    browser.open(f"{SITE}{message}")
    assert browser.path == "/login"
    browser.log_in("eligible")
    assert browser.url == f"{SITE}{message}"
    browser.press("No thanks")
    assert go_on(browser).url == MFE_HOME


@pytest.mark.parametrize("username", ["boundary", "eligible2", "managed"])
def test_other_learners_who_are_asked(username):
    door = LEGACY.replace("MB101", "LIST1") if username == "eligible2" else LEGACY
    browser = at_the_question(door, username)
    browser.press("Sign up", phone_number=TYPED, agree="on")
    assert browser.heading == "You are signed up for coaching"
    assert go_on(browser).url == door
    assert browser.is_in_course


@pytest.mark.parametrize("username", ["audit", "consented", "declined", "child", "staff", "courseteam", "dormant"])
@pytest.mark.parametrize("door", [LEGACY, MFE_HOME], ids=["legacy", "MFE"])
def test_learners_who_are_not_asked_enter_at_once(username, door):
    browser = Browser().open(door).log_in(username)
    assert browser.url == door
    assert browser.is_in_course


def test_a_learner_who_returns_after_long_is_let_through_and_asked_the_next_time():
    browser = Browser().open(LEGACY).log_in("dormant")
    assert browser.is_in_course
    browser.open(LEGACY)
    assert browser.url.startswith(f"{CONSENT}?")


def test_who_is_asked_again_is_asked_once_more(learner):
    browser = at_the_question(LEGACY)
    browser.press("No thanks")
    assert enters(browser, LEGACY)
    consent.ask_again(learner, consent.Evidence(door=Door.ADMIN), reason="asked for it")
    browser.open(MFE_HOME)
    assert browser.url.startswith(f"{CONSENT}?")
    browser.press("No thanks")
    assert go_on(browser).url == MFE_HOME
    assert enters(browser, LEGACY)


def test_a_learner_enrolled_in_one_coached_run_as_audit_is_asked_there_too(learner):
    assert CourseEnrollment.objects.get(user=learner, course_id=MB102).mode == "audit"
    browser = at_the_question(LEGACY.replace("MB101", "MB102"))
    browser.press("No thanks")
    assert go_on(browser).url == LEGACY.replace("MB101", "MB102")


# The historical account MFE's door is the API; its answer counts at the course doors


def test_an_answer_through_the_api_opens_the_course(learner):
    browser = at_the_question(MFE_HOME)
    token = browser.client.cookies["csrftoken"].value
    response = browser.client.patch(
        f"/api/coaching/v1/coaching_consent/{learner.id}/",
        json.dumps({"user": learner.id, "coaching_consent": False, "consent_form_seen": True}),
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )
    assert response.status_code == 200
    assert enters(browser, MFE_HOME)
    assert enters(browser, LEGACY)


# A dead cache costs nobody an answer


@pytest.mark.parametrize("button", ["Sign up", "No thanks"])
def test_a_cache_that_is_down_costs_no_answer_and_no_course(button, learner, monkeypatch):
    browser = at_the_question(LEGACY)

    def fail(*args, **kwargs):
        raise ConnectionError

    for name in ("get", "get_many", "set", "add", "delete"):
        monkeypatch.setattr(f"django.core.cache.backends.locmem.LocMemCache.{name}", fail)
    with monkeypatch.context() as flags:
        # waffle reads its flags through the cache; what is asked here is what our own code does without one.
        flags.setattr("coaching_plugin.toggles.is_enabled", lambda: True)
        browser.press(button, phone_number=TYPED, agree="on")
    assert standing(learner).status == (Status.CONSENTED if button == "Sign up" else Status.DECLINED)
    assert browser.response.status_code == 200, browser
    assert browser.url.startswith(f"{ANSWERED}?")
    go_on(browser)
    assert browser.url == LEGACY
    assert browser.is_in_course


def test_the_addresses_here_really_are_hard_ones():
    assert "+" in LEGACY
    assert "%2B" in LEGACY
    assert urlencode({"next": LEGACY}) != f"next={LEGACY}"
