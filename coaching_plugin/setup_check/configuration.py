"""Are our own settings usable, and do our parts stand in those that are shared?"""

from collections.abc import Iterator

from django.conf import settings
from django.core import checks as django_checks
from django.core.checks import CheckMessage

from coaching_plugin import checks, conf
from coaching_plugin.setup_check.finding import Finding, Level

# Without these nobody is asked, or learners' data comes into a log.
_BROKEN = {checks.NO_COURSE_DOOR, checks.PATHS_ARE_LOGGED}


def check_own_settings() -> Iterator[Finding]:
    """Tell which settings of ours are not usable, and of those that nothing reads."""
    problems = conf.problems()
    for name, problem in problems.items():
        yield Finding(Level.ERROR, f"{name} is not usable ({problem}).", "Until it is, its default is used instead.")
    if not problems:
        chosen = [name for name, default in conf.DEFAULTS.items() if getattr(settings, name, default) != default]
        yield Finding(
            Level.OK,
            f"All {len(conf.DEFAULTS)} COACHING_* settings are usable. Not the default: {', '.join(chosen) or 'none'}.",
        )
    yield from (_finding(message) for message in _messages() if message.id == checks.SETTING_UNREAD)


def check_shared_settings() -> Iterator[Finding]:
    """Tell which part of ours is missing from a shared setting."""
    found = [message for message in _messages() if message.id in checks.OF_SHARED_SETTINGS]
    yield from map(_finding, found)
    if not found:
        yield Finding(
            Level.OK,
            "Our parts stand in MIDDLEWARE, OPEN_EDX_FILTERS_CONFIG, TRACKING_IGNORE_URL_PATTERNS and "
            "MAKO_TEMPLATE_DIRS_BASE.",
        )


def _messages() -> list[CheckMessage]:
    return django_checks.run_checks(tags=["coaching_plugin"])


def _finding(message: CheckMessage) -> Finding:
    level = Level.ERROR if message.id in _BROKEN else Level.WARNING
    # Silenced, an operator has said that it is meant.
    return Finding(Level.NOTE if message.is_silenced() else level, f"{message.msg} [{message.id}]", message.hint or "")
