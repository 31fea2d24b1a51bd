"""What Tutor builds, configures and initialises for coaching: the LMS here, the MFEs in ``mfe``."""

from importlib.resources import files
from importlib.util import find_spec

from tutor import hooks

_PACKAGE = files("tutorcoaching")

# Settings of the LMS that Tutor's configuration may give, under the same name. One that it leaves out is not written
# anywhere, so that the LMS plugin's own default holds, in this version and the next.
LMS_SETTINGS = [
    "COACHING_ENROLLMENT_MODES",
    "COACHING_PROGRAM_TYPES",
    "COACHING_ACTIVITY_WINDOW_DAYS",
    "COACHING_MINIMUM_AGE",
    "COACHING_PHONE_REGIONS",
    "COACHING_PARTNER_NAME",
    "COACHING_PRIVACY_URL",
    "COACHING_REQUIRE_DISCLOSURE",
    "COACHING_API_THROTTLE",
    "COACHING_PARTNER_CHANNELS",
    "COACHING_PARTNER_MAX_ATTEMPTS",
    "COACHING_PARTNER_OPT_OUT_SECRETS",
    "COACHING_EVIDENCE_RETENTION_DAYS",
    "COACHING_CONSENT_GOAL",
]

hooks.Filters.CONFIG_DEFAULTS.add_items(
    [
        ("COACHING_PIP_REQUIREMENT", "platform-plugin-coaching~=0.1.0"),
        ("COACHING_NPM_PACKAGE", "frontend-plugin-coaching@^0.1.0"),
        *((name, None) for name in LMS_SETTINGS),
    ]
)

# Into the configuration file of the LMS, which is read after the plugins' defaults and before their production
# settings: no Python of ours runs after the plugins, where an assignment would erase what they merged. JSON is YAML.
hooks.Filters.ENV_PATCHES.add_items(
    [
        ("lms-env", f"{{% if {name} is not none %}}{name}: {{{{ {name} | tojson }}}}{{% endif %}}")
        for name in LMS_SETTINGS
    ]
)

hooks.Filters.ENV_TEMPLATE_ROOTS.add_item(str(_PACKAGE / "templates"))
for patch in (_PACKAGE / "patches").iterdir():
    hooks.Filters.ENV_PATCHES.add_item((patch.name, patch.read_text(encoding="utf-8")))

hooks.Filters.CLI_DO_INIT_TASKS.add_item(
    ("lms", (_PACKAGE / "templates" / "coaching" / "tasks" / "lms" / "init").read_text(encoding="utf-8"))
)

if find_spec("tutormfe"):
    from tutorcoaching import mfe  # noqa: F401
