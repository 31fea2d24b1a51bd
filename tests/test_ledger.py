"""The chain verifies, and each kind of tampering is found, by the command that operators run."""

import json
from dataclasses import fields
from datetime import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from coaching_plugin import audit, consent, ledger
from coaching_plugin.models import AppendOnlyError, CoachingConsent, ConsentEvent, Disclosure, Door
from tests import factories
from tests.factories import CANADIAN, NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.terminal import Terminal

pytestmark = pytest.mark.django_db

TABLES = {
    "events": ConsentEvent._meta.db_table,
    "consents": CoachingConsent._meta.db_table,
    "disclosures": Disclosure._meta.db_table,
}


def verify():
    out = StringIO()
    call_command("verify_consent_ledger", stdout=out)
    return out.getvalue()


def tamper(sql, *parameters):
    """Change the database behind the plugin's back."""
    with connection.cursor() as cursor:
        cursor.execute(sql.format(**TABLES), parameters)


@pytest.fixture
def chain(learner):
    """The consent row of a learner with four events."""
    consent.ask(learner, evidence())
    consent.give(learner, TYPED, None, evidence())
    consent.change_phone(learner, OTHER_TYPED, evidence())
    consent.decline(learner, evidence())
    return CoachingConsent.objects.get(user=learner)


@pytest.fixture
def neighbour(chain):
    other = factories.eligible_learner()
    consent.ask(other, evidence())
    consent.give(other, TYPED, None, evidence())
    return CoachingConsent.objects.get(user=other)


def test_untouched_chains_verify(chain, neighbour):
    assert "2 learner(s)" in verify()


def test_an_empty_ledger_verifies(db):
    assert "0 learner(s)" in verify()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", "declined"),
        ("reason", "changed"),
        ("occurred_at", "2020-01-01 00:00:00"),
        ("door", "api"),
        ("actor_id", 1),
        ("learner_id", 999_999),
        ("shown_sha256", "0" * 64),
        ("shown_with", '{"site_name": "Other"}'),
        ("disclosure_id", None),
        ("phone_number", "+12025550100"),
        ("ip", "198.51.100.1"),
        ("user_agent", "another"),
        ("salt", "00" * 32),
        ("salt", "no hexadecimal"),
        ("personal_digest", "0" * 64),
        ("previous_hash", "0" * 64),
        ("hash", "0" * 64),
    ],
)
def test_an_edited_event_is_named(chain, column, value):
    tamper(f"UPDATE {{events}} SET {column} = %s WHERE consent_id = %s AND sequence = 2", value, chain.pk)
    with pytest.raises(CommandError, match=f"event 2 of consent {chain.partner_id}"):
        verify()


def test_a_salt_that_is_written_in_another_way_is_found(chain):
    tamper("UPDATE {events} SET salt = UPPER(salt) WHERE consent_id = %s AND sequence = 2", chain.pk)
    with pytest.raises(CommandError, match="event 2 .*number, IP address or user agent"):
        verify()


WORDS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64) | st.just("")
IDS = st.integers(1, 1_000_000)
EDITS = {
    "sequence": st.integers(10, 99),
    "kind": st.sampled_from(ConsentEvent.Kind.values),
    "reason": WORDS,
    "occurred_at": st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),
    "door": st.sampled_from(Door.values),
    "actor_id": IDS,
    "learner_id": IDS | st.none(),
    "disclosure_id": st.none(),
    "shown_sha256": DIGESTS,
    "shown_with": st.dictionaries(WORDS, WORDS | st.integers() | st.none(), max_size=3),
    "phone_number": st.sampled_from(["", NUMBER, OTHER_NUMBER, CANADIAN]),
    "ip": st.ip_addresses().map(str) | st.none(),
    "user_agent": WORDS,
    "salt": DIGESTS | WORDS,
    "personal_digest": DIGESTS,
    "previous_hash": DIGESTS,
    "hash": DIGESTS,
}
HEADS = {"last_sequence": st.integers(0, 99), "last_hash": DIGESTS}
edits = st.sampled_from(list(EDITS)).flatmap(lambda column: st.tuples(st.just(column), EDITS[column]))
head_edits = st.sampled_from(list(HEADS)).flatmap(lambda column: st.tuples(st.just(column), HEADS[column]))


def test_every_column_of_an_event_is_edited_here():
    own = {field.attname for field in ConsentEvent._meta.fields} - {"id", "consent_id"}
    assert set(EDITS) == own


@pytest.mark.once
@pytest.mark.parametrize("is_erased", [False, True], ids=["whole", "erased"])
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=st.integers(1, 4), edit=edits | head_edits)
def test_any_edit_of_any_column_of_any_event_or_head_is_found(chain, is_erased, sequence, edit):
    column, value = edit
    with transaction.atomic():
        if is_erased:
            consent.erase(chain.user, consent.Evidence(door=Door.RETIREMENT))
        assert "1 learner(s)" in verify()
        is_head = column in HEADS
        rows = CoachingConsent.objects if is_head else ConsentEvent.objects.filter(consent=chain, sequence=sequence)
        stored = rows.values_list(column, flat=True).get()
        assume(value != stored)
        value = json.dumps(value) if column == "shown_with" else value
        if is_head:
            tamper(f"UPDATE {{consents}} SET {column} = %s WHERE id = %s", value, chain.pk)
        else:
            tamper(
                f"UPDATE {{events}} SET {column} = %s WHERE consent_id = %s AND sequence = %s",
                value,
                chain.pk,
                sequence,
            )
        with pytest.raises(CommandError, match="event [1-6] of consent "):
            verify()
        transaction.set_rollback(True)


def test_an_event_taken_out_of_the_middle_is_named(chain):
    tamper("DELETE FROM {events} WHERE consent_id = %s AND sequence = 2", chain.pk)
    with pytest.raises(CommandError, match="event 2 .*missing"):
        verify()


def test_events_renumbered_after_a_deletion_are_found(chain):
    tamper("DELETE FROM {events} WHERE consent_id = %s AND sequence = 2", chain.pk)
    for sequence in (3, 4):
        tamper(
            "UPDATE {events} SET sequence = sequence - 1 WHERE consent_id = %s AND sequence = %s", chain.pk, sequence
        )
    with pytest.raises(CommandError, match="event 2 "):
        verify()


def test_a_cut_tail_is_found(chain):
    tamper("DELETE FROM {events} WHERE consent_id = %s AND sequence = 4", chain.pk)
    with pytest.raises(CommandError, match="event 4 .*ends before the head"):
        verify()


def test_a_chain_taken_away_whole_is_found(chain):
    tamper("DELETE FROM {events} WHERE consent_id = %s", chain.pk)
    with pytest.raises(CommandError, match="event 1 "):
        verify()


def test_two_exchanged_events_are_found(chain):
    for old, new in ((2, 99), (3, 2), (99, 3)):
        tamper("UPDATE {events} SET sequence = %s WHERE consent_id = %s AND sequence = %s", new, chain.pk, old)
    with pytest.raises(CommandError, match="event 2 "):
        verify()


@pytest.mark.parametrize("sequence", [1, 2, 4, 5], ids=["before all", "in the middle", "before the last", "after all"])
def test_a_forged_event_put_in_is_found_though_it_is_made_by_the_rules(chain, sequence):
    """Whoever forges it knows how events are made, but does not make the ones after it and the head anew."""
    for later in range(4, sequence - 1, -1):
        tamper("UPDATE {events} SET sequence = %s WHERE consent_id = %s AND sequence = %s", later + 1, chain.pk, later)
    before = ConsentEvent.objects.filter(consent=chain, sequence=sequence - 1).first()
    forger = CoachingConsent.objects.get(pk=chain.pk)
    forger.last_sequence, forger.last_hash = (before.sequence, before.hash) if before else (0, "")
    ledger.append(forger, ConsentEvent.Kind.CONSENTED, door=Door.API, phone_number=NUMBER)
    with pytest.raises(CommandError, match=f"event {sequence + 1} of consent {chain.partner_id}"):
        verify()


def test_an_edited_event_is_found_though_its_own_hashes_are_made_anew(chain):
    for sequence in (1, 2, 3, 4):
        with transaction.atomic():
            event = ConsentEvent.objects.get(consent=chain, sequence=sequence)
            event.kind, event.phone_number = ConsentEvent.Kind.DECLINED, ""
            event.personal_digest = ledger._personal_digest(event)
            event.hash = ledger._hash(event)
            tamper(
                "UPDATE {events} SET kind = %s, phone_number = '', personal_digest = %s, hash = %s WHERE id = %s",
                *(event.kind, event.personal_digest, event.hash, event.pk),
            )
            with pytest.raises(CommandError, match=f"event {sequence + 1} of consent {chain.partner_id}"):
                verify()
            transaction.set_rollback(True)
    assert "1 learner(s)" in verify()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("last_sequence", 3),
        ("last_sequence", 5),
        ("last_hash", "0" * 64),
        ("last_hash", ""),
        ("partner_id", "0" * 32),
        ("user_id", None),
    ],
)
def test_an_edited_head_is_found(chain, neighbour, column, value):
    """Of the learner, only another one is: a deleted user, too, leaves none."""
    if column == "user_id":
        tamper("UPDATE {consents} SET user_id = NULL WHERE id = %s", neighbour.pk)
        value = neighbour.user_id
    tamper(f"UPDATE {{consents}} SET {column} = %s WHERE id = %s", value, chain.pk)
    with pytest.raises(CommandError, match="event [15] of consent "):
        verify()


def test_a_chain_cut_whole_with_its_row_is_all_that_goes_unnoticed_here(chain):
    """As the design says: who rewrites the events and the row is found by heads that were exported, and not here."""
    tamper("DELETE FROM {events} WHERE consent_id = %s AND sequence = 4", chain.pk)
    third = ConsentEvent.objects.get(consent=chain, sequence=3)
    tamper("UPDATE {consents} SET last_sequence = 3, last_hash = %s WHERE id = %s", third.hash, chain.pk)
    with pytest.raises(CommandError, match=f"the row of consent {chain.partner_id} .*: status"):
        verify()
    tamper("UPDATE {consents} SET status = 'consented' WHERE id = %s", chain.pk)
    assert "1 learner(s)" in verify()


# The row beside the chain


@pytest.fixture
def eventful(chain):
    """The row of a learner of whom all was recorded that there is, but for an erasure."""
    learner = chain.user
    consent.opt_out(learner, evidence(Door.PARTNER), "stop")
    consent.do_not_ask(learner, evidence(Door.ADMIN, actor_id=7), "asked by phone")
    assert "1 learner(s)" in verify()
    return chain


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "consented"),
        ("status", "undecided"),
        ("phone_number", "+12025550100"),
        ("phone_number", ""),
        ("disclosure_id", None),
        ("asked_at", None),
        ("asked_at", "2020-01-01 00:00:00"),
        ("answered_at", None),
        ("answered_at", "2020-01-01 00:00:00"),
        ("do_not_ask", False),
        ("opted_out_at", None),
        ("opted_out_at", "2020-01-01 00:00:00"),
        ("erased_at", "2020-01-01 00:00:00"),
    ],
)
def test_a_row_that_was_changed_without_an_event_is_named(eventful, column, value):
    tamper(f"UPDATE {{consents}} SET {column} = %s WHERE id = %s", value, eventful.pk)
    with pytest.raises(CommandError, match=rf"the row of consent {eventful.partner_id} .*: {column}\."):
        verify()


def test_every_column_that_events_tell_of_is_held_against_them():
    bookkeeping = {"id", "user_id", "partner_id", "last_sequence", "last_hash"}
    # No event tells of the card, and what the partner was told when there was none is not known to the ledger.
    untold = {"card_dismissed_at", "changed_at"}
    columns = {field.attname for field in CoachingConsent._meta.concrete_fields}
    assert columns - bookkeeping - untold == {field.name for field in fields(audit.Told)}


@pytest.mark.parametrize(
    "kind", ["asked", "declined", "withdrawn", "phone_changed", "opted_out", "do_not_ask", "dreamt"]
)
def test_an_event_that_cannot_follow_is_named_though_the_chain_is_made_by_the_rules(eventful, kind):
    """Whoever appends one has made its head on the row, too."""
    forger = CoachingConsent.objects.get(pk=eventful.pk)
    ledger.append(forger, kind, door=Door.API)
    forger.save()
    assert ledger.verify_one(forger) is None
    with pytest.raises(CommandError, match=f"event 7 of consent {forger.partner_id}: it cannot follow"):
        verify()


def test_a_change_between_reading_row_and_events_is_no_break(chain):
    """On a site that lives, somebody answers meanwhile."""
    stale = CoachingConsent.objects.get(pk=chain.pk)
    consent.ask_again(chain.user, evidence(Door.ADMIN), "they wrote to us")
    assert ledger.verify_one(stale) is not None
    assert audit.of(stale).is_sound


def test_the_first_event_taken_away_is_named(chain):
    tamper("DELETE FROM {events} WHERE consent_id = %s AND sequence = 1", chain.pk)
    with pytest.raises(CommandError, match="event 1 .*missing"):
        verify()


def test_the_same_event_of_two_learners_exchanged_is_found(chain, neighbour):
    one, other = (ConsentEvent.objects.get(consent=row, sequence=2) for row in (chain, neighbour))
    for event, row, sequence in ((one, neighbour, 99), (other, chain, 2), (one, neighbour, 2)):
        tamper("UPDATE {events} SET consent_id = %s, sequence = %s WHERE id = %s", row.pk, sequence, event.pk)
    for row in (chain, neighbour):
        assert ledger.verify_one(row).sequence == 2
    with pytest.raises(CommandError, match=f"event 2 of consent {chain.partner_id}"):
        verify()


def test_personal_data_put_back_after_an_erasure_is_found(chain):
    consent.erase(chain.user, consent.Evidence(door=Door.RETIREMENT))
    assert "1 learner(s)" in verify()
    tamper("UPDATE {events} SET phone_number = %s WHERE consent_id = %s AND sequence = 2", NUMBER, chain.pk)
    with pytest.raises(CommandError, match="event 2 .*number, IP address or user agent"):
        verify()


def test_two_learners_exchanged_are_found(chain, neighbour):
    tamper("UPDATE {consents} SET user_id = NULL WHERE id = %s", chain.pk)
    tamper("UPDATE {consents} SET user_id = %s WHERE id = %s", chain.user_id, neighbour.pk)
    with pytest.raises(CommandError, match="belongs to another learner"):
        verify()


def test_an_event_moved_to_another_learner_is_found(chain, neighbour):
    tamper(
        "UPDATE {events} SET consent_id = %s, sequence = 3 WHERE consent_id = %s AND sequence = 4",
        neighbour.pk,
        chain.pk,
    )
    with pytest.raises(CommandError, match="event "):
        verify()


def test_personal_data_blanked_without_an_erasure_is_found(chain):
    tamper(
        "UPDATE {events} SET phone_number = '', ip = NULL, user_agent = '', salt = '' WHERE consent_id = %s", chain.pk
    )
    with pytest.raises(CommandError, match="event 1 .*number, IP address or user agent"):
        verify()


def test_the_words_of_a_published_disclosure_can_be_changed_by_nobody_unnoticed(chain):
    disclosure = Disclosure.objects.get(pk=chain.disclosure_id)
    disclosure.body = "Other words"
    with pytest.raises(AppendOnlyError):
        disclosure.save()
    with pytest.raises(AppendOnlyError):
        disclosure.delete()
    for change in (lambda rows: rows.update(body="Other words"), lambda rows: rows.delete()):
        with pytest.raises(AppendOnlyError):
            change(Disclosure.objects.filter(pk=disclosure.pk))
    tamper("UPDATE {disclosures} SET body = 'Other words' WHERE id = %s", disclosure.pk)
    with pytest.raises(CommandError, match="words of its disclosure"):
        verify()


def test_broken_chains_come_one_by_one_and_those_before_are_counted(chain, neighbour):
    tamper("UPDATE {events} SET reason = 'x' WHERE consent_id = %s AND sequence = 1", neighbour.pk)
    with pytest.raises(CommandError, match=r"1 chain\(s\) before it hold"):
        verify()


def test_a_terminal_sees_how_far_the_verification_is_and_cron_does_not(chain, monkeypatch):
    for stream, is_told in ((Terminal(), True), (StringIO(), False)):
        monkeypatch.setattr("sys.stderr", stream)
        assert verify().startswith("Intact: the chains of 1 learner(s)")
        assert ("Verifying" in stream.getvalue()) is is_told
        assert ("100%" in stream.getvalue()) is is_told
