"""The chain verifies, and each kind of tampering is found, by the command that operators run."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from coaching_plugin import consent
from coaching_plugin.models import AppendOnlyError, CoachingConsent, ConsentEvent, Disclosure
from tests import factories
from tests.factories import OTHER_TYPED, TYPED, evidence

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


def test_an_event_put_in_is_found(chain):
    tamper("UPDATE {consents} SET last_sequence = 3 WHERE id = %s", chain.pk)
    with pytest.raises(CommandError, match="event 5 "):
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
