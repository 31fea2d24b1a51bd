"""What entering a course asks of the database and the cache, counted, and how the database goes about it."""

from contextlib import contextmanager

from crum import set_current_request
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from edx_django_utils.cache import RequestCache

from coaching_plugin import access
from tests.counting import Cost as Cost  # also for those who import it from here
from tests.counting import counted
from tests.factories import MB101

NEXT = f"/courses/{MB101}/courseware/"


@contextmanager
def request_of(user):
    """Make a request of a user the current one; the flags are read through it, anew in each request."""
    RequestCache.clear_all_namespaces()
    request = RequestFactory().get("/")
    request.user = user
    set_current_request(request)
    try:
        yield
    finally:
        set_current_request(None)


def enter(user, key=MB101):
    """Decide as in a request of its own."""
    with request_of(user):
        return access.consent_redirect(user, key, NEXT)


def cost_of_entering(user, key=MB101):
    """Return what one more decision costs."""
    with counted() as cost:
        enter(user, key)
    return cost


def the_query_of(call):
    """Return the one query that a call asks, as the database got it."""
    with CaptureQueriesContext(connection) as queries:
        call()
    (query,) = queries
    return query["sql"]


def plan_of(query):
    """Return the rows with which MariaDB or MySQL explains how it reads a query."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def states_in(plan):
    """Return those rows of a plan that read courseware state."""
    return [row for row in plan if "courseware_studentmodule" in str(row["possible_keys"])]
