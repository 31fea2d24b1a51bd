"""Whatever people or operators enter is shown as text, on every page and in every state."""

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from common.djangoapps.student.models import UserProfile
from django.urls import reverse
from django.utils import timezone

from coaching_plugin import consent, disclosures
from coaching_plugin.models import CoachedCourse, Disclosure, Door
from tests import factories
from tests.consent_pages import (
    ACCEPT,
    COURSE,
    DECLINE,
    PAGE,
    RECEIPT,
    SHOWN,
    VISITS,
    go,
    page_of,
    prepare,
    with_next,
)
from tests.factories import evidence

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("committed")]

# Ends an attribute, an element, a comment and a script, and begins a tag.
TRICK = (
    "\"'></a></p></title>--></script><script>alert(1)</script><img src=x onerror=alert(1)>&lt;b&gt;{{ 'yi'|add:'pes' }}"
)
DISCLOSURE = (
    f"${{site_name}} and ${{partner_name}} {TRICK}\n\n"
    "<a href='javascript:alert(1)'>javascript:alert(1)</a> http://a.example.com/\"onmouseover=\"alert(1)\n\n"
    "${privacy_url}"
)


@pytest.fixture
def tricked(learner, settings):
    """A learner and a site whose every name is a trick."""
    UserProfile.objects.filter(user=learner).update(name=TRICK)
    settings.PLATFORM_NAME = f"site{TRICK}"
    settings.COACHING_PARTNER_NAME = f"partner{TRICK}"
    Disclosure.objects.create(version=99, language="en", body=DISCLOSURE, published_at=timezone.now())
    return learner


def assert_is_only_text(page):
    assert not page.main.select("script, img, b, style, iframe, svg")
    for element in page.find_all(True):
        assert not [name for name in element.attrs if name.startswith("on")]
        assert not element.get("href", "").lower().strip().startswith("javascript")
    assert "yipes" not in page.main.get_text(), "no template is made of it"


@pytest.mark.parametrize("name", SHOWN)
def test_names_and_words_are_shown_as_text(tricked, monkeypatch, set_flag, name):
    visit = VISITS[name]
    client = prepare(visit.state, tricked, monkeypatch, set_flag)
    typed = {"full_name": TRICK, "phone_number": TRICK[:50]} if visit.typed else {}
    response = go(client, replace(visit, typed={**visit.typed, **typed}))
    assert_is_only_text(page_of(response))
    assert "<script>alert" not in response.content.decode()


def test_a_browser_that_names_itself_with_html_is_shown_as_text_on_the_receipt(browser, tricked):
    agent = f"{TRICK} {'x' * 512}"
    disclosure = disclosures.current().sha256
    browser.post(PAGE, {**ACCEPT, "disclosure": disclosure}, headers={"User-Agent": agent})
    assert browser.post(PAGE, {**DECLINE, "disclosure": disclosure}, headers={"User-Agent": agent}).status_code == 302
    response = browser.get(RECEIPT)
    assert_is_only_text(page_of(response))
    shown = [element.get_text() for element in page_of(response).select(".coaching-history bdi")]
    assert shown.count(agent[:512]) == 2
    record = browser.get(f"/api/coaching/v1/receipts/{tricked.id}/")
    assert [event["user_agent"] for event in record.json()["held"]["history"]] == [agent[:512]] * 2
    assert record.headers["Content-Type"] == "application/json"


def test_an_operators_own_words_for_a_reason_are_shown_as_text_on_the_receipt(browser, tricked):
    consent.do_not_ask(tricked, evidence(Door.ADMIN, disclosure=None), TRICK[:100])
    page = page_of(browser.get(RECEIPT))
    assert_is_only_text(page)
    assert TRICK[:100] in page.select_one(".coaching-history").get_text()


def test_what_was_typed_comes_back_to_the_letter(tricked, monkeypatch, set_flag):
    visit = VISITS["errors"]
    client = prepare(visit.state, tricked, monkeypatch, set_flag)
    page = page_of(client.post(PAGE, {**visit.typed, "full_name": TRICK, "phone_number": TRICK[:40]}))
    assert page.find("input", {"name": "full_name"})["value"] == TRICK
    assert page.find("input", {"name": "phone_number"})["value"] == TRICK[:40]


def test_the_disclosure_is_text_but_for_its_links_and_paragraphs(browser, tricked):
    """And to the letter, since its digest is what is agreed to."""
    page = page_of(browser.get(PAGE))
    element = page.select_one(".coaching-disclosure")
    assert {child.name for child in element.find_all(True)} == {"p", "a"}
    shown = disclosures.current()
    assert "".join(element.get_text().split()) == "".join(shown.text.split())
    assert page.find("input", {"name": "disclosure"})["value"] == shown.sha256
    assert all(link["href"].startswith("http") for link in element.select("a"))
    assert all(set(link.attrs) <= {"href", "rel"} for link in element.select("a"))


@pytest.mark.parametrize("scheme", ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "vbscript:x"])
def test_a_privacy_address_that_is_a_script_is_no_link(browser, learner, settings, scheme):
    settings.COACHING_PRIVACY_URL = scheme
    page = page_of(browser.get(PAGE))
    assert not page.select(".coaching-disclosure a")


def test_a_way_on_with_html_in_it_is_an_address(browser, learner):
    next_url = f"{COURSE}&x=\"'><script>alert(1)</script>"
    response = browser.get(with_next(PAGE, next_url))
    assert page_of(response).find("input", {"name": "next"})["value"] == next_url
    assert_is_only_text(page_of(response))


def test_the_admin_shows_a_program_title_as_text(client, coached):
    client.force_login(factories.user(is_staff=True, is_superuser=True))
    CoachedCourse.objects.filter(course_key=factories.MB101).update(program_title=TRICK)
    page = BeautifulSoup(client.get(reverse("admin:coaching_plugin_coachedcourse_changelist")).content, "html.parser")
    assert not page.select("#result_list script, #result_list img[src=x]")
    assert TRICK in page.select_one("#result_list").get_text()
