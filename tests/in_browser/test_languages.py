"""What a learner reads on our pages: all of it translated, and numbers from the left also in Arabic."""

import pytest
from bs4 import BeautifulSoup, Comment, Doctype

from tests.factories import NUMBER, TYPED
from tests.in_browser.states import STATES
from tests.pseudo_translation import CLOSE, OPEN, mark_translations, unmarked

pytestmark = pytest.mark.once


def texts_of(page):
    """Yield every text of a page: what is read, title and attributes included."""
    for element in page.find_all(["script", "style"]):
        element.decompose()
    # The disclosure has languages of its own, and the languages have their own names.
    # What was kept of somebody is as it is, and times are written as the language writes them.
    for element in page.select(".coaching-disclosure, option, .coaching-evidence, time"):
        element.decompose()
    yield from (text for text in page.strings if not isinstance(text, (Comment, Doctype)))
    for element in page.find_all(True):
        yield from (element[name] for name in ("aria-label", "title", "alt", "placeholder") if element.has_attr(name))


@pytest.mark.parametrize("state", STATES)
def test_no_text_escapes_translation(visit, state, monkeypatch):
    mark_translations(monkeypatch)
    with visit(state) as visited:
        page = BeautifulSoup(visited.page.content(), "html.parser")
    # What is no text to translate: names, the number, and the line between the page's title and the site's.
    data = {"Sandbox Academy", "| Sandbox Academy", "elena", "Elena Garcia", "elena@example.com", TYPED, NUMBER}
    data |= {"InsideTrack", "SHA-256:", "asked by telephone"}
    assert set(unmarked(texts_of(page))) <= data


def test_an_untranslated_text_stands_out():
    page = BeautifulSoup(
        f"<p>{OPEN}One <b>two</b>{CLOSE} three</p><a aria-label='four'>{OPEN}{CLOSE}</a>", "html.parser"
    )
    assert unmarked(texts_of(page)) == ["three", "four"]


# Numbers


# The characters of a text from left to right as they are painted.
AS_PAINTED = """element => {
    const text = element.firstChild;
    const place = index => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + 1);
        return range.getBoundingClientRect().left;
    };
    return [...text.data].map((character, index) => [place(index), character])
        .sort(([one], [other]) => one - other).map(([, character]) => character).join("");
}"""


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_confirmed_number_reads_from_the_left(visit, language):
    with visit("signed-up", language) as visited:
        number = visited.page.locator(".coaching-number")
        assert number.evaluate(AS_PAINTED) == TYPED
        # In one piece, on a narrow screen too.
        visited.page.set_viewport_size({"width": 320, "height": 900})
        assert number.evaluate("element => element.getClientRects().length") == 1


def test_as_painted_tells_directions_apart(visit):
    with visit("signed-up", "ar") as visited:
        number = visited.page.locator(".coaching-number")
        number.evaluate("element => { element.dir = 'rtl'; element.textContent = '(415) 555-2671'; }")
        assert number.evaluate(AS_PAINTED) != TYPED


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize(
    "typed", ["(415) 555-2671", "+1 415-555-2671", "٤١٥ ٥٥٥-٢٦٧١"], ids=["national", "full", "Arabic"]
)
def test_a_typed_number_reads_from_the_left(visit, language, typed):
    """Clicking on its left end puts the caret before its first digit, on its right end behind its last."""
    with visit("first-visit", language) as visited:
        field = visited.page.locator("#id_phone_number")
        field.fill(typed)
        width = field.bounding_box()["width"]
        text_width = field.evaluate(
            "e => { const c = document.createElement('canvas').getContext('2d'); const s = getComputedStyle(e);"
            "c.font = `${s.fontSize} ${s.fontFamily}`; return c.measureText(e.value).width; }"
        )
        padding = field.evaluate("e => parseFloat(getComputedStyle(e).paddingLeft)") + 1
        left = padding if language == "en" else width - padding - text_width
        for x, index in ((left + 1, 0), (left + text_width - 1, len(typed))):
            field.click(position={"x": x, "y": 20})
            assert field.evaluate("e => e.selectionStart") == index


def test_the_address_in_the_disclosure_reads_from_the_left(visit):
    with visit("first-visit", "ar") as visited:
        visited.page.set_viewport_size({"width": 1280, "height": 900})
        link = visited.page.locator(".coaching-disclosure a")
        assert link.evaluate(AS_PAINTED) == "https://academy.example.org/privacy"
        link.evaluate("element => { element.textContent = 'https://academy.example.org/privacy/'; }")
        assert link.evaluate(AS_PAINTED) == "https://academy.example.org/privacy/"
