"""Every change of state, its event, its refusals, and what is written to the profile."""

from contextlib import contextmanager
from datetime import UTC, timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from freezegun import freeze_time
from openedx.core.djangoapps.user_api.models import RetirementState, UserRetirementStatus

from coaching_plugin import coached_courses, consent, disclosures, ledger, toggles
from coaching_plugin.models import AppendOnlyError, CoachingConsent, ConsentEvent, Door
from tests import factories
from tests.factories import CANADIAN, NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence

pytestmark = pytest.mark.django_db

Status = CoachingConsent.Status


def kinds(learner):
    return list(ConsentEvent.objects.filter(learner_id=learner.id).order_by("sequence").values_list("kind", flat=True))


def standing(learner):
    return CoachingConsent.objects.get(user=learner)


def profile(learner):
    learner.profile.refresh_from_db()
    return learner.profile


def assert_chain_holds(learner):
    assert ledger.verify_one(standing(learner)) is None


@pytest.fixture
def consented(learner):
    assert not consent.give(learner, TYPED, "Lena Learner", evidence()).is_refused
    return learner


# Every change


GIVE = partial(consent.give, phone_number=TYPED, full_name=None)
CHANGES = {
    # what was done before, the change, its event with the reason, and where the learner stands then
    "asked": ([], consent.ask, ("asked", ""), Status.UNDECIDED),
    "consented": ([consent.ask], GIVE, ("consented", ""), Status.CONSENTED),
    "refused": ([], partial(GIVE, phone_number="12"), ("refused", "phone_malformed"), Status.UNDECIDED),
    "moved": ([GIVE], partial(GIVE, phone_number=OTHER_TYPED), ("phone_changed", ""), Status.CONSENTED),
    "declined": ([], consent.decline, ("declined", ""), Status.DECLINED),
    "withdrawn by the learner": ([GIVE], consent.decline, ("withdrawn", "learner"), Status.WITHDRAWN),
    "withdrawn": ([GIVE], partial(consent.withdraw, reason="why"), ("withdrawn", "why"), Status.WITHDRAWN),
    "number changed": (
        [GIVE],
        partial(consent.change_phone, phone_number=OTHER_TYPED),
        ("phone_changed", ""),
        Status.CONSENTED,
    ),
    "number refused": (
        [GIVE],
        partial(consent.change_phone, phone_number=CANADIAN),
        ("refused", "phone_region"),
        Status.CONSENTED,
    ),
    "stopped": ([GIVE], consent.opt_out, ("opted_out", ""), Status.WITHDRAWN),
    "stopped without consent": ([], consent.opt_out, ("opted_out", ""), Status.UNDECIDED),
    "stopped again": ([GIVE, consent.opt_out, GIVE], consent.opt_out, ("opted_out", ""), Status.WITHDRAWN),
    "not to be asked": ([], partial(consent.do_not_ask, reason="why"), ("do_not_ask", "why"), Status.UNDECIDED),
    "asked again": (
        [consent.ask, consent.decline],
        partial(consent.ask_again, reason="why"),
        ("ask_again", "why"),
        Status.UNDECIDED,
    ),
}


@pytest.mark.parametrize(("before", "change", "recorded", "status"), CHANGES.values(), ids=CHANGES)
def test_every_change_is_recorded_with_its_evidence_and_returns_where_the_learner_stands(
    learner, before, change, recorded, status
):
    for earlier in before:
        earlier(learner, evidence=evidence())
    how = evidence(Door.ADMIN, actor_id=factories.user().id)
    outcome = change(learner, evidence=how)
    row, event = standing(learner), ConsentEvent.objects.last()
    assert (event.kind, event.reason) == recorded
    assert (event.door, event.actor_id, event.ip, event.user_agent) == (how.door, how.actor_id, how.ip, how.user_agent)
    assert (event.disclosure, event.shown_sha256) == (how.disclosure.disclosure, how.disclosure.sha256)
    assert (row.status, row.last_sequence) == (status, event.sequence)
    assert outcome.is_refused is (event.kind == "refused")
    assert outcome.consent == row
    assert outcome.consent.status == row.status
    assert_chain_holds(learner)


UNCHANGING = {
    "asked already": ([consent.ask], consent.ask),
    "answered already": ([consent.decline], consent.ask),
    "given already": ([GIVE], GIVE),
    "refused already": ([partial(GIVE, phone_number="12")], partial(GIVE, phone_number="12")),
    "declined already": ([consent.decline], consent.decline),
    "not asked any more": ([GIVE, consent.decline], consent.decline),
    "nothing to withdraw": ([consent.decline], partial(consent.withdraw, reason="why")),
    "the same number": ([GIVE], partial(consent.change_phone, phone_number=TYPED)),
    "stopped already": ([consent.opt_out], consent.opt_out),
    "not to be asked already": (
        [partial(consent.do_not_ask, reason="why")],
        partial(consent.do_not_ask, reason="another reason"),
    ),
    "to be asked anyway": ([consent.ask], partial(consent.ask_again, reason="why")),
    "consented": ([GIVE], partial(consent.ask_again, reason="why")),
}


@pytest.mark.parametrize(("before", "change"), UNCHANGING.values(), ids=UNCHANGING)
def test_what_is_so_already_changes_nothing(learner, before, change):
    for earlier in before:
        earlier(learner, evidence=evidence())
    row = CoachingConsent.objects.values().get()
    with CaptureQueriesContext(connection) as queries:
        outcome = change(learner, evidence=evidence())
    assert not [query for query in queries if query["sql"].startswith(("INSERT", "UPDATE"))]
    assert CoachingConsent.objects.values().get() == row
    assert outcome.consent == standing(learner)


# What each change costs, with one channel to the partner: what was done before, the change, its statements, and those
# that follow its commit. Each looks whether there is a row, makes one if not, locks it, adds the event, stores the row.
COSTS = {
    "asked": ([], consent.ask, 6, 0),
    "asked already": ([consent.ask], consent.ask, 2, 0),
    # And the profile, the learner, the retirement, the outbox, and three by which the platform writes the number.
    "consented": ([consent.ask], GIVE, 11, 2),
    "consented, never asked": ([], GIVE, 12, 2),
    "given already": ([GIVE], GIVE, 3, 0),
    "moved": ([GIVE], partial(GIVE, phone_number=OTHER_TYPED), 9, 2),
    "refused": ([consent.ask], partial(GIVE, phone_number="12"), 8, 0),
    "declined": ([consent.ask], consent.decline, 4, 0),
    "declined, never asked": ([], consent.decline, 5, 0),
    "declined already": ([consent.decline], consent.decline, 2, 0),
    "withdrawn by the learner": ([GIVE], consent.decline, 5, 0),
    "withdrawn": ([GIVE], partial(consent.withdraw, reason="why"), 6, 0),
    "number changed": ([GIVE], partial(consent.change_phone, phone_number=OTHER_TYPED), 9, 2),
    "stopped": ([GIVE], consent.opt_out, 5, 0),
    "not to be asked": ([], partial(consent.do_not_ask, reason="why"), 5, 0),
}


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_each_change_costs(coached, flags, settings):
    settings.COACHING_PARTNER_CHANNELS = {"partner": {"BACKEND": "tests.loopback_partner.JsonChannel"}}
    # What a process or its cache knows from then on.
    toggles.delivers_to_partner()
    coached_courses.keys()
    how, asked = evidence(), {}
    for name, (before, change, *_) in COSTS.items():
        learner = factories.eligible_learner()
        for earlier in before:
            earlier(learner, evidence=how)
        with CaptureQueriesContext(connection) as queries:
            change(learner, evidence=how)
        statements = [query["sql"] for query in queries if not query["sql"].startswith("BEGIN")]
        inside = [*statements, "COMMIT"].index("COMMIT")
        asked[name] = (inside, len(statements[inside + 1 :]))
    assert asked == {name: (inside, after) for name, (*_, inside, after) in COSTS.items()}


@contextmanager
def meanwhile(change):
    """Have another tab make a change after the first look of ours at the database, which takes no lock."""
    before_queries = [change, lambda: None]

    def run(execute, *query):
        if before_queries:
            before_queries.pop()()
        return execute(*query)

    with connection.execute_wrapper(run):
        yield


@pytest.mark.parametrize(
    ("before", "change", "elsewhere", "recorded"),
    [
        ([], consent.ask, consent.decline, ["declined"]),
        ([], consent.decline, GIVE, ["consented", "withdrawn"]),
        ([GIVE], partial(consent.withdraw, reason="why"), consent.decline, ["consented", "withdrawn"]),
    ],
    ids=["asking", "declining", "withdrawing"],
)
def test_what_another_tab_did_meanwhile_counts(learner, before, change, elsewhere, recorded):
    how = evidence()
    for earlier in before:
        earlier(learner, evidence=how)
    with meanwhile(lambda: elsewhere(learner, evidence=how)):
        outcome = change(learner, evidence=how)
    assert kinds(learner) == recorded
    assert outcome.consent.status == standing(learner).status


def test_each_answer_has_its_time(learner):
    changes = [GIVE, consent.opt_out, GIVE, consent.decline, partial(consent.ask_again, reason="why"), consent.decline]
    moments = []
    for days, change in enumerate(changes):
        with freeze_time(timezone.now() + timedelta(days=days)) as clock:
            change(learner, evidence=evidence())
            answered_at = standing(learner).answered_at
        moments.append(answered_at and answered_at == clock().replace(tzinfo=UTC))
    assert moments == [True, True, True, True, None, True]


def test_who_is_asked_again_is_asked_and_answers_anew(learner):
    consent.ask(learner, evidence())
    consent.do_not_ask(learner, evidence(Door.ADMIN), reason="why")
    consent.ask_again(learner, evidence(Door.ADMIN), reason="why")
    row = standing(learner)
    assert (row.do_not_ask, row.asked_at, row.answered_at) == (False, None, None)


# The evidence of a request


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:DB8::0007", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("nonsense", None),
        ("", None),
    ],
    ids=["IPv4", "IPv6", "IPv6 with a zone", "IPv4 in IPv6", "no address", "empty"],
)
def test_an_address_has_one_form_and_what_is_none_is_left_out(address, stored):
    request = RequestFactory().get("/", REMOTE_ADDR=address)
    assert consent.Evidence.of(request, Door.PAGE).ip == stored


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({}, ""),
        ({"HTTP_USER_AGENT": "a\0browser"}, "abrowser"),
        ({"HTTP_USER_AGENT": "x" * 512}, "x" * 512),
        ({"HTTP_USER_AGENT": "x" * 513}, "x" * 512),
    ],
    ids=["none", "NUL", "as long as fits", "longer"],
)
def test_a_user_agent_is_stored_as_far_as_the_column_takes_it(learner, sent, stored):
    request = RequestFactory().get("/", **sent)
    consent.decline(learner, consent.Evidence.of(request, Door.PAGE))
    assert ConsentEvent.objects.get().user_agent == stored


def test_evidence_says_what_was_shown_and_whether_the_client_named_it():
    request, shown = RequestFactory().get("/"), disclosures.current()
    bare = consent.Evidence.of(request, Door.API)
    assert (bare.door, bare.disclosure, bare.names_disclosure, bare.actor_id) == (Door.API, None, False, None)
    assert not consent.Evidence(door=Door.API).names_disclosure
    full = consent.Evidence.of(request, Door.PAGE, shown, names_disclosure=True)
    assert (full.door, full.disclosure, full.names_disclosure) == (Door.PAGE, shown, True)


# Asking


def test_asking_is_recorded_once(learner):
    consent.ask(learner, evidence())
    asked_at = standing(learner).asked_at
    consent.ask(learner, evidence())
    assert kinds(learner) == ["asked"]
    assert standing(learner).asked_at == asked_at
    assert not standing(learner).has_answered


def test_whoever_has_answered_is_not_recorded_as_asked(learner):
    consent.decline(learner, evidence())
    consent.ask(learner, evidence())
    assert kinds(learner) == ["declined"]


# Giving


def test_giving_stores_who_when_which_number_the_words_and_from_where(learner):
    shown = disclosures.current()
    outcome = consent.give(learner, TYPED, "Lena Q. Learner", evidence(disclosure=shown))
    row, event = standing(learner), ConsentEvent.objects.get()
    assert not outcome.is_refused
    assert (row.status, row.phone_number, row.disclosure) == (Status.CONSENTED, NUMBER, shown.disclosure)
    assert row.answered_at is not None
    assert (event.kind, event.learner_id, event.phone_number) == ("consented", learner.id, NUMBER)
    assert (event.door, event.ip, event.user_agent) == (Door.PAGE, "192.0.2.7", "a browser")
    assert (event.disclosure, event.shown_sha256, event.shown_with) == (shown.disclosure, shown.sha256, shown.values)
    assert_chain_holds(learner)


def test_giving_writes_number_and_name_to_the_profile(learner):
    consent.give(learner, TYPED, "  Lena Q. Learner ", evidence())
    assert (profile(learner).phone_number, profile(learner).name) == (NUMBER, "Lena Q. Learner")
    assert profile(learner).get_meta()["old_names"][0][0] == "Lena Learner"


@pytest.mark.parametrize("name", [None, "Lena Learner"], ids=["none", "the same"])
def test_a_name_that_is_not_another_is_not_written(learner, name):
    consent.give(learner, TYPED, name, evidence())
    assert profile(learner).name == "Lena Learner"
    assert "old_names" not in profile(learner).get_meta()


def test_without_a_number_the_profiles_is_judged_anew(learner):
    learner.profile.phone_number = CANADIAN
    learner.profile.save()
    assert [refusal.code for refusal in consent.give(learner, None, None, evidence()).refusals] == ["phone_region"]
    learner.profile.phone_number = "415 555 2671"
    learner.profile.save()
    assert not consent.give(learner, None, None, evidence()).is_refused
    assert standing(learner).phone_number == profile(learner).phone_number == NUMBER


def test_the_same_again_changes_nothing(consented):
    before = CoachingConsent.objects.values().get()
    consent.give(consented, TYPED, "Lena Learner", evidence())
    assert CoachingConsent.objects.values().get() == before
    assert kinds(consented) == ["consented"]


def test_another_number_moves_the_consent_even_when_no_longer_eligible(consented):
    consented.courseenrollment_set.update(is_active=False)
    consent.give(consented, OTHER_TYPED, None, evidence())
    assert kinds(consented) == ["consented", "phone_changed"]
    assert standing(consented).phone_number == profile(consented).phone_number == OTHER_NUMBER
    assert ConsentEvent.objects.last().phone_number == OTHER_NUMBER


@pytest.mark.parametrize(
    ("number", "name", "agreed", "expected"),
    [
        ("", "Lena", True, {"phone_number": "phone_missing"}),
        (CANADIAN, "Lena", True, {"phone_number": "phone_region"}),
        (TYPED, "", True, {"full_name": "name_missing"}),
        (TYPED, "   ", True, {"full_name": "name_missing"}),
        (TYPED, "Lena <b>", True, {"full_name": "name_malformed"}),
        (TYPED, "http://spam.example.com", True, {"full_name": "name_malformed"}),
        (TYPED, "Lena", False, {"agree": "agreement_missing"}),
        (
            "12",
            "",
            False,
            {"agree": "agreement_missing", "phone_number": "phone_malformed", "full_name": "name_missing"},
        ),
    ],
    ids=["no number", "Canada", "no name", "blank name", "tags", "address", "unticked", "everything"],
)
def test_a_refusal_names_every_field_and_stores_only_its_event(learner, number, name, agreed, expected):
    outcome = consent.give(learner, number, name, evidence(), agreed=agreed)
    assert {refusal.field: refusal.code for refusal in outcome.refusals} == expected
    event = ConsentEvent.objects.get()
    assert (event.kind, set(event.reason.split())) == ("refused", set(expected.values()))
    assert event.phone_number == ""
    assert standing(learner).status == Status.UNDECIDED
    assert (profile(learner).name, profile(learner).phone_number) == ("Lena Learner", None)
    assert_chain_holds(learner)


def test_the_same_refusal_twice_in_a_row_is_one_event(learner):
    for _ in range(2):
        consent.give(learner, CANADIAN, None, evidence())
    assert kinds(learner) == ["refused"]
    consent.give(learner, "", None, evidence())
    consent.give(learner, CANADIAN, None, evidence())
    assert kinds(learner) == ["refused"] * 3


def test_only_an_eligible_learner_may_give(coached):
    stranger = factories.user()
    outcome = consent.give(stranger, TYPED, None, evidence())
    assert [refusal.code for refusal in outcome.refusals] == ["not_eligible"]


def test_a_child_may_not_give(coached):
    child = factories.eligible_learner(year_of_birth=2020)
    assert [refusal.code for refusal in consent.give(child, TYPED, None, evidence()).refusals] == ["under_age"]


def test_an_account_that_is_not_activated_may_not_give(coached):
    learner = factories.eligible_learner(is_active=False)
    assert [refusal.code for refusal in consent.give(learner, TYPED, None, evidence()).refusals] == ["account_inactive"]


def test_who_asked_to_be_deleted_may_not_give_until_that_is_taken_back(learner):
    RetirementState.objects.get_or_create(state_name="PENDING", defaults={"state_execution_order": 1})
    request = UserRetirementStatus.create_retirement(learner)
    assert [refusal.code for refusal in consent.give(learner, TYPED, None, evidence()).refusals] == ["not_eligible"]
    request.delete()
    assert not consent.give(learner, TYPED, None, evidence()).is_refused


def test_our_page_must_name_its_words_and_others_where_the_operator_requires_it(learner, settings):
    unnamed = {"disclosure": None}
    assert consent.give(learner, TYPED, None, evidence(Door.PAGE, **unnamed)).refusals[0].code == "disclosure_missing"
    settings.COACHING_REQUIRE_DISCLOSURE = True
    assert consent.give(learner, TYPED, None, evidence(Door.API, **unnamed)).refusals[0].code == "disclosure_missing"
    settings.COACHING_REQUIRE_DISCLOSURE = False
    assert not consent.give(learner, TYPED, None, evidence(Door.API, **unnamed)).is_refused
    assert ConsentEvent.objects.last().disclosure is None


# The profile is the platform's


def test_a_name_that_id_verification_bound_stays_and_the_answer_counts(learner):
    learner.profile.set_meta({"sandbox_name_locked": True})
    learner.profile.save()
    assert not consent.give(learner, TYPED, "Someone Else", evidence()).is_refused
    assert (profile(learner).name, profile(learner).phone_number) == ("Lena Learner", NUMBER)


def test_a_managed_name_is_never_touched_nor_judged(learner, manage_name):
    manage_name(learner)
    assert not consent.give(learner, TYPED, "<nonsense>", evidence()).is_refused
    assert profile(learner).name == "Lena Learner"


@pytest.mark.skipif(connection.vendor != "mysql", reason="real locks are wanted; the MariaDB run has them")
@pytest.mark.parametrize("change", [GIVE, partial(consent.change_phone, phone_number=TYPED)], ids=["give", "change"])
def test_the_profile_is_read_under_a_lock_since_the_platform_writes_it_too(learner, change):
    with CaptureQueriesContext(connection) as queries:
        change(learner, evidence=evidence())
    read = [query["sql"] for query in queries if "FROM `auth_userprofile`" in query["sql"]]
    assert read[0].endswith("FOR UPDATE")


def test_number_and_answer_are_stored_together_or_not_at_all(learner, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("coaching_plugin.lms.write_phone_number", fail)
    with pytest.raises(RuntimeError):
        consent.give(learner, TYPED, "Lena Q. Learner", evidence())
    assert profile(learner).name == "Lena Learner"
    assert not ConsentEvent.objects.exists()
    assert consent.standing(learner).status == Status.UNDECIDED


# Saying no


def test_declining_is_an_answer_and_is_recorded_once(learner):
    for _ in range(2):
        consent.decline(learner, evidence())
    assert kinds(learner) == ["declined"]
    assert standing(learner).has_answered


def test_saying_no_after_yes_withdraws(consented):
    for _ in range(2):
        consent.decline(consented, evidence())
    assert kinds(consented) == ["consented", "withdrawn"]
    assert standing(consented).status == Status.WITHDRAWN
    assert_chain_holds(consented)


def test_withdrawing_needs_no_eligibility(consented):
    consented.courseenrollment_set.all().delete()
    consent.withdraw(consented, evidence(), reason="learner")
    assert standing(consented).status == Status.WITHDRAWN


def test_withdrawing_without_consent_stores_nothing(learner):
    consent.give(factories.eligible_learner(), TYPED, None, evidence())
    outcome = consent.withdraw(learner, evidence(), reason="learner")
    assert outcome.consent.status == Status.UNDECIDED
    assert not CoachingConsent.objects.filter(user=learner).exists()


@pytest.mark.parametrize("before", [consent.ask, consent.decline], ids=["asked", "declined"])
def test_asking_again_looks_before_it_locks(learner, before, django_assert_num_queries):
    how = evidence()
    before(learner, how)
    with django_assert_num_queries(2):
        consent.ask(learner, how)


def test_who_was_never_asked_stands_undecided(learner):
    unsaved = consent.standing(learner)
    assert (unsaved.pk, unsaved.user, unsaved.status) == (None, learner, Status.UNDECIDED)


def test_consenting_again_is_possible_after_each_kind_of_no(learner):
    consent.decline(learner, evidence())
    consent.give(learner, TYPED, None, evidence())
    consent.decline(learner, evidence())
    consent.give(learner, TYPED, None, evidence())
    consent.opt_out(learner, evidence(Door.PARTNER))
    assert standing(learner).status == Status.WITHDRAWN
    consent.give(learner, TYPED, None, evidence())
    assert standing(learner).is_consented
    assert standing(learner).opted_out_at is not None, "the page goes on saying that START must be texted"
    assert kinds(learner) == ["declined", "consented", "withdrawn", "consented", "opted_out", "consented"]
    assert_chain_holds(learner)


# Changing the number


def test_changing_the_number_while_consent_is_on_takes_only_what_can_be_texted(consented):
    outcome = consent.change_phone(consented, CANADIAN, evidence(Door.ACCOUNT_SETTINGS))
    assert [refusal.field for refusal in outcome.refusals] == ["phone_number"]
    assert [refusal.code for refusal in consent.change_phone(consented, "", evidence()).refusals] == ["phone_missing"]
    assert standing(consented).phone_number == profile(consented).phone_number == NUMBER
    consent.change_phone(consented, OTHER_TYPED, evidence(Door.ACCOUNT_SETTINGS))
    assert standing(consented).phone_number == profile(consented).phone_number == OTHER_NUMBER


@pytest.mark.parametrize(
    ("typed", "stored"), [(CANADIAN, CANADIAN), ("+44 7400 123456", "+447400123456"), (None, None)]
)
def test_without_consent_any_valid_number_or_none_will_do(learner, typed, stored):
    assert not consent.change_phone(learner, TYPED, evidence()).is_refused
    assert not consent.change_phone(learner, typed, evidence()).is_refused
    assert profile(learner).phone_number == stored
    assert kinds(learner) == []


def test_without_consent_a_number_that_is_none_is_refused_still(learner):
    assert consent.change_phone(learner, "12", evidence()).is_refused
    assert profile(learner).phone_number is None


# Operators


def test_do_not_ask_ends_the_asking_and_ask_again_starts_it_anew(learner):
    operator = factories.user(is_staff=True)
    by_operator = evidence(Door.ADMIN, actor_id=operator.id, disclosure=None)
    consent.do_not_ask(learner, by_operator, reason="asked by telephone")
    assert standing(learner).has_answered
    consent.ask_again(learner, by_operator, reason="changed mind")
    assert not standing(learner).has_answered
    consent.ask(learner, evidence())
    assert kinds(learner) == ["do_not_ask", "ask_again", "asked"]
    assert ConsentEvent.objects.first().actor_id == operator.id
    assert_chain_holds(learner)


def test_ask_again_leaves_a_consent_as_it_is(consented):
    consent.ask_again(consented, evidence(Door.ADMIN), reason="mistake")
    assert standing(consented).is_consented


# Erasure


def test_erasure_blanks_everything_personal_and_the_chain_still_verifies(consented):
    consent.change_phone(consented, OTHER_TYPED, evidence())
    consent.erase(consented, consent.Evidence(door=Door.RETIREMENT))
    row = standing(consented)
    assert (row.status, row.phone_number) == (Status.WITHDRAWN, "")
    assert kinds(consented) == ["consented", "phone_changed", "withdrawn", "erased"]
    assert row.events.get(kind="withdrawn").reason == "retirement"
    for event in row.events.exclude(kind="erased"):
        assert (event.phone_number, event.ip, event.user_agent, event.salt) == ("", None, "", "")
    assert_chain_holds(consented)


def test_no_table_of_ours_holds_the_number_or_the_address_after_erasure(consented):
    consent.erase(consented, consent.Evidence(door=Door.RETIREMENT))
    stored = repr([list(model.objects.values()) for model in (CoachingConsent, ConsentEvent)])
    for personal in (NUMBER, "192.0.2.7", "a browser"):
        assert personal not in stored


def test_erasing_twice_changes_nothing_more_and_erasing_a_stranger_nothing_at_all(consented):
    for _ in range(2):
        consent.erase(consented, consent.Evidence(door=Door.RETIREMENT))
    assert kinds(consented) == ["consented", "withdrawn", "erased"]
    consent.erase(factories.user(), consent.Evidence(door=Door.RETIREMENT))
    assert CoachingConsent.objects.count() == 1


def test_erasure_raises_rather_than_pretends(consented, monkeypatch):
    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr("coaching_plugin.ledger.blank_personal_data", fail)
    with pytest.raises(RuntimeError):
        consent.erase(consented, consent.Evidence(door=Door.RETIREMENT))
    assert standing(consented).is_consented


def test_deleting_a_user_works_and_leaves_the_proof(consented):
    user_id = consented.id
    User.objects.get(pk=user_id).delete()
    row = CoachingConsent.objects.get()
    assert row.user is None
    assert row.events.get().learner_id == user_id
    assert ledger.verify_one(row) is None


def test_rows_are_named_by_nothing_personal(consented):
    row, event = CoachingConsent.objects.get(), ConsentEvent.objects.get()
    assert (str(row), str(event), str(row.disclosure)) == (str(row.partner_id), "consented #1", "1 (en)")


# The ledger is append-only


def test_events_can_be_neither_changed_nor_deleted(consented):
    event = ConsentEvent.objects.get()
    with pytest.raises(AppendOnlyError):
        event.save()
    with pytest.raises(AppendOnlyError):
        event.delete()
    with pytest.raises(AppendOnlyError):
        ConsentEvent.objects.update(reason="x")
    with pytest.raises(AppendOnlyError):
        ConsentEvent.objects.all().delete()
    with pytest.raises(AppendOnlyError):
        ConsentEvent.objects.bulk_update([event], ["reason"])
