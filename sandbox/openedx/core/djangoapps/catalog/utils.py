"""Programs, as far as the cache remembers them: a miss looks exactly like "no program"."""

from django.core.cache import cache

from openedx.core.djangoapps.catalog.cache import (
    CATALOG_COURSE_PROGRAMS_CACHE_KEY_TPL,
    COURSE_PROGRAMS_CACHE_KEY_TPL,
    PROGRAM_CACHE_KEY_TPL,
    PROGRAMS_BY_ORGANIZATION_CACHE_KEY_TPL,
    SITE_PROGRAM_UUIDS_CACHE_KEY_TPL,
)


def get_programs(site=None, uuid=None, uuids=None, course=None, catalog_course_uuid=None, organization=None):
    """Return the program of a uuid (or None), or the list of programs of whatever else the one argument names."""
    arguments = (site, uuid, uuids, course, catalog_course_uuid, organization)
    if sum(argument is not None for argument in arguments) != 1:
        raise TypeError("get_programs takes exactly one argument")
    if uuid:
        return cache.get(PROGRAM_CACHE_KEY_TPL.format(uuid=uuid))
    if uuids is None:
        uuids = _uuids_of_site(site) if site else cache.get(_key(course, catalog_course_uuid, organization))
    keys = [PROGRAM_CACHE_KEY_TPL.format(uuid=uuid) for uuid in uuids or []]
    return list(cache.get_many(keys).values()) if keys else []


def _key(course, catalog_course_uuid, organization):
    """Return the key under which the uuids of a course run's, a course's or an organization's programs are cached."""
    if course:
        return COURSE_PROGRAMS_CACHE_KEY_TPL.format(course_run_id=course)
    if catalog_course_uuid:
        return CATALOG_COURSE_PROGRAMS_CACHE_KEY_TPL.format(course_uuid=catalog_course_uuid)
    return PROGRAMS_BY_ORGANIZATION_CACHE_KEY_TPL.format(org_key=organization)


def _uuids_of_site(site):
    """Return the uuids of a site's programs; a site that names no catalog has none."""
    configuration = getattr(site, "configuration", None)
    if not configuration or not configuration.get_value("COURSE_CATALOG_API_URL"):
        return []
    return cache.get(SITE_PROGRAM_UUIDS_CACHE_KEY_TPL.format(domain=site.domain), [])


def course_run_keys_for_program(parent_program):
    """Return the keys of all course runs of a program, of its active curriculum, and of the programs in that."""
    keys = _run_keys(parent_program)
    curriculum = next((item for item in parent_program.get("curricula", []) if item.get("is_active")), None)
    if curriculum:
        keys |= _run_keys(curriculum)
        for child in curriculum.get("programs", []):
            keys |= course_run_keys_for_program(child)
    return keys


def _run_keys(container):
    """Return the run keys of the courses that a program or curriculum lists itself."""
    return {run["key"] for course in container.get("courses", []) for run in course.get("course_runs", [])}
