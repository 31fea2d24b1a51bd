"""The card on the dashboard in a real browser: placed once, signed up from, dismissed, and honest where that fails."""

import re

import pytest
from playwright.sync_api import expect

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent
from tests.factories import TYPED
from tests.in_browser.card_states import CARD_STATES, DASHBOARD, RESOURCE, dismiss
from tests.in_browser.states import WIDTHS
from tests.in_browser.test_accessibility import (
    CUT_TEXTS,
    DIRECTIONS,
    SCROLLS_SIDEWAYS,
    SMALL_TARGETS,
    TEXT_SPACING,
    TEXT_TWICE_AS_LARGE,
    axe_findings,
    resize,
    text_under,
)
from tests.in_browser.test_keyboard import expect_seen, focused, tab_to, walk

pytestmark = pytest.mark.once

CARD = ".coaching-card"
CONSENT = "/coaching/consent/?next=%2Fdashboard"
SAVED = "You won’t see this again."
FAILED = "This could not be saved. Try again in a little while, or reload the page."

each_direction = pytest.mark.parametrize("language", DIRECTIONS)


def is_dismissed(learner):
    return CoachingConsent.objects.filter(user=learner, card_dismissed_at__isnull=False).exists()


def status_of(page):
    return page.locator(CARD).get_by_role("status")


# Where it stands


def test_it_stands_once_at_the_top_of_the_side_column(visit):
    with visit("dashboard-card-shown") as visited:
        page = visited.page
        expect(page.locator(CARD)).to_have_count(1)
        expect(page.locator(f".side-container > {CARD}:first-child")).to_have_count(1)
        expect(page.get_by_role("region", name="Would you like a coach?")).to_be_visible()
        expect(page.get_by_role("complementary").get_by_role("heading", level=2)).to_have_text(
            "Would you like a coach?"
        )


def test_in_a_theme_that_prints_it_it_stands_once_where_the_theme_puts_it(visit, use_theme):
    use_theme("prints_the_card")
    with visit("dashboard-card-shown") as visited:
        page = visited.page
        expect(page.locator(CARD)).to_have_count(1)
        expect(page.locator(f".side-container > p + {CARD}")).to_have_count(1)
        # The theme and our step both print the script.
        assert page.locator("script[src$='dashboard_card.js']").count() == 2
        sent = []
        page.on("request", lambda request: sent.append(request.method) if "dashboard_card/" in request.url else None)
        dismiss(page)
        expect(status_of(page)).to_have_text(SAVED)
        assert sent == ["PATCH"]


@pytest.mark.parametrize("state", CARD_STATES)
def test_axe_finds_nothing_and_nothing_is_cut_small_or_beside_the_screen(visit, state):
    for language, direction in DIRECTIONS.items():
        with visit(state, language) as visited:
            page = visited.page
            expect(page.locator(CARD)).to_have_css("direction", direction)
            for width in WIDTHS:
                resize(page, width)
                assert axe_findings(page) == []
                assert page.evaluate(SMALL_TARGETS) == []
                assert not page.evaluate(SCROLLS_SIDEWAYS)
                assert page.evaluate(CUT_TEXTS) == []
                assert text_under(page, TEXT_SPACING) == []
            assert text_under(page, TEXT_TWICE_AS_LARGE) == []


def test_forced_colors_leave_every_control_its_border(visit):
    with visit("dashboard-card-shown", forced_colors="active") as visited:
        for element in visited.page.locator(f"{CARD} :is(a, button)").all():
            assert element.evaluate("element => getComputedStyle(element).borderColor") != "rgba(0, 0, 0, 0)"


# Signing up


def test_signing_up_from_the_card_leads_back_to_a_dashboard_without_it(visit):
    with visit("dashboard-card-declined-before") as visited:
        page = visited.page
        page.get_by_role("link", name="Learn more or sign up").click()
        expect(page.get_by_role("heading", name="Would you like a coach?")).to_be_visible()
        visited.sign_up()
        page.get_by_role("link", name="Continue to your dashboard").click()
        expect(page).to_have_url(re.compile(f"{DASHBOARD}$"))
        expect(page.locator(CARD)).to_have_count(0)
        assert consent.standing(visited.learner).is_consented


# Dismissing


@each_direction
def test_it_is_dismissed_on_the_page_with_the_focus_on_what_is_said_and_does_not_come_back(visit, language):
    with visit("dashboard-card-shown", language) as visited:
        page = visited.page
        page.evaluate("window.isSamePage = true")
        tab_to(page, CONSENT)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        status = status_of(page)
        expect(page.locator(f"{CARD} :is(h2, a, button)")).to_have_count(0)
        expect(status).to_be_focused()
        assert status.text_content() == status.get_attribute("data-saved")
        assert page.evaluate("window.isSamePage")
        assert is_dismissed(visited.learner)
        page.keyboard.press("Tab")
        assert focused(page) == "footer-language", "one goes on from where the card was"
        page.reload()
        expect(page.locator(CARD)).to_have_count(0)


def test_the_live_region_is_there_before_it_says_something(visit):
    with visit("dashboard-card-shown") as visited:
        expect(status_of(visited.page)).to_have_count(1)
        expect(status_of(visited.page)).to_be_empty()


def test_two_clicks_send_one_dismissal(visit):
    with visit("dashboard-card-shown") as visited:
        page, held = visited.page, []
        page.route(RESOURCE, lambda route: held.append(route))
        dismiss(page)
        expect(status_of(page)).to_have_text("Saving…")
        page.locator(f"{CARD} button").click(force=True)
        page.keyboard.press("Enter")
        assert len(held) == 1
        held[0].continue_()
        expect(status_of(page)).to_have_text(SAVED)
        assert len(held) == 1


# Where that fails


def expect_failed(page):
    """Nothing is lost: it says so, all of the card is there, and the focus is where it was."""
    expect(status_of(page)).to_have_text(FAILED)
    expect(page.get_by_role("link", name="Learn more or sign up")).to_be_visible()
    expect(page.locator(f"{CARD} button")).to_be_focused()
    expect(page.locator(f"{CARD} button")).to_be_enabled()


def try_again(visited):
    visited.page.unroute(RESOURCE)
    visited.page.keyboard.press("Enter")
    expect(status_of(visited.page)).to_have_text(SAVED)
    expect(visited.page.locator(".coaching-card-failed")).to_have_count(0)
    assert is_dismissed(visited.learner)


ANSWERS = {
    "server down": lambda route: route.abort(),
    "unavailable": lambda route: route.fulfill(status=503, body="Service Unavailable"),
    "refused": lambda route: route.fulfill(status=403, json={"detail": "CSRF Failed"}),
    "too often": lambda route: route.fulfill(status=429, json={"detail": "Wait."}),
    "a page of somebody else's": lambda route: route.fulfill(status=200, body="<h1>Log in to the hotel's network</h1>"),
    "still shown": lambda route: route.fulfill(status=200, json={"show": True}),
    "nothing": lambda route: route.fulfill(status=200, body="null", content_type="application/json"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_was_not_stored_is_said_and_can_be_tried_again(visit, answer):
    with visit("dashboard-card-shown") as visited:
        visited.page.route(RESOURCE, ANSWERS[answer])
        dismiss(visited.page)
        expect_failed(visited.page)
        assert not is_dismissed(visited.learner)
        try_again(visited)


def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(visit):
    with visit("dashboard-card-shown") as visited:
        page, held = visited.page, []
        page.clock.install()
        page.reload()
        page.route(RESOURCE, lambda route: held.append(route))
        dismiss(page)
        page.clock.fast_forward(9_000)
        expect(status_of(page)).to_have_text("Saving…")
        page.clock.fast_forward(2_000)
        expect_failed(page)
        held[0].abort()
        try_again(visited)


def test_who_was_logged_out_meanwhile_is_told(visit):
    with visit("dashboard-card-shown") as visited:
        visited.page.context.clear_cookies(name="sessionid")
        dismiss(visited.page)
        expect_failed(visited.page)
        assert not is_dismissed(visited.learner)


def test_going_on_before_the_answer_loses_no_dismissal(visit):
    with visit("dashboard-card-shown") as visited:
        page = visited.page
        with page.expect_request(RESOURCE):
            page.evaluate("document.querySelector('.coaching-card button').click(); location.assign('/privacy')")
        page.wait_for_url("**/privacy")
        for _ in range(50):
            if is_dismissed(visited.learner):
                break
            page.wait_for_timeout(100)
        page.goto(DASHBOARD)
        expect(page.locator(CARD)).to_have_count(0)


# Without a script


def test_without_javascript_the_stock_dashboard_is_as_it_was(visit, new_window, site):
    with visit("dashboard-card-shown") as visited:
        window = new_window(java_script_enabled=False)
        window.add_cookies(visited.page.context.cookies())
        page = window.new_page()
        page.goto(DASHBOARD)
        expect(page.get_by_role("heading", name="My courses")).to_be_visible()
        expect(page.locator(CARD)).to_have_count(0)


@each_direction
def test_without_javascript_a_theme_that_prints_the_card_has_all_of_it(visit, new_window, use_theme, language):
    use_theme("prints_the_card")
    with visit("dashboard-card-shown", language) as visited:
        window = new_window(java_script_enabled=False, width=320, language=language)
        window.add_cookies(visited.page.context.cookies())
        page = window.new_page()
        page.goto(DASHBOARD)
        expect(page.locator(f"{CARD} a")).to_have_attribute("href", CONSENT)
        page.locator(f"{CARD} button").click()
        expect(page).to_have_url(re.compile(f"{DASHBOARD}$"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Themed")
        expect(page.locator(CARD)).to_have_count(0)
        assert is_dismissed(visited.learner)


# The keyboard


@each_direction
@pytest.mark.parametrize("state", ["dashboard-card-shown", "dashboard-card-declined-before"])
def test_tab_goes_through_the_dashboard_as_one_reads_it_and_is_seen(visit, state, language):
    with visit(state, language, width=320) as visited:
        met = walk(visited.page)
        assert met[-4:] == [CONSENT, "submit", "footer-language", "submit"]


def test_after_a_failure_the_button_is_still_where_the_focus_is_and_it_is_seen(visit):
    with visit("dashboard-card-dismissal-fails") as visited:
        expect(visited.page.locator(f"{CARD} button")).to_be_focused()
        visited.page.keyboard.press("Shift+Tab")
        visited.page.keyboard.press("Tab")
        expect_seen(visited.page)


def test_signing_up_with_the_keyboard(visit):
    with visit("dashboard-card-shown") as visited:
        page = visited.page
        tab_to(page, CONSENT)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{CONSENT}")
        visited.sign_up(phone_number=TYPED)
        assert consent.standing(visited.learner).is_consented
