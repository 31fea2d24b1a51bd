"""The report in a browser: charts that say what the tables say; without script, on a phone, on paper, and for axe."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from playwright.sync_api import expect

from tests.in_browser.test_accessibility import DIRECTIONS, SCROLLS_SIDEWAYS, SMALL_TARGETS, axe_findings

pytestmark = pytest.mark.once

PATH = "/coaching/report/"
CHARTS = ["funnel", "weeks", "rate", "delays", "persistence"]
# What Chart.js holds of each canvas: it knows its charts by their canvases.
DRAWN = """() => Object.fromEntries([...document.querySelectorAll("canvas[data-coaching-chart]")].map(canvas => {
    const chart = Chart.getChart(canvas);
    return [canvas.dataset.coachingChart, chart && {
        labels: chart.data.labels,
        values: chart.data.datasets.map(set => set.shares || set.data),
        shown: canvas.checkVisibility(),
        painted: canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(part => part),
        animated: chart.options.animation !== false,
    }];
}))"""


@pytest.fixture
def report(new_window, site):
    """Return what opens the report, on the crowd of the demo, in a window of a width, language and so on."""
    call_command("seed_crowd")
    client = Client()
    client.force_login(User.objects.get(username="staff"))

    def open_report(query="", **options):
        window = new_window(**options)
        window.add_cookies([{"name": "sessionid", "value": client.session.session_key, "url": site}])
        page = window.new_page()
        page.goto(PATH + query)
        return page

    return open_report


def test_each_chart_draws_the_numbers_of_its_table(report):
    page = report()
    drawn = page.evaluate(DRAWN)
    assert list(drawn) == CHARTS
    assert all(chart["shown"] and chart["painted"] for chart in drawn.values())

    def column(table, number):
        return page.locator(f"#table-{table} tbody tr td:nth-of-type({number})").all_inner_texts()

    asked = [int(text) if text.isdigit() else None for text in column("weeks", 2)]
    drawn_asked = [value for value in drawn["weeks"]["values"][0] if value is not None]
    assert drawn_asked == [number for number in asked if number is not None]
    assert [str(value) for value in drawn["delays"]["values"][0]] == column("delays", 1)
    shares = [text for text, group in zip(column("persistence", 3), ["yes", "no", "difference"] * 4, strict=True)]
    said_yes = [f"{value * 100:.1f}%" for value in drawn["persistence"]["values"][0]]
    assert said_yes == shares[::3]


def test_nothing_moves_for_those_who_want_it_still(report):
    assert {chart["animated"] for chart in report(reduced_motion="reduce").evaluate(DRAWN).values()} == {False}


def test_without_script_the_tables_say_it_all(report):
    page = report(java_script_enabled=False)
    assert page.locator("table").count() == 6
    assert not page.locator("figure").first.is_visible()
    assert page.get_by_role("button", name="Count anew").is_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_and_nothing_is_small_or_beside_the_screen(report, language, width):
    page = report(language=language, width=width)
    assert page.locator("html").get_attribute("dir") == DIRECTIONS[language]
    # Of what is scrolled out of sight axe cannot tell the contrast, and at 1280 nothing is.
    assert [finding for finding in axe_findings(page) if finding[0] != "color-contrast" or width == 1280] == []
    assert page.evaluate(SMALL_TARGETS) == []
    assert not page.evaluate(SCROLLS_SIDEWAYS)
    # A table that is too wide is scrolled within itself, and by the keyboard.
    scrolled = page.locator("#table-funnel").locator("xpath=..")
    assert scrolled.get_attribute("tabindex") == "0"
    assert scrolled.evaluate("element => element.scrollWidth > element.clientWidth") is (width == 320)


def test_each_chart_has_a_name_and_leads_to_its_table(report):
    page = report()
    for canvas in page.locator("canvas").all():
        assert canvas.get_attribute("role") == "img"
        assert canvas.get_attribute("aria-label").startswith("Chart: ")
        assert page.locator(f"#{canvas.get_attribute('aria-describedby')}").is_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_it_prints_on_sheets_of_a4_with_its_charts(report, language):
    page = report(language=language)
    document = page.pdf(prefer_css_page_size=True)
    assert document.startswith(b"%PDF")
    assert set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", document)) == {(b"594.95996", b"841.91998")}
    assert 3 <= len(re.findall(rb"/Type /Page\b", document)) <= 9
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 900})
    assert not page.get_by_role("button", name="Count anew").is_visible()
    assert not page.evaluate(SCROLLS_SIDEWAYS)
    assert all(chart["painted"] for chart in page.evaluate(DRAWN).values())


def test_a_program_and_a_run_are_a_click_away_and_so_is_the_way_back(report):
    page = report()
    page.get_by_role("link", name="Statistics Fundamentals").click()
    expect(page.locator(".coaching-lead")).to_have_text("Statistics Fundamentals")
    page.get_by_role("link", name="course-v1:DemoX+MB102+2026").click()
    expect(page.locator(".coaching-lead")).to_have_text("course-v1:DemoX+MB102+2026")
    # Drawn once the page is there.
    expect(page.locator("canvas").first).to_be_visible()
    page.get_by_role("link", name="To the report on all learners").click()
    expect(page.locator(".coaching-lead")).to_have_text("All learners")


def test_a_table_is_downloaded_as_csv(report):
    page = report()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV: Week by week").click()
    assert download.value.suggested_filename.startswith("coaching-weeks-")


def test_counting_anew_leads_back_to_the_report(report):
    page = report()
    page.get_by_role("button", name="Count anew").click()
    page.wait_for_url(f"**{PATH}")
    expect(page.locator("h1")).to_have_text("Coaching report")
