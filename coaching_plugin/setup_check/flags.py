"""For whom are the flags on, and does one make sense beside the others?"""

from collections.abc import Iterator

from coaching_plugin import toggles
from coaching_plugin.setup_check.finding import Finding, Level


def check_flags() -> Iterator[Finding]:
    """Tell for whom each flag is on."""
    reaches = {flag.name: toggles.reach(flag) for flag in toggles.FLAGS}
    for name, reach in reaches.items():
        if reach.is_stored:
            yield Finding(Level.OK if reach.everyone else Level.NOTE, f"{name} is {reach}.")
        else:
            yield Finding(
                Level.NOTE,
                f"{name} is {reach}: there is no such flag yet.",
                f"manage.py lms waffle_flag --create --everyone {name}",
            )
    enabled = toggles.ENABLED.name
    on = [name for name, reach in reaches.items() if name != enabled and not reach.is_off]
    if reaches[enabled].is_off and on:
        yield Finding(Level.WARNING, f"While {enabled} is off, there is no effect of {', '.join(on)}.")
    if not reaches[enabled].is_off and not on:
        yield Finding(
            Level.WARNING,
            f"{enabled} is on and no other flag is, so that nobody is asked or shown anything.",
            f"Turn {toggles.COURSE_REDIRECT.name} on, or another.",
        )
    if sum(reach.has_percentage for reach in reaches.values()) > 1:
        yield Finding(
            Level.WARNING,
            "Several flags are on for a percentage, and each rolls its own dice: hardly any browser has them all.",
            "Use a percentage on one flag, and turn the others on for everyone.",
        )
