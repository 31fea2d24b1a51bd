"""Which parts of coaching are on: the waffle flags, and a switch for what happens outside requests."""

from dataclasses import dataclass

import waffle
from edx_toggles.toggles import WaffleFlag, WaffleSwitch
from waffle.utils import get_setting

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

FLAGS = (ENABLED, COURSE_REDIRECT, DASHBOARD_CARD, ACCOUNT_SETTINGS)


@dataclass(frozen=True)
class Reach:
    """For whom a flag is on, as its row says: everyone, nobody, or (``everyone`` is None then) ``some``, in words."""

    is_stored: bool
    everyone: bool | None
    some: tuple[str, ...] = ()
    has_percentage: bool = False

    @property
    def is_off(self) -> bool:
        """Whether it is on for nobody."""
        return not self.everyone and not self.some

    def __str__(self) -> str:
        if self.everyone:
            return "on for everyone"
        return f"on for some: {', '.join(self.some)}" if self.some else "off"


def reach(flag: WaffleFlag) -> Reach:
    """Return for whom a flag is on, read from the table, not from waffle's cache."""
    row = waffle.get_waffle_flag_model().objects.filter(name=flag.name).first()
    if row is None:
        return Reach(is_stored=False, everyone=bool(get_setting("FLAG_DEFAULT")))
    if row.everyone is not None:
        return Reach(is_stored=True, everyone=row.everyone)
    groups, users = row.groups.count(), row.users.count()
    some = {
        "superusers": row.superusers,
        "staff": row.staff,
        "everyone who is logged in": row.authenticated,
        f"languages {row.languages}": row.languages,
        f"{groups} group(s)": groups,
        f"{users} user(s)": users,
        f"{row.percent} % of browsers": row.percent,
        "sessions that test it": row.testing,
    }
    for_some = tuple(who for who, is_on in some.items() if is_on)
    return Reach(is_stored=True, everyone=None, some=for_some, has_percentage=bool(row.percent))


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


def for_everyone(flag: WaffleFlag) -> bool | None:
    """Return whether a flag is on, or off, for everyone; None: it depends on the request, or on the learner."""
    row = waffle.get_waffle_flag_model().get(flag.name)
    return row.everyone if row.pk else bool(get_setting("FLAG_DEFAULT"))


def delivers_to_partner() -> bool:
    """Return whether the partner is told of changes now."""
    # Not is_enabled(), which remembers the answer till the end of a request: a worker has none.
    return waffle.switch_is_active(PARTNER_DELIVERY.name)
