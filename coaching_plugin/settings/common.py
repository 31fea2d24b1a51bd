"""Settings that the plugin brings to the LMS: defaults of our own, and our part of what is shared."""

import copy
from pathlib import Path

from coaching_plugin.conf import DEFAULTS
from coaching_plugin.settings.filters import with_our_steps

COURSE_DOOR_MIDDLEWARE = "coaching_plugin.middleware.CourseDoorMiddleware"

# The folder of what the platform renders with Mako.
MAKO_TEMPLATES = str(Path(__file__).parents[1] / "mako_templates")

# The platform's tracking middleware logs GET and POST parameters: a phone number has no place in a log. In the admin,
# operators type what learners are found by.
TRACKING_IGNORE_URL_PATTERNS = [r"^/coaching/", r"^/api/coaching/", r"^/admin/coaching_plugin/"]


def plugin_settings(settings):
    """Set what is missing of ours, and merge into what is shared."""
    # .. setting_name: COACHING_ENROLLMENT_MODES
    # .. setting_default: ["verified"]
    # .. setting_description: Enrollment modes that make a learner eligible for a coach.

    # .. setting_name: COACHING_PROGRAM_TYPES
    # .. setting_default: ["microbachelors"]
    # .. setting_description: Slugs of the program types whose course runs are coached.

    # .. setting_name: COACHING_ACTIVITY_WINDOW_DAYS
    # .. setting_default: 90
    # .. setting_description: A learner last active this many whole days (UTC) ago is still eligible.

    # .. setting_name: COACHING_MINIMUM_AGE
    # .. setting_default: 13
    # .. setting_description: Learners whose year of birth makes them possibly younger are never asked.

    # .. setting_name: COACHING_PHONE_REGIONS
    # .. setting_default: ["US"]
    # .. setting_description: ISO 3166 codes of the regions whose phone numbers the partner can text; numbers typed
    #   without a plus sign are read as of the first.

    # .. setting_name: COACHING_PARTNER_NAME
    # .. setting_default: "InsideTrack"
    # .. setting_description: The coaching partner's name, as the disclosure gives it.

    # .. setting_name: COACHING_PRIVACY_URL
    # .. setting_default: "/privacy"
    # .. setting_description: The privacy policy that the disclosure links: a full address, or a path of the LMS.

    # .. setting_name: COACHING_REQUIRE_DISCLOSURE
    # .. setting_default: False
    # .. setting_description: Refuse consent from API clients that do not name the disclosure they showed.

    # .. setting_name: COACHING_API_THROTTLE
    # .. setting_default: "60/minute"
    # .. setting_description: How often one learner may call the coaching API and try to sign up on the consent page.

    # .. setting_name: COACHING_PARTNER_CHANNELS
    # .. setting_default: {}
    # .. setting_description: The ways to the partner, by a name that stays, since what waits is kept under it. Each is
    #   {"BACKEND": dotted path of a class, "OPTIONS": {...}}; several work side by side.

    # .. setting_name: COACHING_PARTNER_MAX_ATTEMPTS
    # .. setting_default: 20
    # .. setting_description: After so many failed attempts a delivery is parked, until an operator has it tried again.

    # .. setting_name: COACHING_PARTNER_OPT_OUT_SECRETS
    # .. setting_default: []
    # .. setting_description: Secrets (whsec_...) with which the partner signs opt-outs, two while one takes the other's
    #   place; with none, no opt-out is taken.

    # .. setting_name: COACHING_EVIDENCE_RETENTION_DAYS
    # .. setting_default: None
    # .. setting_description: So many days after the last event of a learner who does not consent, numbers, IP addresses
    #   and user agents are erased by the command erase_expired_evidence. None keeps them as long as the account.

    # .. setting_name: COACHING_CONSENT_GOAL
    # .. setting_default: 0.6
    # .. setting_description: Which share of a program's learners are to consent, from 0 to 1; the report compares.
    for name, default in DEFAULTS.items():
        if not hasattr(settings, name):
            setattr(settings, name, copy.deepcopy(default))
    merge_shared_settings(settings)


def merge_shared_settings(settings):
    """Add our filter steps, middleware, unlogged paths and Mako templates to the LMS's own, where they are missing."""
    settings.OPEN_EDX_FILTERS_CONFIG = with_our_steps(getattr(settings, "OPEN_EDX_FILTERS_CONFIG", None))
    settings.MIDDLEWARE = _with(settings.MIDDLEWARE, [COURSE_DOOR_MIDDLEWARE])
    settings.TRACKING_IGNORE_URL_PATTERNS = _with(
        getattr(settings, "TRACKING_IGNORE_URL_PATTERNS", []), TRACKING_IGNORE_URL_PATTERNS
    )
    _add_mako_templates(getattr(settings, "MAKO_TEMPLATE_DIRS_BASE", None))


def _add_mako_templates(folders):
    # In place: once the platform has read an operator's file, its template engine holds this very list. Where it is no
    # list, the dashboard stays as it is.
    if isinstance(folders, list) and MAKO_TEMPLATES not in map(str, folders):
        folders.append(MAKO_TEMPLATES)


def _with(present, ours):
    return [*present, *(item for item in ours if item not in present)]
