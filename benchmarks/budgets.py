"""What each ratio may be, by ``budgets.toml``, and which are broken: by more than the noise that was measured too."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ratios import Ratio

BUDGETS = Path(__file__).with_name("budgets.toml")


@dataclass(frozen=True)
class Measured:
    """A ratio that is held to a budget: by the name of the budget, of what, and with the noise of the same rounds."""

    budget: str
    what: str
    ratio: Ratio
    # One side against itself.
    noise: Ratio

    def is_within(self, budget: float) -> bool:
        """Return whether the ratio is no more than the budget, or more by no more than one side against itself was."""
        return self.ratio.median <= budget * max(self.noise.high, 1 / self.noise.low)


@dataclass(frozen=True)
class Outcome:
    """What one part of the benchmark found: its tables, the ratios that have a budget, and what is wrong at once."""

    text: str
    measured: tuple[Measured, ...] = ()
    # In words: counts that are not as designed, answers that are not right.
    wrong: tuple[str, ...] = ()


def budgets() -> dict[str, float]:
    """Return the highest ratio for each name."""
    with BUDGETS.open("rb") as file:
        return {name: float(value) for name, value in tomllib.load(file).items()}


def broken(measured: Iterable[Measured]) -> list[str]:
    """Return, in words, the ratios that break their budget. Raises ``KeyError`` for one that has none."""
    allowed = budgets()
    return [
        f"{one.what}: {one.ratio}, of {allowed[one.budget]:g} allowed ({one.budget}; noise {one.noise})"
        for one in measured
        if not one.is_within(allowed[one.budget])
    ]
