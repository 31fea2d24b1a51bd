"""How queries and round trips to the cache are counted, of whatever code: it needs Django, and no app of ours."""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from unittest import mock

from django.core.cache import caches
from django.db import connection

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
