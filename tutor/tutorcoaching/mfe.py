"""Which slots of the MFEs show coaching, where tutor-mfe is installed; whether it is enabled does not matter here."""

import os

from tutor import hooks
from tutormfe.hooks import MFE_APPS, PLUGIN_SLOTS

# The checkout of the LMS plugin, once mounted, gives the npm package too. Tutor itself mounts it into the LMS.
CHECKOUT = "platform-plugin-coaching"


def direct_plugin(identifier: str, component: str, priority: int) -> str:
    """Return, in JavaScript, the insertion of a component of the npm package; a slot's own content has priority 50."""
    return f"""{{
        op: PLUGIN_OPERATIONS.Insert,
        widget: {{
          id: '{identifier}',
          type: DIRECT_PLUGIN,
          priority: {priority},
          RenderWidget: {component},
        }},
      }}"""


PLUGIN_SLOTS.add_items(
    [
        (
            "account",
            "org.openedx.frontend.account.additional_profile_fields.v1",
            direct_plugin("coaching_profile_fields", "CoachingProfileFields", 60),
        ),
        (
            "learner-dashboard",
            "org.openedx.frontend.learner_dashboard.widget_sidebar.v1",
            direct_plugin("coaching_dashboard_card", "CoachingDashboardCard", 40),
        ),
    ]
)


@hooks.Filters.IMAGES_BUILD_MOUNTS.add()
def _give_the_checkout_to_mfe_images(mounts: list[tuple[str, str]], path: str) -> list[tuple[str, str]]:
    if os.path.basename(path) == CHECKOUT:
        # "mfe-dev" is the site of the MFEs on frontend-base.
        images = ["mfe", "mfe-dev", *(f"{name}-dev" for name in MFE_APPS.apply({}))]
        mounts += [(image, f"mnt-{CHECKOUT}") for image in images]
    return mounts
