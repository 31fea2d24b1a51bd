"""How fast one worker drains an outbox of 20,000 changes, over HTTP to a partner on loopback, and what that asks."""

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from django.db import connection
from django.test import override_settings

from coaching_plugin import outbox
from coaching_plugin.partner import claims, delivery
from tests import factories, partner_learners

ROWS, ROWS_A_ROUND = 20_000, 500
SHORTEST_SECONDS = 2
CHANNEL = "bench"
# A message is claimed by two queries, marked by one, one looks for what it has overtaken, and two read the learner.
QUERIES_AT_MOST = 6
# Before each so many messages: is the channel paused, and what is due; after the first of them: the channel works.
QUERIES_AROUND = 3


@dataclass(frozen=True)
class Deliveries:
    """What one worker sent of an outbox, and what it asked the database for that."""

    waiting: int
    sent: int
    failed: int
    told: int
    seconds: float
    queries: int

    @property
    def queries_each(self):
        """How many queries a change costs."""
        return self.queries / self.sent

    @property
    def is_as_designed(self):
        """Whether no change costs more queries than it has to, and all that is marked as sent has arrived."""
        around = QUERIES_AROUND * (self.sent // claims.LOOKED_AT + 2)
        return self.queries <= QUERIES_AT_MOST * self.sent + around and self.told == self.sent and not self.failed


def deliveries(rounds):
    """Fill an outbox, and drain it for an eighth of a second a round: till it is empty, with many rounds."""
    waiting = min(ROWS, ROWS_A_ROUND * rounds)
    partner_learners.consent_many(waiting)
    outbox.add_everybody(CHANNEL)
    with _partner() as partner, _counted() as count:
        channel = {"BACKEND": "tests.loopback_partner.JsonChannel", "OPTIONS": {"url": partner.url}}
        with override_settings(COACHING_PARTNER_CHANNELS={CHANNEL: channel}):
            factories.set_switch(True)
            count.queries = 0
            started = perf_counter()
            drained = delivery.drain(max(rounds / 8, SHORTEST_SECONDS))
            seconds, queries = perf_counter() - started, count.queries
            factories.set_switch(False)
        told = partner.told()
    return Deliveries(waiting, drained.sent, drained.failed, told, seconds, queries)


class _Partner:
    """A partner in a process of its own."""

    def __init__(self):
        command = [sys.executable, "-m", "benchmarks.partner_process"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def told(self):
        """Stop it, and return how many learners it was told of."""
        said, _ = self.process.communicate(timeout=30)
        return int(said)


@contextmanager
def _partner():
    partner = _Partner()
    try:
        yield partner
    finally:
        partner.process.kill()


class _Count:
    """Counts queries, and keeps none: there are many."""

    queries = 0

    def __call__(self, execute, sql, params, many, context):
        self.queries += not sql.startswith("BEGIN")  # which is a query on SQLite alone
        return execute(sql, params, many, context)


@contextmanager
def _counted():
    count = _Count()
    with connection.execute_wrapper(count):
        yield count
