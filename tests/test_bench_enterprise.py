"""Beside edx-enterprise: what is judged, what is said of what was left out, and that nothing is passed over."""

import importlib
import itertools
import re
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import budgets, enterprise
from benchmarks.enterprise import PAIRS, WHEN, Asked, Pair
from benchmarks.enterprise_stand_ins import LEFT_OUT, CatalogService, ConsentApi, elsewhere
from benchmarks.site import HUGE_RUN, OTHER_RUNS, SIZES
from benchmarks.states import STATES, Runs, arranged
from coaching_plugin import consent
from coaching_plugin.models import CoachedCourse
from tests import factories

REQUIREMENTS = Path(enterprise.__file__).with_name("enterprise-requirements.txt")
PAIR = Pair("answered", "answered", "granted", learner="answered")


def page(queries=1, is_asked=False, of_api=0):
    return {"queries": queries, "round_trips": 1, "of_api": of_api, "requests": 0, "is_asked": is_asked}


def pages(**fields):
    return {when: page(**fields) for when in WHEN}


class CannedProbe:
    """A probe without a process, whose every page costs the same."""

    def __init__(self, queries, nanoseconds):
        self._queries, self._nanoseconds, self._is_asked = queries, nanoseconds, False

    def ask(self, question, **arguments):
        if question == "enter":
            self._is_asked = arguments["state"] == "to be asked"
        return {
            "learners": {name: {"user": 1, "course": "a"} for name in (*(pair.learner for pair in PAIRS), "another")},
            "made": {"version": "8.0", "django": "5.2", "rows": {"consent_datasharingconsent": 1_234}},
            "costs": pages(queries=self._queries, is_asked=self._is_asked),
            "nanoseconds": self._nanoseconds,
        }.get(question)


@pytest.fixture
def measure(monkeypatch, tmp_path):
    """Measure without edx-enterprise: all pages cost so many queries with us, and two with theirs."""
    monkeypatch.setattr(enterprise, "PYTHON", tmp_path)

    def measure(queries):
        @contextmanager
        def probes(size):
            yield CannedProbe(queries, 1_000), CannedProbe(2, 2_000)

        monkeypatch.setattr(enterprise, "_probes", probes)
        return enterprise.run([SIZES["small"]], rounds=6)

    return measure


# What is judged --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", WHEN)
def test_one_query_more_than_theirs_is_wrong_whenever_it_is_asked(when):
    ours = {**pages(queries=2), when: page(queries=3)}
    assert Asked(PAIR, ours, pages(queries=2)).problems() == [f"answered, {when}: 3 queries, of 2 that may be"]
    assert not Asked(PAIR, pages(queries=2), pages(queries=2)).problems()


def test_what_is_known_to_be_more_in_a_new_process_may_not_grow_and_is_allowed_nowhere_else():
    pair = Pair("x", "x", "x", learner="answered", known_more=2, why="a reason")
    known = {**pages(queries=0), "cold": page(queries=2)}
    assert not Asked(pair, known, pages(queries=0)).problems()
    assert Asked(pair, {**known, "cold": page(queries=3)}, pages(queries=0)).problems()
    assert Asked(pair, {**known, "first": page(queries=1)}, pages(queries=0)).problems()
    assert Asked(pair, {**known, "warm": page(queries=1)}, pages(queries=0)).problems()


def test_of_each_state_in_which_theirs_asks_fewer_it_is_said_why():
    assert all(pair.why for pair in PAIRS if pair.known_more)
    asked = Asked(PAIRS[-1], {**pages(queries=0), "cold": page(queries=2)}, pages(queries=0))
    assert list(asked.fewer_with_theirs()) == [("cold", f"theirs asks 2 fewer: {PAIRS[-1].why}.")]


def test_where_ours_is_ahead_by_the_queries_of_the_consent_api_alone_that_is_said():
    asked = Asked(PAIR, {**pages(queries=2), "cold": page(queries=5)}, pages(queries=6, of_api=2))
    said = "without what the consent API reads for it, theirs would ask 4."
    assert list(asked.fewer_with_theirs()) == [("cold", said)]


@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True), (True, True)])
def test_another_answer_than_the_state_has_is_wrong(ours, theirs):
    asked = Asked(PAIR, pages(is_asked=ours), pages(is_asked=theirs))
    assert len(asked.problems()) == len(WHEN)


def test_all_states_are_judged_and_held_to_budgets(measure):
    assert measure(queries=2).wrong == ()
    outcome = measure(queries=3)
    assert "NOT AS IT MUST BE" in outcome.text
    wrong = [pair.name for pair in PAIRS for when in WHEN if when != "cold" or not pair.known_more]
    assert [re.fullmatch(r".*small: (.*), \w+: 3 queries.*", problem)[1] for problem in outcome.wrong] == wrong
    assert {one.budget for one in outcome.measured} <= {*budgets.budgets()}
    assert {one.budget.rpartition("_")[0] for one in outcome.measured} == {pair.budget for pair in PAIRS}
    assert {one.ratio.median for one in outcome.measured} == {0.5}
    assert {one.noise.median for one in outcome.measured} == {1.0}


def test_every_budget_beside_edx_enterprise_is_that_of_a_state():
    names = {f"{pair.budget}_{when}" for pair, when in itertools.product(PAIRS, ("warm", "cold"))}
    assert {name for name in budgets.budgets() if name.startswith("enterprise_")} <= names


# What is ours ----------------------------------------------------------------------------------------------------


@pytest.fixture
def probe():
    """The module that our own process runs, on a platform that has the filter."""
    filters = pytest.importorskip("openedx_filters.learning.filters")
    if not hasattr(filters, "CoursewareViewStarted"):
        pytest.skip("this openedx-filters has no courseware filters")
    return importlib.import_module("benchmarks.coaching_probe")


@pytest.mark.parametrize("state", STATES[1:], ids=[state.name for state in STATES[1:]])
def test_our_step_costs_at_the_filter_what_the_decision_costs_by_the_design(committed, probe, state):
    flag_is_off = state.name == "flag off"
    factories.coach_courses()
    factories.turn_on_flags()
    hook = probe.CoachingHook()
    # The flag is turned off by the hook, at an eligible learner's door.
    of_learner = next(other for other in STATES if other.name == "to be asked") if flag_is_off else state
    with arranged(of_learner, Runs()) as learner:
        hook.enter(state.name, {"user": learner.pk, "course": str(state.course_key(Runs()))}, factories.user().pk)
        try:
            # Twice, since the second time it is for the hook to start anew.
            asked = [hook.costs(), hook.costs()]
        finally:
            hook.leave()
    designed = {
        when: {"queries": cost.queries, "round_trips": cost.round_trips, "is_asked": state.is_asked}
        for when, cost in {"cold": state.cold, "first": state.first, "warm": state.warm}.items()
    }
    assert asked == [designed, designed]
    if flag_is_off:
        assert factories.Flag.objects.get(name="coaching.enabled").everyone is True


def test_of_each_state_a_learner_is_found_who_is_in_it(committed, probe):
    CoachedCourse.objects.create(course_key=HUGE_RUN)
    factories.turn_on_flags()
    nobody, audit, another, asked, answered = (factories.user() for _ in range(5))
    factories.enroll(nobody, OTHER_RUNS[7])
    nobody.courseenrollment_set.update(mode="audit")
    for learner in (audit, another):
        factories.enroll(learner, HUGE_RUN, mode="audit")
    for learner in (asked, answered):
        factories.enroll(learner, HUGE_RUN, ago=timedelta(days=1))
    consent.give(answered, factories.TYPED, "Lena Learner", factories.evidence())
    assert probe.learners() == {
        "not our course": {"user": nobody.pk, "course": str(OTHER_RUNS[7])},
        "answered": {"user": answered.pk, "course": str(HUGE_RUN)},
        "to be asked": {"user": asked.pk, "course": str(HUGE_RUN)},
        "not eligible": {"user": audit.pk, "course": str(HUGE_RUN)},
        "another": {"user": another.pk, "course": str(HUGE_RUN)},
    }
    consent.decline(asked, factories.evidence())
    with pytest.raises(probe.WrongState, match="is one of ask"):
        probe.learners()


# What is said ----------------------------------------------------------------------------------------------------


def test_all_that_was_left_out_is_printed_with_each_state_and_how_much_data_there_was(measure):
    text = measure(queries=2).text
    unwrapped = " ".join(text.split())
    for omission in LEFT_OUT:
        assert " ".join(omission.split()) in unwrapped
    for pair in PAIRS:
        assert len(re.findall(rf"^{re.escape(pair.states)} ", text, re.MULTILINE)) == 2
        assert len(re.findall(rf"^{re.escape(pair.states)}, (?:warm|cold) +0\.500 ", text, re.MULTILINE)) == 2
    assert "edx-enterprise 8.0 (Django 5.2): small" in text
    assert "1,234 rows in consent_datasharingconsent" in text
    assert max(map(len, text.splitlines())) <= 100


def test_without_edx_enterprise_it_is_said_that_nothing_was_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(enterprise, "PYTHON", tmp_path / "nothing")
    monkeypatch.delenv("REQUIRE_ENTERPRISE", raising=False)
    outcome = enterprise.run([SIZES["small"]], rounds=6)
    assert "Not measured: it is not installed (make bench-enterprise)." in outcome.text
    assert (outcome.measured, outcome.wrong) == ((), ())
    monkeypatch.setenv("REQUIRE_ENTERPRISE", "1")
    assert enterprise.run([SIZES["small"]], rounds=6).wrong == ("edx-enterprise is not there to be measured beside",)


# What stands in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_required", "is_known", "has_enrollment", "expected"),
    [(True, True, True, True), (True, False, True, False), (True, False, False, True), (False, True, True, False)],
)
def test_the_consent_api_is_believed_as_on_the_platform(monkeypatch, is_required, is_known, has_enrollment, expected):
    record = {"consent_required": is_required, "exists": is_known}
    asked = []

    def get_data_sharing_consent(username, enterprise_customer_uuid, course_id):
        asked.append((username, enterprise_customer_uuid, course_id))
        return SimpleNamespace(serialize=lambda: record)

    helpers = SimpleNamespace(get_data_sharing_consent=get_data_sharing_consent)
    monkeypatch.setitem(sys.modules, "consent.helpers", helpers)
    monkeypatch.setattr(elsewhere, "requests", 0)
    api = ConsentApi(user=None)
    answer = api.consent_required(
        username="lena", course_id="a", enterprise_customer_uuid="b", enrollment_exists=has_enrollment
    )
    assert answer is expected
    assert asked == [("lena", "b", "a")]
    assert elsewhere.requests == 1


def test_the_catalog_service_tells_the_course_of_a_run(monkeypatch):
    monkeypatch.setattr(elsewhere, "requests", 0)
    assert CatalogService().get_course_id("course-v1:NationX+HUGE+2026") == "NationX+HUGE"
    assert elsewhere.requests == 1


def test_what_is_installed_beside_it_is_bounded_and_without_the_plugin():
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    assert {re.match(r"[\w-]+", line)[0] for line in lines} == {"Django", "edx-enterprise", "mysqlclient"}
    assert all("~=" in line for line in lines)
