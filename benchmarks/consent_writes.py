"""Consent writes: how many a second, in threads beside each other, on each size of site, and whether each is stored."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.budgets import Measured, Outcome
from benchmarks.headings import heading
from benchmarks.probe import Probe
from benchmarks.ratios import alternate, ratio
from benchmarks.site import Size

THREADS = 8
LEARNERS = 24


@dataclass(frozen=True)
class Way:
    """A way to store answers: what the probe is asked, and what it is called in the table."""

    question: str
    threads: int = THREADS
    outbox: bool = True
    way: str | None = None

    def ask(self, probe: Probe) -> dict:
        """Have a probe do it."""
        way = {"way": self.way} if self.way else {}
        return probe.ask(self.question, threads=self.threads, outbox=self.outbox, learners=LEARNERS, **way)


WAYS = {
    "8 threads": Way("write", way="plugin"),
    "8 threads again": Way("write", way="plugin"),
    "1 thread": Way("write", way="plugin", threads=1),
    "8 threads, no outbox": Way("write", way="plugin", outbox=False),
    "8 threads, by hand": Way("write_by_hand"),
    "8 threads, one learner": Way("contend"),
    "8 threads, page": Way("write", way="page"),
    "1 thread, page": Way("write", way="page", threads=1),
}
ROW = "{:<26}" + "{:>16}" * 3


def run(sizes: list[Size], rounds: int) -> Outcome:
    """Measure all ways on all sizes, in turns, and judge what was stored; leave the sites as they were found."""
    # Each round has learners come and go, and what they stored judged, which takes longer than their answers.
    rounds = max(rounds // 2, 1)
    problems: dict[str, set[str]] = {size.name: set() for size in sizes}
    writes: dict[tuple[str, str], int] = {}
    with ExitStack() as stack:
        probes = {size.name: stack.enter_context(_probe(size)) for size in sizes}
        for probe in probes.values():
            probe.ask("prepare")
        try:
            sides = {
                (size, name): _side(way, probe, problems[size], writes, (size, name))
                for size, probe in probes.items()
                for name, way in WAYS.items()
            }
            taken = alternate(sides, rounds)
        finally:
            for name, probe in probes.items():
                problems[name].update(probe.ask("leave"))
    names = [size.name for size in sizes]
    return Outcome(
        text=_report(names, taken, writes, rounds),
        measured=tuple(_measured(names, taken)),
        wrong=tuple(f"consent writes, {name}: {problem}" for name in names for problem in sorted(problems[name])),
    )


def _probe(size):
    # Nobody's share is used up while one learner answers again and again.
    return Probe("benchmarks.consent_writes_probe", DATABASE_URL=size.database_url, COACHING_API_THROTTLE="1000000/s")


def _side(way: Way, probe: Probe, problems: set[str], writes: dict, side: tuple[str, str]) -> Callable[[], int]:
    def measure():
        done = way.ask(probe)
        problems.update(done["problems"])
        writes[side] = done["writes"]
        return done["nanoseconds"]

    return measure


def _measured(sizes, taken):
    for size in sizes:
        of = {name: taken[size, name] for name in WAYS}
        noise = ratio(of["8 threads again"], of["8 threads"])
        for budget, these, those in (
            ("consent_writes_threads", "8 threads", "1 thread"),
            ("consent_writes_page_threads", "8 threads, page", "1 thread, page"),
            ("consent_writes_by_hand", "8 threads", "8 threads, by hand"),
            ("consent_writes_outbox", "8 threads", "8 threads, no outbox"),
        ):
            yield Measured(budget, f"consent writes, {size}: {these} / {those}", ratio(of[these], of[those]), noise)
    for size in sizes[1:]:
        for name in ("8 threads", "8 threads, page"):
            yield Measured(
                "consent_writes_flat",
                f"consent writes, {name}: {size} / {sizes[0]}",
                ratio(taken[size, name], taken[sizes[0], name]),
                ratio(taken[sizes[0], "8 threads again"], taken[sizes[0], "8 threads"]),
            )


def _report(sizes, taken, writes, rounds):
    lines = [
        heading("Consent writes: answers stored a second, each in a transaction of its own, and committed to disk"),
        f"{LEARNERS} new learners of each site answer, {rounds} rounds, there and back: yes, yes and later no, or no.",
        "",
        ROW.format("", *sizes, *[""] * (3 - len(sizes))).rstrip(),
    ]
    for name in WAYS:
        if name != "8 threads again":
            # A side is called twice a round.
            rates = [f"{2 * writes[size, name] / (median(taken[size, name]) / 1e9):,.0f}" for size in sizes]
            lines.append(ROW.format(name, *rates, *[""] * (3 - len(sizes))).rstrip())
    lines += [
        "by hand: the same rows, by plain statements; one learner: all eight change the same answer.",
        "page: a POST to the consent page, through the LMS's middleware; the others call what the page calls.",
        "",
        "Time of one / of the other, by pairs of a round; noise: 8 threads again / 8 threads",
    ]
    noise = {}
    for one in _measured(sizes, taken):
        lines.append(f"{one.what.removeprefix('consent writes, '):<44}{one.ratio}")
        noise[str(one.noise)] = None
    lines += [f"{'noise':<44}{text}" for text in noise]
    lines.append("Every answer is stored exactly once, and every ledger holds, or it is said below.")
    return "\n".join(lines)
