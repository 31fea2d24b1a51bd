"""The React components in a small MFE, in their slots, against the running LMS: what a learner does there."""

import json
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from coaching_plugin import disclosures
from coaching_plugin.models import Disclosure
from tests.factories import NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED
from tests.in_browser.states import LANGUAGES, WIDTHS
from tests.in_browser.test_accessibility import CUT_TEXTS, SCROLLS_SIDEWAYS, SMALL_TARGETS, axe_findings
from tests.in_browser.test_screenshots import IMAGES, UPDATES, few_colors
from tests.in_browser.test_walks import kinds, standing

# What Chromium shows is the same on every platform and database.
pytestmark = pytest.mark.once

BUILT = Path(__file__).parents[2] / "frontend" / "host" / "dist"
DIRECTIONS = {"en": "ltr", "es-419": "ltr", "ar": "rtl"}
# What a host has for screen readers alone.
CUT_FROM_HOST = CUT_TEXTS.replace(".coaching-visually-hidden", ".sr-only")
# No number begins so after the area code.
INVALID = "(415) 155-2671"


class HostHandler(SimpleHTTPRequestHandler):
    """Serves the built host, with the address of the LMS in its configuration."""

    def __init__(self, *args, lms_url, **kwargs):
        self.config = json.dumps({"LMS_BASE_URL": lms_url}).encode()
        super().__init__(*args, **kwargs)

    def do_GET(self):
        if urlsplit(self.path).path != "/config.json":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(self.config)

    def log_message(self, *args):
        pass


@pytest.fixture
def host(site, settings, origins):
    """The address of the host: another origin than the LMS, which knows it as that of its MFEs."""
    if not (BUILT / "host.js").exists():
        say = pytest.fail if os.environ.get("REQUIRE_FRONTEND") == "1" else pytest.skip
        say("The MFE components were not tried: their host is not built (in frontend/: npm ci, build, build:host).")
    # Browsers tell an origin the cookies of another one only where both are of one name.
    name = urlsplit(site).hostname
    server = ThreadingHTTPServer((name, 0), partial(HostHandler, directory=BUILT, lms_url=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://{name}:{server.server_port}"
    origins.add(urlsplit(url).netloc)
    settings.CORS_ALLOWED_ORIGINS = [url]
    settings.CSRF_TRUSTED_ORIGINS = [site, url]
    settings.LOGIN_REDIRECT_WHITELIST = [urlsplit(url).netloc]
    settings.ACCOUNT_MICROFRONTEND_URL = f"{url}/account.html"
    settings.LEARNER_HOME_MICROFRONTEND_URL = f"{url}/dashboard.html"
    # The server's own address, with another port each time, would be on every screenshot.
    settings.COACHING_PRIVACY_URL = "https://academy.example.org/privacy"
    yield url
    server.shutdown()
    server.server_close()


@pytest.fixture
def learner(site):
    return User.objects.get(username="eligible")


@pytest.fixture
def open_page(new_window, host):
    """Log in on the LMS, to which the host leads, and come back to a page of it."""

    def open_in(name, **options):
        page = new_window(**options).new_page()
        page.goto(f"{host}/{name}.html")
        page.locator("[name=email_or_username]").fill("eligible")
        page.locator("[name=password]").fill("edx")
        page.locator("main [type=submit]").click()
        expect(page.locator("h1")).to_be_visible()
        expect(page).to_have_url(f"{host}/{name}.html")
        return page

    return open_in


# Account settings


def phone(page):
    return page.locator("#coaching-phone-number")


def save(page, typed):
    phone(page).fill(typed)
    page.get_by_role("button", name="Save phone number").click()


def consent(page):
    return page.get_by_role("switch")


def described_by(element):
    """Return the text of all that describes an element."""
    return element.evaluate(
        "e => (e.getAttribute('aria-describedby') || '').split(' ')"
        ".map(id => document.getElementById(id)?.textContent).join(' ')"
    )


def profile_number(learner):
    learner.profile.refresh_from_db()
    return learner.profile.phone_number


def test_a_learner_changes_everything_in_account_settings(open_page, learner):
    page = open_page("account")
    expect(consent(page)).not_to_be_checked()

    save(page, INVALID)
    expect(phone(page)).to_be_focused()
    expect(phone(page)).to_have_value(INVALID)
    expect(phone(page)).to_have_attribute("aria-invalid", "true")
    assert "does not exist" in described_by(phone(page))
    assert not profile_number(learner)

    save(page, OTHER_TYPED)
    expect(page.get_by_text("Your phone number is saved.")).to_be_visible()
    assert profile_number(learner) == OTHER_NUMBER

    # Agreed to with another number, typed and not saved.
    phone(page).fill(TYPED)
    expect(page.get_by_text("Reply STOP to any text message")).to_be_visible()
    page.get_by_text("I have read this, and I want a coach.").click()
    expect(page.get_by_text("You are signed up for coaching.")).to_be_visible()
    expect(consent(page)).to_be_checked()
    assert profile_number(learner) == standing(learner).phone_number == NUMBER
    event = standing(learner).events.get(kind="consented")
    assert (event.door, event.shown_sha256) == ("account_settings", disclosures.current("en").sha256)

    save(page, "")
    expect(phone(page)).to_be_focused()
    assert "Your coach needs this number." in described_by(phone(page))
    assert profile_number(learner) == NUMBER
    page.reload()
    expect(phone(page)).to_have_value(NUMBER)
    expect(consent(page)).to_be_checked()

    page.get_by_text("I want a coach.").click()
    expect(page.get_by_text("You will not be coached.")).to_be_visible()
    save(page, "")
    expect(page.get_by_text("Your phone number is removed.")).to_be_visible()
    assert not profile_number(learner)
    assert not standing(learner).is_consented
    assert kinds(learner) == ["refused", "consented", "refused", "withdrawn"]


def test_terms_that_changed_meanwhile_are_shown_before_they_are_agreed_to(open_page, learner):
    page = open_page("account")
    phone(page).fill(TYPED)
    expect(page.get_by_text("Reply STOP to any text message")).to_be_visible()
    body = "These are the new terms."
    Disclosure.objects.create(version=99, language="en", body=body, published_at=timezone.now())
    consent(page).press("Space")
    expect(page.get_by_role("alert")).to_contain_text("have changed")
    expect(page.get_by_text(body)).to_be_visible()
    expect(consent(page)).not_to_be_checked()
    consent(page).press("Space")
    expect(page.get_by_text("You are signed up for coaching.")).to_be_visible()
    assert standing(learner).events.get(kind="consented").shown_sha256 == Disclosure.digest(body)


def test_who_became_ineligible_meanwhile_reads_why(open_page, learner):
    page = open_page("account")
    phone(page).fill(TYPED)
    learner.courseenrollment_set.update(is_active=False)
    consent(page).press("Space")
    expect(page.get_by_role("alert")).to_contain_text("Coaching is not available to you at the moment.")
    expect(consent(page)).not_to_be_checked()
    expect(phone(page)).to_have_value(TYPED)
    page.reload()
    expect(page.get_by_text("Profile information")).to_be_visible()
    expect(page.get_by_role("heading", name="Coaching")).to_have_count(0)


def test_an_impatient_learner_sends_one_change(open_page):
    page = open_page("account")
    changes = []
    page.on("request", lambda request: changes.append(request.url) if request.method == "PATCH" else None)
    phone(page).fill(TYPED)
    page.get_by_role("button", name="Save phone number").dblclick()
    expect(page.get_by_text("Your phone number is saved.")).to_be_visible()
    assert len(changes) == 1


def test_a_coaching_api_that_is_down_leaves_the_page_alone_and_loses_nothing(open_page, learner):
    page = open_page("account")
    expect(phone(page)).to_be_visible()
    page.route("**/api/coaching/**", lambda route: route.abort())
    save(page, TYPED)
    expect(page.get_by_role("alert")).to_contain_text("We can’t tell whether this was saved.")
    expect(phone(page)).to_have_value(TYPED)
    page.unroute("**/api/coaching/**")
    page.get_by_role("button", name="Save phone number").click()
    expect(page.get_by_text("Your phone number is saved.")).to_be_visible()
    assert profile_number(learner) == NUMBER

    page.route("**/api/coaching/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_text("Your coaching settings can’t be shown right now.")).to_be_visible()
    page.get_by_label("Country").fill("MX")
    expect(page.get_by_label("Country")).to_have_value("MX")
    page.unroute("**/api/coaching/**")
    page.get_by_role("button", name="Try again").click()
    expect(phone(page)).to_have_value(NUMBER)


def test_account_settings_with_the_keyboard_alone(open_page, learner):
    page = open_page("account")
    expect(phone(page)).to_be_visible()
    page.get_by_label("Country").focus()
    page.keyboard.press("Tab")
    expect(phone(page)).to_be_focused()
    page.keyboard.type(TYPED)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your phone number is saved.")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save phone number")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="https://academy.example.org/privacy")).to_be_focused()
    page.keyboard.press("Tab")
    expect(consent(page)).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_text("You are signed up for coaching.")).to_be_visible()
    expect(consent(page)).to_be_focused()
    assert standing(learner).is_consented


# The dashboard


def offer(page):
    return page.get_by_role("region", name="Would you like a coach?")


def test_the_card_leads_to_the_question_and_back(open_page, host, learner):
    page = open_page("dashboard")
    page.goto(f"{host}/dashboard.html?a=1&b=%2B")
    offer(page).get_by_role("link", name="Learn more or sign up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Would you like a coach?")
    page.get_by_role("button", name="No thanks").click()
    page.get_by_role("link", name="Continue to your").click()
    expect(page).to_have_url(f"{host}/dashboard.html?a=1&b=%2B")
    # Who declined may still change their mind here.
    offer(page).get_by_role("link", name="Learn more or sign up").click()
    page.get_by_label("Mobile phone number").fill(TYPED)
    page.get_by_label("I have read this, and I agree.").check()
    page.get_by_role("button", name="Sign up").click()
    page.get_by_role("link", name="Continue to your").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My courses")
    page.wait_for_load_state("networkidle")
    expect(offer(page)).to_have_count(0)
    assert standing(learner).is_consented


def test_a_dismissed_card_stays_away(open_page, learner):
    page = open_page("dashboard")
    expect(offer(page)).to_be_visible()
    page.route("**/api/coaching/**", lambda route: route.abort())
    offer(page).get_by_role("button", name="Don’t show this again").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This could not be saved.")
    page.unroute("**/api/coaching/**")
    offer(page).get_by_role("button", name="Don’t show this again").press("Enter")
    expect(page.get_by_text("You won’t see this again.")).to_be_focused()
    assert standing(learner).card_dismissed_at is not None
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(offer(page)).to_have_count(0)


def test_a_card_that_cannot_be_loaded_is_told_of_to_who_saw_it(open_page):
    page = open_page("dashboard")
    expect(offer(page)).to_be_visible()
    page.route("**/api/coaching/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_text("The offer of a coach can’t be loaded right now.")).to_be_visible()
    page.unroute("**/api/coaching/**")
    page.get_by_role("button", name="Try again").click()
    expect(offer(page)).to_be_visible()


# In every language, narrow and wide


def shown_settings(page):
    expect(consent(page)).to_have_attribute("aria-disabled", "false")


def refused_settings(page):
    phone(page).fill(INVALID)
    phone(page).press("Enter")
    expect(phone(page)).to_have_attribute("aria-invalid", "true")


def consented_settings(page):
    phone(page).fill(TYPED)
    consent(page).press("Space")
    expect(page.locator("#coaching-withdraw")).to_be_visible()
    page.reload()
    expect(phone(page)).to_be_visible()


def shown_card(page):
    expect(page.locator("#coaching-card")).to_be_visible()


STATES = {
    "mfe-settings": ("account", shown_settings),
    "mfe-settings-refused": ("account", refused_settings),
    "mfe-settings-signed-up": ("account", consented_settings),
    "mfe-card": ("dashboard", shown_card),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_looks(open_page, state, language, tmp_path):
    """Nothing that axe finds, nothing cut, small or beside the screen; and a screenshot, kept if asked for."""
    name, reach = STATES[state]
    page = open_page(name, language=language)
    expect(page.locator("html")).to_have_attribute("dir", DIRECTIONS[language])
    reach(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 720})
        assert axe_findings(page) == []
        assert not page.evaluate(SCROLLS_SIDEWAYS)
        assert page.evaluate(CUT_FROM_HOST) == []
        # The label of a switch is a part of it.
        assert [target for target in page.evaluate(SMALL_TARGETS) if 'role="switch"' not in target] == []
        png = page.screenshot(full_page=True)
        folder, image = (IMAGES, few_colors(png)) if UPDATES else (tmp_path, png)
        path = folder / f"{state}-{language}-{width}.png"
        path.write_bytes(image)
        assert path.stat().st_size < 300_000
