"""Which parts of coaching are on: the waffle flags, and a switch for what happens outside requests."""

import waffle
from edx_toggles.toggles import WaffleFlag, WaffleSwitch

# .. toggle_name: coaching.enabled
# .. toggle_implementation: WaffleFlag
# .. toggle_default: False
# .. toggle_description: The master flag. While it is off, nobody is asked, every door lets everybody through without a
#   database query, and the API answers "not eligible, not asked". Withdrawing a consent still works.
# .. toggle_use_cases: open_edx
# .. toggle_creation_date: 2026-11-22
ENABLED = WaffleFlag("coaching.enabled", __name__)

# .. toggle_name: coaching.course_redirect
# .. toggle_implementation: WaffleFlag
# .. toggle_default: False
# .. toggle_description: Send eligible learners who have not answered to the consent page when they enter a coached
#   course run. Needs coaching.enabled.
# .. toggle_use_cases: open_edx
# .. toggle_creation_date: 2026-11-22
COURSE_REDIRECT = WaffleFlag("coaching.course_redirect", __name__)

# .. toggle_name: coaching.account_settings
# .. toggle_implementation: WaffleFlag
# .. toggle_default: False
# .. toggle_description: Offer eligible learners the consent switch in account settings. Off, who consented still finds
#   it there, to withdraw. Needs coaching.enabled.
# .. toggle_use_cases: open_edx
# .. toggle_creation_date: 2026-11-24
ACCOUNT_SETTINGS = WaffleFlag("coaching.account_settings", __name__)

# .. toggle_name: coaching.dashboard_card
# .. toggle_implementation: WaffleFlag
# .. toggle_default: False
# .. toggle_description: Show eligible learners who have not consented a card on the dashboard that leads to the consent
#   page, until they dismiss it. Needs coaching.enabled.
# .. toggle_use_cases: open_edx
# .. toggle_creation_date: 2026-11-24
DASHBOARD_CARD = WaffleFlag("coaching.dashboard_card", __name__)

# .. toggle_name: coaching.partner_delivery
# .. toggle_implementation: WaffleSwitch
# .. toggle_default: False
# .. toggle_description: Deliver what the partner must hear of. Off, it waits, and nothing is lost.
# .. toggle_use_cases: open_edx
# .. toggle_creation_date: 2026-11-27
PARTNER_DELIVERY = WaffleSwitch("coaching.partner_delivery", __name__)


def is_enabled() -> bool:
    """Return whether coaching is on for the current request."""
    return ENABLED.is_enabled()


def redirects_on_course_entry() -> bool:
    """Return whether course doors ask, for the current request."""
    return ENABLED.is_enabled() and COURSE_REDIRECT.is_enabled()


def offers_account_settings() -> bool:
    """Return whether account settings offer the consent switch, for the current request."""
    return ENABLED.is_enabled() and ACCOUNT_SETTINGS.is_enabled()


def shows_dashboard_card() -> bool:
    """Return whether the dashboard shows the card, for the current request."""
    return ENABLED.is_enabled() and DASHBOARD_CARD.is_enabled()


def delivers_to_partner() -> bool:
    """Return whether the partner is told of changes now."""
    # Not is_enabled(), which remembers the answer till the end of a request: a worker has none.
    return waffle.switch_is_active(PARTNER_DELIVERY.name)
