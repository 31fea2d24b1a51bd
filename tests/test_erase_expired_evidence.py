"""``erase_expired_evidence``: after so many days what is personal of who does not consent is gone, and no more."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext
from freezegun import freeze_time

from coaching_plugin import audit, consent, ledger, retention
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door, PartnerDelivery
from tests import factories
from tests.factories import NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.test_rest_api import statements
from tests.test_retirement import traces

pytestmark = pytest.mark.usefixtures("committed", "coached")

Status = CoachingConsent.Status
DAYS = 30
# In the middle of a day that is another one in New York.
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)
# The last moment of the last day of which nothing is kept, and the first of the day after.
LAST_ERASED = datetime(2026, 10, 20, 23, 59, 59, 999999, tzinfo=UTC)
FIRST_KEPT = datetime(2026, 10, 21, tzinfo=UTC)


@pytest.fixture(autouse=True)
def channels(settings):
    settings.COACHING_EVIDENCE_RETENTION_DAYS = DAYS
    settings.COACHING_PARTNER_CHANNELS = {name: {"BACKEND": "nobody.sends"} for name in ("webhook", "roster")}
    settings.TIME_ZONE = "America/New_York"


def run(at=NOW, **options):
    out = io.StringIO()
    with freeze_time(at):
        call_command("erase_expired_evidence", stdout=out, **options)
    return out.getvalue().strip()


def withdrawn(at=LONG_AGO, number=TYPED):
    learner = factories.eligible_learner()
    with freeze_time(at - timedelta(hours=1)):
        consent.ask(learner, evidence())
    with freeze_time(at):
        assert not consent.give(learner, number, None, evidence()).is_refused
        consent.decline(learner, evidence())
    return learner


def later(at, change, *learners):
    with freeze_time(at):
        for learner in learners:
            change(learner)


def row(learner):
    return CoachingConsent.objects.get(user=learner)


def is_kept(learner):
    return learner.coaching_consent.events.exclude(ip=None).exists()


def kinds(learner):
    return list(ConsentEvent.objects.filter(learner_id=learner.id).order_by("sequence").values_list("kind", flat=True))


def assert_chains_hold():
    assert [verdict for _, verdict in audit.of_each(CoachingConsent.objects.all()) if not verdict.is_sound] == []


def stored():
    return list(CoachingConsent.objects.values()), list(ConsentEvent.objects.values()), PartnerDelivery.objects.count()


def test_nothing_personal_is_left_in_our_tables_and_the_withdrawal_stands():
    learner = withdrawn()
    type(learner.profile).objects.update(phone_number=None)
    assert run() == "Erased: the evidence of 1 learner(s)."
    assert traces(NUMBER, NUMBER[2:], "192.0.2.7", "a browser") == set()
    now = row(learner)
    assert (now.status, now.phone_number, now.erased_at) == (Status.WITHDRAWN, "", NOW)
    last = ConsentEvent.objects.order_by("-sequence").first()
    assert (last.kind, last.door, last.reason, last.actor_id) == ("erased", Door.ADMIN, "retention", None)
    assert kinds(learner) == ["asked", "consented", "withdrawn", "erased"]
    assert_chains_hold()


def test_run_again_it_finds_nothing():
    withdrawn()
    run()
    before = stored()
    assert run() == "Erased: the evidence of 0 learner(s)."
    assert run(NOW + timedelta(days=1000)) == "Erased: the evidence of 0 learner(s)."
    assert stored() == before


@pytest.mark.parametrize(
    ("at", "erased"), [(LAST_ERASED, True), (FIRST_KEPT, False), (LAST_ERASED - timedelta(days=1), True), (NOW, False)]
)
def test_days_are_whole_and_of_utc(at, erased):
    learner = withdrawn(at)
    run()
    assert is_kept(learner) is not erased


def test_at_any_time_of_the_day_the_same_are_erased():
    learner = withdrawn(FIRST_KEPT)
    run(datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC))
    assert is_kept(learner)
    run(datetime(2026, 11, 21, 0, 0, tzinfo=UTC))
    assert not is_kept(learner)


def test_with_no_days_it_is_kept_to_the_end_of_the_day(settings):
    settings.COACHING_EVIDENCE_RETENTION_DAYS = 0
    learner, of_before = withdrawn(NOW.replace(hour=0)), withdrawn(NOW.replace(hour=0) - timedelta(microseconds=1))
    run()
    assert (is_kept(learner), is_kept(of_before)) == (True, False)


def test_more_days_than_there_were_are_no_error(settings):
    settings.COACHING_EVIDENCE_RETENTION_DAYS = 10**9
    withdrawn()
    assert run() == "Erased: the evidence of 0 learner(s)."


WHO = {
    "who was asked": (lambda learner: consent.ask(learner, evidence()), True),
    "who was refused": (lambda learner: consent.give(learner, "12", None, evidence()), True),
    "who declined": (lambda learner: consent.decline(learner, evidence()), True),
    "who consents": (lambda learner: consent.give(learner, TYPED, None, evidence()), False),
    "who only dismissed the card": (consent.dismiss_card, False),
    "who was never asked": (lambda learner: None, False),
}


@pytest.mark.parametrize("who", WHO)
def test_whose_evidence_is_erased(who):
    change, erased = WHO[who]
    learner = factories.eligible_learner()
    later(LONG_AGO, change, learner)
    assert run(dry_run=True) == f"Would be erased: the evidence of {int(erased)} learner(s)."
    assert run() == f"Erased: the evidence of {int(erased)} learner(s)."
    assert ("erased" in kinds(learner)) is erased
    # A "no" is an answer still, and nobody is asked twice for the sake of the erasure.
    if who == "who declined":
        assert row(learner).has_answered
    assert_chains_hold()


def test_whatever_was_recorded_since_keeps_it_all():
    by_an_operator, by_the_learner = withdrawn(), withdrawn()
    later(
        NOW - timedelta(days=3), lambda learner: consent.do_not_ask(learner, evidence(Door.ADMIN), "a"), by_an_operator
    )
    later(NOW - timedelta(days=3), lambda learner: consent.give(learner, "12", None, evidence()), by_the_learner)
    assert run() == "Erased: the evidence of 0 learner(s)."
    assert is_kept(by_an_operator)
    assert is_kept(by_the_learner)


def test_an_operators_do_not_ask_stays():
    learner = withdrawn()
    later(LONG_AGO, lambda learner: consent.do_not_ask(learner, evidence(Door.ADMIN), "asked"), learner)
    run()
    now = row(learner)
    assert (now.do_not_ask, now.status) == (True, Status.WITHDRAWN)
    assert not is_kept(learner)


def test_the_partner_hears_of_it_where_it_was_told_of_them():
    told, untold = withdrawn(), factories.eligible_learner()
    later(LONG_AGO, lambda learner: consent.decline(learner, evidence()), untold)
    PartnerDelivery.objects.all().delete()
    run()
    erased = row(told)
    assert set(PartnerDelivery.objects.values_list("channel", "partner_id", "sequence")) == {
        (channel, erased.partner_id, erased.last_sequence) for channel in ("webhook", "roster")
    }
    assert erased.changed_at == NOW
    assert row(untold).changed_at is None


def test_an_account_that_is_deleted_altogether_is_erased_too():
    learner = withdrawn()
    User.objects.get(pk=learner.pk).delete()
    assert run() == "Erased: the evidence of 1 learner(s)."
    assert traces("192.0.2.7", "a browser") == set()
    assert_chains_hold()


def test_who_agrees_again_afterwards_is_kept_and_later_erased_anew():
    learner = withdrawn()
    run()
    later(NOW, lambda learner: consent.give(learner, OTHER_TYPED, None, evidence()), learner)
    assert run(NOW + timedelta(days=1000)) == "Erased: the evidence of 0 learner(s)."
    assert row(learner).phone_number == OTHER_NUMBER
    later(NOW, lambda learner: consent.decline(learner, evidence()), learner)
    assert run(NOW + timedelta(days=1000)) == "Erased: the evidence of 1 learner(s)."
    assert kinds(learner)[-4:] == ["erased", "consented", "withdrawn", "erased"]
    assert_chains_hold()


def test_without_the_setting_nothing_is_to_be_erased(settings):
    settings.COACHING_EVIDENCE_RETENTION_DAYS = None
    withdrawn()
    before = stored()
    for options in ({}, {"dry_run": True}):
        assert run(**options) == "Nothing is to be erased: COACHING_EVIDENCE_RETENTION_DAYS is not set."
    assert stored() == before


def test_a_dry_run_only_counts():
    for _ in range(3):
        withdrawn()
    withdrawn(NOW)
    before = stored()
    assert run(dry_run=True) == "Would be erased: the evidence of 3 learner(s)."
    assert stored() == before


def test_a_failure_with_one_is_logged_and_the_rest_goes_on(monkeypatch, caplog):
    learners = [withdrawn() for _ in range(4)]
    append = ledger.append

    def fail(row, kind, **fields):
        if row.user_id == learners[1].id:
            raise OperationalError(f"Lost connection while writing {NUMBER}")
        return append(row, kind, **fields)

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "append", fail)
        with pytest.raises(CommandError) as caught:
            run()
    assert str(caught.value) == "Erased: the evidence of 3 learner(s). Not erased, see the log: 1."
    assert caught.value.returncode == 1
    assert [is_kept(learner) for learner in learners] == [False, True, False, False]
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert line.startswith(f"User {learners[1].id}: the expired evidence could not be erased: OperationalError")
    assert NUMBER not in line
    assert_chains_hold()
    assert run() == "Erased: the evidence of 1 learner(s)."


def test_many_are_read_in_chunks_by_the_key(monkeypatch):
    monkeypatch.setattr(retention, "CHUNK_SIZE", 2)
    learners = [withdrawn() for _ in range(5)]
    withdrawn(NOW)
    since = NOW - timedelta(days=10)
    with CaptureQueriesContext(connection) as queries:
        assert [row.user_id for row in retention.expired(since)] == [learner.id for learner in learners]
    # Two, two, one, and that there are no more.
    assert len(statements(queries)) == 4
    assert run() == "Erased: the evidence of 5 learner(s)."


def test_who_is_a_candidate_no_longer_when_it_is_their_turn_is_left_alone():
    """Read as expired, and meanwhile consenting again, or withdrawing anew."""
    again, anew, gone = withdrawn(), withdrawn(), withdrawn()
    with freeze_time(NOW):
        since = retention.quiet_since(DAYS)
        rows = list(retention.expired(since))
        assert len(rows) == 3
        for learner in (again, anew):
            consent.give(learner, OTHER_TYPED, None, evidence())
        consent.decline(anew, evidence())
        results = [consent.erase_expired(row, since, consent.Evidence(door=Door.ADMIN)) for row in rows]
    assert results == [False, False, True]
    assert (is_kept(again), is_kept(anew), is_kept(gone)) == (True, True, False)
    assert row(again).phone_number == OTHER_NUMBER


def test_a_consent_that_stands_is_not_touched_however_long_it_was_quiet():
    """Nor where it was read as a candidate, and then given by a server whose clock is slow."""
    learner = withdrawn()
    since = NOW - timedelta(days=1)
    (candidate,) = retention.expired(since)
    later(LONG_AGO, lambda learner: consent.give(learner, OTHER_TYPED, None, evidence()), learner)
    assert not consent.erase_expired(candidate, since, consent.Evidence(door=Door.ADMIN))
    assert is_kept(learner)
    assert row(learner).is_consented


def test_what_each_learner_costs():
    withdrawn()
    with CaptureQueriesContext(connection) as queries:
        run()
    asked = statements(queries)
    # The chunk, and that there is no other. The row locked; quiet still; blanked; the event; the outbox; the row. And,
    # till the cache has it, whether the partner is told now.
    assert len(asked) == 2 + 6 + 1, "\n".join(asked)


def test_events_from_the_future_of_another_servers_clock_keep_it():
    learner = withdrawn()
    QuerySet(ConsentEvent).filter(learner_id=learner.id, kind="withdrawn").update(
        occurred_at=F("occurred_at") + timedelta(days=5000)
    )
    assert run() == "Erased: the evidence of 0 learner(s)."
