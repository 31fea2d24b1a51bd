"""What entering a course asks of the database and the cache, counted, and how the database goes about it."""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from unittest import mock

from crum import set_current_request
from django.core.cache import caches
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from edx_django_utils.cache import RequestCache

from coaching_plugin import access
from tests.factories import MB101

NEXT = f"/courses/{MB101}/courseware/"

# What is one round trip to a cache server, even where the local backends make it of several others.
ROUND_TRIPS = ("get", "get_many", "set", "set_many", "add", "delete", "delete_many", "incr", "touch", "has_key")


@dataclass
class Cost:
    """Queries, and round trips to the cache."""

    queries: int = 0
    round_trips: int = 0

    def __sub__(self, other):
        return Cost(self.queries - other.queries, self.round_trips - other.round_trips)


@contextmanager
def counted():
    """Count what the block costs."""
    cost = Cost()
    is_inside = False

    def count_query(execute, *args):
        cost.queries += 1
        return execute(*args)

    def count_round_trip(original):
        @wraps(original)
        def call(*args, **kwargs):
            nonlocal is_inside
            if is_inside:
                return original(*args, **kwargs)
            cost.round_trips += 1
            is_inside = True
            try:
                return original(*args, **kwargs)
            finally:
                is_inside = False

        return call

    backend = type(caches["default"])
    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(count_query))
        for name in ROUND_TRIPS:
            stack.enter_context(mock.patch.object(backend, name, count_round_trip(getattr(backend, name))))
        yield cost


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
