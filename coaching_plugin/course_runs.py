"""Which course runs the LMS knows, and which one a key means that somebody has typed."""

from collections.abc import Collection

from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey
from opaque_keys.edx.locator import CourseLocator

from coaching_plugin import lms

MAX_LENGTH = 255
# Keys in a statement: databases and their packets have limits.
CHUNK = 500


def key_of(text: str) -> CourseLocator:
    """Return the key that is typed, white space around it or not. Raises ``InvalidKeyError`` where it is of no run."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise InvalidKeyError(CourseLocator, "a text that is too long")
    return CourseLocator.from_string(text)


def names(course_keys: Collection[CourseKey]) -> dict[CourseKey, str]:
    """Return the display names of those course runs that the LMS knows, in one query for each ``CHUNK`` of keys."""
    overviews, keys = lms.tables().course_overview.objects, list(course_keys)
    found: dict[CourseKey, str] = {}
    for start in range(0, len(keys), CHUNK):
        # MySQL finds keys in another case, too. They are there under their own spelling, which is what counts.
        known = overviews.filter(id__in=keys[start : start + CHUNK]).values_list("id", "display_name")
        found.update({key: name or "" for key, name in known})
    return found
