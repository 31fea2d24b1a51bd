"""A site under load: learners on course pages, against gunicorn, with the plugin and without, at one rate, in turns."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import redis

from benchmarks.budgets import Measured, Outcome
from benchmarks.environment import ROOT, child_environment
from benchmarks.headings import heading
from benchmarks.probe import Probe
from benchmarks.served_lms import ServedLms
from benchmarks.site import Size
from benchmarks.slices import PERCENTILES, WAITING, Slice, by_pairs, halves, percentile, work_of_a_visit
from benchmarks.visits import ANSWERED, MIX, NOT_ELIGIBLE, NOT_OUR_COURSE, TO_BE_ASKED, Guests
from benchmarks.visits import write as write_visits

REDIS_URL = "redis://127.0.0.1:6379/9"
WITH, WITHOUT = "with the plugin", "without it"
SETTINGS = {WITH: "benchmarks.lms_with_plugin", WITHOUT: "benchmarks.lms_without_plugin"}
# A worker waits for the database for a good part of its time: two more than there are processors keep these busy.
WORKERS = (os.cpu_count() or 1) + 2
LEARNERS = {NOT_OUR_COURSE: 800, ANSWERED: 500, NOT_ELIGIBLE: 500, TO_BE_ASKED: 1_200}

SECONDS_A_ROUND = 3
LONGEST_SLICE = 15
# From a rate that is not held to the next one to try.
STEP, TRIALS = 0.92, 15
# The visits of a visitor who is alone; and of any slice, how few its rate may be.
ALONE, FEWEST = 100, 30
# Of the highest rate that is held. Near it, whatever is added, however little, makes a queue that grows as long as one
# measures, and its length tells of that time alone: it is shown. Where both have room, ratios are held to budgets.
NEAR_HIGHEST, WITH_ROOM = 0.9, 0.6
STATUS_OF = {"accept": "consented", "decline": "declined"}
ROW = "{:<34}{:>8}" + "{:>18}" * 3


class LoadError(Exception):
    """Raised where Locust makes no visits."""


@dataclass(frozen=True)
class Found:
    """What was measured: a visitor alone, the rates that were tried without the plugin, and the slices of each side."""

    alone: Slice
    tried: list[Slice]
    # By the share of the highest rate, then by side.
    slices: dict[float, dict[str, list[Slice]]]
    busy: dict[str, list[Slice]]
    connections: int

    @property
    def is_held(self) -> bool:
        """Whether the LMS without the plugin kept up with the last rate that was tried."""
        return self.tried[-1].is_held(self.alone)


class Load:
    """The LMSs with the plugin and without, and those who visit them."""

    def __init__(self, served: dict[str, ServedLms], guests: Guests, folder: Path):
        self._served, self._guests, self._folder = served, guests, folder
        self.problems: set[str] = set()
        self.confirmed: Counter = Counter()

    def at_rate(self, side: str, rate: float, seconds: float) -> Slice:
        """Have learners visit an LMS for some seconds, so many a second."""
        return self._visit(side, max(round(rate * seconds), FEWEST), rate, browsers=round(2 * rate) + 8)

    def as_fast_as_answered(self, side: str, visits: int, browsers: int = WORKERS) -> Slice:
        """Have a browser for each worker make visits, the next as soon as the one before is answered."""
        return self._visit(side, visits, rate=0, browsers=browsers)

    def _visit(self, side, number, rate, browsers):
        visits, result = self._folder / "visits", self._folder / "result"
        write_visits(self._guests.visits(number, side == WITH), visits)
        result.unlink(missing_ok=True)
        lms = self._served[side]
        before = lms.seconds_of_work()
        command = [
            *(sys.executable, "-m", "locust", "--headless", "--only-summary", "--loglevel", "ERROR"),
            *("-f", str(ROOT / "benchmarks" / "locustfile.py"), "--exit-code-on-error", "0"),
            *("--host", lms.url, "--users", str(browsers), "--spawn-rate", str(browsers)),
            *("--visits", str(visits), "--result", str(result), "--rate", str(rate)),
        ]
        done = subprocess.run(command, cwd=ROOT, env=child_environment(), capture_output=True, text=True)
        if not result.exists():
            raise LoadError(done.stdout + done.stderr)
        work = lms.seconds_of_work() - before
        found = Slice(visits=number, rate=rate, work=work, **json.loads(result.read_text()))
        self.problems |= found.problems()
        self.confirmed += found.confirmed()
        return found


def run(sizes: list[Size], rounds: int) -> Outcome:
    """Measure on the largest of these sizes; where no Redis answers, say so, and fail if one is required."""
    size = max(sizes, key=lambda size: size.share)
    url = os.environ.get("BENCH_REDIS_URL") or REDIS_URL
    cache = redis.Redis.from_url(url)
    try:
        cache.flushdb()
    except redis.RedisError as error:
        where = urlsplit(url)
        text = f"A site under load: not measured, no Redis answers at {where.hostname}:{where.port} ({_name(error)})."
        return Outcome(f"\n{text}", wrong=(text,) if os.environ.get("REQUIRE_REDIS") == "1" else ())
    with Probe("benchmarks.load_probe", DATABASE_URL=size.database_url) as probe:
        guests = probe.ask("prepare", learners=LEARNERS)
        problems: list[str] = []
        try:
            found = _measure(size, url, Guests.of(guests), rounds, probe, problems)
        finally:
            problems += probe.ask("leave")
            cache.flushdb()
    wrong = tuple(f"a site under load, {size.name}: {problem}" for problem in problems)
    return Outcome(_report(size, found), tuple(_measured(size, found)), wrong)


def _measure(size, redis_url, guests, rounds, probe, problems):
    environment = {"DATABASE_URL": size.database_url, "SANDBOX_CACHE": redis_url, "SANDBOX_COURSEWARE_HOOKS": "none"}
    seconds = SECONDS_A_ROUND * rounds
    number = max(2 * round(seconds / LONGEST_SLICE / 2), 2)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        served = {
            side: stack.enter_context(ServedLms(settings, WORKERS, folder / f"log{place}", **environment))
            for place, (side, settings) in enumerate(SETTINGS.items())
        }
        connections = stack.enter_context(_watched(served.values(), urlsplit(size.database_url).port or 3306))
        load = Load(served, guests, folder)
        # What each process does but once.
        for side in served:
            load.as_fast_as_answered(side, 40 * WORKERS)
        alone = load.as_fast_as_answered(WITHOUT, ALONE, browsers=1)
        tried = _rates_tried(load, seconds / number, alone)
        slices = {
            share: _in_turns(partial(load.at_rate, rate=share * tried[-1].rate, seconds=seconds / number), number)
            for share in (WITH_ROOM, NEAR_HIGHEST)
        }
        visits = round(tried[0].rate * seconds / number)
        busy = _in_turns(partial(load.as_fast_as_answered, visits=visits), max(number // 2, 2))
        problems += sorted(load.problems)
        for side, lms in served.items():
            problems += [f"{side}, gunicorn's log: {line}" for line in lms.problems()]
        problems += probe.ask("judge", answered={STATUS_OF[answer]: load.confirmed[answer] for answer in STATUS_OF})
        if max(connections) > len(served) * WORKERS:
            problems.append(f"{max(connections)} connections to the database of {len(served) * WORKERS} workers")
    return Found(alone, tried, slices, busy, max(connections))


def _rates_tried(load, seconds, alone):
    """Return the rates that were tried without the plugin, down from what it answers at most to one that is held."""
    most = load.as_fast_as_answered(WITHOUT, 100 * WORKERS)
    rate, tried = most.visits / most.seconds, []
    while len(tried) < TRIALS:
        tried.append(load.at_rate(WITHOUT, rate, seconds))
        if tried[-1].is_held(alone):
            return tried
        rate *= STEP
    return tried


def _in_turns(measure, number):
    """Return so many slices of each side, which take turns: with, without, without, with."""
    slices: dict[str, list[Slice]] = {WITH: [], WITHOUT: []}
    for place in range(number):
        for side in (WITH, WITHOUT) if place % 2 == 0 else (WITHOUT, WITH):
            sys.stderr.write(f"    {side}, {place + 1} of {number} ...\n")
            slices[side].append(measure(side))
    return slices


@contextmanager
def _watched(served, port) -> Iterator[list[int]]:
    """Have the connections of the workers to the database counted, every other second, till the end of the block."""
    seen, is_over = [0], threading.Event()

    def watch():
        while not is_over.wait(2):
            seen.append(sum(lms.connections(port) for lms in served))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def _values():
    """Return what is held against each other, by the name of its budget."""
    of_pages = {f"load_p{which}": partial(_percentile_of_pages, which) for which in PERCENTILES}
    return {**of_pages, "load_work": work_of_a_visit}


def _percentile_of_pages(which, one):
    return percentile(one.of_pages(), which)


def _measured(size, found):
    if not found.is_held:
        # Whoever waits for a machine that is busy with other things does so on both sides: ratios tell nothing then.
        return
    slices = found.slices[WITH_ROOM]
    for budget, value in _values().items():
        yield Measured(
            budget,
            f"a site under load, {size.name}: {budget.removeprefix('load_')}, {WITH} / {WITHOUT}",
            by_pairs(slices[WITH], slices[WITHOUT], value),
            by_pairs(*halves(slices[WITHOUT]), value),
        )


def _report(size, found):
    shares = ", ".join(f"{share} % {state}" for state, share in MIX.items())
    tried = ", ".join(f"{one.rate:.0f} {'held' if one.is_held(found.alone) else 'not'}" for one in found.tried)
    alone = percentile(found.alone.of_pages(), 95)
    lines = [
        heading(f"A site under load: {size.name}"),
        f"gunicorn, {WORKERS} workers for {os.cpu_count()} processors, MariaDB, Redis and Locust on one machine.",
        f"Visits: {shares}.",
        "Half of a course page, half of course_metadata; a third of those asked answer the question.",
        f"Visits a second, tried without the plugin: {tried}.",
        f"Held: made in time, with a p95 of pages of at most {WAITING} times the {alone:.1f} ms of a visitor alone.",
        "pages: visits that open the same page on both sides, so all but those of learners to be asked.",
        "noise: slices without the plugin against each other.",
        *(
            []
            if found.is_held
            else ["NONE WAS HELD: the machine is busy with something else, and no ratio tells anything."]
        ),
    ]
    for share, of_side in found.slices.items():
        lines += _at_rate(share, of_side)
    capacity = by_pairs(found.busy[WITH], found.busy[WITHOUT], lambda one: one.seconds / one.visits)
    rates = {side: sum(s.visits for s in some) / sum(s.seconds for s in some) for side, some in found.busy.items()}
    lines += [
        "",
        f"As fast as answered: {rates[WITH]:.0f} visits a second with the plugin, {rates[WITHOUT]:.0f} without it.",
        f"{'time of a visit, with / without':<42}{capacity}",
        f"Connections of all workers to the database: {found.connections} at most, of {2 * WORKERS} workers.",
    ]
    return "\n".join(lines)


def _at_rate(share, of_side):
    """Return the lines that tell of one rate."""
    rate, seconds = of_side[WITH][0].rate, sum(one.visits / one.rate for one in of_side[WITH])
    confirmed = sum(sum(one.confirmed().values()) for one in of_side[WITH])
    title = f"{rate:.0f} visits a second, {share:.0%} of the highest that is held, for {seconds:.0f} s on each side"
    lines = [
        "",
        f"{title}; {confirmed} answered",
        ROW.format("", "visits", *(f"p{which} ms" for which in PERCENTILES)),
    ]
    for side, slices in of_side.items():
        lines.append(_row(f"pages, {side}", [one for piece in slices for one in piece.of_pages()]))
    for state in (NOT_OUR_COURSE, ANSWERED, NOT_ELIGIBLE, TO_BE_ASKED):
        for side, slices in of_side.items():
            lines.append(_row(f"{state}, {side}", [one for piece in slices for one in piece.of(state=state)]))
    for step in ("the question", "the answer", "the confirmation"):
        lines.append(_row(step, [one for piece in of_side[WITH] for one in piece.of(step)]))
    for budget, value in _values().items():
        with_plugin = str(by_pairs(of_side[WITH], of_side[WITHOUT], value))
        noise = by_pairs(*halves(of_side[WITHOUT]), value)
        name = "processor time of a visit" if budget == "load_work" else f"{budget.removeprefix('load_')} of pages"
        lines.append(f"{name + ', with / without':<42}{with_plugin:<26}noise {noise}")
    return lines


def _row(name, milliseconds):
    figures = [f"{percentile(milliseconds, which):.1f}" if len(milliseconds) > 1 else "-" for which in PERCENTILES]
    return ROW.format(name, f"{len(milliseconds):,}", *figures)


def _name(error):
    return type(error).__name__
