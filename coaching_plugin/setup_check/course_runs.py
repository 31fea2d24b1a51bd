"""Is any course run coached, does the LMS know it, and has the catalog's word come through?"""

from collections import Counter
from collections.abc import Collection, Iterator

from opaque_keys.edx.keys import CourseKey

from coaching_plugin import coached_courses, conf, lms
from coaching_plugin.models import CoachedCourse
from coaching_plugin.setup_check.finding import Finding, Level

SHOWN = 3

_BY = {CoachedCourse.Source.CATALOG: "by the catalog", CoachedCourse.Source.OPERATOR: "by an operator"}


def check_table() -> Iterator[Finding]:
    """Tell how many course runs are coached, and by whose word."""
    sources = CoachedCourse.objects.filter(active=True).order_by().values_list("source", flat=True)
    counts = Counter(sources)
    if counts:
        by_source = ", ".join(f"{counts[source]} {words}" for source, words in _BY.items() if counts[source])
        yield Finding(Level.OK, f"{_of_runs(counts.total(), 'is', 'are')} coached: {by_source}.")
    else:
        yield Finding(
            Level.WARNING,
            "No course run is coached, so that nobody is eligible.",
            "manage.py lms sync_coached_courses, or list them in the admin.",
        )


def check_overviews() -> Iterator[Finding]:
    """Tell which coached course runs the LMS does not know."""
    keys = _active_keys()
    known = lms.tables().course_overview.objects.filter(id__in=list(keys)).values_list("id", flat=True)
    # In Python, which tells keys apart that differ in case alone; MySQL does not.
    if unknown := keys - set(known):
        yield Finding(
            Level.WARNING,
            f"{_of_runs(len(unknown), 'is', 'are')} coached and unknown to the LMS: {_shown(unknown)}.",
            "Correct the keys in the admin, or wait till the courses are published.",
        )


def check_catalog() -> Iterator[Finding]:
    """Tell what the catalog lists, and what of that the table lacks."""
    try:
        catalog = coached_courses.catalog()
    except coached_courses.CatalogError as error:
        yield Finding(Level.ERROR, str(error), "What is in the table stays coached. See the log of cache_programs.")
        return
    types = ", ".join(conf.program_types())
    if not catalog.runs:
        yield Finding(
            Level.NOTE,
            "The catalog has no programs: right for a site without course-discovery.",
            "Else run manage.py lms cache_programs.",
        )
        return
    yield Finding(
        Level.OK if catalog.coached else Level.NOTE,
        f"The catalog has {len(catalog.runs)} program(s), of which {len(catalog.coached)} coached ({types}).",
        "" if catalog.coached else "Is COACHING_PROGRAM_TYPES right?",
    )
    by_operator = CoachedCourse.objects.filter(source=CoachedCourse.Source.OPERATOR)
    # What an operator has taken out is meant to be out.
    settled = _active_keys() | set(by_operator.values_list("course_key", flat=True))
    if lacking := catalog.coached_runs().keys() - settled:
        yield Finding(
            Level.WARNING,
            f"{_of_runs(len(lacking), 'is', 'are')} in a coached program and not in the table: {_shown(lacking)}.",
            "manage.py lms sync_coached_courses, and in cron behind cache_programs.",
        )


def _active_keys() -> set[CourseKey]:
    keys = CoachedCourse.objects.filter(active=True).values_list("course_key", flat=True)
    return {key for key in keys if key}


def _of_runs(number: int, one: str, several: str) -> str:
    return f"{number} course run {one}" if number == 1 else f"{number} course runs {several}"


def _shown(keys: Collection[CourseKey]) -> str:
    names = sorted(map(str, keys))
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
