"""The whole loop in a real browser: sign up, be seen by the partner, text STOP, be out, and come back by START."""

import io
import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from partner import OPT_OUT_SECRET, WEBHOOK_SECRET
from playwright.sync_api import expect

from coaching_plugin import conf
from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests.factories import NUMBER, TYPED
from tests.in_browser.test_accessibility import axe_findings
from tests.in_browser.test_walks import SIGNED_UP, expect_heading, log_in, open_question, sign_up
from tests.partner_process import running_partner

NAME = "Elena Garcia"

pytestmark = pytest.mark.once


@pytest.fixture
def partner(site, origins, settings, tmp_path):
    """The partner as a process of its own, which the LMS tells, and which tells the LMS."""
    with running_partner(tmp_path / "partner.sqlite3", lms=site) as process:
        address = process.url.replace("127.0.0.1", "localhost")
        settings.COACHING_PARTNER_CHANNELS = {
            "webhook": {
                "BACKEND": "coaching_plugin.partner.webhook.WebhookChannel",
                "OPTIONS": {"url": f"{address}/webhook", "secrets": [WEBHOOK_SECRET]},
            }
        }
        settings.COACHING_PARTNER_OPT_OUT_SECRETS = [OPT_OUT_SECRET]
        origins.add(urlsplit(process.url).netloc)
        yield process


@pytest.fixture
def learner(site):
    return User.objects.get(username="eligible")


@pytest.fixture
def windows(new_window, partner):
    """The learner's tab, and the partner's."""
    return new_window().new_page(), new_window().new_page()


def deliver():
    """Do what cron does; what the worker has delivered already is delivered once."""
    call_command("deliver_to_partner", stdout=io.StringIO())


def see_as_partner(page, partner):
    deliver()
    page.goto(partner.url)


def coached(page):
    """Return the learners on the partner's page who are to be coached."""
    return page.locator(".learner")


def test_sign_up_stop_and_come_back(windows, partner, learner):
    here, there = windows
    see_as_partner(there, partner)
    expect(there.get_by_text("Nobody.")).to_be_visible()

    open_question(here)
    sign_up(here, TYPED)
    expect_heading(here, SIGNED_UP)

    see_as_partner(there, partner)
    expect(coached(there)).to_have_count(1)
    expect(coached(there)).to_contain_text(NAME)
    expect(coached(there)).to_contain_text(NUMBER)
    there.get_by_role("button", name=re.compile("^STOP")).click()
    expect(there.get_by_text("200, withdrawn")).to_be_visible()
    row = CoachingConsent.objects.get(user=learner)
    assert (row.status, row.opted_out_at is not None) == ("withdrawn", True)

    see_as_partner(there, partner)
    expect(there.get_by_text("Nobody.")).to_be_visible()
    expect(there.get_by_text("withdrawn").first).to_be_visible()
    expect(there.get_by_text(NAME)).to_have_count(0)
    assert NUMBER not in str(partner.holds())

    here.goto("/account/settings")
    expect(here.get_by_text("START")).to_be_visible()
    expect(here.get_by_text(conf.partner_name()).first).to_be_visible()
    here.get_by_label("Phone number").fill(TYPED)
    here.get_by_label("I have read this, and I want a coach.").check()
    here.get_by_role("button", name="Save changes").click()
    expect(here.get_by_text("You are signed up.")).to_be_visible()

    see_as_partner(there, partner)
    expect(coached(there)).to_contain_text(NAME)
    kinds = ConsentEvent.objects.filter(learner_id=learner.id).order_by("sequence").values_list("kind", flat=True)
    assert list(kinds) == ["asked", "consented", "opted_out", "consented"]


def test_a_withdrawal_in_the_settings_reaches_the_partner(windows, partner, learner):
    here, there = windows
    here.goto("/account/settings")
    log_in(here)
    here.get_by_label("Phone number").fill(TYPED)
    here.get_by_label("I have read this, and I want a coach.").check()
    here.get_by_role("button", name="Save changes").click()
    see_as_partner(there, partner)
    expect(coached(there)).to_contain_text(NAME)

    here.get_by_label("I want a coach.").uncheck()
    here.get_by_role("button", name="Save changes").click()
    expect(here.get_by_role("status")).to_be_visible()
    see_as_partner(there, partner)
    expect(there.get_by_text("Nobody.")).to_be_visible()


@pytest.mark.parametrize("width", [320, 1280])
def test_the_partners_page_fits_and_is_usable_by_keyboard(new_window, partner, learner, width):
    page = new_window(width=width).new_page()
    for number in range(3):
        partner.tell(message_about(f"{number}" * 8, name="Wolfeschlegelsteinhausenbergerdorff" * (number + 1)))
    page.goto(partner.url)
    expect(coached(page)).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    button = page.get_by_role("button", name=re.compile("^STOP")).first
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("404")).to_be_visible()
    expect(page.get_by_text("Has texted STOP")).to_be_visible()
    assert axe_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def message_about(start, name):
    """Return a message about somebody of whom the LMS does not know."""
    known = {
        "partner_id": f"{start}-0000-4000-8000-000000000000",
        "sequence": 1,
        "status": "consented",
        "full_name": name,
        "phone_number": NUMBER,
        "email": f"{name}@example.com",
        "language": "en",
        "programs": ["Statistics Fundamentals"],
        "consented_at": "2026-11-26T12:00:00+00:00",
        "disclosure_version": 1,
    }
    return {"type": "learner.consented", "timestamp": "2026-11-26T12:00:00+00:00", "data": known}
