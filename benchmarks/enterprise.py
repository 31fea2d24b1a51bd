"""Beside edx-enterprise's consent step: the same page, learner and database, and what each asks and takes."""

import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.budgets import Measured, Outcome
from benchmarks.enterprise_stand_ins import LEFT_OUT
from benchmarks.probe import ROOT, Probe
from benchmarks.ratios import Ratio, alternate, ratio
from benchmarks.site import Size

PYTHON = ROOT / ".venv-enterprise" / "bin" / "python"
WHEN = ("cold", "first", "warm")


@dataclass(frozen=True)
class Pair:
    """A state of a learner with us, and the one with edx-enterprise that is most like it."""

    name: str
    ours: str
    theirs: str
    # Whose course page it is.
    learner: str
    is_asked: bool = False
    # How many queries more than theirs ours are known to be in a new process with an empty cache, and why.
    known_more: int = 0
    why: str = ""

    @property
    def states(self) -> str:
        """What it is called: the state with us, and that with edx-enterprise."""
        return f"{self.ours} / {self.theirs}"

    @property
    def budget(self) -> str:
        """The beginning of the names of its budgets."""
        return f"enterprise_{self.name.replace(' ', '_')}"


PAIRS = (
    Pair("not our course", "not our course", "not linked", learner="not our course"),
    Pair("answered", "answered", "granted", learner="answered"),
    Pair("to be asked", "to be asked", "to be asked", learner="to be asked", is_asked=True),
    Pair("not eligible", "not eligible", "not in the catalog", learner="not eligible"),
    Pair(
        "not linked",
        "not eligible",
        "not linked",
        learner="not eligible",
        known_more=3,
        why="a new process reads the coached runs, and an empty cache two flags; both stay for all learners",
    ),
    Pair("switched off", "flag off", "customer off", learner="to be asked"),
    Pair(
        "off by setting",
        "flag off",
        "setting off",
        learner="to be asked",
        known_more=2,
        why="a setting asks nothing, and changes with a deploy alone; our flag is a row that is then in the cache",
    ),
)


@dataclass(frozen=True)
class Asked:
    """What both ask in one state, by when; as the probes tell it."""

    pair: Pair
    ours: dict[str, dict]
    theirs: dict[str, dict]

    def problems(self) -> list[str]:
        """Return, in words, where ours asks more than theirs but is not known to, and wrong answers."""
        found = []
        for when in WHEN:
            ours, theirs = self.ours[when], self.theirs[when]
            allowed = theirs["queries"] + (self.pair.known_more if when == "cold" else 0)
            if ours["queries"] > allowed:
                found.append(f"{self.pair.name}, {when}: {ours['queries']} queries, of {allowed} that may be")
            if {ours["is_asked"], theirs["is_asked"]} != {self.pair.is_asked}:
                found.append(f"{self.pair.name}, {when}: asked by us {ours['is_asked']}, by them {theirs['is_asked']}")
        return found

    def fewer_with_theirs(self) -> Iterator[tuple[str, str]]:
        """Yield when theirs asks fewer queries, or its own process does, and in words how many."""
        for when in WHEN:
            more = self.ours[when]["queries"] - self.theirs[when]["queries"]
            if more > 0:
                yield when, f"theirs asks {more} fewer: {self.pair.why}."
            elif more + self.theirs[when]["of_api"] > 0:
                own = self.theirs[when]["queries"] - self.theirs[when]["of_api"]
                yield when, f"without what the consent API reads for it, theirs would ask {own}."


@dataclass(frozen=True)
class Taken:
    """How the times of one state stand to each other, warm or cold; ours to theirs, and theirs to itself."""

    pair: Pair
    when: str
    ratio: Ratio
    noise: Ratio


def run(sizes: list[Size], rounds: int) -> Outcome:
    """Measure on each site, and return what both ask, how their times stand, and where ours asks more."""
    if not PYTHON.exists():
        text = f"{_heading(TITLE)}\nNot measured: it is not installed (make bench-enterprise)."
        is_required = os.environ.get("REQUIRE_ENTERPRISE") == "1"
        return Outcome(text, wrong=("edx-enterprise is not there to be measured beside",) if is_required else ())
    texts, measured, wrong = [], [], []
    for size in sizes:
        with _probes(size) as (ours, theirs):
            made, learners = theirs.ask("made"), ours.ask("learners")
            asked, taken = [], []
            for pair in PAIRS:
                with _in_state(pair, ours, theirs, learners):
                    asked.append(Asked(pair, ours.ask("costs"), theirs.ask("costs")))
                    taken += _times(pair, ours, theirs, rounds)
        texts.append(_text(size, made, asked, taken))
        measured += [
            Measured(f"{one.pair.budget}_{one.when}", f"{one.pair.name}, {one.when}, {size.name}", one.ratio, one.noise)
            for one in taken
            # How much longer a few queries take than none is no ratio to hold anything to; the number of them is.
            if not (one.when == "cold" and one.pair.known_more)
        ]
        wrong += [f"beside edx-enterprise, {size.name}: {problem}" for one in asked for problem in one.problems()]
    return Outcome("\n".join([*texts, "", _left_out()]), tuple(measured), tuple(wrong))


@contextmanager
def _probes(size: Size) -> Iterator[tuple[Probe, Probe]]:
    ours = Probe("benchmarks.coaching_probe", DATABASE_URL=size.database_url, SANDBOX_COURSEWARE_HOOKS="filters")
    # Without the sandbox: to edx-enterprise it would be a platform, with half of what it looks for.
    theirs = Probe(
        "benchmarks.enterprise_probe",
        python=str(PYTHON),
        DATABASE_URL=size.database_url,
        DJANGO_SETTINGS_MODULE="benchmarks.enterprise_settings",
        PYTHONPATH=str(ROOT),
    )
    with ours, theirs:
        yield ours, theirs


@contextmanager
def _in_state(pair: Pair, ours: Probe, theirs: Probe, learners: dict[str, dict]) -> Iterator[None]:
    about = {"learner": learners[pair.learner], "other": learners["another"]["user"]}
    ours.ask("enter", state=pair.ours, **about)
    theirs.ask("enter", state=pair.theirs, **about)
    yield
    ours.ask("leave")
    theirs.ask("leave")


def _times(pair: Pair, ours: Probe, theirs: Probe, rounds: int) -> Iterator[Taken]:
    for when in ("warm", "cold"):
        is_cold = when == "cold"
        taken = alternate(
            {
                "ours": lambda: ours.ask("nanoseconds", is_cold=is_cold),  # noqa: B023 - called in this round
                "theirs": lambda: theirs.ask("nanoseconds", is_cold=is_cold),  # noqa: B023
                "again": lambda: theirs.ask("nanoseconds", is_cold=is_cold),  # noqa: B023
            },
            rounds,
        )
        yield Taken(pair, when, ratio(taken["ours"], taken["theirs"]), ratio(taken["again"], taken["theirs"]))


# What is printed ------------------------------------------------------------------------------------------------

TITLE = "Beside the consent step of edx-enterprise"
QUERIES = "{:<36}" + 3 * "{:>12}"
OTHER = "{:<36}" + 3 * "{:>9}" + "   " + 3 * "{:>7}"
TIME = "{:<42}{:<30}{}"
WIDTH = 100


def _text(size: Size, made: dict, asked: list[Asked], taken: list[Taken]) -> str:
    return "\n".join(
        [
            _heading(f"{TITLE} {made['version']} (Django {made['django']}): {size.name}"),
            *(f"{count:>11,} rows in {table}" for table, count in made["rows"].items()),
            "",
            "Queries before a course page: ours / theirs (of these, by the consent API)",
            QUERIES.format("state with us / with edx-enterprise", *WHEN),
            *(QUERIES.format(one.pair.states, *_queries(one)) + _mark(one) for one in asked),
            "cold: in a new process with an empty cache; first: the learner's first; warm: all that follow.",
            *(_filled(f"{one.pair.states}, {when}: {why}") for one in asked for when, why in one.fewer_with_theirs()),
            "",
            "Round trips to the cache: ours / theirs. HTTP requests: theirs, to the LMS itself and to other",
            "services, counted and not sent; ours has none.",
            OTHER.format("", "", "cache", "", "", "HTTP", "").rstrip(),
            OTHER.format("state with us / with edx-enterprise", *2 * WHEN),
            *(OTHER.format(one.pair.states, *_round_trips(one), *_requests(one)) for one in asked),
            "",
            TIME.format("", "time of ours / of theirs", "of theirs twice: noise"),
            *(TIME.format(f"{one.pair.states}, {one.when}", str(one.ratio), str(one.noise)) for one in taken),
        ]
    )


def _queries(one: Asked) -> Iterator[str]:
    for when in WHEN:
        ours, theirs = one.ours[when], one.theirs[when]
        of_api = f" ({theirs['of_api']})" if theirs["of_api"] else ""
        yield f"{ours['queries']} / {theirs['queries']}{of_api}"


def _round_trips(one: Asked) -> Iterator[str]:
    return (f"{one.ours[when]['round_trips']} / {one.theirs[when]['round_trips']}" for when in WHEN)


def _requests(one: Asked) -> Iterator[str]:
    return (str(one.theirs[when]["requests"]) for when in WHEN)


def _mark(one: Asked) -> str:
    return "  NOT AS IT MUST BE" if one.problems() else ""


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")


def _heading(title: str) -> str:
    return f"\n{title}\n{'-' * len(title)}"


def _left_out() -> str:
    title = "What was left out of edx-enterprise, all of it in its favour:"
    return "\n".join([title, *(_filled(f"* {one}") for one in LEFT_OUT)])
