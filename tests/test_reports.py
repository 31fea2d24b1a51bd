"""The numbers of the report: each as it is defined, the same as plain Python counts, in so many queries for anybody."""

import ast
import io
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from opaque_keys.edx.keys import CourseKey

import coaching_plugin
from coaching_plugin import consent, ledger, report_tables, reports
from coaching_plugin.models import CoachedCourse, CoachingConsent, ConsentEvent, EligibleCount
from coaching_plugin.reports import CoachedRuns, Scope, UnknownScope, answers, small_groups, snapshot
from coaching_plugin.reports.statistics import Estimate, difference, wilson
from tests import crowd, factories
from tests.crowd import NOW
from tests.factories import LIST1, MB101, MB102, PROGRAM_UUID, TYPED, evidence
from tests.terminal import Terminal

pytestmark = pytest.mark.usefixtures("coached")

EVERYBODY = Scope()
PROGRAM = Scope(program_uuid=PROGRAM_UUID)


@pytest.fixture
def show_all(monkeypatch):
    """Show groups of any size: who is left out is the subject of ``test_report_privacy.py``."""
    monkeypatch.setattr(small_groups, "SMALLEST", 0)


def report(scope=EVERYBODY, at=NOW):
    return reports.build(scope, reports.count(at))


def rows(name, scope=EVERYBODY, at=NOW):
    return {row["key"]: row for row in report(scope, at)["tables"][name]}


def asked_learner(at, *events, key=MB101, enrolled=timedelta(days=400)):
    """Return a learner who was asked at some time, with what followed: kinds, seconds later, and reasons."""
    account = factories.user()
    if key:
        factories.enroll(account, key)
        factories.CourseEnrollment.objects.filter(user=account).update(created=at - enrolled)
    row = CoachingConsent.objects.create(user=account, asked_at=at)
    ledger.append(row, "asked", door="page", occurred_at=at)
    for kind, seconds, *reason in events:
        when = at + timedelta(seconds=seconds)
        ledger.append(row, kind, door="page", occurred_at=when, reason=" ".join(reason))
        if kind in ("consented", "declined", "withdrawn"):
            row.status, row.answered_at = kind, when
    row.save()
    return account


# Counted again


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scope", [EVERYBODY, PROGRAM, Scope(course_key=MB102)], ids=["all", "program", "run"])
def test_every_number_is_what_plain_python_counts(show_all, seed, scope):
    learners = crowd.make(random.Random(seed), 40)
    keys = None if scope.is_everybody else [MB101, MB102] if scope.program_uuid else [MB102]
    counted = report(scope)
    tables = {name: {row["key"]: row for row in table} for name, table in counted["tables"].items()}
    groups = {"all": None, **crowd.PROGRAMS, **{str(key): [key] for key in crowd.COACHED}}
    if keys:
        groups = {name: runs for name, runs in groups.items() if runs and set(runs) <= set(keys)}
    assert tables["funnel"].keys() == groups.keys()
    for name, runs in groups.items():
        assert tables["funnel"][name].items() >= crowd.standing(learners, runs).items()

    ours = [learner for learner in learners if keys is None or learner.is_in(keys)]
    weeks = crowd.weeks(ours)
    nothing = {
        **dict.fromkeys(["asked", "consented", "declined", "withdrawn", "opted_out", "refused"], 0),
        "rate": None,
    }
    assert len(tables["weeks"]) == 26
    for monday, row in tables["weeks"].items():
        assert row.items() >= weeks.get(monday, nothing).items()

    seconds = crowd.delays(ours)
    assert sum(row["learners"] for row in tables["delays"].values()) == len(seconds)
    bounds = [0, *(bound.total_seconds() for bound in answers.BOUNDS.values()), float("inf")]
    for row, above, upto in zip(tables["delays"].values(), [-1, *bounds[1:]], bounds[1:], strict=False):
        assert row["learners"] == sum(above < each <= upto for each in seconds)
    middle = len(seconds) // 2
    assert counted["median"] == (
        seconds[middle] if len(seconds) % 2 else sum(seconds[middle - 1 : middle + 1]) / 2 if seconds else None
    )
    refused = tables["refusals"]
    assert {code: (row["submissions"], row["learners"]) for code, row in refused.items()} == crowd.refusals(ours)
    for key, expected in crowd.persistence(ours).items():
        assert tables["persistence"][key].items() >= expected.items()


@pytest.mark.parametrize("scope", [EVERYBODY, PROGRAM], ids=["all", "program"])
def test_it_takes_as_many_queries_for_anybody(show_all, scope):
    def queries():
        with CaptureQueriesContext(connection) as context:
            report(scope)
        return len(context)

    asked_learner(NOW - timedelta(days=3), ("refused", 5, "phone_type"), ("consented", 9))
    few = queries()
    crowd.make(random.Random(1), 20)
    for number in range(12):
        key, uuid = CourseKey.from_string(f"course-v1:X+{number}+1"), UUID(int=number)
        CoachedCourse.objects.create(course_key=key, program_uuid=uuid)
    assert queries() == few == 11


# 95 % intervals: examples that were published


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_share_is_wilsons(successes, total, low, high):
    """Newcombe (1998), Statistics in Medicine 17, 857: table I, method 3."""
    estimate = wilson(successes, total)
    assert estimate == Estimate(successes / total, pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)],
)
def test_the_interval_of_a_difference_is_newcombes(first, second, low, high):
    """Newcombe (1998), Statistics in Medicine 17, 873: table II, method 10."""
    estimate = difference(wilson(*first), wilson(*second))
    assert estimate.value == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_an_interval_stays_among_shares_and_holds_its_own():
    for total in range(1, 60):
        for successes in range(total + 1):
            estimate = wilson(successes, total)
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


# Who counts where


def test_who_left_a_course_run_still_counts_in_it(show_all):
    account = asked_learner(NOW - timedelta(days=3), ("consented", 9))
    factories.CourseEnrollment.unenroll(account, MB101)
    assert rows("funnel")[str(MB101)]["consented"] == 1


def test_who_is_in_two_runs_counts_in_both_and_once_in_all(show_all):
    account = asked_learner(NOW - timedelta(days=3), ("consented", 9))
    factories.enroll(account, MB102)
    factories.enroll(account, LIST1)
    counts = {key: row["consented"] for key, row in rows("funnel").items()}
    assert counts == {"all": 1, str(PROGRAM_UUID): 1, "none": 1, str(MB101): 1, str(MB102): 1, str(LIST1): 1}


def test_who_was_asked_again_was_asked_and_has_no_answer(show_all):
    account = asked_learner(NOW - timedelta(days=3), ("declined", 9))
    consent.ask_again(account, evidence(), "a reason")
    row = rows("funnel")["all"]
    assert (row["asked"], row["declined"], row["unanswered"], row["learners"]) == (1, 0, 1, 1)


def test_who_answered_without_being_asked_counts_beside_those_asked(show_all, flags):
    consent.give(factories.eligible_learner(), TYPED, None, evidence())
    factories.eligible_learner()
    row = rows("funnel", at=None)["all"]
    assert (row["learners"], row["eligible"], row["asked"], row["consented"], row["rate"]) == (2, 2, 0, 1, 0.5)
    assert row["rate_of_asked"] is None


def test_a_consent_that_stop_ended_is_told_from_one_that_was_withdrawn(show_all, flags):
    first, second, third = (factories.eligible_learner() for _ in range(3))
    for learner in (first, second, third):
        consent.give(learner, TYPED, None, evidence())
    consent.opt_out(first, evidence(), "stop")
    consent.withdraw(second, evidence(), "learner")
    # STOP said once more after it had ended changes nothing.
    consent.withdraw(third, evidence(), "learner")
    consent.opt_out(third, evidence(), "stop")
    row = rows("funnel", at=None)["all"]
    assert (row["consented"], row["withdrawn"], row["opted_out"]) == (0, 3, 1)


def test_a_run_that_is_no_longer_coached_has_no_row_and_its_learners_stay_in_the_total(show_all):
    asked_learner(NOW - timedelta(days=3), ("consented", 9), key=LIST1)
    CoachedCourse.objects.filter(course_key=LIST1).update(active=False)
    funnel = rows("funnel")
    assert str(LIST1) not in funnel
    assert "none" not in funnel
    assert funnel["all"]["consented"] == 1


@pytest.mark.parametrize(
    "scope", [Scope(course_key=factories.PLAIN), Scope(program_uuid=UUID(int=7))], ids=["run", "program"]
)
def test_there_is_no_report_on_what_is_not_coached(scope):
    with pytest.raises(UnknownScope):
        report(scope)


def test_no_program_is_no_scope_of_a_run_without_one():
    """The runs that an operator listed have no program, which must not match the lack of one."""
    assert CoachedRuns.now().of(PROGRAM) == [MB101, MB102]
    assert set(CoachedRuns.now().of(EVERYBODY)) == {MB101, MB102, LIST1}


@pytest.mark.parametrize("scope", [EVERYBODY, PROGRAM, Scope(course_key=MB102)], ids=["all", "program", "run"])
def test_where_no_mode_counts_nobody_is_of_a_program(show_all, settings, scope):
    """Then the database need not be asked who is, and it is not."""
    asked_learner(NOW - timedelta(days=40), ("consented", 9))
    settings.COACHING_ENROLLMENT_MODES = []
    counted = report(scope)
    of_everybody = int(scope.is_everybody)
    assert [row["consented"] for row in counted["tables"]["funnel"]][0] == of_everybody
    assert sum(row["consented"] for row in counted["tables"]["funnel"]) == of_everybody
    assert counted["median"] == (9 if scope.is_everybody else None)
    arms = {row["key"]: row["learners"] for row in counted["tables"]["persistence"]}
    assert arms["30-consented"] == of_everybody


def test_where_nothing_is_coached_everybody_is_counted_all_the_same(show_all):
    asked_learner(NOW - timedelta(days=40), ("consented", 9))
    CoachedCourse.objects.update(active=False)
    (row,) = report()["tables"]["funnel"]
    assert (row["consented"], row["eligible"]) == (1, 0)


def test_row_and_ledger_say_the_same_of_who_was_asked(show_all):
    """Of whom the row says nothing any more, the ledger is asked; who was refused alone was never asked."""
    again = asked_learner(NOW - timedelta(days=9), ("declined", 9))
    consent.ask_again(again, evidence(), "a reason")
    refused = factories.user()
    ledger.append(CoachingConsent.objects.create(user=refused), "refused", door="page", reason="phone_type")
    factories.User.objects.filter(pk=again.pk).delete()
    row = rows("funnel")["all"]
    assert (row["learners"], row["asked"], row["unanswered"]) == (1, 1, 1)


# Weeks


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
def test_a_week_is_from_monday_to_sunday_in_utc(show_all, settings, zone):
    settings.TIME_ZONE = zone
    monday = datetime(2026, 11, 16, tzinfo=UTC)
    for at in (monday - timedelta(microseconds=1), monday, monday + timedelta(days=7, microseconds=-1)):
        asked_learner(at)
    weeks = rows("weeks")
    assert [weeks[key]["asked"] for key in ("2026-11-09", "2026-11-16", "2026-11-23")] == [1, 2, 0]


def test_the_last_week_is_the_running_one(show_all):
    assert list(rows("weeks"))[-1] == "2026-11-23"
    assert list(rows("weeks", at=datetime(2026, 11, 30, tzinfo=UTC)))[-1] == "2026-11-30"


def test_who_did_the_same_twice_in_a_week_counts_once(show_all):
    asked_learner(NOW - timedelta(hours=3), ("refused", 5, "phone_type"), ("refused", 9, "name_missing"))
    assert rows("weeks")["2026-11-23"]["refused"] == 1


def test_eligible_of_a_week_is_its_last_count_and_none_where_nobody_counted(show_all):
    for day, learners in [(9, 40), (12, 50), (17, 60)]:
        EligibleCount.objects.create(day=date(2026, 11, day), scope="", learners=learners)
    EligibleCount.objects.create(day=date(2026, 11, 13), scope=str(MB101), learners=7)
    weeks = rows("weeks")
    assert [weeks[key]["eligible"] for key in ("2026-11-09", "2026-11-16", "2026-11-23")] == [50, 60, None]
    assert rows("weeks", Scope(course_key=MB101))["2026-11-09"]["eligible"] == 7


# Answers


def test_the_time_to_answer_is_from_the_first_asking_to_the_first_answer_after_it(show_all):
    asked_learner(NOW - timedelta(days=50), ("declined", 60), ("ask_again", 70), ("asked", 90), ("consented", 10**6))
    asked_learner(NOW - timedelta(days=50), ("consented", 61), ("withdrawn", 70))
    asked_learner(NOW - timedelta(days=50))
    counted = report()
    delays = {row["key"]: row["learners"] for row in counted["tables"]["delays"]}
    assert delays == {"minute": 1, "five_minutes": 1, "hour": 0, "day": 0, "week": 0, "later": 0}
    assert counted["median"] == 60.5


def test_a_code_is_not_taken_for_another_that_it_begins_or_ends(show_all):
    asked_learner(
        NOW - timedelta(days=5), ("refused", 5, "phone_missing", "name_missing"), ("refused", 6, "phone_missing")
    )
    counts = {key: (row["submissions"], row["learners"]) for key, row in rows("refusals").items()}
    assert counts == {"phone_missing": (2, 1), "name_missing": (1, 1)}


def test_every_code_of_a_refusal_is_counted_and_has_its_words():
    """Whatever ``refusals.py`` and ``phone.py`` can write in the ledger."""
    folder = Path(coaching_plugin.__file__).parent
    codes = set()
    for name, callee in (("refusals.py", "Refusal"), ("phone.py", "InvalidPhoneNumber")):
        for node in ast.walk(ast.parse((folder / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == callee:
                codes |= {argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    assert len(codes) > 10
    assert codes <= set(answers.REFUSALS)
    assert report_tables.REASONS.keys() == set(answers.REFUSALS)


# Persistence


def test_arms_are_by_the_first_answer_whatever_came_later(show_all):
    at = NOW - timedelta(days=40)
    asked_learner(at, ("declined", 5), ("ask_again", 50), ("asked", 60), ("consented", 90))
    asked_learner(at, ("consented", 5), ("withdrawn", 90))
    persistence = rows("persistence")
    assert (persistence["30-declined"]["learners"], persistence["30-consented"]["learners"]) == (1, 1)


@pytest.mark.parametrize(("seconds", "learners"), [(-1, 0), (0, 1), (1, 1)])
def test_only_who_could_have_reached_a_milestone_is_looked_at(show_all, seconds, learners):
    asked_learner(NOW - timedelta(days=60, seconds=seconds), ("consented", 5))
    assert rows("persistence")["60-consented"]["learners"] == learners


@pytest.mark.parametrize("kind", ["completion", "state", "enrollment"])
@pytest.mark.parametrize(("seconds", "reached"), [(-1, 0), (0, 1), (10**6, 1)])
def test_active_means_then_or_later(show_all, kind, seconds, reached):
    asked_at = NOW - timedelta(days=80)
    account = asked_learner(asked_at, ("consented", 5))
    at = asked_at + timedelta(days=60, seconds=seconds)
    if kind == "completion":
        factories.complete_block(account, at, LIST1)
    elif kind == "state":
        factories.save_state(account, at, LIST1)
    else:
        factories.enroll(account, LIST1)
        factories.CourseEnrollment.objects.filter(user=account, course_id=LIST1).update(created=at)
    persistence = rows("persistence")
    assert persistence["60-consented"]["reached"] == reached
    assert persistence["30-consented"]["reached"] == 1


@pytest.mark.parametrize(("key", "mode", "days", "reached"), [
    (MB102, "verified", 1, 1), (MB102, "verified", 0, 0),
    (MB102, "verified", -1, 0), (MB102, "audit", 1, 0), (factories.PLAIN, "verified", 1, 0),
])  # fmt: skip
def test_another_run_is_a_coached_one_entered_after_being_asked(show_all, key, mode, days, reached):
    asked_at = NOW - timedelta(days=40)
    account = asked_learner(asked_at, ("consented", 5))
    factories.enroll(account, key, mode)
    moment = asked_at + timedelta(days=days)
    factories.CourseEnrollment.objects.filter(user=account, course_id=key).update(created=moment)
    assert rows("persistence")["another_course-consented"]["reached"] == reached


# The first ten


def test_the_first_ten_are_those_asked_first_with_their_attempts(flags):
    at = NOW - timedelta(days=40)
    asked_learner(at, ("refused", 5, "phone_type", "name_missing"), ("consented", 9), ("refused", 20, "phone_invalid"))
    asked_learner(at + timedelta(hours=1), ("consented", 9), ("refused", 20, "phone_invalid"))
    asked_learner(at + timedelta(hours=2), ("refused", 9, "under_age"))
    for hours in range(3, 14):
        asked_learner(at + timedelta(hours=hours))
    ten = report()["tables"]["first_ten"]
    assert [row["key"] for row in ten] == [str(number) for number in range(1, 11)]
    assert [attempt["kind"] for attempt in ten[0]["attempts"]] == ["refused", "consented", "refused"]
    assert ten[0]["attempts"][0]["reasons"] == ["phone_type", "name_missing"]
    assert [(row["answered"], row["met_error"]) for row in ten[:4]] == [
        (True, True), (True, False), (False, True), (False, False),
    ]  # fmt: skip


def test_nobody_makes_the_first_ten_grow():
    asked_learner(NOW - timedelta(days=4), *[("refused", second, "phone_type") for second in range(1, 90)])
    assert len(report()["tables"]["first_ten"][0]["attempts"]) == 30


# Nightly


def compute():
    out = io.StringIO()
    call_command("compute_coaching_report", stdout=out)
    return out.getvalue()


def test_the_command_stores_how_many_are_eligible_and_again_the_same(flags):
    for key in (MB101, MB101, LIST1):
        factories.eligible_learner(key)
    assert compute() == "Reports counted: 2. Counts of eligible learners stored: 5.\n"
    counts = dict(EligibleCount.objects.values_list("scope", "learners"))
    assert counts == {"": 3, str(PROGRAM_UUID): 2, str(MB101): 2, str(MB102): 0, str(LIST1): 1}
    factories.eligible_learner(MB102)
    compute()
    assert EligibleCount.objects.count() == 5
    assert EligibleCount.objects.get(scope="").learners == 4


def test_what_the_command_counted_is_there_in_the_morning(flags, django_assert_num_queries):
    compute()
    with django_assert_num_queries(0):
        assert snapshot.get(EVERYBODY)["scope"] == ""
        assert snapshot.get(PROGRAM)["scope"] == str(PROGRAM_UUID)


def test_a_command_that_fails_says_so_in_one_line_and_exits_1(monkeypatch, caplog):
    def fail(*args):
        raise OSError("a number: +14155552671")

    monkeypatch.setattr(reports.funnel, "count", fail)
    with pytest.raises(CommandError) as failure:
        compute()
    assert failure.value.returncode == 1
    assert str(failure.value) == "The report could not be counted (OSError); see the log."
    assert "in fail" in caplog.text


def test_a_terminal_is_told_how_far_it_is():
    terminal, file = Terminal(), io.StringIO()
    call_command("compute_coaching_report", stdout=io.StringIO(), stderr=terminal)
    call_command("compute_coaching_report", stdout=io.StringIO(), stderr=file)
    assert "report 1 of 2" in terminal.getvalue()
    assert file.getvalue() == ""


def test_the_ledger_is_read_and_never_written(show_all):
    asked_learner(NOW - timedelta(days=3), ("consented", 9))
    before = list(ConsentEvent.objects.values())
    report()
    compute()
    assert list(ConsentEvent.objects.values()) == before
