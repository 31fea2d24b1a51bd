"""What the parts on made sites judge, and by what: budgets, probes, and the command that runs them."""

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import budgets, edges, site_doors
from benchmarks.budgets import Measured, Outcome
from benchmarks.probe import Probe, ProbeError
from benchmarks.ratios import Ratio
from benchmarks.site import SIZES
from benchmarks.site_doors import HOWS, PAGES, StateFound

BENCHMARKS = Path(budgets.__file__).parent
QUIET = Ratio(1.0, 0.99, 1.01)
ROUNDS = 9


# Budgets


@pytest.mark.parametrize(
    ("ratio", "noise", "is_within"),
    [
        (1.2, QUIET, True),
        (1.21, QUIET, True),
        (1.22, QUIET, False),
        (1.4, Ratio(1.1, 0.9, 1.2), True),
        (1.4, Ratio(0.9, 0.8, 1.0), True),
        (1.6, Ratio(0.9, 0.8, 1.2), False),
    ],
    ids=["at it", "above by the noise", "above by more", "noise upwards", "noise downwards", "above any noise"],
)
def test_a_budget_is_broken_by_more_than_the_noise(monkeypatch, ratio, noise, is_within):
    monkeypatch.setattr(budgets, "budgets", lambda: {"a thing": 1.2})
    broken = budgets.broken([Measured("a thing", "of a learner", Ratio(ratio, ratio, ratio), noise)])
    assert (broken == []) is is_within
    for line in broken:
        assert re.match(r"of a learner: 1\.\d.* of 1\.2 allowed \(a thing; noise ", line)


def test_what_has_no_budget_is_an_error():
    with pytest.raises(KeyError):
        budgets.broken([Measured("nobody ever measured this", "", QUIET, QUIET)])


def trees():
    return {path.stem: ast.parse(path.read_text()) for path in sorted(BENCHMARKS.glob("*.py"))}


def test_every_budget_is_a_ratio_above_nothing_and_named_by_some_part():
    named = {node.value for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    # What is filled in may be anything.
    patterns = {
        "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in node.values)
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
    }
    for name, highest in budgets.budgets().items():
        assert highest > 0
        assert name in named or any(re.fullmatch(pattern, name) for pattern in patterns if pattern != ".+"), name


def budgets_of(node, module):
    """Return the names that the first argument of a ``Measured`` may have; none where only a run can tell."""
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*budgets_of(node.body, module), *budgets_of(node.orelse, module)]
    named = node.value if isinstance(node, ast.Subscript) else node
    found = getattr(module, named.id, []) if isinstance(named, ast.Name) else []
    return [found] if isinstance(found, str) else [*found.values()] if isinstance(found, dict) else []


@pytest.mark.parametrize("part", ["site_doors", "edges"])
def test_every_ratio_that_is_held_to_a_budget_has_one(part):
    module = importlib.import_module(f"benchmarks.{part}")
    calls = [node for node in ast.walk(trees()[part]) if isinstance(node, ast.Call)]
    measured = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Measured"]
    assert measured
    for call in measured:
        names = budgets_of(call.args[0], module)
        assert names, ast.unparse(call)
        assert {*names} <= {*budgets.budgets()}, ast.unparse(call)


# Probes


def test_a_probe_answers_one_question_after_another():
    with Probe("tests.bench_probe", ADDED="in its environment") as probe:
        assert probe.ask("add", one=1, another=2) == 3
        assert probe.ask("say_and_answer") == "an answer"
        assert probe.ask("environment", name="ADDED") == "in its environment"


@pytest.mark.parametrize("question", ["fail", "unknown"])
def test_a_question_that_fails_is_no_answer_and_none_follows(question):
    with Probe("tests.bench_probe") as probe:
        with pytest.raises(ProbeError, match=f"tests.bench_probe ended when it was asked for {question}"):
            probe.ask(question)
        with pytest.raises(ProbeError, match="add"):
            probe.ask("add", one=1, another=2)


# The command


@pytest.fixture
def made(monkeypatch):
    """Have one part, which is said to break nothing or something, and the small site made, or none."""
    monkeypatch.setattr(command, "_problem", lambda: None)
    monkeypatch.setattr(command, "_measure", lambda url, rounds: False)
    monkeypatch.delenv("REQUIRE_BENCH_DATA", raising=False)

    def have(*sizes, outcome=None):
        monkeypatch.setattr(command, "_made", lambda: {SIZES[size].database for size in sizes})
        asked = []
        monkeypatch.setattr(
            command,
            "_outcome",
            lambda part, sizes, rounds: asked.append((part, sizes, rounds)) or outcome or Outcome("A table."),
        )
        return asked

    return have


def run_command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    return command.main()


@pytest.mark.parametrize("arguments", [["--parts", "nothing"], ["--sizes", "huge"], ["--parts", "edges,nothing"]])
def test_what_is_unknown_is_named(made, monkeypatch, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        run_command(monkeypatch, *arguments)
    assert ended.value.code == 2
    assert f"unknown: {arguments[1].split(',')[-1]}" in capsys.readouterr().err


def test_without_any_data_it_says_so_and_fails_where_data_is_required(made, monkeypatch, capsys):
    made()
    assert run_command(monkeypatch, "--parts", "edges") == 0
    assert "Not made, so not measured: small, medium, large (make bench-data SIZE=...)." in capsys.readouterr().out
    monkeypatch.setenv("REQUIRE_BENCH_DATA", "1")
    assert run_command(monkeypatch, "--parts", "edges") == 1


def test_only_what_is_made_is_measured(made, monkeypatch, capsys):
    asked = made("small")
    assert run_command(monkeypatch, "--parts", command.SITE_PARTS[-1], "--rounds", "7") == 0
    assert asked == [(command.SITE_PARTS[-1], [SIZES["small"]], 7)]
    said = capsys.readouterr().out
    assert "Not made, so not measured: medium, large" in said
    assert "A table." in said
    assert "All counts are as designed, and all ratios within their budgets." in said


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome("", wrong=("a query too many",)), "a query too many"),
        (Outcome("", (Measured(edges.HUGE, "of a learner", Ratio(9, 8, 10), QUIET),)), "of a learner: 9.000 "),
    ],
    ids=["a count", "a budget"],
)
def test_what_is_not_as_it_must_be_is_said_and_fails(made, monkeypatch, capsys, outcome, said):
    made("small", outcome=outcome)
    assert run_command(monkeypatch, "--parts", "edges", "--sizes", "small") == 1
    assert f"NOT AS IT MUST BE: {said}" in capsys.readouterr().out


def test_noise_larger_than_the_excess_fails_nothing(made, monkeypatch):
    allowed = budgets.budgets()[edges.HUGE]
    above = Ratio(1.3 * allowed, 1.2 * allowed, 1.4 * allowed)
    for noise, failed in ((QUIET, 1), (Ratio(1.0, 0.6, 1.4), 0)):
        made("small", outcome=Outcome("", (Measured(edges.HUGE, "of a learner", above, noise),)))
        assert run_command(monkeypatch, "--parts", "edges", "--sizes", "small") == failed


def test_where_counts_alone_are_judged_a_ratio_is_told_of_and_passes_and_a_count_does_not(made, monkeypatch, capsys):
    over = Measured(edges.HUGE, "of a learner", Ratio(9, 8, 10), QUIET)
    made("small", outcome=Outcome("", (over,)))
    assert run_command(monkeypatch, "--parts", "edges", "--sizes", "small", "--counts") == 0
    said = capsys.readouterr().out
    assert "Over its budget, and let pass: of a learner: 9.000 " in said
    assert said.endswith("\nAll counts are as designed.\n")
    made("small", outcome=Outcome("", (over,), wrong=("a query too many",)))
    assert run_command(monkeypatch, "--parts", "edges", "--sizes", "small", "--counts") == 1


@pytest.mark.parametrize(
    ("arguments", "rounds"), [([], 40), (["--counts"], 1), (["--counts", "--rounds", "7"], 7), (["--rounds", "7"], 7)]
)
def test_counts_are_measured_once_and_times_in_many_rounds(made, monkeypatch, arguments, rounds):
    asked = made("small")
    run_command(monkeypatch, "--parts", "edges", *arguments)
    assert [of_part[-1] for of_part in asked] == [rounds]


# The course doors


def state_found(names=("small", "medium", "large"), *, slower=None, is_asked=False):
    """Return a state that costs what it must, and in which everything takes a millisecond, but for some sides."""
    designed = {
        "decision": {"cold": [4, 6], "first": [1, 4], "warm": [0, 3]},
        "pages": {"a course page": None if is_asked else [0, 3], "course_metadata": [0, 3]},
    }
    counts = {"decision": designed["decision"], "pages": {page: [0, 3] for page in PAGES}}
    sides = [(name, how) for name in names for how in HOWS]
    sides += [(names[0], how, "again") for how in HOWS]
    sides += [(name, page, side) for name in names for page in PAGES for side in ("with", "without", "again")]
    taken = {side: [round(2e6 * (slower or {}).get(side, 1))] * ROUNDS for side in sides}
    return StateFound("not eligible", is_asked, designed, dict.fromkeys(names, counts), taken)


def strangers(names=("small", "medium", "large"), **slower):
    return {
        side: [round(2e6 * slower.get(side[0], 1))] * ROUNDS for side in [*((n,) for n in names), (names[0], "again")]
    }


def broken(outcome):
    return [line.split(":")[0] for line in budgets.broken(outcome.measured)]


def test_doors_that_are_flat_and_cost_what_they_must_are_right():
    outcome = site_doors.judged(["small", "medium", "large"], [state_found()], strangers())
    assert outcome.wrong == ()
    assert broken(outcome) == []
    # Three decisions and a stranger against the smallest site, twice, and two pages on each of three sites.
    assert len(outcome.measured) == 2 * 4 + 2 * 3
    assert max(map(len, outcome.text.splitlines())) <= 100
    assert re.search(r"^not eligible +4 4 4 \(4\) +1 1 1 \(1\) +0 0 0 \(0\) +6 6 6 \(6\)", outcome.text, re.MULTILINE)


@pytest.mark.parametrize("how", HOWS)
def test_a_query_too_many_at_any_size_is_wrong(how):
    state = state_found()
    more = {**state.counts["medium"]["decision"], how: [9, 3]}
    state.counts["medium"] = {**state.counts["medium"], "decision": more}
    (wrong,) = site_doors.judged(["small", "medium", "large"], [state], strangers()).wrong
    assert wrong.startswith(f"not eligible, medium: the decision, {how}, asks 9 queries and 3 round trips, and not ")


@pytest.mark.parametrize("page", PAGES)
def test_a_round_trip_too_many_on_a_page_is_wrong(page):
    state = state_found(("small",))
    state.counts["small"] = {**state.counts["small"], "pages": {**dict.fromkeys(PAGES, [0, 3]), page: [0, 4]}}
    (wrong,) = site_doors.judged(["small"], [state], strangers(("small",))).wrong
    assert (
        wrong
        == f"not eligible, small: 0 queries and 4 round trips added to {page}, and not 0 queries and 3 round trips"
    )


def test_where_the_question_replaces_the_page_nothing_is_added_to_it():
    state = state_found(("small",), is_asked=True)
    state.counts["small"] = {**state.counts["small"], "pages": {**dict.fromkeys(PAGES, [0, 3]), PAGES[0]: [-11, 3]}}
    outcome = site_doors.judged(["small"], [state], strangers(("small",)))
    assert (outcome.wrong, outcome.measured) == ((), ())


@pytest.mark.parametrize("how", HOWS)
def test_a_decision_that_grows_with_the_site_breaks_its_budget(how):
    state = state_found(slower={("large", how): 1.5})
    assert broken(site_doors.judged(["small", "medium", "large"], [state], strangers())) == [f"not eligible, {how}"]


def test_what_asks_neither_database_nor_cache_is_held_to_its_counts_alone():
    state = state_found(slower={("large", "warm"): 1.5})
    state.designed["decision"]["warm"] = [0, 0]
    outcome = site_doors.judged(["small", "medium", "large"], [state], strangers())
    assert broken(outcome) == []
    assert outcome.wrong == ()
    state.counts["large"] = {**state.counts["large"], "decision": {**state.designed["decision"], "warm": [1, 0]}}
    assert len(site_doors.judged(["small", "medium", "large"], [state], strangers()).wrong) == 1


def test_a_stranger_that_costs_more_on_a_large_site_breaks_its_budget():
    assert broken(site_doors.judged(["small", "large"], [state_found()], strangers(large=9))) == ["a stranger"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_takes_much_longer_with_the_plugin_breaks_its_budget(page):
    state = state_found(("large",), slower={("large", page, "with"): 1.5})
    assert broken(site_doors.judged(["large"], [state], strangers(("large",)))) == ["not eligible, large"]


# The extreme cases

PLAN = [{"id": "6", "select_type": "MATERIALIZED", "table": "U0", "type": "ref", "key": "a" * 60, "rows": "50000"}]


def learner_found(**fields):
    states_read = [["MATERIALIZED", "const", "of_student"]]
    found = {"states": 50_000, "of": 2_000_000, "enrollments": 200, "is_eligible": False, "plan": PLAN}
    found["pages"] = [[1, 4], [1, 3]]
    return {**found, "states_read": states_read, **fields}


def taken(**milliseconds):
    return {side: [round(2e6 * value)] * ROUNDS for side, value in milliseconds.items()}


PAGES_TAKEN = taken(first=1000, next=20, again=20)


@pytest.mark.parametrize(
    ("fields", "is_right"),
    [
        ({}, True),
        ({"states_read": [["MATERIALIZED", "None", "None"]]}, False),
        ({"states_read": [["MATERIALIZED", "None", "None"]], "of": 250_000}, True),
        ({"states_read": [["DEPENDENT SUBQUERY", "const", "of_student"]]}, False),
        ({"states_read": 2 * [["MATERIALIZED", "const", "of_student"]]}, False),
        ({"states_read": []}, False),
        ({"is_eligible": True}, False),
        ({"pages": [[1, 4], [2, 3]]}, False),
    ],
    ids=[
        "right",
        "whole table",
        "whole table, a fifth theirs",
        "each run",
        "twice",
        "never",
        "wrong answer",
        "asked twice at each page",
    ],
)
def test_states_must_be_read_once_by_the_learner(fields, is_right):
    times = taken(ours=40, again=40, plain=160, read=36)
    part = edges.large_learner("small", learner_found(**fields), times, PAGES_TAKEN, times)
    assert (part.wrong == ()) is is_right
    assert budgets.broken(part.measured) == []
    assert max(map(len, part.lines)) <= 100


@pytest.mark.parametrize("slow", [{"plain": 10}, {"read": 10}])
def test_a_query_that_is_slower_than_the_plain_one_breaks_its_budget(slow):
    times = taken(**{"ours": 40, "again": 40, "plain": 160, "read": 36, **slow})
    assert len(budgets.broken(edges.large_learner("small", learner_found(), times, PAGES_TAKEN, times).measured)) == 1


def test_a_page_of_the_minute_after_that_takes_as_long_as_the_first_breaks_its_budget():
    times = taken(ours=40, again=40, read=36)
    (line,) = budgets.broken(
        edges.large_learner("large", learner_found(), times, taken(first=1000, next=990, again=990)).measured
    )
    assert edges.BESIDE_FIRST in line


def test_on_a_large_site_nothing_is_written_plainly():
    part = edges.large_learner("large", learner_found(), taken(ours=40, again=40, read=36), PAGES_TAKEN)
    assert [measured.budget for measured in part.measured] == [edges.BESIDE_READING, edges.BESIDE_FIRST]


def test_a_run_of_half_the_site_must_cost_no_more_than_a_small_one():
    enrolled = {"huge": 500_000, "small": 90}
    assert budgets.broken(edges.huge_run("large", enrolled, taken(huge=3, small=3, again=3)).measured) == []
    (line,) = budgets.broken(edges.huge_run("large", enrolled, taken(huge=6, small=3, again=3)).measured)
    assert line.startswith("a learner of 500,000: 2.000 ")


def runs_found(**many):
    found = {count: {"queries": 2, "bytes": 2_216} for count in edges.COACHED}
    found[3_000] |= many
    times = {(count,): [10_000_000] * ROUNDS for count in edges.COACHED}
    return found, {**times, (3, "again"): [10_000_000] * ROUNDS}


def test_coached_runs_may_cost_neither_queries_nor_text_nor_time():
    part = edges.coached_runs("small", *runs_found())
    assert (part.wrong, budgets.broken(part.measured)) == ((), [])
    assert max(map(len, part.lines)) <= 100
    for more in ({"queries": 3}, {"bytes": 95_414}):
        (wrong,) = edges.coached_runs("small", *runs_found(**more)).wrong
        assert wrong.startswith("with 3,000 coached runs a decision costs ")
    found, times = runs_found()
    times[3_000,] = [20_000_000] * ROUNDS
    assert len(budgets.broken(edges.coached_runs("small", found, times).measured)) == 1


def catalog_found(**changed):
    found = {
        "programs": 5_000,
        "first": {"queries": 6, "outcome": {"added": 300, "unchanged": 300}, "peak": 100.0},
        "second": {"queries": 5, "outcome": {"unchanged": 600}, "peak": 100.0},
        "renamed": {"queries": 6, "outcome": {"updated": 300, "unchanged": 300}, "peak": 100.0},
        "decision": [[2, 3], [2, 3]],
        "report": {"queries": 30, "runs": 300},
    }
    for key, fields in changed.items():
        found[key] = {**found[key], **fields} if isinstance(fields, dict) else fields
    return found


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, ""),
        ({"report": None}, ""),
        ({"first": {"queries": 305}}, "the first sync asks 305 queries"),
        ({"second": {"queries": 6}}, "the second sync asks 6 queries"),
        ({"renamed": {"queries": 305}}, "the renamed sync asks 305 queries"),
        ({"first": {"outcome": {"kept": 300}}}, "the first sync left the 300 runs out"),
        ({"second": {"peak": 151.0}}, "a sync with the catalog takes 151 MB"),
        ({"decision": [[3, 3], [2, 3]]}, "a decision in a program of 300 runs costs"),
        ({"report": {"runs": 1}}, "the report of a program of 300 runs is of 1"),
    ],
)
def test_a_large_catalog_is_synced_in_few_statements_and_little_memory(changed, wrong):
    part = edges.catalog("small", catalog_found(**changed), taken(sync=10, again=10, read=2))
    assert budgets.broken(part.measured) == []
    assert max(map(len, part.lines)) <= 100
    assert [problem[: len(wrong)] for problem in part.wrong] == ([wrong] if wrong else [])
