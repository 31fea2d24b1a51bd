"""What the plugin does to the settings of an LMS, and what it makes of an operator's."""

import ast
import copy
import json
import logging
import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings as running
from django.contrib import admin
from django.urls import URLPattern, get_resolver, reverse
from django.urls.resolvers import RoutePattern
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework.throttling import SimpleRateThrottle

import coaching_plugin
from coaching_plugin import conf, eligibility, lms, urls
from coaching_plugin.settings import common, production
from coaching_plugin.settings.filters import COURSE_STEPS, STEPS, has_course_steps, with_our_steps

VIEW_FILTER, ACCESS_FILTER = COURSE_STEPS
OURS = list(STEPS.values())
THEIRS = "other_plugin.pipeline.Step"
MIDDLEWARE = "coaching_plugin.middleware.CourseDoorMiddleware"


def applied(*modules, **present):
    """Return bare settings with what is present, after these settings modules of the plugin."""
    settings = SimpleNamespace(**{"MIDDLEWARE": ["a.Middleware"], **present})
    for module in modules or (common,):
        module.plugin_settings(settings)
    return settings


# Our own


def test_every_default_is_set_where_it_is_missing():
    settings = applied()
    assert {name: getattr(settings, name) for name in conf.DEFAULTS} == conf.DEFAULTS


@pytest.mark.parametrize("name", conf.DEFAULTS)
def test_what_an_operator_set_stays(name):
    for mine in (["mine"], None, 0, "", False):
        assert getattr(applied(**{name: mine}), name) is mine
        assert getattr(applied(common, production, **{name: mine}), name) is mine


def test_an_operators_change_of_a_list_changes_no_default():
    settings = applied()
    settings.COACHING_PHONE_REGIONS.append("CA")
    assert conf.DEFAULTS["COACHING_PHONE_REGIONS"] == ["US"]
    assert applied().COACHING_PHONE_REGIONS == ["US"]


def test_production_sets_no_default():
    settings = applied(production)
    assert not [name for name in vars(settings) if name.startswith("COACHING_")]


def test_every_default_is_annotated_and_nothing_else_is():
    text = Path(common.__file__).read_text()
    pairs = re.findall(
        r"\.\. setting_name: (\S+)\n\s*# \.\. setting_default: (.+)\n\s*# \.\. setting_description:", text
    )
    assert text.count("setting_name:") == len(pairs), "each has a default and a description"
    annotated = {name: ast.literal_eval(default) for name, default in pairs}
    assert annotated == conf.DEFAULTS
    assert len(pairs) == len(annotated)


def test_every_setting_that_the_code_reads_has_a_default():
    package = Path(coaching_plugin.__file__).parent
    read = {
        name for path in package.rglob("*.py") for name in re.findall(r"\bCOACHING_[A-Z_]+\b", path.read_text())
    } - {"COACHING_"}
    assert read == set(conf.DEFAULTS)


# Filters

FORMS = {
    "missing": None,
    "empty": {},
    "a dictionary": {"pipeline": [THEIRS], "fail_silently": False},
    "a dictionary without a pipeline": {"fail_silently": False},
    "a dictionary with a null pipeline": {"pipeline": None},
    "a dictionary with one path": {"pipeline": THEIRS},
    "a dictionary with a tuple": {"pipeline": (THEIRS,), "log_level": "debug"},
    "a list": [THEIRS],
    "a tuple": (THEIRS,),
    "an empty list": [],
    "one path": THEIRS,
    "an empty text": "",
}


@pytest.mark.parametrize("form", FORMS)
def test_our_step_comes_after_everybody_elses(form):
    config = {VIEW_FILTER: FORMS[form], "org.other.filter.v1": {"pipeline": [THEIRS]}}
    merged = applied(OPEN_EDX_FILTERS_CONFIG=config).OPEN_EDX_FILTERS_CONFIG
    theirs = [THEIRS] if THEIRS in str(FORMS[form]) else []
    assert merged[VIEW_FILTER]["pipeline"] == [*theirs, STEPS[VIEW_FILTER]]
    assert merged[ACCESS_FILTER] == {"fail_silently": True, "pipeline": [STEPS[ACCESS_FILTER]]}
    assert merged["org.other.filter.v1"] == {"pipeline": [THEIRS]}
    assert has_course_steps(merged)


def test_what_others_said_of_a_filter_is_kept():
    merged = with_our_steps({VIEW_FILTER: FORMS["a dictionary"], ACCESS_FILTER: FORMS["a dictionary with a tuple"]})
    assert merged[VIEW_FILTER]["fail_silently"] is False
    assert merged[ACCESS_FILTER] == {
        "fail_silently": True,
        "log_level": "debug",
        "pipeline": [THEIRS, STEPS[ACCESS_FILTER]],
    }


@pytest.mark.parametrize("present", [{}, {"OPEN_EDX_FILTERS_CONFIG": None}, {"OPEN_EDX_FILTERS_CONFIG": {}}], ids=str)
def test_a_site_without_filters_gets_ours_alone(present):
    merged = applied(**present).OPEN_EDX_FILTERS_CONFIG
    assert {name: entry["pipeline"] for name, entry in merged.items()} == {name: [step] for name, step in STEPS.items()}


@pytest.mark.parametrize("form", FORMS)
def test_an_operators_own_objects_are_left_as_they_are(form):
    present = {
        "OPEN_EDX_FILTERS_CONFIG": {VIEW_FILTER: copy.deepcopy(FORMS[form])},
        "MIDDLEWARE": ["a.Middleware"],
        "TRACKING_IGNORE_URL_PATTERNS": ["^/event"],
    }
    before = copy.deepcopy(present)
    applied(common, production, **present)
    assert present == before


@pytest.mark.parametrize("form", FORMS)
def test_twice_is_once(form):
    present = {"OPEN_EDX_FILTERS_CONFIG": {VIEW_FILTER: FORMS[form]}}
    once = vars(applied(common, **present))
    assert vars(applied(common, production, common, production, **present)) == once
    for step in OURS:
        assert json.dumps(once["OPEN_EDX_FILTERS_CONFIG"]).count(step) == 1


@pytest.mark.parametrize(
    "entry", [STEPS[VIEW_FILTER], [STEPS[VIEW_FILTER]], {"pipeline": [STEPS[VIEW_FILTER], THEIRS]}]
)
def test_where_an_operator_put_our_step_it_stays(entry):
    merged = with_our_steps({VIEW_FILTER: entry})
    assert merged[VIEW_FILTER] == entry
    assert has_course_steps(merged)


@pytest.mark.parametrize("config", [None, {}, {VIEW_FILTER: [STEPS[VIEW_FILTER]]}, {VIEW_FILTER: None}], ids=range(4))
def test_steps_that_are_not_all_there_are_not_there(config):
    assert not has_course_steps(config)


def test_the_steps_of_the_course_doors_are_a_question_of_their_own():
    """Whether the dashboard's step is there decides nothing about the middleware."""
    course_steps_alone = {filter_type: [step] for filter_type, step in COURSE_STEPS.items()}
    assert has_course_steps(course_steps_alone)
    assert set(STEPS) - set(COURSE_STEPS) == {"org.openedx.learning.dashboard.render.started.v1"}


def test_the_steps_can_be_imported():
    assert all(hasattr(import_string(step), "run_filter") for step in OURS)
    assert callable(import_string(MIDDLEWARE))


# What is shared


@pytest.mark.parametrize("kind", [list, tuple])
def test_the_middleware_comes_last_and_once(kind):
    present = kind(["a.Middleware", "b.Middleware"])
    settings = applied(common, production, MIDDLEWARE=present)
    assert list(settings.MIDDLEWARE) == ["a.Middleware", "b.Middleware", MIDDLEWARE]
    moved = applied(MIDDLEWARE=kind([MIDDLEWARE, "a.Middleware"]))
    assert list(moved.MIDDLEWARE) == [MIDDLEWARE, "a.Middleware"], "an operator's place for it is kept"


@pytest.mark.parametrize("kind", [list, tuple])
def test_unlogged_paths_are_merged(kind):
    present = kind(["^/event", "^/api/coaching/"])
    settings = applied(common, production, TRACKING_IGNORE_URL_PATTERNS=present)
    merged = ["^/event", "^/api/coaching/", "^/coaching/", "^/admin/coaching_plugin/"]
    assert list(settings.TRACKING_IGNORE_URL_PATTERNS) == merged
    assert set(applied().TRACKING_IGNORE_URL_PATTERNS) == set(merged[1:])


@pytest.mark.parametrize("kind", [str, Path])
def test_our_mako_templates_come_last_and_once(kind):
    present = [kind("/theirs")]
    folders = applied(common, production, common, MAKO_TEMPLATE_DIRS_BASE=present).MAKO_TEMPLATE_DIRS_BASE
    assert list(map(str, folders)) == ["/theirs", common.MAKO_TEMPLATES]
    moved = [kind(common.MAKO_TEMPLATES), kind("/theirs")]
    folders = applied(MAKO_TEMPLATE_DIRS_BASE=list(moved)).MAKO_TEMPLATE_DIRS_BASE
    assert folders == moved, "an operator's place for them is kept"
    assert (Path(common.MAKO_TEMPLATES) / "coaching_plugin" / "dashboard.html").is_file()


def test_the_list_that_the_template_engine_holds_is_the_one_that_is_added_to():
    """An operator's file may replace the list after the plugins' common settings; the engine then has the new one."""
    engines_list = ["/an/operators"]
    settings = applied(production, MAKO_TEMPLATE_DIRS_BASE=engines_list)
    assert engines_list[-1] == common.MAKO_TEMPLATES
    assert settings.MAKO_TEMPLATE_DIRS_BASE is engines_list


@pytest.mark.parametrize("present", [None, ("/theirs",), object()], ids=["none", "tuple", "not made yet"])
def test_mako_folders_of_another_kind_are_left_alone(present):
    assert applied(common, production, MAKO_TEMPLATE_DIRS_BASE=present).MAKO_TEMPLATE_DIRS_BASE is present
    assert not hasattr(applied(), "MAKO_TEMPLATE_DIRS_BASE")


def our_paths(patterns=urls.urlpatterns, prefix="/"):
    """Return a path for each URL of ours, by its name."""
    found = {}
    for pattern in patterns:
        assert isinstance(pattern.pattern, RoutePattern)
        path = prefix + re.sub(r"<[^>]+>", "7", str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            found[pattern.name] = path
        else:
            found |= our_paths(pattern.url_patterns, path)
    return found


PATHS = our_paths()


@pytest.mark.parametrize("name", PATHS)
def test_none_of_our_urls_is_logged(name):
    for settings in (applied(), applied(production), running):
        assert any(re.match(pattern, PATHS[name]) for pattern in settings.TRACKING_IGNORE_URL_PATTERNS)
    match = get_resolver().resolve(PATHS[name])
    assert match.view_name == f"coaching:{name}", "these are the URLs that the LMS has"


def test_no_page_of_ours_in_the_admin_is_logged():
    """An operator types there what learners are found by."""
    ours = [model for model in admin.site._registry if model._meta.app_label == "coaching_plugin"]
    assert ours
    for model in ours:
        path = reverse(f"admin:coaching_plugin_{model._meta.model_name}_changelist")
        for settings in (applied(), applied(production), running):
            assert any(re.match(pattern, path) for pattern in settings.TRACKING_IGNORE_URL_PATTERNS)


def test_the_urls_are_all_there():
    assert {
        "consent",
        "answered",
        "dismiss-card",
        "api-dashboard-card",
        "api-user",
        "api-consent",
        "api-disclosure",
        "api-eligibility",
    } <= set(PATHS)


@pytest.mark.parametrize(
    "path", ["/", "/dashboard", "/courses/coaching/", "/coaching", "/api/coach/", "/x/coaching/", "/admin/auth/user/"]
)
def test_what_is_not_ours_is_logged_still(path):
    assert not any(re.match(pattern, path) for pattern in common.TRACKING_IGNORE_URL_PATTERNS)


# Through the entry point


def test_the_running_lms_has_them():
    assert running.MIDDLEWARE.count(MIDDLEWARE) == 1
    assert has_course_steps(running.OPEN_EDX_FILTERS_CONFIG)
    assert [json.dumps(running.OPEN_EDX_FILTERS_CONFIG).count(step) for step in OURS] == [1] * len(STEPS)
    assert running.MAKO_TEMPLATE_DIRS_BASE[-1] == common.MAKO_TEMPLATES
    assert running.TRACKING_IGNORE_URL_PATTERNS[:3] == ["^/event", "^/login", "^/heartbeat"]
    assert {name for name in dir(running) if name.startswith("COACHING_")} == set(conf.DEFAULTS)


PROBE = """
import json
from django.conf import settings
from coaching_plugin import conf
names = [name for name in dir(settings) if name.startswith("COACHING_")]
print(json.dumps({
    "settings": {name: getattr(settings, name) for name in names},
    "read": [conf.enrollment_modes(), conf.partner_name(), conf.minimum_age(), conf.require_disclosure()],
}))
"""


def probe(**environment):
    """Return the settings of a sandbox of its own, started in this environment."""
    sandbox = Path(running.REPO_ROOT)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COACHING_")},
        "DJANGO_SETTINGS_MODULE": "lms.envs.test",
        "PYTHONPATH": os.pathsep.join([str(sandbox.parent), str(sandbox)]),
        **environment,
    }
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.once
def test_an_untouched_sandbox_has_the_defaults():
    assert probe()["settings"] == conf.DEFAULTS


@pytest.mark.once
def test_the_sandbox_takes_every_setting_from_the_environment():
    wanted = {
        "COACHING_ENROLLMENT_MODES": ["verified", "professional"],
        "COACHING_PROGRAM_TYPES": ["xseries"],
        "COACHING_ACTIVITY_WINDOW_DAYS": 30,
        "COACHING_MINIMUM_AGE": 16,
        "COACHING_PHONE_REGIONS": ["CA", "US"],
        "COACHING_PARTNER_NAME": "A Partner & Co.",
        "COACHING_PRIVACY_URL": "https://www.example.com/privacy?x=1",
        "COACHING_REQUIRE_DISCLOSURE": True,
        "COACHING_API_THROTTLE": "600/minute",
        "COACHING_PARTNER_CHANNELS": {"crm": {"BACKEND": "a.Channel", "OPTIONS": {"url": "https://crm.example.com/"}}},
        "COACHING_PARTNER_MAX_ATTEMPTS": 5,
        "COACHING_PARTNER_OPT_OUT_SECRETS": [SECRET],
        "COACHING_EVIDENCE_RETENTION_DAYS": 365,
        "COACHING_CONSENT_GOAL": 0.75,
    }
    assert wanted.keys() == conf.DEFAULTS.keys()
    # A text as itself, the rest as JSON.
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in wanted.items()}
    assert probe(**given)["settings"] == wanted


@pytest.mark.once
def test_the_sandbox_takes_bare_words_and_a_setting_that_is_unusable():
    found = probe(
        COACHING_ENROLLMENT_MODES="professional",
        COACHING_PARTNER_NAME='"Quoted"',
        COACHING_MINIMUM_AGE="a dozen",
        COACHING_REQUIRE_DISCLOSURE="yes",
    )
    assert found["read"] == [["professional"], "Quoted", 13, False]


# What an operator's settings mean

Reader = namedtuple("Reader", "read good bad")

SECRET = "whsec_" + "c2VjcmV0" * 4
NO_LISTS = [None, 5, 1.5, True, [1], [None], ["verified", None], [""], "", [["verified"]], b"verified", object()]
NO_NUMBERS = [None, "", "90", "many", 1.5, 90.0, True, False, -1, [90], {}, object()]
NO_TEXTS = [None, "", " ", "\n", 5, True, ["InsideTrack"], {}, b"InsideTrack", object()]

READERS = {
    "COACHING_ENROLLMENT_MODES": Reader(
        conf.enrollment_modes,
        [
            (["verified", "professional"], ["verified", "professional"]),
            (("verified",), ["verified"]),
            ("professional", ["professional"]),
            ([], []),
        ],
        NO_LISTS,
    ),
    "COACHING_PROGRAM_TYPES": Reader(
        conf.program_types,
        [(["XSeries", "masters"], ["xseries", "masters"]), ("MicroBachelors", ["microbachelors"]), ((), [])],
        NO_LISTS,
    ),
    "COACHING_PHONE_REGIONS": Reader(
        conf.phone_regions,
        [(["US", "CA"], ["US", "CA"]), (["us", "pr"], ["US", "PR"]), ("CA", ["CA"]), (("US",), ["US"])],
        [*NO_LISTS, [], (), "USA", "US, CA", ["US", "XX"], ["UK"], ["+1"], ["001"], "XX", ["US "], {}],
    ),
    "COACHING_ACTIVITY_WINDOW_DAYS": Reader(
        conf.activity_window_days, [(90, 90), (0, 0), (1, 1), (365, 365)], NO_NUMBERS
    ),
    "COACHING_MINIMUM_AGE": Reader(conf.minimum_age, [(13, 13), (0, 0), (18, 18)], NO_NUMBERS),
    "COACHING_PARTNER_NAME": Reader(
        conf.partner_name, [("Bright & Co.", "Bright & Co."), ("  Bright ", "Bright"), ("مرشد", "مرشد")], NO_TEXTS
    ),
    "COACHING_PRIVACY_URL": Reader(
        conf.privacy_url,
        [("/tos", "/tos"), (" https://example.com/p ", "https://example.com/p")],
        [*NO_TEXTS, "http://[::1", "//[/privacy"],
    ),
    "COACHING_REQUIRE_DISCLOSURE": Reader(
        conf.require_disclosure, [(True, True), (False, False)], [None, 0, 1, "", "true", "False", "yes", [], [True]]
    ),
    "COACHING_API_THROTTLE": Reader(
        conf.api_throttle,
        [("60/minute", "60/minute"), ("1/s", "1/s"), ("1000/day", "1000/day"), ("9/m", "9/m")],
        [
            *NO_TEXTS,
            "60",
            "/minute",
            "60/",
            "sixty/minute",
            "60/fortnight",
            "-1/minute",
            "1.5/minute",
            "60 per minute",
            "60/minute/2",
            "²/minute",
            "60/ minute",
        ],
    ),
    "COACHING_PARTNER_CHANNELS": Reader(
        conf.partner_channels,
        [
            ({}, {}),
            ({"crm-2": {"BACKEND": "a.Channel"}}, {"crm-2": {"BACKEND": "a.Channel"}}),
            ({"a": {"BACKEND": "b.C", "OPTIONS": {"x": 1}}}, {"a": {"BACKEND": "b.C", "OPTIONS": {"x": 1}}}),
        ],
        [
            None,
            5,
            "",
            [],
            "crm",
            ["crm"],
            {"crm": "a.Channel"},
            {"crm": {}},
            {"crm": {"BACKEND": None}},
            {"crm": {"BACKEND": "a.Channel", "OPTIONS": ["x"]}},
            {"Crm": {"BACKEND": "a.Channel"}},
            {"": {"BACKEND": "a.Channel"}},
            {"c" * 41: {"BACKEND": "a.Channel"}},
            {1: {"BACKEND": "a.Channel"}},
        ],
    ),
    "COACHING_PARTNER_MAX_ATTEMPTS": Reader(conf.partner_max_attempts, [(20, 20), (1, 1), (0, 1)], NO_NUMBERS),
    "COACHING_PARTNER_OPT_OUT_SECRETS": Reader(
        conf.opt_out_secrets,
        [([], []), ([SECRET], [SECRET]), (SECRET, [SECRET]), ([SECRET, SECRET[6:]], [SECRET, SECRET[6:]])],
        [*NO_LISTS, "whsec_", "whsec_c2hvcnQ=", [SECRET, "secret"], ["whsec_" + "A" * 100], [SECRET + "!"]],
    ),
    "COACHING_EVIDENCE_RETENTION_DAYS": Reader(
        conf.evidence_retention_days,
        [(None, None), (365, 365), (0, 0)],
        [value for value in NO_NUMBERS if value is not None],
    ),
    "COACHING_CONSENT_GOAL": Reader(
        conf.consent_goal, [(0.6, 0.6), (0, 0.0), (1, 1.0)], [None, "0.6", -0.1, 1.01, 60, True, [0.6], float("nan")]
    ),
}


def cases(kind):
    return [
        pytest.param(name, value, id=f"{name} {number}")
        for name, reader in READERS.items()
        for number, value in enumerate(getattr(reader, kind))
    ]


def lines(caplog):
    return [record for record in caplog.records if record.name == "coaching_plugin.conf"]


def test_every_setting_has_its_reader_here():
    assert READERS.keys() == conf.DEFAULTS.keys()


@pytest.mark.parametrize("name", READERS)
def test_without_a_setting_the_default_holds(name, settings, caplog):
    delattr(settings, name)
    assert READERS[name].read() == conf.DEFAULTS[name]
    assert not lines(caplog)


@pytest.mark.parametrize(("name", "case"), cases("good"))
def test_a_good_value_is_taken(name, case, settings, caplog):
    value, meaning = case
    setattr(settings, name, value)
    assert READERS[name].read() == meaning
    assert not lines(caplog)


@pytest.mark.parametrize(("name", "value"), cases("bad"))
def test_a_bad_value_is_one_log_line_and_the_default_holds(name, value, settings, caplog):
    setattr(settings, name, value)
    assert READERS[name].read() == conf.DEFAULTS[name]
    (line,) = lines(caplog)
    assert name in line.getMessage()
    assert line.levelno >= logging.WARNING
    assert line.exc_info is None, "a line, not a traceback"


def test_nobody_changes_a_default_by_changing_what_was_read(settings):
    for name in ("COACHING_PHONE_REGIONS", "COACHING_ENROLLMENT_MODES", "COACHING_PROGRAM_TYPES"):
        delattr(settings, name)
        READERS[name].read().append("XX")
        assert "XX" not in READERS[name].read()
        setattr(settings, name, ["US"])
        READERS[name].read().append("XX")
        assert "XX" not in getattr(settings, name)


@pytest.mark.parametrize(("name", "case"), [case for case in cases("good") if "THROTTLE" in case.id])
def test_a_rate_that_is_taken_is_one_that_the_framework_can_read(name, case, settings):
    setattr(settings, name, case[0])
    requests, seconds = SimpleRateThrottle.parse_rate(None, conf.api_throttle())
    assert requests > 0
    assert seconds > 0


@pytest.mark.parametrize("days", [40_000, 1_000_000, 10**9, 10**18], ids=str)
def test_a_window_as_long_as_one_likes_breaks_nothing(days, settings):
    """More days than there have been: everybody was active within them, or the default holds."""
    settings.COACHING_ACTIVITY_WINDOW_DAYS = days
    assert eligibility.Rules.now().since < timezone.now()


@pytest.mark.parametrize("region", ["US", "CA", "PR", "GB", "MX"])
def test_every_region_has_a_name_to_show(region):
    assert lms.country_names([region]) != region
