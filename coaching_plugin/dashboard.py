"""The legacy dashboard: shows the card, whether or not the theme has a place for it, and takes its dismissal."""

import logging
from typing import Any

from crum import get_current_request
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.template import engines
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import reverse
from openedx_filters import PipelineStep
from web_fragments.fragment import Fragment

from coaching_plugin import access, consent, lms, monitoring, toggles
from coaching_plugin.dashboard_card import Card, card_of
from coaching_plugin.decisions import Decision
from coaching_plugin.faults import log_fault
from coaching_plugin.monitoring import MonitoredDoor, Result
from coaching_plugin.views import LearnerPage

log = logging.getLogger(__name__)

# A Mako template that inherits whatever dashboard was to be rendered. Which, and the card, it finds in the context.
TEMPLATE = "coaching_plugin/dashboard.html"
BASE, CARD = "coaching_dashboard_base", "coaching_dashboard_card"


def plugin_context(context: dict[str, Any]) -> dict[str, Fragment]:
    """
    Return what a dashboard finds in ``plugins["coaching_plugin"]``: the card as a web fragment, if there is one.

    A failure is logged and leaves the dashboard without a card.
    """
    request = get_current_request()
    if request is None:
        return {}
    try:
        card = card_of(request.user)
        return {"dashboard_card": _fragment(request, card)} if card else {}
    except Exception as error:
        log_fault(log, error, "User %s: the dashboard shows no coaching card, since it failed", request.user.id)
        monitoring.note(MonitoredDoor.DASHBOARD_CARD, Result.FAILED)
        return {}


class AddDashboardCard(PipelineStep):
    """
    Step of ``DashboardRenderStarted``: puts the card into the side column of a dashboard that prints no plugin context.

    It has a template of ours rendered that inherits the one that was to be, so that what another step chose stays.
    """

    def run_filter(self, context, template_name, **kwargs):
        """Change the template where there is a card; raises nothing, and changes nothing otherwise."""
        try:
            card = context.get("plugins", {}).get("coaching_plugin", {}).get("dashboard_card")
            if card is None or template_name == TEMPLATE:
                return {}
            # Looked for before it is too late to leave the dashboard as it was.
            engines["mako"].get_template(TEMPLATE)
            base = f"/{template_name.lstrip('/')}"  # or it would be looked for in the folder of ours
            return {"template_name": TEMPLATE, "context": {**context, BASE: base, CARD: card}}
        except Exception as error:
            log_fault(log, error, "The coaching card is left to the theme, since it cannot be added")
            return {}


class DismissCardView(LearnerPage):
    """The card's button, where no script sends it."""

    door = MonitoredDoor.DASHBOARD_CARD

    http_method_names = ["get", "post", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Dismiss nothing, and go back to the dashboard: a login that came between leads here."""
        return redirect(self.next_url)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Dismiss the card for good, and go back to the dashboard."""
        if toggles.shows_dashboard_card():
            consent.dismiss_card(request.user)
            monitoring.note(self.door, Decision.DISMISSED)
        return redirect(self.next_url)


def _fragment(request: HttpRequest, card: Card) -> Fragment:
    # Without the site's context processors: the card needs none of them, and some ask the database.
    html = get_template("coaching_plugin/dashboard_card.html").render(
        {
            "card": card,
            "site_name": lms.site_name(),
            "consent_url": access.consent_page_path(lms.dashboard_url()),
            "api_url": reverse("coaching:api-dashboard-card", kwargs={"user_id": request.user.id}),
            "csrf_token": get_token(request),
        }
    )
    fragment = Fragment(html)
    fragment.add_css_url(static("coaching_plugin/dashboard_card.css"))
    fragment.add_javascript_url(static("coaching_plugin/dashboard_card.js"))
    return fragment
