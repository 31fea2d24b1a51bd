"""Does what the plugin merged into the LMS's settings still stand in them, and can what they name be made?"""

import difflib
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.core.exceptions import ImproperlyConfigured

from coaching_plugin import conf, lms
from coaching_plugin.partner import channels
from coaching_plugin.settings import common
from coaching_plugin.settings.filters import STEPS, steps_of

_REPLACED = "Something that runs after the plugins' settings, a patch of Tutor's perhaps, has assigned {name}."

STEPS_ARE_MISSING = "coaching_plugin.W001"
NO_COURSE_DOOR = "coaching_plugin.W002"
PATHS_ARE_LOGGED = "coaching_plugin.W003"
STANDS_TWICE = "coaching_plugin.W004"
NO_DASHBOARD_CARD = "coaching_plugin.W005"
NO_PARTNER_CHANNEL = "coaching_plugin.W006"
SETTING_NOT_USABLE = "coaching_plugin.W007"
SETTING_UNREAD = "coaching_plugin.W008"

OF_SHARED_SETTINGS = {STEPS_ARE_MISSING, NO_COURSE_DOOR, PATHS_ARE_LOGGED, STANDS_TWICE, NO_DASHBOARD_CARD}

_CHANNELS = "COACHING_PARTNER_CHANNELS"


@register("coaching_plugin")
def check_shared_settings(**kwargs) -> list[CheckMessage]:
    """Warn of each of our parts that is missing from a shared setting, or stands there more than once."""
    return [
        *_missing_steps(),
        *_missing_course_door(),
        *_logged_paths(),
        *_repeated(),
        *_missing_mako_templates(),
    ]


@register("coaching_plugin")
def check_own_settings(**kwargs) -> list[CheckMessage]:
    """Warn of each setting of ours that is not usable, or that is read by nothing."""
    return [
        *(_not_usable(name, problem) for name, problem in conf.problems().items() if name != _CHANNELS),
        *map(_unread, conf.unread()),
    ]


@register("coaching_plugin")
def check_partner_channels(**kwargs) -> list[CheckMessage]:
    """Warn of each way to the coaching partner that cannot be made as its setting says."""
    if problem := conf.problems().get(_CHANNELS):
        return [_unusable(f"{_CHANNELS} is not usable, and so none is", f"What is wrong: {problem}.")]
    problems = {name: _problem_of(name) for name in conf.partner_channels()}
    return [
        _unusable(f"The channel {name} of {_CHANNELS} is not usable", f"What is wrong: {problem}.")
        for name, problem in problems.items()
        if problem
    ]


def _not_usable(name: str, problem: str) -> CheckMessage:
    return Warning(
        f"{name} is not usable ({problem}).",
        hint=f"Until it is, its default is used instead: {conf.DEFAULTS[name]!r}.",
        id=SETTING_NOT_USABLE,
    )


def _unread(name: str) -> CheckMessage:
    alike = difflib.get_close_matches(name, conf.DEFAULTS, n=1, cutoff=0.8)
    hint = f"Is it to be {alike[0]}?" if alike else "Take it out, unless something else reads it."
    return Warning(f"No setting of coaching is called {name}.", hint=hint, id=SETTING_UNREAD)


def _problem_of(channel: str) -> str:
    try:
        channels.make(channel)
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def _unusable(what: str, hint: str) -> CheckMessage:
    return Warning(
        f"{what}: changes for the coaching partner wait, and none is lost.", hint=hint, id=NO_PARTNER_CHANNEL
    )


def _missing_steps() -> list[CheckMessage]:
    missing = {filter_type: step for filter_type, step in STEPS.items() if step not in _pipeline(filter_type)}
    if not missing:
        return []
    additions = "; ".join(
        f'OPEN_EDX_FILTERS_CONFIG.setdefault("{filter_type}", {{"fail_silently": True, "pipeline": []}})'
        f'["pipeline"].append("{step}")'
        for filter_type, step in missing.items()
    )
    return [
        Warning(
            f"Steps of ours are missing from OPEN_EDX_FILTERS_CONFIG: {', '.join(missing.values())}.",
            hint=f"{_REPLACED.format(name='it')} Add to it there instead of assigning it. What is missing: {additions}",
            id=STEPS_ARE_MISSING,
        )
    ]


def _missing_course_door() -> list[CheckMessage]:
    if common.COURSE_DOOR_MIDDLEWARE in _listed("MIDDLEWARE") or _steps_are_the_course_door():
        return []
    return [
        Warning(
            "Nobody is asked on entering a course: our filter steps are not in effect on this platform, "
            "and our middleware is missing from MIDDLEWARE.",
            hint=f"{_REPLACED.format(name='MIDDLEWARE')} Use MIDDLEWARE.append(...) there instead of assigning it, or "
            f'put "{common.COURSE_DOOR_MIDDLEWARE}" last.',
            id=NO_COURSE_DOOR,
        )
    ]


def _logged_paths() -> list[CheckMessage]:
    present = _listed("TRACKING_IGNORE_URL_PATTERNS")
    missing = [pattern for pattern in common.TRACKING_IGNORE_URL_PATTERNS if pattern not in present]
    if not missing:
        return []
    return [
        Warning(
            "What learners and operators send us, phone numbers and names, would be written to the tracking log: "
            f"TRACKING_IGNORE_URL_PATTERNS lacks {', '.join(missing)}.",
            hint=f"{_REPLACED.format(name='it')} Use TRACKING_IGNORE_URL_PATTERNS.append(...) there instead of "
            f"assigning it, or name these as well: {missing!r}",
            id=PATHS_ARE_LOGGED,
        )
    ]


def _repeated() -> list[CheckMessage]:
    counts = {(common.COURSE_DOOR_MIDDLEWARE, "MIDDLEWARE"): _listed("MIDDLEWARE")}
    for filter_type, step in STEPS.items():
        counts[(step, f'OPEN_EDX_FILTERS_CONFIG["{filter_type}"]')] = _pipeline(filter_type)
    return [
        Warning(
            f"{ours} stands {present.count(ours)} times in {place}, and does its work as often.",
            hint="The plugin adds it by itself: take yours out.",
            id=STANDS_TWICE,
        )
        for (ours, place), present in counts.items()
        if present.count(ours) > 1
    ]


def _missing_mako_templates() -> list[CheckMessage]:
    if common.MAKO_TEMPLATES in map(str, _listed("MAKO_TEMPLATE_DIRS_BASE")):
        return []
    return [
        Warning(
            "The dashboard of the LMS itself cannot show the card: our folder is missing from MAKO_TEMPLATE_DIRS_BASE.",
            hint=f"{_REPLACED.format(name='it')} Use MAKO_TEMPLATE_DIRS_BASE.append(...) there instead of assigning "
            f'it, or name this folder as well: "{common.MAKO_TEMPLATES}"',
            id=NO_DASHBOARD_CARD,
        )
    ]


def _pipeline(filter_type: str) -> list[Any]:
    return steps_of(getattr(settings, "OPEN_EDX_FILTERS_CONFIG", None), filter_type)


def _listed(name: str) -> list[Any]:
    """Return what a setting lists; one of another type lists nothing."""
    value = getattr(settings, name, None)
    return list(value) if isinstance(value, list | tuple) else []


def _steps_are_the_course_door() -> bool:
    try:
        return lms.calls_courseware_filters()
    except Exception:
        # A filter configuration of some other type is nothing that the steps can stand in.
        return False
