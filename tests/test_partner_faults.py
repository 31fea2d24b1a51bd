"""Whatever befalls the partner, a worker or the broker: in the end the partner knows what the LMS knows, in order."""

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from celery import current_app
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from coaching_plugin import conf, consent, disclosures
from coaching_plugin.models import CoachingConsent, Door, PartnerChannel, PartnerDelivery
from coaching_plugin.partner import claims, delivery, health
from tests import factories
from tests.crash_worker import POINTS
from tests.factories import NUMBER, OTHER_TYPED, TYPED, evidence
from tests.loopback_partner import JsonChannel, lms_state, partner_state
from tests.test_crashes import ROOT, _database_url
from tests.test_partner_delivery import (
    NOTHING,
    assert_partner_knows,
    claim_all,
    consented,
    key,
    on_file,
    roster,  # noqa: F401, a fixture
    rows,
    run,
    statuses,
    who_consents,
)

pytestmark = pytest.mark.usefixtures("committed", "coached", "flags")

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def clock(committed):
    """A clock that stands still until it is moved."""
    with freeze_time(timezone.now()) as clock:
        yield clock


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def reach(settings, url, **options):
    """Have the channel reach the partner elsewhere."""
    (channel,) = settings.COACHING_PARTNER_CHANNELS
    backend = "tests.loopback_partner.JsonChannel"
    settings.COACHING_PARTNER_CHANNELS = {channel: {"BACKEND": backend, "OPTIONS": {"url": url, **options}}}


def go_on(clock):
    """Let time pass till nothing waits: cron does its work whenever something is due and its channel is not paused."""
    while waiting := PartnerDelivery.objects.filter(status="waiting").order_by("due_at").first():
        pauses = PartnerChannel.objects.exclude(not_before=None).values_list("not_before", flat=True)
        clock.move_to(max(waiting.due_at, timezone.now(), *pauses) + SECOND)
        run()


# The partner


def test_down_for_an_hour_nothing_is_lost_and_little_is_tried(partner, settings, clock, monkeypatch):
    attempts, send = [], JsonChannel.send
    monkeypatch.setattr(JsonChannel, "send", lambda *given: attempts.append(given[1]) or send(*given))
    learners = [consented() for _ in range(4)]
    url = partner.url
    reach(settings, f"http://localhost:{closed_port()}/")
    attempts.clear()
    for minute in range(60):
        learner = learners[minute % len(learners)]
        if minute % 3 == 0:
            change = consent.decline if consent.standing(learner).is_consented else give_again
            change(learner, evidence())
        if minute == 20:
            learners.append(consented())
        clock.tick(MINUTE)
        run()
    assert 3 <= len(attempts) <= 12, "each pause is twice as long as the one before"
    assert partner_state(partner) != lms_state()
    assert len(rows(status="waiting")) > len(learners)
    reach(settings, url)
    go_on(clock)
    assert_partner_knows(partner)
    assert PartnerChannel.objects.get().failures == 0


def give_again(learner, proof):
    assert not consent.give(learner, TYPED, None, proof).is_refused


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        ("500", "http_500"),
        ("500, taken", "http_500"),
        ("404", "http_404"),
        ("302", "http_302"),
        ("429", "http_429"),
        ("slow", "ReadTimeout"),
        ("slow, taken", "ReadTimeout"),
        ("cut", "ConnectionError"),
        ("cut, taken", "ConnectionError"),
        ("nothing", "ConnectionError"),
        ("nothing, taken", "ConnectionError"),
        ("rubbish", "ConnectionError"),
    ],
)
def test_a_message_that_fails_is_sent_again_under_the_same_id(partner, settings, clock, mood, code):
    reach(settings, partner.url, seconds=0.3)
    partner.moods.extend([mood] * 2)
    learner = consented()
    (row,) = rows()
    assert (row.status, row.attempts, row.leased_until) == ("waiting", 1, None)
    assert row.last_error in (code, "ChunkedEncodingError")
    assert timezone.now() <= row.due_at <= timezone.now() + health.FIRST_DELAY
    consent.change_phone(learner, OTHER_TYPED, evidence())
    go_on(clock)
    assert len({message for message, _, _ in partner.received[:3]}) == 1
    assert [sequence for _, _, sequence in partner.received][0] == 1
    assert_partner_knows(partner)
    assert {row.last_error for row in rows()} == {""}


def test_one_that_was_taken_and_then_failed_is_dropped_the_second_time_and_its_successor_is_not(partner, clock):
    partner.moods.append("500, taken")
    learner = consented()
    consent.decline(learner, evidence())
    assert partner.held[key(learner)]["status"] == "consented"
    go_on(clock)
    assert [sequence for _, _, sequence in partner.received] == [1, 2, 2]
    assert_partner_knows(partner)


def test_retry_after_leaves_the_whole_channel_alone_for_as_long(partner, clock):
    partner.moods.append("429 600")
    consented()
    consented()
    assert len(partner.received) == 1
    (channel,) = PartnerChannel.objects.all()
    assert channel.not_before == timezone.now() + 10 * MINUTE
    clock.tick(10 * MINUTE - SECOND)
    run()
    assert len(partner.received) == 1
    clock.tick(SECOND)
    run()
    assert_partner_knows(partner)


def test_retry_after_is_granted_for_a_day_at_most(partner, clock):
    partner.moods.append("503 99999999")
    consented()
    assert PartnerChannel.objects.get().not_before == timezone.now() + timedelta(days=1)
    go_on(clock)
    assert_partner_knows(partner)


def test_a_longer_pause_is_not_made_shorter_by_another_worker(partner, clock):
    health.note_failure("json", tolerated=2, retry_after=HOUR)
    for _ in range(5):
        assert health.note_failure("json", tolerated=2)
    assert PartnerChannel.objects.get().not_before == timezone.now() + HOUR


def test_three_failures_in_a_row_pause_the_channel_ever_longer(partner, clock):
    partner.mood = "500"
    for number in range(3):
        assert not health.is_paused("json"), number
        consented()
    assert health.is_paused("json")
    tried = len(partner.received)
    for seconds in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        clock.tick(timedelta(seconds=seconds) - SECOND)
        run()
        assert len(partner.received) == tried
        clock.tick(SECOND)
        # One of the three may be put off for longer than the pause; another is not.
        PartnerDelivery.objects.update(due_at=timezone.now())
        run()
        tried += 1
        assert len(partner.received) == tried
    partner.mood = "200"
    go_on(clock)
    assert_partner_knows(partner)
    assert PartnerChannel.objects.get().failures == 0


def test_when_the_channel_pauses_the_rest_is_untouched(partner, deliver, clock):
    deliver(False)
    for _ in range(6):
        consented()
    deliver(True)
    partner.moods.append("429 60")
    assert run() == NOTHING.replace("failed: 0", "failed: 1").replace("0 waiting", "6 waiting")
    assert sorted((row.attempts, row.leased_until) for row in rows()) == [(0, None)] * 5 + [(1, None)]


def test_failures_that_are_not_in_a_row_pause_nothing(partner, deliver, clock):
    deliver(False)
    for _ in range(8):
        consented()
    deliver(True)
    partner.moods.extend(["500", "500", "200"] * 2)
    run()
    assert len(partner.received) == 8
    assert statuses().count("sent") == 4


def test_one_learner_whom_the_partner_refuses_is_parked_and_holds_up_nobody(partner, settings, clock):
    settings.COACHING_PARTNER_MAX_ATTEMPTS = 4
    refused = consented()
    send = JsonChannel.send

    def send_or_refuse(channel, delivery_id, entry):
        if str(entry.partner_id) == key(refused):
            raise delivery.DeliveryError("http_422")
        send(channel, delivery_id, entry)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JsonChannel, "send", send_or_refuse)
        consent.change_phone(refused, OTHER_TYPED, evidence())
        for _ in range(12):
            consented()
            clock.tick(15 * MINUTE)
            run()
        (parked,) = rows(status="parked")
        assert (parked.sequence, parked.attempts, parked.last_error) == (2, 4, "http_422")
        assert rows(status="waiting") == []
    # The next change tells all of it.
    consent.decline(refused, evidence())
    assert_partner_knows(partner)


def test_parked_after_as_many_attempts_as_the_setting_says_twenty_unless_it_says_otherwise(partner, clock):
    partner.mood = "500"
    consented()
    go_on(clock)
    (row,) = rows()
    assert (row.status, row.attempts) == ("parked", conf.partner_max_attempts()) == ("parked", 20)
    assert len(partner.received) == 20
    partner.mood = "200"
    clock.tick(HOUR)
    run()
    assert len(partner.received) == 20, "an operator has the word"


@pytest.mark.parametrize("broken", ["send", "entry_of"])
def test_what_breaks_while_sending_is_logged_without_its_message_and_waits(partner, clock, monkeypatch, caplog, broken):
    def fail(*arguments):
        raise ValueError(NUMBER)

    with pytest.MonkeyPatch.context() as patch:
        owner = {"send": JsonChannel, "entry_of": delivery.roster}[broken]
        patch.setattr(owner, broken, fail)
        consented()
        assert rows()[0].last_error == "broken"
    assert "Partner channel json broke at delivery" in caplog.text
    go_on(clock)
    assert_partner_knows(partner)


def test_the_code_of_a_failure_may_be_long(partner, monkeypatch):
    def fail(*arguments):
        raise delivery.DeliveryError("x" * 1000)

    monkeypatch.setattr(JsonChannel, "send", fail)
    consented()
    assert rows()[0].last_error == "x" * 100


def test_a_backoff_is_of_full_jitter_and_grows_to_an_hour(partner, deliver, clock):
    assert [health.delay(number).total_seconds() for number in (1, 2, 3, 7, 8, 9, 100)] == [
        30, 60, 120, 1920, 3600, 3600, 3600,
    ]  # fmt: skip
    deliver(False)
    for _ in range(60):
        consented()
    PartnerDelivery.objects.update(attempts=5)
    while claimed := claim_all():
        for claim in claimed:
            claims.mark_failed(claim, "down")
    waits = sorted((row.due_at - timezone.now()).total_seconds() for row in rows())
    assert {row.attempts for row in rows()} == {6}
    assert 0 <= waits[0] < 240 < 720 < waits[-1] <= 960
    assert len(set(waits)) == len(waits)


# A worker


def worker_environment(channels):
    """Return what has another process work on the database of the tests, with the channels of the test."""
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'sandbox'}",
        "DATABASE_URL": _database_url(),
        "COACHING_PARTNER_CHANNELS": json.dumps(channels),
    }


class Worker:
    """A worker that runs the command as often as it is told, each time in a process that lives as long as told."""

    def __init__(self, channels):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_worker"],
            cwd=ROOT,
            env=worker_environment(channels) | {"SANDBOX_LOG_LEVEL": "CRITICAL"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def _says(self):
        return self.process.stdout.readline().strip()

    def deliver(self):
        self._run("")
        assert self._says() == "0"

    def be_killed(self, point):
        self._run(point)
        assert self._says() == "reached", point
        assert self._says() == str(-signal.SIGKILL), point

    def _run(self, point):
        self.process.stdin.write(f"{point}\n")
        self.process.stdin.flush()


def let_leases_end():
    """Put the clock of the database forward: the processes of the workers have their own."""
    past = timezone.now() - SECOND
    PartnerDelivery.objects.exclude(leased_until=None).update(leased_until=past)
    PartnerChannel.objects.exclude(leased_until=None).update(leased_until=past)
    PartnerChannel.objects.update(not_before=None)


OF_MESSAGES = list(POINTS)[: list(POINTS).index("before a roster is written")]
OF_ROSTERS = list(POINTS)[len(OF_MESSAGES) :]


def test_killed_at_any_point_a_worker_is_followed_by_another_and_the_partner_knows_it_all(partner, settings, deliver):
    deliver(False)
    taken_and_unmarked = {"after a message is sent", "before it is marked"}
    with Worker(settings.COACHING_PARTNER_CHANNELS) as worker:
        for point in OF_MESSAGES:
            learners = [consented() for _ in range(3)]
            deliver(True)
            partner.received.clear()
            worker.be_killed(point)
            waits = len(rows(status="waiting"))
            assert waits == (2 if point == "after it is marked" else 3), point
            assert len(partner.received) == (1 if point in {*taken_and_unmarked, "after it is marked"} else 0), point
            deliver(False)
            consent.change_phone(learners[0], OTHER_TYPED, evidence())
            consent.decline(learners[1], evidence())
            deliver(True)
            worker.deliver()
            if point not in ("before anything is claimed", "after it is marked"):
                assert rows(status="waiting"), "what the dead one had is its own till its lease ends"
            let_leases_end()
            worker.deliver()
            ids = [message for message, _, _ in partner.received]
            assert len(ids) - len(set(ids)) == (point in taken_and_unmarked), point
            assert_partner_knows(partner)
            deliver(False)


def test_killed_while_a_roster_is_written_a_worker_is_followed_by_another(roster, settings, deliver):  # noqa: F811
    deliver(False)
    with Worker(settings.COACHING_PARTNER_CHANNELS) as worker:
        for point in OF_ROSTERS:
            learners = [consented() for _ in range(2)]
            let_leases_end()
            deliver(True)
            worker.be_killed(point)
            deliver(False)
            consent.decline(learners[0], evidence())
            deliver(True)
            let_leases_end()
            worker.deliver()
            assert on_file(roster) == who_consents(), point
            assert set(statuses()) == {"sent"}, point
            deliver(False)


# The broker


@pytest.fixture
def publish_to():
    """Have Celery publish to a broker, where the sandbox otherwise runs a task at once."""
    names = ("task_always_eager", "broker_url", "broker_transport_options")
    before = {name: getattr(current_app.conf, name) for name in names}

    def publish(broker_url, **transport_options):
        new = {"broker_url": broker_url, "broker_transport_options": transport_options}
        current_app.conf.update(new | {"task_always_eager": False})

    yield publish
    current_app.conf.update(before)


def test_without_a_broker_the_answer_is_stored_at_once_logged_once_and_delivered_later(
    partner, publish_to, caplog, monkeypatch
):
    publish_to(f"amqp://127.0.0.1:{closed_port()}//")
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda seconds: pytest.fail("the learner waits"))
    learner = factories.eligible_learner()
    browser = Client()
    browser.force_login(learner)
    form = {"answer": "accept", "agree": "on", "disclosure": disclosures.current("en").sha256}
    response = browser.post("/coaching/consent/", {**form, "phone_number": TYPED, "full_name": "Lena Learner"})
    assert (response.status_code, CoachingConsent.objects.get(user=learner).status) == (302, "consented")
    told = [record.getMessage() for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert len(told) == 1
    assert "No worker was told that something waits for the partner; the command delivers it: Operational" in told[0]
    assert partner.received == []
    run()
    assert_partner_knows(partner)


def test_a_receiver_that_fails_otherwise_costs_the_answer_nothing(partner, monkeypatch, caplog):
    def fail():
        raise ValueError(NUMBER)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coaching_plugin.toggles.delivers_to_partner", fail)
        learner = consented()
    assert CoachingConsent.objects.get(user=learner).is_consented
    assert "No worker was told" in caplog.text
    consent.erase(learner, evidence(Door.RETIREMENT, disclosure=None))
    assert_partner_knows(partner)


def test_a_real_worker_delivers_what_an_answer_has_published(partner, settings, tmp_path, publish_to):
    """A broker of files, the LMS's own Celery app, and a process that works off what is there."""
    for folder in ("data_in", "data_out", "control"):
        (tmp_path / folder).mkdir()
    folder = str(tmp_path / "data_in")
    publish_to("filesystem://", data_folder_in=folder, data_folder_out=folder, control_folder=str(tmp_path / "control"))
    consented()
    assert partner.received == []
    assert len(list((tmp_path / "data_in").glob("*.msg"))) == 1
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "lms.celery", "worker", "--pool", "solo", "--loglevel", "INFO"],
        cwd=tmp_path,
        env=worker_environment(settings.COACHING_PARTNER_CHANNELS) | {"CELERY_BROKER_URL": "filesystem://"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    for line in worker.stdout:
        said.append(line)
        if "deliver_to_partner" in line and "succeeded" in line:
            break
    worker.terminate()
    worker.communicate(timeout=30)
    assert partner.received, "".join(said)
    assert_partner_knows(partner)
