"""
Several workers at once beside learners who answer, on a real database, with real threads, at both isolation levels.

SQLite lets one writer in at a time and has nothing to show here.
"""

import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.utils import timezone

from coaching_plugin import consent, outbox
from coaching_plugin.models import PartnerChannel, PartnerDelivery
from coaching_plugin.partner import claims, delivery, health
from tests import factories
from tests.factories import OTHER_TYPED, TYPED, evidence
from tests.loopback_partner import FileChannel
from tests.test_concurrency import innodb_status, isolation, meanwhile  # noqa: F401, isolation is a fixture
from tests.test_partner_delivery import assert_partner_knows, claim_all, consented, on_file, roster, rows, who_consents  # noqa: F401

pytestmark = [
    pytest.mark.skipif(connection.vendor != "mysql", reason="real locks are wanted; the MariaDB run has them"),
    pytest.mark.usefixtures("committed", "coached", "flags", "isolation"),
]

WORKERS = [2, 8]


def drain():
    """What a worker does."""
    try:
        return delivery.drain()
    except Exception:
        print(innodb_status())
        raise


@pytest.fixture
def unpublished(monkeypatch):
    """Answers publish no task: only the workers of the test work, and no learner's thread does."""
    monkeypatch.setattr("coaching_plugin.tasks.publish_delivery", lambda: None)


def assert_each_learner_was_told_in_order(partner):
    """No message came before the one that was claimed before it."""
    told = defaultdict(list)
    for _, partner_id, sequence in partner.received:
        told[partner_id].append(sequence)
    assert all(sequences == sorted(sequences) for sequences in told.values())


@pytest.mark.parametrize("workers", WORKERS)
def test_workers_share_what_waits_and_send_nothing_twice(partner, deliver, workers):
    deliver(False)
    learners = [consented() for _ in range(60)]
    for learner in learners[::3]:
        consent.decline(learner, evidence())
    deliver(True)
    drained = meanwhile(*[drain] * workers)
    assert sum(one.sent for one in drained) == len(rows())
    assert sum(one.sent > 0 for one in drained) >= 2, "more than one has worked"
    assert max(Counter(message for message, _, _ in partner.received).values()) == 1
    assert_partner_knows(partner)


def answer_often(learners, times=6):
    """Return the work of learners who answer, change and withdraw, one after the other, again and again."""

    def answer():
        for number in range(times):
            for learner in learners:
                if not consent.standing(learner).is_consented:
                    outcome = consent.give(learner, TYPED, None, evidence())
                elif number % 2:
                    outcome = consent.decline(learner, evidence())
                else:
                    outcome = consent.change_phone(learner, OTHER_TYPED, evidence())
                assert not outcome.is_refused

    return answer


@pytest.mark.parametrize("workers", WORKERS)
def test_workers_beside_learners_who_answer(partner, unpublished, workers):
    learners = [factories.eligible_learner() for _ in range(12)]
    answering = [learners[::2], learners[1::2]]
    answered = threading.Semaphore(0)

    def work():
        while answered._value < len(answering):
            drain()

    def answer(some):
        def work():
            try:
                answer_often(some)()
            finally:
                answered.release()

        return work

    meanwhile(*[work] * workers, *map(answer, answering))
    drain()
    assert len(rows()) > 60
    assert_each_learner_was_told_in_order(partner)
    assert_partner_knows(partner)
    assert all(row.leased_until is None for row in rows())


@pytest.mark.parametrize("workers", WORKERS)
def test_workers_beside_a_partner_that_fails_now_and_then(partner, unpublished, monkeypatch, workers):
    """What failed is tried again by whoever comes to it, and what was taken all the same is not told twice."""
    monkeypatch.setattr(health, "FIRST_DELAY", timedelta(milliseconds=20))
    monkeypatch.setattr(health, "LONGEST_DELAY", timedelta(milliseconds=200))
    partner.moods.extend(["200", "500", "500, taken", "cut, taken", "nothing", "429 0", "rubbish"] * 6)
    learners = [factories.eligible_learner() for _ in range(8)]
    answered = threading.Event()

    def work():
        while not answered.is_set() or PartnerDelivery.objects.filter(status="waiting").exists():
            drain()
            time.sleep(0.01)

    def answer():
        try:
            answer_often(learners, 4)()
        finally:
            answered.set()

    meanwhile(*[work] * workers, answer)
    assert partner.moods == type(partner.moods)()
    assert_partner_knows(partner)
    assert PartnerChannel.objects.get().failures == 0


def test_a_learners_answer_waits_for_no_worker_that_sends_or_claims(partner, unpublished, deliver):
    """While a message is on its way, and while rows are locked to be claimed, learners answer."""
    deliver(False)
    learners = [consented() for _ in range(4)]
    newcomer = factories.eligible_learner()
    deliver(True)
    is_sending, is_answered = threading.Event(), threading.Event()

    def hold(message):
        is_sending.set()
        assert is_answered.wait(30), "an answer waits for a worker"

    partner.during = hold

    def answer():
        assert is_sending.wait(30)
        for learner in learners:
            assert not consent.change_phone(learner, OTHER_TYPED, evidence()).is_refused
        assert not consent.give(newcomer, TYPED, None, evidence()).is_refused
        is_answered.set()

    meanwhile(drain, answer)
    drain()
    assert_partner_knows(partner)


def test_a_learners_answer_waits_for_no_claim(partner, unpublished, deliver, monkeypatch):
    deliver(False)
    learners = [consented() for _ in range(30)]
    newcomer = factories.eligible_learner()
    is_claimed, is_answered = threading.Event(), threading.Event()

    @contextmanager
    def dawdle(durable):
        """As a worker on a busy machine may, before it commits."""
        with transaction.atomic(durable=durable):
            yield
            is_claimed.set()
            assert is_answered.wait(30), "an answer waits for a claim"

    def answer():
        assert is_claimed.wait(30)
        for learner in learners:
            assert not consent.change_phone(learner, OTHER_TYPED, evidence()).is_refused
        assert not consent.give(newcomer, TYPED, None, evidence()).is_refused
        is_answered.set()

    monkeypatch.setattr(claims, "transaction", SimpleNamespace(atomic=dawdle))
    (pk, *_) = claims.candidates("json")
    claimed, _ = meanwhile(lambda: claims.claim(pk, 5), answer)
    assert claimed.pk == pk


def test_a_worker_passes_by_what_another_has_locked(partner, deliver):
    deliver(False)
    for _ in range(4):
        consented()
    locked, claimed = threading.Event(), threading.Event()

    def lock():
        with transaction.atomic():
            row = PartnerDelivery.objects.select_for_update().get(pk=min(claims.candidates("json")))
            locked.set()
            assert claimed.wait(30), "the other waits for a lock"
            return row.pk

    def claim():
        assert locked.wait(30)
        try:
            return [one.pk for one in claim_all()]
        finally:
            claimed.set()

    mine, others = meanwhile(lock, claim)
    assert sorted([mine, *others]) == [row.pk for row in PartnerDelivery.objects.order_by("pk")]


@pytest.mark.parametrize("workers", WORKERS)
def test_of_many_workers_one_writes_the_roster(roster, deliver, monkeypatch, workers):  # noqa: F811
    deliver(False)
    for _ in range(5):
        consented()
    deliver(True)
    writing, write = Counter(), FileChannel.write

    def write_alone(channel, entries):
        writing["now"] += 1
        writing["most"] = max(writing["most"], writing["now"])
        writing["all"] += 1
        time.sleep(0.2)
        write(channel, entries)
        writing["now"] -= 1

    monkeypatch.setattr(FileChannel, "write", write_alone)
    drained = meanwhile(*[drain] * workers)
    assert (writing["most"], writing["all"]) == (1, 1)
    assert sum(one.rosters for one in drained) == 1
    assert on_file(roster) == who_consents()
    assert {row.status for row in rows()} == {"sent"}


def test_queueing_everybody_beside_learners_who_answer_and_workers(partner, unpublished, monkeypatch):
    monkeypatch.setattr(outbox, "CHUNK", 3)
    learners = [consented() for _ in range(10)]
    drain()
    partner.forget()
    drained = meanwhile(
        answer_often(learners, 4),
        lambda: outbox.add_everybody("json"),
        drain,
        lambda: outbox.add_everybody("json"),
        drain,
    )
    assert drained[1] == len(learners)
    drain()
    assert_partner_knows(partner)
    assert len(partner.held) == len(learners)


def test_two_workers_whose_channel_fails_at_the_same_moment_count_both_failures(partner):
    for _ in range(5):
        PartnerChannel.objects.all().delete()
        meanwhile(*[lambda: health.note_failure("json", tolerated=2)] * 8)
        channel = PartnerChannel.objects.get()
        assert channel.failures == 8
        assert channel.not_before > timezone.now()
