"""The course doors of sites of 1 %, 10 % and 100 %, in turns: each decision costs the same, however large the site."""

from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.budgets import Measured, Outcome
from benchmarks.probe import Probe
from benchmarks.ratios import alternate, ratio
from benchmarks.site import SIZES, Size

HOWS = ("cold", "first", "warm")
PAGES = ("a course page", "course_metadata")

# The budgets, by the size that is held against the smallest.
FLAT = {"medium": "decision at 10 %/1 %", "large": "decision at 100 %/1 %"}
FLAT_COLD = {"medium": "cold decision at 10 %/1 %", "large": "cold decision at 100 %/1 %"}
FLAT_STRANGER = {"medium": "decision of a stranger at 10 %/1 %", "large": "decision of a stranger at 100 %/1 %"}
WITH_PLUGIN = {
    "a course page": "course page with the plugin/without",
    "course_metadata": "course_metadata with the plugin/without",
}
SMALLEST = SIZES["small"].name

COUNTS = "{:<16}" + 6 * "{:>13}"
TIMES = "{:<16}{:<6}{:>9}  {:<22}{:<22}{}"
DOOR = "{:<16}{:<7}{:>8}{:>8}{:>11}  {:<22}  {}"


@dataclass(frozen=True)
class StateFound:
    """What was found of one state: counts by size, and nanoseconds by side."""

    name: str
    is_asked: bool
    # As ``site_doors_probe`` gives them: of the decision, cold, first and warm, and of each page (or None).
    designed: dict
    counts: dict[str, dict]
    taken: dict[tuple[str, ...], list[int]]


def run(sizes: list[Size], rounds: int) -> Outcome:
    """Measure every state at both doors of each site."""
    names = [size.name for size in sizes]
    with ExitStack() as stack:
        probes = {
            size.name: stack.enter_context(Probe("benchmarks.site_doors_probe", DATABASE_URL=size.database_url))
            for size in sizes
        }
        found = [_found(probes, state, rounds) for state in probes[names[0]].ask("states")]
        strangers = alternate(_strangers(probes), rounds)
    return judged(names, found, strangers)


def judged(names: list[str], found: list[StateFound], strangers: dict[tuple[str, ...], list[int]]) -> Outcome:
    """Return the tables, what is held to a budget, and which counts are not as designed."""
    return Outcome(
        text="\n".join([_counts_table(names, found), _times_table(names, found, strangers), *_doors(names, found)]),
        measured=(*_flatness(names, found, strangers), *_with_plugin(names, found)),
        wrong=tuple(_wrong(names, found)),
    )


# Measured ----------------------------------------------------------------------------------------------------------


def _found(probes, state, rounds):
    counts = {}
    for name, probe in probes.items():
        probe.ask("arrange", state=state["name"])
        counts[name] = probe.ask("counts")
    taken = alternate(_sides(probes), rounds)
    for probe in probes.values():
        probe.ask("leave")
    return StateFound(state["name"], state["is_asked"], state, counts, taken)


def _sides(probes):
    sides = {}
    for name, probe in probes.items():
        for how in HOWS:
            sides[name, how] = _asking(probe, "decision", how=how)
        for page in PAGES:
            sides[name, page, "with"] = _asking(probe, "page", page=page, with_plugin=True)
            sides[name, page, "without"] = _asking(probe, "page", page=page, with_plugin=False)
            sides[name, page, "again"] = _asking(probe, "page", page=page, with_plugin=False)
    name, probe = next(iter(probes.items()))
    for how in HOWS:
        sides[name, how, "again"] = _asking(probe, "decision", how=how)
    return sides


def _strangers(probes):
    sides = {(name,): _asking(probe, "stranger") for name, probe in probes.items()}
    name, probe = next(iter(probes.items()))
    return {**sides, (name, "again"): _asking(probe, "stranger")}


def _asking(probe, question, **arguments):
    return lambda: probe.ask(question, **arguments)


# Judged ------------------------------------------------------------------------------------------------------------


def _flatness(names, found, strangers):
    """Return how each decision stands to that on the smallest site; nothing where that was not measured."""
    if SMALLEST not in names:
        return
    for name in names:
        if name == SMALLEST:
            continue
        for state in found:
            for how in HOWS:
                if not any(state.designed["decision"][how]):
                    # Microseconds in the process, in which nothing of the site has a part.
                    continue
                against = _against_smallest(state.taken, name, how)
                yield Measured(FLAT_COLD[name] if how == "cold" else FLAT[name], f"{state.name}, {how}", *against)
        yield Measured(FLAT_STRANGER[name], "a stranger", *_against_smallest(strangers, name))


def _against_smallest(taken, name, *side):
    those = taken[(SMALLEST, *side)]
    return ratio(taken[(name, *side)], those), ratio(taken[(SMALLEST, *side, "again")], those)


def _with_plugin(names, found):
    for name in names:
        for state in found:
            # Who is asked gets another page, or the question with it: a matter of counts.
            for page in () if state.is_asked else PAGES:
                yield Measured(WITH_PLUGIN[page], f"{state.name}, {name}", *_ratios_of_page(state.taken, name, page))


def _ratios_of_page(taken, name, page):
    without = taken[name, page, "without"]
    return ratio(taken[name, page, "with"], without), ratio(taken[name, page, "again"], without)


def _wrong(names, found):
    for state in found:
        for name in names:
            counts = state.counts[name]
            for how in HOWS:
                if tuple(counts["decision"][how]) != tuple(state.designed["decision"][how]):
                    yield (
                        f"{state.name}, {name}: the decision, {how}, asks {_in_words(counts['decision'][how])}, "
                        f"and not {_in_words(state.designed['decision'][how])}"
                    )
            for page in PAGES:
                designed = state.designed["pages"][page]
                if designed is not None and tuple(counts["pages"][page]) != tuple(designed):
                    yield (
                        f"{state.name}, {name}: {_in_words(counts['pages'][page])} added to {page}, "
                        f"and not {_in_words(designed)}"
                    )


def _in_words(cost):
    queries, round_trips = cost
    return f"{queries} queries and {round_trips} round trips"


# Shown -------------------------------------------------------------------------------------------------------------


def _heading(title):
    return f"\n{title}\n{'-' * len(title)}"


def _counts_table(names, found):
    lines = [
        _heading(f"Asked by the decision at {', '.join(names)}: measured at each (designed)"),
        COUNTS.format("", "queries", "", "", "cache", "", "").rstrip(),
        COUNTS.format("", *2 * HOWS),
    ]
    for state in found:
        cells = []
        for number in (0, 1):
            for how in HOWS:
                measured = " ".join(str(state.counts[name]["decision"][how][number]) for name in names)
                cells.append(f"{measured} ({state.designed['decision'][how][number]})")
        lines.append(COUNTS.format(state.name, *cells))
    return "\n".join(lines)


def _times_table(names, found, strangers):
    others = [name for name in names if name != names[0]]
    lines = [
        _heading("Time of the decision, with its flags, cache and queries"),
        TIMES.format(
            "", "", f"ms {names[0]}", *[*(f"{name}/{names[0]}" for name in others), "noise", "", ""][:3]
        ).rstrip(),
    ]

    def row(title, how, taken, *side):
        those = taken[(names[0], *side)]
        cells = [str(ratio(taken[(name, *side)], those)) for name in others]
        noise = str(ratio(taken[(names[0], *side, "again")], those))
        lines.append(_times_row(title, how, f"{_milliseconds(those):.3f}", *cells, noise))

    for state in found:
        for how in HOWS:
            row(state.name if how == HOWS[0] else "", how, state.taken, how)
    row("a stranger", "", strangers)
    lines += [
        "cold: a new process, an empty cache; first: nothing cached of the learner; warm: all that follow.",
        "a stranger: each time another undecided learner of the site, whose rows were not read before.",
        f"noise: {names[0]} against itself.",
    ]
    return "\n".join(lines)


def _times_row(title, how, milliseconds, *ratios):
    """Return a row with as many ratios as there are."""
    return TIMES.format(title, how, milliseconds, *ratios, *[""] * (3 - len(ratios))).rstrip()


def _doors(names, found):
    for page in PAGES:
        lines = [
            _heading(f"Added to {page}: measured (designed)"),
            DOOR.format("", "", "queries", "cache", "ms without", "with the plugin/without", "noise"),
        ]
        for state in found:
            designed = state.designed["pages"][page]
            for name in names:
                counts = [f"{number:+d}" for number in state.counts[name]["pages"][page]]
                if designed is not None:
                    counts = [f"{number} ({of_design:+d})" for number, of_design in zip(counts, designed, strict=True)]
                with_plugin, noise = _ratios_of_page(state.taken, name, page)
                without = f"{_milliseconds(state.taken[name, page, 'without']):.2f}"
                title = state.name if name == names[0] else ""
                lines.append(DOOR.format(title, name, *counts, without, str(with_plugin), str(noise)))
            if designed is None:
                lines.append("                There the redirect to the question stands instead of the page.")
        yield "\n".join(lines)


def _milliseconds(taken):
    """Return the time of one call: a round has two."""
    return median(taken) / 2e6
