"""How much longer one thing takes than another: both in turn, in one run, and a ratio with its uncertainty."""

# pyperf and pytest-benchmark run one thing to its end and then the other, in processes or rounds of their own: what the
# machine did meanwhile stands in the ratio. Ten lines that alternate are all that is needed here.

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from statistics import median

WARM_UP = 3


@dataclass(frozen=True)
class Ratio:
    """The median of paired ratios, and the interval that holds it with 95 % certainty (that of the sign test)."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        digits = 3 if self.median >= 0.1 else 5
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def alternate(sides: dict[str, Callable[[], int]], rounds: int, warm_up: int = WARM_UP) -> dict[str, list[int]]:
    """
    Call all sides in turn and return, for each, what it took in each round; a side returns its own nanoseconds.

    A round goes through the sides and back again, so that a machine that grows slower or faster within it does so for
    all of them; the next round begins with the next side.
    """
    for side in sides.values():
        for _ in range(warm_up):
            side()
    taken: dict[str, list[int]] = {name: [] for name in sides}
    names = list(sides)
    for _ in range(rounds):
        of_round = dict.fromkeys(names, 0)
        for name in [*names, *reversed(names)]:
            of_round[name] += sides[name]()
        for name, nanoseconds in of_round.items():
            taken[name].append(nanoseconds)
        names.append(names.pop(0))
    return taken


def ratio(these: list[int], those: list[int]) -> Ratio:
    """Return how ``these`` stand to ``those``, round by round."""
    quotients = sorted(this / that for this, that in zip(these, those, strict=True))
    rank = _lower_rank(len(quotients))
    return Ratio(median(quotients), quotients[rank], quotients[-1 - rank])


def _lower_rank(count: int) -> int:
    """Return the highest rank below which a median of ``count`` values lies in 2.5 % of all cases at most."""
    rank, cases = -1, 1
    while cases * 40 <= 2**count:
        rank += 1
        cases += comb(count, rank + 1)
    return max(rank, 0)
