"""WCAG 2.2 AA: every state of our pages, narrow and wide, from the left and from the right."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.factories import TYPED
from tests.in_browser.states import COURSE, ERRORS, SETTINGS, STATES, WIDTHS

pytestmark = pytest.mark.once

DIRECTIONS = {"en": "ltr", "ar": "rtl"}
AXE_RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"],
    },
    "rules": {"target-size": {"enabled": True}},
}

# WCAG 1.4.12, text spacing: what a reader may ask for.
TEXT_SPACING = """
    * { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }
    p { margin-bottom: 2em !important; }
"""
# WCAG 1.4.4, resize text.
TEXT_TWICE_AS_LARGE = "html { font-size: 200% !important; }"

# Text that is not wholly on the page, or that its own box or a neighbour's cuts.
CUT_TEXTS = """() => {
    const cut = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility() || element.closest(".coaching-visually-hidden, .skip-link"))
            continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        let inside = { left: 0, right: innerWidth, top: -Infinity, bottom: Infinity };
        const box = element.closest("button, select, .coaching-button");
        if (box)
            inside = box.getBoundingClientRect();
        for (const part of box?.tagName === "SELECT" ? [] : range.getClientRects())
            if (part.left < inside.left - 1 || part.right > inside.right + 1 || part.top < inside.top - 1 ||
                part.bottom > inside.bottom + 1)
                cut.push(node.data.trim());
    }
    for (const element of document.querySelectorAll("body *")) {
        const hides = getComputedStyle(element).overflow !== "visible" && element.checkVisibility();
        if (hides && !element.matches("input, select, .coaching-visually-hidden, .coaching-visually-hidden *") &&
            (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1))
            cut.push(element.outerHTML);
    }
    return cut;
}"""

# WCAG 2.5.8, target size. A link in a line of text is as high as its line.
SMALL_TARGETS = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select")]
    .filter(element => !element.closest(".skip-link"))
    .filter(element => !(getComputedStyle(element).display === "inline" &&
                         element.parentElement.textContent.trim() !== element.textContent.trim()))
    .filter(element => {
        const { width, height } = element.getBoundingClientRect();
        return width < 24 || height < 24;
    })
    .map(element => element.outerHTML)"""

SCROLLS_SIDEWAYS = "() => document.documentElement.scrollWidth > innerWidth"

each_state = pytest.mark.parametrize("state", STATES)
each_error = pytest.mark.parametrize("state", ERRORS)
each_direction = pytest.mark.parametrize("language", DIRECTIONS)


def axe_findings(page):
    """Return what axe finds wrong, and what it leaves to a person to judge."""
    response = Axe().run(page, options=AXE_RULES).response
    return [
        (result["id"], node["target"], node["failureSummary"])
        for result in response["violations"] + response["incomplete"]
        for node in result["nodes"]
    ]


def text_under(page, style):
    """Return the text that is cut when a reader's own style is laid over the page."""
    element = page.add_style_tag(content=style)
    cut = page.evaluate(CUT_TEXTS)
    element.evaluate("element => element.remove()")
    return cut


def resize(page, width):
    page.set_viewport_size({"width": width, "height": 900})


@each_state
def test_axe_finds_nothing_and_nothing_is_cut_small_or_beside_the_screen(visit, state):
    for language, direction in DIRECTIONS.items():
        with visit(state, language) as visited:
            page = visited.page
            assert page.locator("html").get_attribute("lang") == language
            assert page.locator("html").get_attribute("dir") == direction
            for width in WIDTHS:
                resize(page, width)
                assert axe_findings(page) == []
                assert page.evaluate(SMALL_TARGETS) == []
                assert not page.evaluate(SCROLLS_SIDEWAYS)
                assert page.evaluate(CUT_TEXTS) == []
                assert text_under(page, TEXT_SPACING) == []
            assert text_under(page, TEXT_TWICE_AS_LARGE) == []
            # A wide screen at a zoom of 200 %.
            resize(page, 640)
            assert not page.evaluate(SCROLLS_SIDEWAYS)
            assert page.evaluate(CUT_TEXTS) == []


def test_the_checks_find_what_is_wrong(visit):
    """So that an empty list says something."""
    with visit("first-visit") as visited:
        page = visited.page
        resize(page, 320)
        page.add_style_tag(
            content="""
            .coaching-lead { color: #aaa !important; white-space: nowrap; }
            .coaching-list { height: 1rem; overflow: hidden; }
            .coaching-page .coaching-agree input { width: 1rem; height: 1rem; }
            """
        )
        assert {finding[0] for finding in axe_findings(page)} == {"color-contrast"}
        assert "id_agree" in page.evaluate(SMALL_TARGETS)[0]
        assert page.evaluate(SCROLLS_SIDEWAYS)
        cut = page.evaluate(CUT_TEXTS)
        assert any(text.startswith("As a learner") for text in cut)
        assert any("coaching-list" in text for text in cut)


# Errors


@each_error
def test_an_error_is_announced_named_linked_and_keeps_what_was_typed(visit, state):
    wrong, typed = STATES[state].wrong, STATES[state].typed
    with visit(state) as visited:
        page = visited.page
        assert page.title().startswith("Error: ")
        summary = page.get_by_role("alert")
        expect(summary).to_be_focused()
        expect(summary).to_be_in_viewport()
        expect(summary).to_have_accessible_name("Your answer is not saved yet")
        assert summary.get_by_role("listitem").count() == len(wrong)

        for field, value in {"full_name": "Elena Garcia", "phone_number": TYPED, **typed}.items():
            if field != "agree":
                expect(page.locator(f"#id_{field}")).to_have_value(value)
        expect(page.locator("#id_agree")).to_be_checked(checked=typed.get("agree", True))

        for field in ("full_name", "phone_number", "agree"):
            element = page.locator(f"#id_{field}")
            if field not in wrong:
                assert element.get_attribute("aria-invalid") is None
                continue
            expect(element).to_have_attribute("aria-invalid", "true")
            link = summary.locator(f"a[href='#id_{field}']")
            # In words, not in red alone.
            said = page.locator(f"#id_{field}_error").text_content().split()
            assert said == ["Error:", *link.text_content().split()]
            assert element.get_attribute("aria-describedby").split()[0] == f"id_{field}_error"
            link.click()
            expect(element).to_be_focused()


@pytest.mark.parametrize("state", [state for state in SETTINGS if STATES[state].wrong])
def test_an_error_in_account_settings_is_announced_named_and_linked(visit, state):
    with visit(state) as visited:
        page, field = visited.page, visited.page.locator("#id_phone_number")
        assert page.title().startswith("Error: ")
        summary = page.get_by_role("alert")
        expect(summary).to_be_focused()
        expect(summary).to_have_accessible_name("Your settings are not saved yet")
        expect(field).to_have_value(STATES[state].typed["phone_number"])
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#id_agree")).to_be_checked()
        summary.get_by_role("link").click()
        expect(field).to_be_focused()


@pytest.mark.parametrize("state", ["settings-saved", "settings-on-a-page-of-a-theme"])
def test_what_is_saved_is_announced(visit, state):
    with visit(state) as visited:
        saved = visited.page.get_by_role("status")
        expect(saved).to_have_text("Your settings are saved.")
        expect(saved).to_be_focused()


def test_who_may_not_consent_any_more_is_led_on(visit):
    with visit("no-longer-eligible") as visited, visited.page.expect_request(f"**{COURSE}"):
        visited.page.get_by_role("alert").get_by_role("link", name="Continue to your course").click()


def test_every_field_says_what_it_takes(visit):
    with visit("first-visit") as visited:
        page = visited.page
        for label, autocomplete, mode in (("Full name", "name", None), ("Mobile phone number", "tel", "tel")):
            element = page.get_by_label(label)
            expect(element).to_have_attribute("autocomplete", autocomplete)
            assert element.get_attribute("inputmode") == mode
        expect(page.get_by_label("Mobile phone number")).to_have_accessible_description(
            "It must be able to receive text messages. Country: United States of America."
        )


# Parts in another language


@each_direction
def test_a_disclosure_in_another_language_says_so(visit, language):
    other = {"en": "ar", "ar": "en"}[language]
    with visit("disclosure-in-another-language", language) as visited:
        disclosure = visited.page.locator(".coaching-disclosure")
        expect(disclosure).to_have_attribute("lang", other)
        expect(disclosure).to_have_css("direction", DIRECTIONS[other])


# What a reader's system asks for


@each_direction
def test_on_paper_the_receipt_stands_alone_in_black_and_nothing_is_cut(visit, language):
    with visit("receipt", language) as visited:
        page = visited.page
        page.emulate_media(media="print")
        # The width of a sheet between its margins.
        resize(page, 700)
        for unwanted in ("header", "footer", ".skip-link", ".coaching-actions", ".coaching-screen-only"):
            expect(page.locator(unwanted)).to_be_hidden()
        for wanted in ("h1", ".coaching-lead", ".coaching-disclosure", ".coaching-history thead"):
            expect(page.locator(wanted)).to_be_visible()
        colors = "() => [...document.querySelectorAll('main *')].map(element => getComputedStyle(element).color)"
        assert "rgb(0, 0, 0)" in page.evaluate(colors)
        for link in page.locator("main .coaching-facts a, .coaching-disclosure a").all():
            expect(link).to_have_css("color", "rgb(0, 0, 0)")
        assert not page.evaluate(SCROLLS_SIDEWAYS)
        assert page.evaluate(CUT_TEXTS) == []
        # As a sheet of paper is cut, an event is on one or on the next.
        expect(page.locator(".coaching-history tbody tr").first).to_have_css("break-inside", "avoid")
        assert page.pdf(format="A4").startswith(b"%PDF")


@each_direction
def test_the_table_of_what_is_held_becomes_a_list_on_a_narrow_screen(visit, language):
    with visit("receipt", language, width=1280) as visited:
        page = visited.page
        first, second = page.locator(".coaching-history tbody tr").first.locator("td").all()[:2]
        assert first.bounding_box()["y"] == second.bounding_box()["y"]
        expect(page.get_by_role("columnheader")).to_have_count(3)
        resize(page, 320)
        assert first.bounding_box()["y"] < second.bounding_box()["y"]
        assert first.bounding_box()["x"] == second.bounding_box()["x"]
        # Still rows and cells to a screen reader.
        expect(page.get_by_role("row")).to_have_count(4)
        expect(page.get_by_role("cell")).to_have_count(12)


def test_forced_colors_leave_every_control_its_border(visit):
    with visit("everything-wrong", forced_colors="active") as visited:
        for element in visited.page.locator("main :is(button, input[type=text], input[type=tel], [role=alert])").all():
            assert element.evaluate("element => getComputedStyle(element).borderStyle") == "solid", element


def test_nothing_moves(visit):
    with visit("everything-wrong") as visited:
        assert visited.page.evaluate("() => document.getAnimations().length") == 0
        durations = "() => [...document.querySelectorAll('*')].map(e => getComputedStyle(e).transitionDuration)"
        assert set(visited.page.evaluate(durations)) == {"0s"}
