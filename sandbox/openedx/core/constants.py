"""How the keys of courses and blocks look in URLs."""

COURSE_KEY_REGEX = r"[^/+]+(?:/|\+)[^/+]+(?:/|\+)[^/?]+"
COURSE_KEY_PATTERN = rf"(?P<course_key_string>{COURSE_KEY_REGEX})"
COURSE_ID_PATTERN = rf"(?P<course_id>{COURSE_KEY_REGEX})"
USAGE_KEY_PATTERN = r"(?P<usage_key_string>[^/]+)"
