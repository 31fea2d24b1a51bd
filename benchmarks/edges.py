"""The extreme cases: a learner of 50,000 states, a run of half the site, thousands of coached runs, a vast catalog."""

from dataclasses import dataclass
from statistics import median

from benchmarks.budgets import Measured, Outcome
from benchmarks.probe import Probe
from benchmarks.ratios import alternate, ratio
from benchmarks.site import Size

PROBE = "benchmarks.edges_probe"

BESIDE_PLAIN = "the one query/written plainly"
BESIDE_READING = "the one query/reading when the states changed"
BESIDE_FIRST = "a page of the large learner's next minute/the first"
HUGE = "decision in the huge run/in a small one"
MANY_COACHED = "decision with 3,000 coached runs/3"
SYNC = "sync with the catalog/reading it"

# What a page of a learner with 50,000 states may take, but for the first of a minute; shown, not judged.
MILLISECONDS = 50
# Queries and round trips of the first page, which remembers that no state was recent, and of the next.
PAGES = [[1, 4], [1, 3]]
# MariaDB reads a whole table rather than by an index where a learner's rows are more than about this part of it.
LARGE_PART = 1 / 15

COACHED = (3, 30, 300, 3_000)
DECISIONS_A_TURN = 5
# Setting so many coached runs up takes longer than what is measured with them.
TURNS_AT_MOST = 10
PLAIN_TURNS_AT_MOST = 3

PEAK_MEGABYTES = 150
# The sites, the configuration of one, a savepoint and its release, the rows; and one statement for what has changed.
SYNC_QUERIES, SYNC_QUERIES_WITH_CHANGES = 5, 6
FIRST, WARM = [2, 3], [2, 3]

ROW = "{:<40}{:>10}  {:<22}  {}"
PLAN = ("id", "select_type", "table", "type", "key", "ref", "rows")
PLAN_WIDTH = 18


@dataclass(frozen=True)
class Part:
    """What one case found: lines to show, ratios with a budget, and what is wrong."""

    lines: tuple[str, ...]
    measured: tuple[Measured, ...] = ()
    wrong: tuple[str, ...] = ()


def run(sizes: list[Size], rounds: int) -> Outcome:
    """Measure the learner and the run on each site, and what no number of learners changes on the smallest."""
    parts = []
    for size in sizes:
        with Probe(PROBE, DATABASE_URL=size.database_url) as probe:
            parts += [_large_learner(probe, size, rounds), _huge_run(probe, size, rounds)]
    smallest = sizes[0]
    with Probe(PROBE, DATABASE_URL=smallest.database_url) as probe:
        parts.append(_coached_runs(probe, smallest, rounds))
    # In a process of its own: it is the memory of this one that is looked at.
    with Probe(PROBE, DATABASE_URL=smallest.database_url) as probe:
        parts.append(_catalog(probe, smallest, rounds))
    return Outcome(
        text="\n".join(line for part in parts for line in part.lines),
        measured=tuple(measured for part in parts for measured in part.measured),
        wrong=tuple(problem for part in parts for problem in part.wrong),
    )


# The learner -------------------------------------------------------------------------------------------------------


def _large_learner(probe, size, rounds):
    def taken(turns, **hows):
        asking = {side: _asking(probe, "time_of_large_learner", how=how) for side, how in hows.items()}
        return alternate(asking, turns)

    found = probe.ask("large_learner")
    of_reading = taken(rounds, ours="ours", again="ours", read="read")
    # Written plainly, it reads what everybody did in the huge run: on a large site, for minutes.
    is_small = size.name == "small"
    hows = {"first": True, "next": False, "again": False}
    key = found["course_key"]
    pages = {how: _asking(probe, "time_of_page", course_key=key, is_first=first) for how, first in hows.items()}
    of_pages = alternate(pages, rounds)
    of_plain = taken(min(rounds, PLAIN_TURNS_AT_MOST), ours="ours", again="ours", plain="plain") if is_small else None
    return large_learner(size.name, found, of_reading, of_pages, of_plain)


def large_learner(
    name: str,
    found: dict,
    of_reading: dict[str, list[int]],
    of_pages: dict[str, list[int]],
    of_plain: dict[str, list[int]] | None = None,
) -> Part:
    """Judge how the states of the one learner are read, how long that takes beside other statements, and how often."""
    noise, reading = ratio(of_reading["again"], of_reading["ours"]), ratio(of_reading["ours"], of_reading["read"])
    beside_first, noise_of_pages = (
        ratio(of_pages["next"], of_pages["first"]),
        ratio(of_pages["again"], of_pages["next"]),
    )
    measured = [
        Measured(BESIDE_READING, f"the large learner, {name}", reading, noise),
        Measured(BESIDE_FIRST, f"the large learner, {name}", beside_first, noise_of_pages),
    ]
    name_of_next = f"a page of the minute after (at most {MILLISECONDS})"
    others = [
        ROW.format("reading when the states changed, no more", _milliseconds(of_reading["read"]), str(reading), "")
    ]
    if of_plain:
        plain, noise_of_plain = ratio(of_plain["ours"], of_plain["plain"]), ratio(of_plain["again"], of_plain["ours"])
        measured.append(Measured(BESIDE_PLAIN, f"the large learner, {name}", plain, noise_of_plain))
        others.append(
            ROW.format("the same written plainly", _milliseconds(of_plain["plain"]), str(plain), noise_of_plain)
        )
    rows = [PLAN, *([_cut(row.get(column, "")) for column in PLAN] for row in found["plan"])]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    wrong = [] if states_are_read_once(found) else [f"{name}: states are read by {found['states_read']}"]
    if found["pages"] != PAGES:
        wrong.append(f"{name}: pages cost {found['pages']}, {PAGES} as designed")
    if found["is_eligible"]:
        wrong.append(f"{name}: the learner with old activity alone is eligible")
    return Part(
        lines=(
            *_heading(f"A learner with {found['states']:,} of about {found['of']:,} rows of courseware state, {name}"),
            f"Enrolled in {found['enrollments']} coached runs, last active before the window: all of it is read.",
            ROW.format("", "ms", "the one query/this", "noise"),
            ROW.format("the one query", _milliseconds(of_reading["ours"]), "", noise),
            *others,
            ROW.format("", "ms", "this/the first", "noise"),
            ROW.format("the first page of a minute", _milliseconds(of_pages["first"]), "", ""),
            ROW.format(name_of_next, _milliseconds(of_pages["next"]), str(beside_first), noise_of_pages),
            "How it is read:",
            *("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows),
        ),
        measured=tuple(measured),
        wrong=tuple(wrong),
    )


def states_are_read_once(found: dict) -> bool:
    """Return whether the states are read once for all runs, by the learner; the whole table, where it is theirs."""
    if len(found["states_read"]) != 1:
        return False
    select_type, ref, _key = found["states_read"][0]
    is_by_learner = ref == "const" or found["states"] > LARGE_PART * found["of"]
    return select_type == "MATERIALIZED" and is_by_learner


# The run -----------------------------------------------------------------------------------------------------------


def _huge_run(probe, size, rounds):
    sides = {"huge": "huge", "small": "small", "again": "small"}
    taken = alternate({side: _asking(probe, "time_of_first", run=run) for side, run in sides.items()}, rounds)
    return huge_run(size.name, {run: probe.ask("enrolled", run=run) for run in ("huge", "small")}, taken)


def huge_run(name: str, enrolled: dict[str, int], taken: dict[str, list[int]]) -> Part:
    """Judge a decision in the run that half the site is in beside one in a small run."""
    huge, noise = ratio(taken["huge"], taken["small"]), ratio(taken["again"], taken["small"])
    return Part(
        lines=(
            *_heading(f"The first decision of a learner in a run of many, {name}"),
            ROW.format("", "ms", "huge/small", "noise"),
            ROW.format(f"a run of {enrolled['huge']:,} learners", _milliseconds(taken["huge"]), str(huge), ""),
            ROW.format(f"a run of {enrolled['small']:,}", _milliseconds(taken["small"]), "", noise),
        ),
        measured=(Measured(HUGE, f"a learner of {enrolled['huge']:,}", huge, noise),),
    )


# The coached runs --------------------------------------------------------------------------------------------------


def _coached_runs(probe, size, rounds):
    found = {count: probe.ask("coached", count=count) for count in COACHED}
    sides = {(count,): count for count in COACHED} | {(COACHED[0], "again"): COACHED[0]}
    asking = {
        side: _asking(probe, "time_with_coached", count=count, decisions=DECISIONS_A_TURN)
        for side, count in sides.items()
    }
    return coached_runs(size.name, found, alternate(asking, min(rounds, TURNS_AT_MOST)))


def coached_runs(name: str, found: dict[int, dict], taken: dict[tuple, list[int]]) -> Part:
    """Judge a decision by how many course runs are coached: neither queries nor the statement may grow."""
    few, many = COACHED[0], COACHED[-1]
    noise = ratio(taken[few, "again"], taken[few,])
    ratios = {count: ratio(taken[count,], taken[few,]) for count in COACHED[1:]}
    lines = [
        *_heading(f"The first decision by the number of coached course runs, {name}"),
        ROW.format("", "ms", f"this/{few}", "queries, bytes of SQL"),
    ]
    for count in COACHED:
        against = str(ratios[count]) if count in ratios else f"noise {noise.low:.3f} to {noise.high:.3f}"
        costs = f"{found[count]['queries']}, {found[count]['bytes']:,}"
        lines.append(ROW.format(f"{count:,} coached", _milliseconds(taken[count,], DECISIONS_A_TURN), against, costs))
    wrong = [
        f"with {count:,} coached runs a decision costs {found[count]}, with {few} {found[few]}"
        for count in COACHED[1:]
        if found[count] != found[few]
    ]
    return Part(tuple(lines), (Measured(MANY_COACHED, "the first decision", ratios[many], noise),), tuple(wrong))


# The catalog -------------------------------------------------------------------------------------------------------


def _catalog(probe, size, rounds):
    found = {"programs": probe.ask("fill_catalog"), "first": probe.ask("sync"), "second": probe.ask("sync")}
    probe.ask("rename")
    found |= {"renamed": probe.ask("sync"), "decision": probe.ask("big_program")}
    sides = {"sync": "sync", "again": "sync", "read": "read"}
    asking = {side: _asking(probe, "time_of_catalog", what=what) for side, what in sides.items()}
    taken = alternate(asking, min(rounds, TURNS_AT_MOST))
    # Counting a whole site is what another part measures.
    found["report"] = probe.ask("report") if size.name == "small" else None
    return catalog(size.name, found, taken)


def catalog(name: str, found: dict, taken: dict[str, list[int]]) -> Part:
    """Judge syncs with a large catalog, and the doors and the report of its largest program."""
    beside, noise = ratio(taken["sync"], taken["read"]), ratio(taken["again"], taken["sync"])
    # A command syncs once; this process has done so twice.
    peak = found["second"]["peak"]
    lines = [
        *_heading(f"A catalog of {found['programs']:,} programs, one with 300 runs, {name}"),
        ROW.format("", "ms", "sync/reading", "noise"),
        ROW.format("a sync that changes nothing", _milliseconds(taken["sync"]), str(beside), noise),
        ROW.format("reading the catalog, no more", _milliseconds(taken["read"]), "", ""),
        *(
            f"{what}: {found[key]['queries']} queries; {_in_words(found[key]['outcome'])}."
            for what, key in (("300 runs are new", "first"), ("nothing is", "second"), ("a new title", "renamed"))
        ),
        f"Most memory by then: {peak:.0f} MB (at most {PEAK_MEGABYTES}), without the cache in the process.",
        f"A decision in the large program: {found['decision'][0][0]} queries first, {found['decision'][1][0]} then.",
    ]
    if found["report"]:
        lines.append(f"Its report, of {found['report']['runs']} runs: {found['report']['queries']} queries.")
    return Part(tuple(lines), (Measured(SYNC, "5,000 programs", beside, noise),), tuple(_wrong_in_catalog(found)))


def _wrong_in_catalog(found):
    at_most = {
        "first": SYNC_QUERIES_WITH_CHANGES,
        "second": SYNC_QUERIES,
        "renamed": SYNC_QUERIES_WITH_CHANGES,
    }
    for key, queries in at_most.items():
        if found[key]["queries"] > queries:
            yield f"the {key} sync asks {found[key]['queries']} queries, and not {queries} at most"
    for key, what in (("first", "added"), ("second", "unchanged"), ("renamed", "updated")):
        if found[key]["outcome"].get(what, 0) < 300:
            yield f"the {key} sync left the 300 runs out: {found[key]['outcome']}"
    if found["second"]["peak"] > PEAK_MEGABYTES:
        yield f"a sync with the catalog takes {found['second']['peak']:.0f} MB, and not {PEAK_MEGABYTES} at most"
    if found["decision"] != [FIRST, WARM]:
        yield f"a decision in a program of 300 runs costs {found['decision']}, and not {[FIRST, WARM]}"
    if found["report"] and found["report"]["runs"] != 300:
        yield f"the report of a program of 300 runs is of {found['report']['runs']}"


# Shown -------------------------------------------------------------------------------------------------------------


def _asking(probe, question, **arguments):
    return lambda: probe.ask(question, **arguments)


def _heading(title):
    return "", title, "-" * len(title)


def _milliseconds(taken, calls=1):
    """Return the time of one call: a round has two."""
    return f"{median(taken) / calls / 2e6:.3f}"


def _in_words(outcome):
    return ", ".join(f"{count} {what}" for what, count in sorted(outcome.items()))


def _cut(value):
    return value if len(value) <= PLAN_WIDTH else f"{value[: PLAN_WIDTH - 3]}..."
