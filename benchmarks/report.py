"""What the benchmark prints: plain text, a hundred columns at most."""

from benchmarks.deliveries import QUERIES_AT_MOST
from benchmarks.headings import heading

DECISION = "{:<15}{:>7}{:>9}{:>9}  {:>9}{:>9}{:>9}"
DOOR = "{:<15}{:>9}{:>10}  {:<22}  {:<22}  {}"


def decisions(costs):
    """Return the table of what the decision alone asks."""
    lines = [
        heading("Asked by the decision alone: measured (designed)"),
        DECISION.format("", "", "queries", "", "", "cache", "").rstrip(),
        DECISION.format("", *2 * ("cold", "first", "warm")),
    ]
    for cost in costs:
        pairs = [(cost.cold, cost.state.cold), (cost.first, cost.state.first), (cost.warm, cost.state.warm)]
        queries = [f"{measured.queries} ({designed.queries})" for measured, designed in pairs]
        round_trips = [f"{measured.round_trips} ({designed.round_trips})" for measured, designed in pairs]
        lines.append(DECISION.format(cost.state.name, *queries, *round_trips) + _mark(cost))
    lines.append("cold: in a new process with an empty cache; first: the learner's first; warm: all that follow.")
    return "\n".join(lines)


def doors(page, costs):
    """Return the table of what the plugin adds to one page."""
    lines = [
        heading(f"Added to {page.name}, {page.path.format(course_key='<course key>')}: measured (designed)"),
        DOOR.format("", "queries", "cache", "time with the plugin", "time without it again", "decision alone"),
        DOOR.format("", "", "", "/ without it", "/ without it: noise", "/ without it"),
    ]
    for cost in costs:
        queries, round_trips = f"{cost.added.queries:+d}", f"{cost.added.round_trips:+d}"
        if cost.designed:
            queries += f" ({cost.designed.queries:+d})"
            round_trips += f" ({cost.designed.round_trips:+d})"
        decision = f"{cost.decision.median:.4f}" if cost.decision else "-"
        row = DOOR.format(cost.state.name, queries, round_trips, str(cost.with_plugin), str(cost.noise), decision)
        lines.append(row + _mark(cost))
        if cost.designed is None:
            lines.append(
                "               There the redirect to the question stands instead of the page: redirect / page."
            )
    return "\n".join(lines)


def deliveries(result):
    """Return how fast an outbox was drained, and what that asked."""
    rate = f"{result.sent:,} in {result.seconds:.1f} s, {result.sent / result.seconds:,.0f} a second"
    return "\n".join(
        [
            heading(f"{result.waiting:,} changes wait for the coaching partner"),
            f"Sent by one worker, over HTTP on loopback: {rate}.",
            f"Queries for each: {result.queries_each:.2f} ({QUERIES_AT_MOST}, and some for many at a time)."
            + _mark(result),
        ]
    )


def _mark(result):
    return "" if result.is_as_designed else "  NOT AS DESIGNED"
