"""`make bench`: every state and door is in its tables, with the design's counts, and any other count fails it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import course_doors, report
from benchmarks.ratios import Ratio, alternate, ratio
from benchmarks.states import STATES, Runs
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.cost import Cost

ROOT = Path(__file__).parent.parent
# Nothing listens on port 1.
NOWHERE = "mysql://root@127.0.0.1:1/coaching_bench"


def bench(**environment):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rounds", "1"],
        cwd=ROOT,
        env={**os.environ, "BENCH_DATABASE_URL": NOWHERE, "REQUIRE_MARIADB": "", **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.once
@pytest.mark.parametrize("hooks", ["none", "filters"])
def test_every_state_is_measured_at_every_door_and_costs_what_the_design_says(hooks):
    done = bench(SANDBOX_COURSEWARE_HOOKS=hooks)
    assert done.returncode == 0, done.stdout + done.stderr
    decisions, course_page, course_metadata, other_page, deliveries = done.stdout.split("\n---")[1:]
    for state in STATES:
        for table in (decisions, course_page, course_metadata):
            assert re.search(rf"^{state.name} .*[\d)]$", table, re.MULTILINE), (state.name, table)
    assert re.search(r"^to be asked +\+0 \(\+0\) +\+0 \(\+0\)", other_page, re.MULTILINE)
    assert re.search(r"loopback: \d+ in [\d.]+ s, \d+ a second\.\nQueries for each: [456]\.\d\d ", deliveries)
    assert "NOT AS DESIGNED" not in done.stdout
    assert "MariaDB: not measured, none answers at 127.0.0.1:1" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_without_a_mariadb_that_is_required_it_fails(monkeypatch):
    monkeypatch.setattr(command, "_measure", lambda url, rounds: False)
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    monkeypatch.setenv("BENCH_DATABASE_URL", NOWHERE)
    monkeypatch.delenv("REQUIRE_MARIADB", raising=False)
    assert command.main() == 0
    monkeypatch.setenv("REQUIRE_MARIADB", "1")
    assert command.main() == 1


@pytest.fixture
def site(committed):
    """A site with coached course runs, whose flags are on."""
    factories.coach_courses()
    factories.turn_on_flags()


@pytest.mark.parametrize("state", STATES, ids=[state.name for state in STATES])
def test_the_decision_costs_what_the_design_says(site, state):
    assert course_doors.cost_of_decision(state, Runs()).is_as_designed


def test_a_query_too_many_is_noticed_and_shown(site, monkeypatch):
    monkeypatch.setattr(
        "coaching_plugin.coached_courses.is_coached",
        lambda key: CoachedCourse.objects.filter(course_key=key, active=True).exists(),
    )
    costs = course_doors.cost_of_decision(STATES[0], Runs())
    assert costs.warm == Cost(queries=1, round_trips=0)
    assert not costs.is_as_designed
    assert "1 (0)    1 (0)" in report.decisions([costs])
    assert "NOT AS DESIGNED" in report.decisions([costs])


def test_sides_take_turns_and_none_has_always_the_same_place():
    calls = []

    def side(name, nanoseconds):
        return lambda: calls.append(name) or nanoseconds

    taken = alternate({"a": side("a", 1), "b": side("b", 10), "c": side("c", 100)}, rounds=3)
    assert "".join(calls[-18:]) == "abccba" + "bcaacb" + "cabbac"
    assert taken == {"a": [2] * 3, "b": [20] * 3, "c": [200] * 3}


def test_a_ratio_is_of_pairs_with_the_interval_of_the_sign_test():
    thousand = [1000] * 20
    assert ratio([1000 + number for number in range(20)], thousand) == Ratio(1.0095, 1.005, 1.014)
    assert ratio([2000], [1000]) == Ratio(2.0, 2.0, 2.0)
