"""Our pages with the keyboard alone, from the left and from the right."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from coaching_plugin import consent
from tests.factories import CANADIAN, NUMBER, TYPED
from tests.in_browser.states import (
    COURSE,
    ENDINGS,
    ERRORS,
    PAGE,
    RECEIPT_PAGE,
    RECEIPTS,
    SETTINGS,
    SETTINGS_PAGE,
    STATES,
)

pytestmark = pytest.mark.once

each_direction = pytest.mark.parametrize("language", ["en", "ar"])

HEADER = ["#main", "/", "/dashboard", "/account/settings", "/logout"]
FORM = ["id_full_name", "id_phone_number", "https://academy.example.org/privacy", "id_agree", "accept", "decline"]
FOOTER = ["footer-language", "submit"]

FOCUSED = """() => {
    const { id, value, type } = document.activeElement;
    return id || value || document.activeElement.getAttribute("href") || type || "";
}"""

# The contrast of the line around what is focused with what is behind it (WCAG 2.4.7 and 1.4.11).
FOCUS_CONTRAST = """() => {
    const channels = color => color.match(/[\\d.]+/g).map(Number);
    const luminance = color => {
        const [red, green, blue] = channels(color).map(value => value / 255)
            .map(value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4);
        return .2126 * red + .7152 * green + .0722 * blue;
    };
    const { outlineColor, outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    if (outlineStyle === "none" || parseFloat(outlineWidth) < 2)
        return 0;
    let behind = document.activeElement.parentElement;
    while (channels(getComputedStyle(behind).backgroundColor)[3] === 0)
        behind = behind.parentElement;
    const [dark, light] = [outlineColor, getComputedStyle(behind).backgroundColor].map(luminance).sort((a, b) => a - b);
    return (light + .05) / (dark + .05);
}"""
# Nothing covers what is focused, and it is on the screen (WCAG 2.4.11).
FOCUS_IS_SEEN = """() => {
    const { left, right, top, bottom } = document.activeElement.getClientRects()[0];
    const [highest, lowest] = [Math.max(top, 0), Math.min(bottom, innerHeight)];
    const found = document.elementFromPoint((left + right) / 2, (highest + lowest) / 2);
    return highest < lowest && document.activeElement.contains(found);
}"""
# Where what is focused stands in the order in which one reads: the line, then the place in it.
PLACE = """() => {
    const { left, right, top, bottom } = document.activeElement.getBoundingClientRect();
    const start = getComputedStyle(document.documentElement).direction === "rtl" ? innerWidth - right : left;
    return { top: top + scrollY, bottom: bottom + scrollY, start };
}"""


def focused(page):
    return page.evaluate(FOCUSED)


def expect_seen(page):
    assert page.evaluate(FOCUS_IS_SEEN), focused(page)
    assert page.evaluate(FOCUS_CONTRAST) >= 3, focused(page)


def walk(page):
    """Press Tab to the end of the page and return what was met; each is seen, and follows the one before as read."""
    met, before = [], None
    while True:
        page.keyboard.press("Tab")
        name = focused(page)
        if not name or (met and name == "#main"):
            return met
        expect_seen(page)
        place = page.evaluate(PLACE)
        # The skip link lies over the header.
        if before and met != ["#main"]:
            assert place["top"] >= before["bottom"] - 1 or place["start"] > before["start"], name
        met.append(name)
        before = place


def tab_to(page, name):
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    pytest.fail(f"Tab does not lead to {name}")


# The order

# States of account settings in which nothing was sent yet.
UNSAVED = ("settings", "settings-not-available")
# Those in which something is recorded of the learner, to which a link then leads.
RECORDED = ("settings-saved", "settings-number-refused", "settings-number-needed")


def leading_on(path, way_on=COURSE):
    return f"{path}?{urlencode({'next': way_on})}"


def expected_order(state):
    if state in ENDINGS:
        way_on = "/dashboard" if state == "signed-up-without-a-course" else COURSE
        changes = {"said-no": [PAGE], "page-fails": []}.get(state, [SETTINGS_PAGE])
        pages = [*changes, RECEIPT_PAGE] if changes else []
        return [*HEADER, *(leading_on(page, way_on) for page in pages), way_on, *FOOTER]
    if state in RECEIPTS:
        ends = [leading_on(SETTINGS_PAGE)] if state == "receipt" else []
        words = FORM[2:3] if state in ("receipt", "receipt-withdrawn") else []
        account = [] if state == "receipt-of-nobody" else ["https://account.example.org/"]
        return [*HEADER, *ends, COURSE, *ends, *words, *account, *FOOTER]
    if state in SETTINGS:
        wrong = [f"#id_{field}" for field in STATES[state].wrong]
        # Who is signed up is shown no terms.
        terms = [] if state in ("settings-saved", "settings-number-needed") else FORM[2:3]
        form = [] if state == "settings-not-available" else [FORM[1], *terms, FORM[3], "submit"]
        held = [leading_on(RECEIPT_PAGE)] if state in RECORDED else []
        way_on = [] if state == "settings-on-a-page-of-a-theme" else [COURSE]
        # The focus is on what was saved, or could not be, from the start.
        header = HEADER if state in UNSAVED else []
        return [*header, *wrong, *form, *held, *way_on, *FOOTER]
    form = FORM[1:] if state == "name-managed" else FORM
    if state in ERRORS:
        # The focus is on the summary from the start.
        wrong = STATES[state].wrong
        return [*(f"#id_{field}" if field else COURSE for field in wrong), *form, *FOOTER]
    return [*HEADER, *form, *FOOTER]


# Every state from the right and narrow, where most can go wrong; from the left and wide, one of each kind.
WALKS = [(state, "ar", 320) for state in STATES]
WALKS += [(state, "en", 1280) for state in ("first-visit", "everything-wrong", "said-no")]


@pytest.mark.parametrize(("state", "language", "width"), WALKS)
def test_tab_goes_through_the_page_as_one_reads_it_and_is_seen(visit, settings, state, language, width):
    # Not at a port that differs each time.
    settings.ACCOUNT_MICROFRONTEND_URL = "https://account.example.org/"
    with visit(state, language, width=width) as visited:
        news = visited.page.locator("[autofocus]")
        assert news.count() == (state in ERRORS or state in SETTINGS and state not in UNSAVED)
        if news.count():
            expect(news).to_be_focused()
            expect_seen(visited.page)
        assert walk(visited.page) == expected_order(state)


@each_direction
def test_the_skip_link_leads_past_the_header(visit, language):
    with visit("first-visit", language) as visited:
        page = visited.page
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.keyboard.press("Tab")
        assert focused(page) == "id_full_name"


# Whole walks


@each_direction
def test_signing_up(visit, language):
    with visit("first-visit", language) as visited:
        page = visited.page
        tab_to(page, "id_phone_number")
        page.keyboard.type(TYPED)
        tab_to(page, "id_agree")
        page.keyboard.press("Space")
        expect(page.locator("#id_agree")).to_be_checked()
        tab_to(page, "accept")
        page.keyboard.press("Enter")
        page.wait_for_url("**/answered/**")
        assert consent.standing(visited.learner).is_consented
        tab_to(page, COURSE)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{COURSE}")


@each_direction
def test_declining(visit, language):
    with visit("first-visit", language) as visited:
        page = visited.page
        tab_to(page, "decline")
        page.keyboard.press("Space")
        page.wait_for_url("**/answered/**")
        assert consent.standing(visited.learner).status == "declined"
        tab_to(page, COURSE)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{COURSE}")


@each_direction
def test_mending_errors(visit, language):
    with visit("first-visit", language) as visited:
        page = visited.page
        tab_to(page, "id_phone_number")
        page.keyboard.type(CANADIAN)
        page.keyboard.press("Enter")
        summary = page.get_by_role("alert")
        expect(summary).to_be_focused()
        # Enter in a field signs up, or tries to; it never declines.
        assert consent.standing(visited.learner).status == "undecided"

        tab_to(page, "#id_phone_number")
        page.keyboard.press("Enter")
        expect(page.locator("#id_phone_number")).to_be_focused()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(TYPED)
        tab_to(page, "id_agree")
        page.keyboard.press("Space")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        assert focused(page) == "id_phone_number"
        page.keyboard.press("Enter")
        page.wait_for_url("**/answered/**")
        assert consent.standing(visited.learner).phone_number == NUMBER
