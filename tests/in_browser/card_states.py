"""The states of the card on the dashboard, which a fresh learner comes to as to those of the consent page."""

from playwright.sync_api import expect

from coaching_plugin import consent
from tests.factories import evidence
from tests.in_browser.states import State

DASHBOARD = "/dashboard"
RESOURCE = "**/api/coaching/v1/dashboard_card/**"


def shown(visit):
    visit.page.goto(DASHBOARD)
    expect(visit.page.locator(".side-container > .coaching-card")).to_be_visible()


def declined_before(visit):
    consent.decline(visit.learner, evidence())
    shown(visit)


def dismissal_fails(visit):
    shown(visit)
    visit.page.route(RESOURCE, lambda route: route.abort())
    dismiss(visit.page)
    expect(visit.page.locator(".coaching-card-failed")).to_be_visible()


def dismissed(visit):
    shown(visit)
    dismiss(visit.page)
    expect(visit.page.locator(".coaching-card-question")).to_have_count(0)


def dismiss(page):
    page.locator(".coaching-card button").click()


CARD_STATES = {
    "dashboard-card-shown": State(shown),
    "dashboard-card-declined-before": State(declined_before),
    "dashboard-card-dismissal-fails": State(dismissal_fails),
    "dashboard-card-dismissed": State(dismissed),
}
