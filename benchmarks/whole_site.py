"""Questions about everybody, each beside one hand-written SQL statement that only counts; and the memory they take."""

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.budgets import Measured, Outcome
from benchmarks.probe import Probe
from benchmarks.ratios import Ratio, alternate, ratio
from benchmarks.site import Size

PROBE = "benchmarks.whole_site_probe"
MOST_MEGABYTES = 150

# How many queries each question takes, however large the site is; the roster takes two for each 500 learners.
COMPARED = {
    "to be asked": 1,
    "eligible": 1,
    "roster": None,
    "roster file": None,
    "report": 11,
    "report of a program": 9,
}
ALONE = ("nightly counts",)

# As many rounds as fit into this time, and these at least, where more than one is wanted: of a large site, each side
# takes many seconds.
MOST_SECONDS = 60
FEWEST_ROUNDS = 2


def run(sizes: list[Size], rounds: int) -> Outcome:
    """Ask each question of each site, in turn with the statement; and again in a process that asks nothing else."""
    lines = [*_HEADING]
    measured: list[Measured] = []
    wrong: list[str] = []
    for size in sizes:
        for question, queries in COMPARED.items():
            first, found = _compared(size, question, rounds)
            peak = _alone(size, question)["peak"]
            measured.append(found)
            what = f"{question}, {size.name}"
            wrong += _wrong(what, first, queries, peak)
            ours, theirs = first
            lines.append(
                f"{question:20} {size.name:7} {ours['taken'] / 1e9:8.2f} {theirs['taken'] / 1e9:8.2f}  "
                f"{found.ratio!s:22}  {found.noise!s:22} {peak:4.0f}"
            )
        for question in ALONE:
            alone = _alone(size, question)
            wrong += _too_large(f"{question}, {size.name}", alone["peak"])
            lines.append(
                f"{question:20} {size.name:7} {alone['taken'] / 1e9:8.2f} {'-':>8}  {'-':22}  {'-':22} "
                f"{alone['peak']:4.0f}"
            )
    return Outcome("\n".join([*lines, *_EXPLAINED]), tuple(measured), tuple(wrong))


_HEADING = (
    "Questions about everybody, each beside one hand-written statement that only counts",
    "-" * 82,
    f"{'':20} {'':7} {'seconds':>8} {'by hand':>8}  {'time / by hand':22}  {'the same again: noise':22}   MB",
)
_EXPLAINED = (
    "Seconds are of the first time, with whatever the database had in memory; MB is the peak of a process",
    "that asks this alone. Nightly counts: everybody, each program, and what is stored of the day.",
)


def _compared(size: Size, question: str, rounds: int) -> tuple[tuple[dict[str, Any], dict[str, Any]], Measured]:
    """Return what both sides answered, and how long ours takes beside the other."""
    answers: dict[bool, dict[str, Any]] = {}
    with Probe(PROBE, DATABASE_URL=size.database_url) as probe:

        def taken(by_hand: bool) -> int:
            # The last ones are kept: what was once counted for all programs is no part of one.
            answers[by_hand] = probe.ask("answer", what=question, by_hand=by_hand)
            return answers[by_hand]["taken"]

        # Three sides, of which two are ours, there and back; the first time warms both up.
        seconds_a_round = 2 * (2 * taken(False) + taken(True)) / 10**9
        cold = answers[False]["taken"], answers[True]["taken"]
        if rounds == 1 or seconds_a_round > MOST_SECONDS:
            of_time, noise = _once(taken)
        else:
            rounds = max(FEWEST_ROUNDS, min(rounds, int(MOST_SECONDS / seconds_a_round)))
            sides = {"ours": partial(taken, False), "again": partial(taken, False), "by hand": partial(taken, True)}
            found = alternate(sides, rounds, warm_up=0)
            of_time, noise = ratio(found["ours"], found["by hand"]), ratio(found["again"], found["ours"])
    name = f"whole-site-{question.replace(' ', '-')}"
    both = answers[False] | {"taken": cold[0]}, answers[True] | {"taken": cold[1]}
    return both, Measured(name, f"{question}, {size.name}", of_time, noise)


def _once(taken: Callable[[bool], int]) -> tuple[Ratio, Ratio]:
    """Return the ratio of one turn there and back, of sides that take minutes, and that of ours to itself."""
    before, theirs, theirs_again, after = taken(False), taken(True), taken(True), taken(False)
    return ratio([before + after], [theirs + theirs_again]), ratio([after], [before])


def _alone(size: Size, question: str) -> dict[str, Any]:
    with Probe(PROBE, DATABASE_URL=size.database_url) as probe:
        return probe.ask("answer", what=question)


def _wrong(what: str, first: tuple[dict[str, Any], dict[str, Any]], queries: int | None, peak: float) -> list[str]:
    ours, theirs = first
    wrong = _too_large(what, peak)
    if ours["answer"] != theirs["answer"]:
        parts = _differing(ours["answer"], theirs["answer"])
        wrong.append(f"{what}: the statement by hand counts otherwise ({parts})")
    if queries is not None and ours["queries"] != queries:
        wrong.append(f"{what}: {ours['queries']} queries, {queries} as designed")
    return wrong


def _differing(ours: Any, theirs: Any) -> str:
    if not isinstance(ours, dict):
        return f"{ours} and {theirs}"
    return ", ".join(name for name in ours if ours[name] != theirs.get(name))


def _too_large(what: str, peak: float) -> list[str]:
    return [f"{what}: {peak:.0f} MB of memory, less than {MOST_MEGABYTES} allowed"] if peak >= MOST_MEGABYTES else []
