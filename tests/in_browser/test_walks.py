"""A learner's walk through the LMS in a real browser: from a course to the question, and on into the course."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from coaching_plugin import ledger
from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests.factories import CANADIAN, MB101, NUMBER, TYPED

pytestmark = pytest.mark.course_doors

QUERY = "a=1&b=%2B&c=x+y"
DOORS = {
    "legacy page": f"/courses/{MB101}/courseware/week1/lesson1/?{QUERY}",
    "learning MFE": f"/learning/course/{MB101}/home?{QUERY}",
}
QUESTION, ANSWERED = "Would you like a coach?", "Your answer is saved"
SIGNED_UP = "You are signed up for coaching"

each_door = pytest.mark.parametrize("door", DOORS.values(), ids=list(DOORS))


@pytest.fixture
def learner(site):
    return User.objects.get(username="eligible")


@pytest.fixture
def tab(new_window):
    return new_window().new_page()


def log_in(page, username="eligible"):
    """Fill in the login page."""
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Username or email").fill(username)
    page.get_by_label("Password").fill("edx")
    page.locator("main").get_by_role("button", name="Sign in").click()


def open_question(page, door=DOORS["legacy page"]):
    """Come to the question from a course, logged out."""
    page.goto(door)
    log_in(page)
    expect(page.get_by_role("heading", name=QUESTION)).to_be_visible()


def sign_up(page, number, **options):
    page.get_by_label("Mobile phone number").fill(number)
    page.get_by_label("I have read this, and I agree.").check()
    page.get_by_role("button", name="Sign up").click(**options)


def decline(page, **options):
    page.get_by_role("button", name="No thanks").click(**options)


def expect_in_course(page, door):
    expect(page.get_by_text("You are in.")).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(door) + "$"))


def expect_heading(page, text):
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def kinds(learner):
    return list(ConsentEvent.objects.filter(learner_id=learner.id).order_by("sequence").values_list("kind", flat=True))


def standing(learner):
    row = CoachingConsent.objects.get(user=learner)
    assert ledger.verify_one(row) is None
    return row


@each_door
def test_logged_out_login_question_wrong_number_right_number_course_and_never_again(tab, door, learner):
    open_question(tab, door)
    sign_up(tab, CANADIAN)
    alert = tab.get_by_role("alert")
    expect(alert).to_contain_text("United States")
    expect(alert).to_be_focused()
    expect(tab.get_by_label("Mobile phone number")).to_have_value(CANADIAN)
    expect(tab.get_by_label("I have read this, and I agree.")).to_be_checked()

    sign_up(tab, TYPED)
    expect_heading(tab, SIGNED_UP)
    expect(tab.get_by_text(TYPED)).to_be_visible()
    tab.get_by_role("link", name="Continue to your course").click()
    expect_in_course(tab, door)

    assert standing(learner).phone_number == NUMBER
    assert kinds(learner) == ["asked", "refused", "consented"]
    learner.profile.refresh_from_db()
    assert learner.profile.phone_number == NUMBER
    for again in DOORS.values():
        tab.goto(again)
        expect_in_course(tab, again)


@each_door
def test_no_thanks_and_never_asked_again(tab, door, learner):
    open_question(tab, door)
    decline(tab)
    expect_heading(tab, ANSWERED)
    tab.get_by_role("link", name="Continue to your course").click()
    expect_in_course(tab, door)
    assert kinds(learner) == ["asked", "declined"]
    for again in DOORS.values():
        tab.goto(again)
        expect_in_course(tab, again)


def test_no_thanks_and_then_a_change_of_mind(tab, learner):
    open_question(tab)
    decline(tab)
    tab.get_by_role("link", name="sign up for a coach").click()
    expect(tab.get_by_text("You said no before. You can still sign up.")).to_be_visible()
    sign_up(tab, TYPED)
    expect_heading(tab, SIGNED_UP)
    tab.get_by_role("link", name="Continue to your course").click()
    expect_in_course(tab, DOORS["legacy page"])
    assert kinds(learner) == ["asked", "declined", "consented"]


def test_the_whole_walk_without_javascript(new_window, learner):
    door = DOORS["legacy page"]
    page = new_window(java_script_enabled=False).new_page()
    open_question(page, door)
    sign_up(page, CANADIAN)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("United States")
    expect(alert).to_be_focused()
    alert.get_by_role("link").click()
    expect(page.get_by_label("Mobile phone number")).to_be_focused()
    sign_up(page, TYPED)
    expect_heading(page, SIGNED_UP)
    page.get_by_role("link", name="Continue to your course").click()
    expect_in_course(page, door)
    assert standing(learner).is_consented


def test_declining_without_javascript(new_window, learner):
    page = new_window(java_script_enabled=False).new_page()
    open_question(page)
    decline(page)
    page.get_by_role("link", name="Continue to your course").click()
    expect_in_course(page, DOORS["legacy page"])
    assert kinds(learner) == ["asked", "declined"]


# Two tabs


@pytest.fixture
def two_tabs(new_window, learner):
    """Two tabs of one learner, the question open in both."""
    window = new_window()
    one, other = window.new_page(), window.new_page()
    open_question(one)
    other.goto(DOORS["learning MFE"])
    expect_heading(other, QUESTION)
    return one, other


def test_yes_in_one_tab_and_later_no_in_the_other_is_a_withdrawal(two_tabs, learner):
    one, other = two_tabs
    sign_up(one, TYPED)
    expect_heading(one, SIGNED_UP)
    decline(other)
    expect_heading(other, ANSWERED)
    assert kinds(learner) == ["asked", "consented", "withdrawn"]
    one.reload()
    expect_heading(one, ANSWERED)


def test_no_in_one_tab_and_later_yes_in_the_other_is_a_yes(two_tabs, learner):
    one, other = two_tabs
    decline(one)
    expect_heading(one, ANSWERED)
    sign_up(other, TYPED)
    expect_heading(other, SIGNED_UP)
    assert kinds(learner) == ["asked", "declined", "consented"]
    other.get_by_role("link", name="Continue to your course").click()
    expect(other.get_by_text("You are in.")).to_be_visible()


def test_both_tabs_at_the_same_moment_end_in_one_story(two_tabs, learner):
    one, other = two_tabs
    sign_up(one, TYPED, no_wait_after=True)
    decline(other, no_wait_after=True)
    for page in two_tabs:
        expect(page).to_have_url(re.compile("/coaching/consent/answered/"))
    assert kinds(learner) in (["asked", "consented", "withdrawn"], ["asked", "declined", "consented"])
    row = standing(learner)
    for page in two_tabs:
        page.reload()
        expect_heading(page, SIGNED_UP if row.is_consented else ANSWERED)


def test_an_impatient_learner_who_clicks_twice_answers_once(tab, learner):
    open_question(tab)
    tab.get_by_label("Mobile phone number").fill(TYPED)
    tab.get_by_label("I have read this, and I agree.").check()
    tab.get_by_role("button", name="Sign up").dblclick()
    expect_heading(tab, SIGNED_UP)
    assert kinds(learner) == ["asked", "consented"]


# Coming back


def test_going_back_after_an_answer_asks_no_second_time(tab, learner):
    open_question(tab)
    sign_up(tab, TYPED)
    expect_heading(tab, SIGNED_UP)
    tab.go_back()
    expect_in_course(tab, DOORS["legacy page"])
    assert kinds(learner) == ["asked", "consented"]


def test_reloading_the_confirmation_answers_no_second_time(tab, learner):
    open_question(tab)
    sign_up(tab, TYPED)
    expect_heading(tab, SIGNED_UP)
    tab.reload()
    expect_heading(tab, SIGNED_UP)
    assert kinds(learner) == ["asked", "consented"]


def test_who_was_logged_out_meanwhile_logs_in_and_is_asked_again(new_window, learner):
    window = new_window()
    tab = window.new_page()
    open_question(tab)
    window.clear_cookies(name="sessionid")
    sign_up(tab, TYPED)
    log_in(tab)
    expect_heading(tab, QUESTION)
    assert kinds(learner) == ["asked"]
    sign_up(tab, TYPED)
    expect_heading(tab, SIGNED_UP)
    tab.get_by_role("link", name="Continue to your course").click()
    expect_in_course(tab, DOORS["legacy page"])


def test_a_page_that_fails_leads_on_to_the_course_all_the_same(tab, learner, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("coaching_plugin.consent.standing", fail)
    tab.goto(DOORS["learning MFE"])
    log_in(tab)
    expect_heading(tab, "Something went wrong on our side")
    tab.get_by_role("link", name="Continue to your course").click()
    expect_in_course(tab, DOORS["learning MFE"])


# Account settings


def test_from_the_confirmation_to_the_settings_another_number_and_out_again(tab, learner):
    open_question(tab)
    sign_up(tab, TYPED)
    tab.get_by_role("link", name="coaching settings").click()
    expect_heading(tab, "Coaching settings")
    tab.get_by_label("Phone number").fill("212-555-2368")
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.get_by_role("status")).to_have_text("Your settings are saved.")
    assert standing(learner).phone_number == "+12125552368"

    tab.get_by_label("I want a coach.").uncheck()
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.get_by_text("You are not signed up for coaching.")).to_be_visible()
    tab.get_by_role("link", name="Go back").click()
    expect_in_course(tab, DOORS["legacy page"])
    assert kinds(learner) == ["asked", "consented", "phone_changed", "withdrawn"]


def test_a_themes_page_saves_and_comes_back_to_itself_without_javascript(new_window, learner):
    page = new_window(java_script_enabled=False).new_page()
    page.goto("/account/settings")
    log_in(page)
    expect_heading(page, "Account settings")
    page.get_by_label("Phone number").fill(CANADIAN)
    page.get_by_label("I have read this, and I want a coach.").check()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("alert")).to_contain_text("United States")
    page.get_by_label("Phone number").fill(TYPED)
    page.get_by_role("button", name="Save changes").click()
    expect_heading(page, "Account settings")
    expect(page.get_by_role("status")).to_have_text("Your settings are saved.")
    assert kinds(learner) == ["refused", "consented"]


def test_the_receipt_from_the_confirmation_and_the_way_out_by_it_without_javascript(new_window, learner):
    page = new_window(java_script_enabled=False).new_page()
    open_question(page)
    sign_up(page, TYPED)
    page.get_by_role("link", name="Your receipt").click()
    expect_heading(page, "Your coaching receipt")
    expect(page.get_by_text("This stands until you end it.")).to_be_visible()
    expect(page.locator(".coaching-lead")).to_contain_text(TYPED)
    page.get_by_role("link", name="stop being coached").click()
    expect_heading(page, "Coaching settings")
    page.get_by_label("I want a coach.").uncheck()
    page.get_by_role("button", name="Save changes").click()
    page.get_by_role("link", name="Your receipt").click()
    expect(page.get_by_text("You ended it. You are not coached now.")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_role("link", name="Go back").click()
    expect_in_course(page, DOORS["legacy page"])
    assert kinds(learner) == ["asked", "consented", "withdrawn"]


def test_an_impatient_learner_who_saves_twice_saves_once(tab, learner):
    tab.goto("/account/settings")
    log_in(tab)
    tab.get_by_label("Phone number").fill(TYPED)
    tab.get_by_label("I have read this, and I want a coach.").check()
    tab.get_by_role("button", name="Save changes").dblclick()
    expect(tab.get_by_text("You are signed up.")).to_be_visible()
    assert kinds(learner) == ["consented"]
