"""Who is on the roster, what the partner learns of them, and what of those who are not on it any more."""

import tracemalloc
from uuid import uuid4

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from openedx.core.djangoapps.lang_pref import LANGUAGE_KEY
from openedx.core.djangoapps.user_api.models import UserPreference, UserRetirementStatus

from coaching_plugin import consent, disclosures
from coaching_plugin.models import CoachedCourse, CoachingConsent, Disclosure, Door
from coaching_plugin.partner import roster
from coaching_plugin.partner.roster import Entry, Standing
from tests import factories
from tests.factories import LIST1, MB101, MB102, NUMBER, OTHER_NUMBER, OTHER_TYPED, PLAIN, TYPED, evidence
from tests.partner_learners import consent_many

pytestmark = pytest.mark.django_db


def row_of(learner):
    return CoachingConsent.objects.get(user=learner)


def entry_of(learner):
    return roster.entry_of(row_of(learner).partner_id)


def on_the_roster():
    return [entry.partner_id for entry in roster.entries()]


def agree(learner):
    assert not consent.give(learner, TYPED, None, evidence()).is_refused
    return row_of(learner)


@pytest.fixture
def consented(learner):
    agree(learner)
    return learner


# What is told of somebody who agrees


def test_all_that_the_partner_learns(consented):
    row = row_of(consented)
    assert list(roster.entries()) == [
        Entry(
            partner_id=row.partner_id,
            sequence=1,
            status=Standing.CONSENTED,
            full_name="Lena Learner",
            phone_number=NUMBER,
            email=consented.email,
            language="en",
            programs=("Demo MicroBachelors",),
            consented_at=row.answered_at,
            disclosure_version=disclosures.current().disclosure.version,
        )
    ]
    assert [entry_of(consented)] == list(roster.entries())


def test_the_number_is_the_consents_and_not_the_profiles(consented):
    UserProfile.objects.filter(user=consented).update(phone_number=OTHER_NUMBER)
    assert entry_of(consented).phone_number == NUMBER


def test_the_sequence_is_that_of_the_last_event(consented):
    consent.change_phone(consented, OTHER_TYPED, evidence())
    entry = entry_of(consented)
    assert (entry.sequence, entry.phone_number) == (2, OTHER_NUMBER)


def test_a_learner_without_a_profile_has_no_name(consented):
    UserProfile.objects.filter(user=consented).delete()
    assert entry_of(consented).full_name == ""
    assert len(on_the_roster()) == 1


def test_consent_through_words_not_shown_by_us_has_no_disclosure_version(learner):
    consent.give(learner, TYPED, None, evidence(Door.API, disclosure=None))
    entry = entry_of(learner)
    assert (entry.status, entry.disclosure_version) == (Standing.CONSENTED, None)


def test_the_language_is_the_preferred_one_or_that_of_the_disclosure_or_the_sites(settings, learner):
    settings.LANGUAGE_CODE = "fr"
    words = Disclosure.objects.create(version=2, language="ar", body="Words.", published_at=timezone.now())
    agree(learner)

    CoachingConsent.objects.update(disclosure=None)
    assert entry_of(learner).language == "fr"
    CoachingConsent.objects.update(disclosure=words)
    assert entry_of(learner).language == "ar"
    UserPreference.objects.create(user=learner, key="time_zone", value="UTC")
    UserPreference.objects.create(user=factories.user(), key=LANGUAGE_KEY, value="de")
    assert entry_of(learner).language == "ar"
    UserPreference.objects.create(user=learner, key=LANGUAGE_KEY, value="es-419")
    assert entry_of(learner).language == "es-419"


# Programs


def test_programs_are_named_once_and_in_order(consented):
    other = CoachedCourse.objects.get(course_key=LIST1)
    other.program_title = "A first program"
    other.save()
    factories.enroll(consented, MB102)
    factories.enroll(consented, LIST1)
    assert entry_of(consented).programs == ("A first program", "Demo MicroBachelors")


def test_a_run_listed_without_a_program_adds_none(consented):
    factories.enroll(consented, LIST1)
    assert entry_of(consented).programs == ("Demo MicroBachelors",)


LEAVE = {
    "audit": lambda learner: factories.enroll(learner, mode="audit"),
    "unenrolled": lambda learner: CourseEnrollment.unenroll(learner, MB101),
    "no longer coached": lambda learner: CoachedCourse.objects.filter(course_key=MB101).update(active=False),
    "not a coached course": lambda learner: (CourseEnrollment.objects.all().delete(), factories.enroll(learner, PLAIN)),
}


@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
def test_consent_outlives_the_program(consented, leave):
    leave(consented)
    entry = entry_of(consented)
    assert (entry.status, entry.programs) == (Standing.CONSENTED, ())


def test_the_modes_that_count_are_the_settings(settings, consented):
    settings.COACHING_ENROLLMENT_MODES = ["audit", "professional"]
    assert entry_of(consented).programs == ()
    factories.enroll(consented, mode="professional")
    assert entry_of(consented).programs == ("Demo MicroBachelors",)


def test_each_learner_has_their_own_programs(learner):
    CoachedCourse.objects.filter(course_key=LIST1).update(program_title="Another program")
    agree(learner)
    agree(other := factories.eligible_learner(LIST1))
    assert [entry.programs for entry in roster.entries()] == [("Demo MicroBachelors",), ("Another program",)]
    assert entry_of(other).programs == ("Another program",)


# Who is not on it


def retire(learner):
    consent.erase(learner, evidence(Door.RETIREMENT))


def delete_after_erasure(learner):
    retire(learner)
    learner.delete()


def erase_and_agree_again(learner):
    retire(learner)
    agree(learner)
    User.objects.filter(pk=learner.pk).update(is_active=False)


GO = {
    "declined after all": (lambda learner: consent.decline(learner, evidence()), Standing.WITHDRAWN),
    "stopped": (lambda learner: consent.opt_out(learner, evidence(Door.PARTNER)), Standing.WITHDRAWN),
    "inactive": (lambda learner: User.objects.filter(pk=learner.pk).update(is_active=False), Standing.WITHDRAWN),
    "retiring": (UserRetirementStatus.create_retirement, Standing.WITHDRAWN),
    "retiring, and the request passed us by": (
        lambda learner: (
            UserRetirementStatus.create_retirement(learner),
            CoachingConsent.objects.update(status=CoachingConsent.Status.CONSENTED),
        ),
        Standing.WITHDRAWN,
    ),
    "deleted": (lambda learner: learner.delete(), Standing.WITHDRAWN),
    "erased": (retire, Standing.ERASED),
    "erased and deleted": (delete_after_erasure, Standing.ERASED),
    "erased, back, and inactive": (erase_and_agree_again, Standing.WITHDRAWN),
    "to be asked again": (
        lambda learner: (
            consent.withdraw(learner, evidence(), "why"),
            consent.ask_again(learner, evidence(Door.ADMIN), "why"),
        ),
        Standing.WITHDRAWN,
    ),
}


@pytest.mark.parametrize(("go", "standing"), GO.values(), ids=GO)
def test_of_who_is_not_on_it_only_that_is_told(consented, go, standing):
    partner_id = row_of(consented).partner_id
    go(consented)
    assert on_the_roster() == []
    row = CoachingConsent.objects.get(partner_id=partner_id)
    assert roster.entry_of(partner_id) == Entry(partner_id, row.last_sequence, standing)


def test_who_agrees_again_is_back(consented):
    consent.decline(consented, evidence())
    assert on_the_roster() == []
    agree(consented)
    assert [entry.sequence for entry in roster.entries()] == [3]


NEVER_TOLD = {
    "declined": lambda learner: consent.decline(learner, evidence()),
    "asked": lambda learner: consent.ask(learner, evidence()),
    "stopped": lambda learner: consent.opt_out(learner, evidence()),
}


@pytest.mark.parametrize("answer", NEVER_TOLD.values(), ids=NEVER_TOLD)
def test_of_who_never_agreed_nothing_is_told(learner, answer):
    answer(learner)
    assert on_the_roster() == []
    with pytest.raises(CoachingConsent.DoesNotExist):
        entry_of(learner)


def test_of_somebody_unknown_nothing_is_told():
    with pytest.raises(CoachingConsent.DoesNotExist):
        roster.entry_of(uuid4())


# What it costs


def test_one_entry_takes_two_queries_and_one_of_somebody_gone_takes_one(consented, django_assert_num_queries):
    partner_id = row_of(consented).partner_id
    with django_assert_num_queries(2):
        roster.entry_of(partner_id)
    consent.decline(consented, evidence())
    with django_assert_num_queries(1):
        roster.entry_of(partner_id)


def test_ten_thousand_are_read_in_two_queries_a_chunk(coached, django_assert_num_queries):
    consent_many(10_000)
    chunks = 10_000 // roster.CHUNK_SIZE
    # The last look finds nobody.
    with django_assert_num_queries(2 * chunks + 1):
        entries = list(roster.entries())
    assert len({entry.partner_id for entry in entries}) == 10_000
    assert {entry.programs for entry in entries} == {("Demo MicroBachelors",)}


def test_ten_thousand_take_no_more_memory_than_two_thousand(coached, monkeypatch):
    monkeypatch.setattr(roster, "CHUNK_SIZE", 500)

    def peak():
        tracemalloc.start()
        try:
            for _ in roster.entries():
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    consent_many(2_000)
    peak()
    of_two_thousand = peak()
    consent_many(8_000)
    assert peak() < 1.5 * of_two_thousand


def test_who_comes_and_goes_meanwhile_disturbs_nobody(coached, flags, monkeypatch):
    monkeypatch.setattr(roster, "CHUNK_SIZE", 2)
    learners = [factories.eligible_learner() for _ in range(6)]
    first, second, third, fourth, fifth, late = learners
    for learner in (first, third, fourth, fifth):
        agree(learner)
    reading = roster.entries()
    read = [next(reading).partner_id]
    # Behind the reader, under it, and before it.
    consent.decline(first, evidence())
    consent.decline(fourth, evidence())
    agree(second)
    agree(late)
    read += [entry.partner_id for entry in reading]
    assert read == [row_of(learner).partner_id for learner in (first, third, fifth, second, late)]
    assert sorted(on_the_roster()) == sorted(row_of(learner).partner_id for learner in (second, third, fifth, late))


@pytest.mark.usefixtures("committed")
def test_no_transaction_is_held_while_the_reader_writes(coached):
    consent_many(3)
    for _ in roster.entries():
        assert not connection.in_atomic_block
        if connection.vendor == "mysql":
            assert open_transactions() == 0


def open_transactions():
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID()")
        return cursor.fetchone()[0]


def test_what_changes_between_the_statements_is_not_mixed_in(consented):
    """Whatever is sent under a sequence is what stood then, or a receiver would keep it against what is newer."""
    queries = []

    def change_after_the_first(execute, *args):
        queries.append(args[0])
        result = execute(*args)
        if len(queries) == 1:
            consent.change_phone(consented, OTHER_TYPED, evidence())
        return result

    with connection.execute_wrapper(change_after_the_first):
        entry = entry_of(consented)
    assert (entry.sequence, entry.phone_number) in {(1, NUMBER), (2, OTHER_NUMBER)}
    assert entry_of(consented).sequence == 2
