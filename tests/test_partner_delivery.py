"""What waits in the outbox reaches the partner: by the task that follows an answer, and by the command."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from freezegun import freeze_time

from coaching_plugin import consent, disclosures
from coaching_plugin.models import CoachingConsent, Door, PartnerChannel, PartnerDelivery
from coaching_plugin.partner import claims, delivery, health
from tests import factories
from tests.factories import NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.loopback_partner import FileChannel, JsonChannel, lms_state, partner_state

pytestmark = pytest.mark.usefixtures("committed", "coached", "flags")

Status = PartnerDelivery.Status
NOTHING = "Changes sent: 0. Rosters written: 0. Attempts failed: 0, changes parked by that: 0. Now 0 waiting, 0 parked."


def run(*arguments):
    """Return what the command says."""
    out = io.StringIO()
    call_command("deliver_to_partner", *arguments, stdout=out)
    return out.getvalue().strip()


def rows(**fields):
    return list(PartnerDelivery.objects.filter(**fields).order_by("partner_id", "sequence"))


def statuses(**fields):
    return [row.status for row in rows(**fields)]


def consented(typed=TYPED):
    """Return a learner who has said yes."""
    learner = factories.eligible_learner()
    assert not consent.give(learner, typed, None, evidence()).is_refused
    return learner


def key(learner):
    return str(consent.standing(learner).partner_id)


def claim_all(channel="json", seconds=5):
    """Claim all that a worker may send now, as one does that sends it."""
    return [claim for pk in sorted(claims.candidates(channel)) if (claim := claims.claim(pk, seconds))]


@pytest.fixture
def waiting(partner, deliver):
    """Have everything wait until it is delivered: the switch is off."""
    deliver(False)
    return partner


def assert_partner_knows(partner):
    """The partner's state equals the LMS's, nothing waits, and nothing went back."""
    assert partner_state(partner) == lms_state()
    assert set(statuses()) <= {Status.SENT}
    assert partner.went_back == []


# The outbox


@pytest.fixture
def two_channels(settings):
    """Two ways, of which nothing is sent: the switch is off."""
    url = {"url": "http://127.0.0.1:1/"}
    settings.COACHING_PARTNER_CHANNELS = {
        name: {"BACKEND": "tests.loopback_partner.JsonChannel", "OPTIONS": url} for name in ("one", "other")
    }


CHANGES = {
    "change the number": lambda learner: consent.change_phone(learner, OTHER_TYPED, evidence()),
    "withdraw": lambda learner: consent.decline(learner, evidence()),
    "opt out": lambda learner: consent.opt_out(learner, evidence(Door.PARTNER, disclosure=None), "stop"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_each_change_is_a_row_for_each_channel(two_channels, change):
    learner = consented()
    change(learner)
    found = {(row.channel, row.partner_id, row.sequence, row.status) for row in rows()}
    partner_id = consent.standing(learner).partner_id
    assert found == {(name, partner_id, number, "waiting") for name in ("one", "other") for number in (1, 2)}


def test_erasure_of_one_who_consents_is_two_changes(two_channels):
    learner = consented()
    consent.erase(learner, evidence(Door.RETIREMENT, disclosure=None))
    assert [row.sequence for row in rows(channel="one")] == [1, 2, 3]


def test_what_is_stored_of_a_change_is_an_id_and_numbers(two_channels):
    learner = consented()
    stored = repr(list(PartnerDelivery.objects.values()))
    for personal in (NUMBER, NUMBER[2:], learner.email, learner.username, learner.profile.name):
        assert personal not in stored


@pytest.mark.parametrize(
    "change",
    [
        lambda learner: consent.ask(learner, evidence()),
        lambda learner: consent.decline(learner, evidence()),
        lambda learner: consent.opt_out(learner, evidence(Door.PARTNER, disclosure=None)),
        lambda learner: consent.do_not_ask(learner, evidence(Door.ADMIN, disclosure=None), "asked"),
        lambda learner: consent.give(learner, "12", None, evidence()),
    ],
    ids=["asked", "declined", "opted out", "not to be asked", "refused"],
)
def test_of_somebody_who_never_agreed_there_is_no_row(two_channels, change):
    learner = factories.eligible_learner()
    change(learner)
    consent.erase(learner, evidence(Door.RETIREMENT, disclosure=None))
    assert CoachingConsent.objects.get(user=learner).last_sequence
    assert rows() == []


def test_without_a_channel_there_is_no_row():
    consented()
    assert rows() == []


def test_a_change_that_is_rolled_back_leaves_no_row_and_no_message(partner):
    learner = factories.eligible_learner()
    with transaction.atomic():
        consent.give(learner, TYPED, None, evidence())
        assert statuses() == [Status.WAITING]
        transaction.set_rollback(True)
    assert rows() == []
    assert partner.received == []


# Sending


def test_an_answer_on_the_page_is_with_the_partner_once_it_is_committed(partner):
    learner = factories.eligible_learner()
    browser = Client()
    browser.force_login(learner)
    form = {"answer": "accept", "agree": "on", "disclosure": disclosures.current("en").sha256}
    response = browser.post("/coaching/consent/", {**form, "phone_number": TYPED, "full_name": "Lena Learner"})
    assert response.status_code == 302
    (held,) = partner.held.values()
    assert (held["partner_id"], held["status"], held["phone_number"]) == (key(learner), "consented", NUMBER)
    assert held["sequence"] == consent.standing(learner).last_sequence
    assert_partner_knows(partner)


def test_every_change_of_a_learner_is_told_in_order(partner):
    learner = consented()
    consent.change_phone(learner, OTHER_TYPED, evidence())
    assert partner.held[key(learner)]["phone_number"] == OTHER_NUMBER
    consent.decline(learner, evidence())
    assert partner.held[key(learner)]["status"] == "withdrawn"
    consent.give(learner, TYPED, None, evidence())
    consent.erase(learner, evidence(Door.RETIREMENT, disclosure=None))
    assert partner.held[key(learner)]["status"] == "erased"
    assert [sequence for _, _, sequence in partner.received] == [1, 2, 3, 4, 6]
    assert_partner_knows(partner)


def test_what_waits_is_told_as_it_stands_when_it_is_sent_and_once(waiting, deliver):
    learner = consented()
    consent.change_phone(learner, OTHER_TYPED, evidence())
    consent.decline(learner, evidence())
    deliver(True)
    assert run() == NOTHING.replace("sent: 0", "sent: 3")
    ((message, _, sequence),) = waiting.received
    assert (message, sequence) == (f"msg_{key(learner).replace('-', '')}_1", 3)
    assert_partner_knows(waiting)
    assert run() == NOTHING


def test_an_entry_says_no_more_of_who_has_withdrawn(waiting, deliver):
    learner = consented()
    consent.decline(learner, evidence())
    deliver(True)
    run()
    assert waiting.held == {key(learner): {"partner_id": key(learner), "sequence": 2, "status": "withdrawn"}}


def test_several_channels_are_each_told(partner, settings, tmp_path):
    settings.COACHING_PARTNER_CHANNELS = {
        **settings.COACHING_PARTNER_CHANNELS,
        "files": {"BACKEND": "tests.loopback_partner.FileChannel", "OPTIONS": {"path": str(tmp_path / "roster")}},
    }
    learner = consented()
    assert_partner_knows(partner)
    (entry,) = FileChannel(tmp_path / "roster").read()
    assert entry["partner_id"] == key(learner)


def test_many_are_sent_by_one_command(waiting, deliver, monkeypatch):
    monkeypatch.setattr(claims, "LOOKED_AT", 3)
    for _ in range(7):
        consented()
    deliver(True)
    assert run().startswith("Changes sent: 7.")
    assert_partner_knows(waiting)


def test_no_transaction_is_open_while_something_is_sent(partner, monkeypatch, tmp_path, settings):
    settings.COACHING_PARTNER_CHANNELS |= {
        "files": {"BACKEND": "tests.loopback_partner.FileChannel", "OPTIONS": {"path": str(tmp_path / "roster")}}
    }
    seen = []

    def noting(original):
        def note(*arguments):
            seen.append((connection.in_atomic_block, connection.get_autocommit()))
            return original(*arguments)

        return note

    monkeypatch.setattr(JsonChannel, "send", noting(JsonChannel.send))
    monkeypatch.setattr(FileChannel, "write", noting(FileChannel.write))
    consented()
    assert seen == [(False, True)] * 2


def test_a_drain_within_a_transaction_is_refused(waiting, deliver):
    """What is sent would be sent while locks are held."""
    consented()
    deliver(True)
    with pytest.raises(RuntimeError), transaction.atomic():
        delivery.drain()
    assert waiting.received == []


# The switch


def test_while_the_switch_is_off_all_waits_and_nothing_is_claimed_published_or_lost(waiting, deliver, monkeypatch):
    monkeypatch.setattr("coaching_plugin.tasks.publish_delivery", lambda: pytest.fail("published"))
    learners = [consented() for _ in range(3)]
    consent.decline(learners[0], evidence())
    before = list(PartnerDelivery.objects.values())
    assert run() == "The switch coaching.partner_delivery is off: 4 waiting, 0 parked."
    assert delivery.drain() == delivery.Drained()
    assert list(PartnerDelivery.objects.values()) == before
    assert waiting.received == []
    deliver(True)
    run()
    assert_partner_knows(waiting)


def test_turned_off_while_a_worker_drains_the_rest_waits_unclaimed(waiting, deliver, monkeypatch):
    for _ in range(5):
        consented()
    deliver(True)
    send = JsonChannel.send

    def send_and_turn_off(*arguments):
        send(*arguments)
        if len(waiting.received) == 2:
            deliver(False)

    monkeypatch.setattr(JsonChannel, "send", send_and_turn_off)
    assert run().startswith("Changes sent: 2.")
    assert sorted(statuses()) == ["sent"] * 2 + ["waiting"] * 3
    assert {(row.attempts, row.leased_until) for row in rows(status="waiting")} == {(0, None)}
    deliver(True)
    run()
    assert_partner_knows(waiting)


# Short tasks


def test_a_drain_begins_nothing_more_once_its_time_is_over(waiting, deliver, monkeypatch):
    for _ in range(4):
        consented()
    deliver(True)
    with freeze_time(timezone.now(), tick=False) as clock:
        waiting.during = lambda message: clock.tick(timedelta(seconds=20))
        drained = delivery.drain(30)
        assert drained == delivery.Drained(sent=2)
        assert {(row.attempts, row.leased_until) for row in rows(status="waiting")} == {(0, None)}
        assert delivery.drain(30) == delivery.Drained(sent=2)
    assert_partner_knows(waiting)


def test_a_channel_that_has_much_to_send_keeps_no_other_waiting(waiting, deliver, settings, monkeypatch):
    monkeypatch.setattr(claims, "LOOKED_AT", 3)
    one = settings.COACHING_PARTNER_CHANNELS["json"]
    settings.COACHING_PARTNER_CHANNELS = {"first": one, "second": one}
    for _ in range(5):
        consented()
    deliver(True)
    run()
    ids = [message for message, _, _ in waiting.received]
    # Three of the first, three of the second, and the rest of each.
    assert set(ids[:3]) == set(ids[3:6])
    assert set(ids[6:8]) == set(ids[8:])


# Claims


def test_a_learners_changes_are_claimed_one_at_a_time(waiting):
    learner = consented()
    consent.decline(learner, evidence())
    (claim,) = claim_all()
    assert (claim.sequence, claim.attempts) == (1, 0)
    assert claim_all() == []
    assert claims.mark_failed(claim, "down") is False
    assert claim_all() == [], "the second waits for the first"
    with freeze_time(timezone.now() + health.FIRST_DELAY):
        (claim,) = claim_all()
    assert (claim.sequence, claim.attempts) == (1, 1)


def test_a_worker_that_comes_late_to_a_row_leaves_it(waiting):
    """Looked at while it was due: since then another has claimed it, sent it, or put it off."""
    consented()
    (pk,) = claims.candidates("json")
    claim = claims.claim(pk, 5)
    assert claims.claim(pk, 5) is None
    claims.mark_failed(claim, "down")
    assert claims.claim(pk, 5) is None
    with freeze_time(timezone.now() + health.FIRST_DELAY):
        claims.mark_sent(claims.claim(pk, 5), 1)
        assert claims.claim(pk, 5) is None


def test_a_lease_outlasts_the_message_and_what_a_dead_worker_had_is_claimed_anew(waiting):
    for _ in range(3):
        consented()
    with freeze_time(timezone.now()) as clock:
        first = claim_all(seconds=30)
        clock.tick(timedelta(seconds=30))
        assert claim_all() == []
        clock.tick(claims.MARGIN)
        again = claim_all(seconds=30)
        assert {claim.pk for claim in again} == {claim.pk for claim in first}
        assert {claim.attempts for claim in again} == {1}, "it may have been sent"
        assert claims.mark_sent(first[0], 1) == 0, "it is another's now"
        assert claims.mark_failed(first[1], "down") is False
        assert {(row.status, row.leased_until) for row in rows()} == {("waiting", again[0].leased_until)}
        assert claims.mark_sent(again[0], 1) == 1


def test_a_message_that_may_have_been_taken_before_tells_no_more_than_its_own_row(waiting, deliver):
    """
    A worker has sent it and died. Sent again under the same id, with more to tell, it is dropped: what it had to tell
    beyond its own row must be told by the next.
    """
    learner = consented()
    (claim,) = claim_all()
    JsonChannel(waiting.url).send(claim.delivery_id, delivery.roster.entry_of(claim.partner_id))
    consent.decline(learner, evidence())
    assert waiting.held[key(learner)]["status"] == "consented"
    deliver(True)
    with freeze_time(timezone.now() + timedelta(hours=1)):
        run()
    assert [sequence for _, _, sequence in waiting.received] == [1, 2, 2]
    assert waiting.received[0][0] == waiting.received[1][0] != waiting.received[2][0]
    assert_partner_knows(waiting)


def counted(queries):
    """Return what each query does; not the beginning and the end of transactions."""
    verbs = [query["sql"].split()[0] for query in queries.captured_queries]
    return [verb for verb in verbs if verb in ("SELECT", "INSERT", "UPDATE", "DELETE")]


def test_what_a_claim_and_a_delivery_cost(waiting):
    learner = consented()
    consented()
    consent.decline(learner, evidence())
    with CaptureQueriesContext(connection) as looking:
        first, second = sorted(claims.candidates("json"))
    assert counted(looking) == ["SELECT"]
    with CaptureQueriesContext(connection) as claiming:
        claim, other = claims.claim(first, 5), claims.claim(second, 5)
    assert counted(claiming) == ["SELECT", "UPDATE"] * 2
    with CaptureQueriesContext(connection) as late:
        claims.claim(first, 5)
    assert counted(late) == ["SELECT"]
    with CaptureQueriesContext(connection) as marking:
        assert claims.mark_sent(claim, 2) == 2
    assert counted(marking) == ["UPDATE", "SELECT", "UPDATE"], "its own, and one that it has overtaken"
    with CaptureQueriesContext(connection) as failing:
        claims.mark_failed(other, "down")
    assert counted(failing) == ["UPDATE"]


def test_what_a_drain_costs_a_message_beyond_what_reading_the_entry_does(waiting, deliver, monkeypatch):
    for _ in range(9):
        consented()
    reading = delivery.roster.entry_of
    entries = {row.partner_id: reading(row.partner_id) for row in CoachingConsent.objects.all()}
    monkeypatch.setattr(delivery.roster, "entry_of", entries.__getitem__)
    deliver(True)

    def cost(messages):
        PartnerDelivery.objects.update(status=Status.SENT)
        some = PartnerDelivery.objects.order_by("pk").values_list("pk", flat=True)[:messages]
        PartnerDelivery.objects.filter(pk__in=list(some)).update(status=Status.WAITING)
        with CaptureQueriesContext(connection) as queries:
            assert delivery.drain() == delivery.Drained(sent=messages)
        return len(counted(queries))

    cost(1)
    # Claimed by two, marked by one, and one that looks for what it has overtaken.
    assert cost(9) - cost(1) == 8 * 4
    # Is the channel paused, what is due, it works; and that nothing is left.
    assert cost(1) == 4 + 3 + 2


# Channels that are not there


def test_rows_of_a_channel_that_is_not_configured_wait(waiting, deliver, settings):
    channels = settings.COACHING_PARTNER_CHANNELS
    consented()
    settings.COACHING_PARTNER_CHANNELS = {}
    deliver(True)
    assert run() == NOTHING.replace("0 waiting", "1 waiting")
    settings.COACHING_PARTNER_CHANNELS = channels
    run()
    assert_partner_knows(waiting)


def test_rows_of_a_channel_that_cannot_be_made_wait_and_another_goes_on(waiting, deliver, settings, caplog):
    good = settings.COACHING_PARTNER_CHANNELS["json"]
    bad = {"BACKEND": "tests.loopback_partner.JsonChannel", "OPTIONS": {"uri": "?"}}
    settings.COACHING_PARTNER_CHANNELS = {"bad": bad, "json": good}
    consented()
    deliver(True)
    assert run() == NOTHING.replace("sent: 0", "sent: 1").replace("0 waiting", "1 waiting")
    assert statuses(channel="bad") == ["waiting"]
    assert "The partner channel bad is not usable" in caplog.text
    settings.COACHING_PARTNER_CHANNELS = {"bad": good}
    run()
    assert_partner_knows(waiting)


# Everybody anew


def test_a_channel_that_was_added_later_is_told_of_everybody(partner, settings, deliver):
    channels = settings.COACHING_PARTNER_CHANNELS
    settings.COACHING_PARTNER_CHANNELS = {}
    learners = [consented() for _ in range(3)]
    consent.decline(learners[0], evidence())
    consent.erase(learners[1], evidence(Door.RETIREMENT, disclosure=None))
    factories.eligible_learner()
    consent.decline(factories.eligible_learner(), evidence())
    settings.COACHING_PARTNER_CHANNELS = channels
    assert run("--queue-all", "json").startswith("Learners queued for json: 3.\nChanges sent: 3.")
    assert_partner_knows(partner)
    assert len(partner.held) == 3


def test_a_partner_that_lost_everything_is_told_of_everybody_again(partner, monkeypatch):
    monkeypatch.setattr("coaching_plugin.outbox.CHUNK", 2)
    learners = [consented() for _ in range(5)]
    consent.ask_again(learners[0], evidence(), "asked")
    consent.give(learners[1], "12", None, evidence())
    consent.decline(learners[2], evidence())
    partner.forget()
    assert run("--queue-all", "json").startswith("Learners queued for json: 5.\nChanges sent: 5.")
    assert len(partner.received) == 5
    assert_partner_knows(partner)


def test_queued_again_though_the_partner_has_lost_nothing_what_changes_meanwhile_is_told(partner, deliver):
    learner, other = consented(), consented()
    deliver(False)
    run("--queue-all", "json")
    consent.decline(learner, evidence())
    deliver(True)
    run()
    assert_partner_knows(partner)
    assert partner.held[key(other)]["status"] == "consented"


def test_queued_while_the_switch_is_off_everybody_waits(waiting, deliver):
    learner = consented()
    PartnerDelivery.objects.update(status=Status.PARKED, attempts=20, due_at=timezone.now() + timedelta(days=1))
    assert run("--queue-all", "json") == (
        "Learners queued for json: 1.\nThe switch coaching.partner_delivery is off: 1 waiting, 0 parked."
    )
    (row,) = rows()
    assert (row.attempts, row.due_at <= timezone.now()) == (1, True)
    deliver(True)
    run()
    assert partner_state(waiting) == {key(learner): ("consented", NUMBER)}


def test_queueing_changes_no_other_channel_and_nothing_that_was_sent_before(partner, settings):
    settings.COACHING_PARTNER_CHANNELS |= {"other": settings.COACHING_PARTNER_CHANNELS["json"]}
    learner = consented()
    consent.decline(learner, evidence())
    PartnerDelivery.objects.update(attempts=7)
    before = {row.pk: row.sent_at for row in rows()}
    run("--queue-all", "json")
    changed = [row for row in rows() if row.sent_at != before[row.pk]]
    assert [(row.channel, row.sequence, row.attempts) for row in changed] == [("json", 2, 2)]
    assert {row.attempts for row in rows() if row not in changed} == {7}


@pytest.mark.parametrize("name", ["jsno", "", " "])
def test_an_unknown_channel_is_one_clear_line_and_exit_2(partner, name):
    if not name:
        assert run("--queue-all", name) == NOTHING, "none is named"
        return
    with pytest.raises(CommandError) as error:
        run("--queue-all", name)
    assert error.value.returncode == 2
    assert str(error.value) == f"COACHING_PARTNER_CHANNELS has no channel {name}."
    assert rows() == []


# Rosters


@pytest.fixture
def roster(settings, tmp_path, deliver, committed):
    """A channel that writes a file, while the switch is on."""
    path = tmp_path / "roster.jsonl"
    settings.COACHING_PARTNER_CHANNELS = {
        "files": {"BACKEND": "tests.loopback_partner.FileChannel", "OPTIONS": {"path": str(path)}}
    }
    deliver(True)
    return FileChannel(path)


def on_file(roster):
    return {entry["partner_id"] for entry in roster.read()}


def who_consents():
    return {str(row.partner_id) for row in CoachingConsent.objects.filter(status="consented")}


def test_one_file_tells_of_all_that_waits(roster, deliver):
    deliver(False)
    learners = [consented() for _ in range(3)]
    consent.decline(learners[0], evidence())
    deliver(True)
    assert run() == NOTHING.replace("sent: 0", "sent: 4").replace("written: 0", "written: 1")
    assert on_file(roster) == {key(learner) for learner in learners[1:]} == who_consents()
    assert statuses() == ["sent"] * 4


def test_a_roster_is_not_written_more_often_than_its_interval(roster):
    with freeze_time(timezone.now()) as clock:
        first = consented()
        assert on_file(roster) == {key(first)}
        second = consented()
        assert on_file(roster) == {key(first)}
        clock.tick(roster.interval - timedelta(seconds=1))
        assert run() == NOTHING.replace("0 waiting", "1 waiting")
        clock.tick(timedelta(seconds=2))
        run()
        assert on_file(roster) == {key(first), key(second)}
        clock.tick(roster.interval)
        roster.path.unlink()
        assert run() == NOTHING, "nothing has changed"
        assert not roster.path.exists()


def test_refresh_writes_the_roster_at_once_and_even_if_nothing_has_changed(roster):
    learner = consented()
    roster.path.unlink()
    assert run("--refresh") == NOTHING.replace("written: 0", "written: 1")
    assert on_file(roster) == {key(learner)}


def test_refresh_sends_no_message_again(partner):
    consented()
    assert run("--refresh") == NOTHING
    assert len(partner.received) == 1


def test_what_changes_while_the_roster_is_written_is_on_the_next(roster, monkeypatch):
    first, second = consented(), factories.eligible_learner()
    write = FileChannel.write

    def write_while_somebody_answers(channel, entries):
        write(channel, list(entries))
        consent.give(second, TYPED, None, evidence())
        monkeypatch.setattr(FileChannel, "write", write)

    with freeze_time(timezone.now()) as clock:
        monkeypatch.setattr(FileChannel, "write", write_while_somebody_answers)
        run("--refresh")
        assert on_file(roster) == {key(first)}
        assert statuses(partner_id=key(second)) == ["waiting"]
        clock.tick(roster.interval + timedelta(seconds=1))
        run()
    assert on_file(roster) == {key(first), key(second)}


def test_while_one_worker_writes_no_other_does(roster, monkeypatch):
    write, seen = FileChannel.write, []

    def write_beside_another(channel, entries):
        seen.append(1)
        run("--refresh")
        write(channel, entries)

    monkeypatch.setattr(FileChannel, "write", write_beside_another)
    learner = consented()
    assert seen == [1]
    assert on_file(roster) == {key(learner)}
    (channel,) = PartnerChannel.objects.all()
    assert (channel.lease, channel.leased_until) == (None, None)


def test_a_worker_that_dies_while_it_writes_is_followed_by_another(roster, deliver):
    deliver(False)
    consented()
    assert health.take_lease("files")
    deliver(True)
    assert run() == NOTHING.replace("0 waiting", "1 waiting")
    with freeze_time(timezone.now() + health.ROSTER_LEASE):
        run()
    assert on_file(roster) == who_consents()


def test_a_long_roster_keeps_its_lease(roster, deliver, monkeypatch):
    deliver(False)
    for _ in range(3):
        consented()
    deliver(True)
    with freeze_time(timezone.now()) as clock:
        write, leases = FileChannel.write, []

        def write_slowly(channel, entries):
            def slowly():
                for entry in entries:
                    clock.tick(health.ROSTER_LEASE - timedelta(seconds=1))
                    leases.append(health.take_lease("files"))
                    yield entry

            write(channel, slowly())

        monkeypatch.setattr(FileChannel, "write", write_slowly)
        run()
    assert leases == [None] * 3
    assert on_file(roster) == who_consents()


@pytest.mark.parametrize("count", [1, 3], ids=["after its last entry", "before that"])
def test_a_writer_that_was_silent_for_too_long_leaves_the_file_to_the_other(
    roster, deliver, monkeypatch, caplog, count
):
    """It notices before its roster is whole, and so before it could take the place of a newer one."""
    deliver(False)
    learners = [consented() for _ in range(count)]
    deliver(True)
    with freeze_time(timezone.now()) as clock:
        write = FileChannel.write

        def write_after_a_sleep(channel, entries):
            monkeypatch.setattr(FileChannel, "write", write)
            entries = iter(entries)
            first = next(entries)
            clock.tick(health.ROSTER_LEASE)
            consent.decline(learners[0], evidence())
            run()
            write(channel, [first, *entries])

        monkeypatch.setattr(FileChannel, "write", write_after_a_sleep)
        assert run().startswith("Changes sent: 0. Rosters written: 0.")
    assert "silent for too long" in caplog.text
    assert on_file(roster) == who_consents() == set(map(key, learners[1:]))
    assert set(statuses()) == {"sent"}
    assert PartnerChannel.objects.get().failures == 0


def test_a_roster_that_may_stand_over_a_newer_one_is_written_again(roster, deliver, monkeypatch):
    """The sleep came between the last entry and the rename."""
    deliver(False)
    learners = [consented() for _ in range(2)]
    deliver(True)
    with freeze_time(timezone.now()) as clock:
        write = FileChannel.write

        def write_after_a_sleep(channel, entries):
            monkeypatch.setattr(FileChannel, "write", write)
            entries = list(entries)
            clock.tick(health.ROSTER_LEASE)
            deliver(False)
            consent.decline(learners[0], evidence())
            deliver(True)
            run()
            write(channel, entries)

        monkeypatch.setattr(FileChannel, "write", write_after_a_sleep)
        run()
        assert on_file(roster) != who_consents()
        clock.tick(roster.interval)
        run()
    assert on_file(roster) == who_consents() == {key(learners[1])}
    assert set(statuses()) == {"sent"}


def test_a_roster_that_fails_is_tried_again_later_and_never_parked(roster, monkeypatch, settings):
    settings.COACHING_PARTNER_MAX_ATTEMPTS = 2
    write, code = FileChannel.write, "disk_full"

    def fail(channel, entries):
        raise delivery.DeliveryError(code)

    with freeze_time(timezone.now()) as clock:
        monkeypatch.setattr(FileChannel, "write", fail)
        consented()
        for pause in (30, 60, 120, 240):
            (row,) = rows()
            assert (row.status, row.last_error) == ("waiting", code)
            clock.tick(timedelta(seconds=pause - 1))
            assert run() == NOTHING.replace("0 waiting", "1 waiting")
            clock.tick(timedelta(seconds=2))
            assert run() == NOTHING.replace("failed: 0", "failed: 1").replace("0 waiting", "1 waiting")
        assert rows()[0].attempts == 5
        monkeypatch.setattr(FileChannel, "write", write)
        clock.tick(timedelta(hours=1))
        run()
    assert on_file(roster) == who_consents()
    assert PartnerChannel.objects.get().failures == 0
    assert [(row.status, row.last_error) for row in rows()] == [("sent", "")]


def test_a_roster_channel_that_breaks_is_logged_without_what_it_broke_on(roster, monkeypatch, caplog):
    def write(channel, entries):
        raise ValueError(json.dumps([entry.as_json() for entry in entries]))

    monkeypatch.setattr(FileChannel, "write", write)
    consented()
    assert rows()[0].last_error == "broken"
    assert "Partner channel files broke while the roster was written: ValueError" in caplog.text
