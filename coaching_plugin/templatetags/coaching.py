"""Account settings as a part of a theme's pages: ``{% load coaching %}{% coaching_account_fields %}``."""

import logging
from typing import Any

from django import template

from coaching_plugin import access, account_settings, monitoring
from coaching_plugin.decisions import Learner
from coaching_plugin.faults import log_fault
from coaching_plugin.monitoring import MonitoredDoor, Result

log = logging.getLogger(__name__)
register = template.Library()


@register.inclusion_tag("coaching_plugin/settings_section.html", takes_context=True)
def coaching_account_fields(context: Any) -> dict[str, Any]:
    """
    Show the phone number and the consent switch to whom they are offered, and nothing to anybody else.

    What is saved comes back to the page that the tag stands on; what is wrong with it is shown on a page of ours. A
    failure leaves the page as it would be without the tag.
    """
    request = context["request"]
    nothing = {"is_offered": False, "is_saved": False}
    if not request.user.is_authenticated:
        return nothing
    try:
        learner = Learner(request.user)
        if not account_settings.is_offered(learner):
            return {**nothing, "is_saved": request.session.pop(account_settings.SAVED, False)}
        fields = account_settings.fields_context(request, learner.standing)
        here = access.safe_next_url(request, request.get_full_path())
        # An inclusion tag has a context of its own; the token it takes along by itself.
        return {**fields, "is_offered": True, "embedded": "1", "next_url": here}
    except Exception as error:
        log_fault(log, error, "User %s: account settings come without coaching", request.user.id)
        monitoring.note(MonitoredDoor.ACCOUNT_SETTINGS, Result.FAILED)
        return nothing
