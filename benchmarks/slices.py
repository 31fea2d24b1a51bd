"""Some seconds of load as Locust saw them, and what they say: percentiles, ratios of slices, and what was wrong."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles

from benchmarks.ratios import Ratio, ratio
from benchmarks.visits import TO_BE_ASKED

PERCENTILES = (50, 95, 99)
# A rate is held where all visits come in hardly more than the time planned, and nineteen of twenty pages take no more
# than so many times what they take while nobody else is there.
HELD, WAITING = 1.02, 5
START_SECONDS = 1


@dataclass(frozen=True)
class Slice:
    """What was answered in some seconds, and what the workers did in them."""

    visits: int
    # Visits a second; 0: as many as there are answers.
    rate: float
    seconds: float
    # By how much a visit came too late, at most, since nobody was free to make it.
    latest: float
    # Of each answer: step, state, page, answer, milliseconds and problem.
    answers: list[dict]
    # Processor seconds of the workers.
    work: float = 0.0

    def of(self, step: str = "visit", **wanted: str) -> list[float]:
        """Return the milliseconds of the answers of a step to visits such as these."""
        return [
            answer["milliseconds"]
            for answer in self.answers
            if answer["step"] == step and all(answer[name] == value for name, value in wanted.items())
        ]

    def of_pages(self) -> list[float]:
        """Return the milliseconds of visits that open the same page with the plugin and without."""
        return [
            answer["milliseconds"]
            for answer in self.answers
            if answer["step"] == "visit" and answer["state"] != TO_BE_ASKED
        ]

    def problems(self) -> set[str]:
        """Return what was not answered as it must be, and whether a visit was left out."""
        problems = {answer["problem"] for answer in self.answers if answer["problem"]}
        made = len(self.of())
        return problems | ({f"of {self.visits} visits, {made} were made"} if made != self.visits else set())

    def confirmed(self) -> Counter:
        """Return how many answers were confirmed, by what was answered."""
        of_confirmations = (answer for answer in self.answers if answer["step"] == "the confirmation")
        return Counter(answer["answer"] for answer in of_confirmations if not answer["problem"])

    def is_held(self, alone: "Slice") -> bool:
        """Return whether the visits were made at their rate, and answered in time, as a visitor alone knows it."""
        in_time = self.seconds <= HELD * self.visits / self.rate + START_SECONDS
        return in_time and percentile(self.of_pages(), 95) <= WAITING * percentile(alone.of_pages(), 95)


def percentile(values: list[float], which: int) -> float:
    """Return a percentile of two values or more."""
    return quantiles(values, n=100, method="inclusive")[which - 1]


def by_pairs(these: list[Slice], those: list[Slice], value: Callable[[Slice], float]) -> Ratio:
    """Return how slices stand to those that were taken beside them."""
    return ratio([value(one) for one in these], [value(one) for one in those])


def halves(slices: list[Slice]) -> tuple[list[Slice], list[Slice]]:
    """Return slices of one side as two sides, to hold against each other."""
    return slices[0::2], slices[1::2]


def work_of_a_visit(one: Slice) -> float:
    """Return the processor time that the workers took for a visit, in milliseconds."""
    return 1000 * one.work / one.visits
