"""How sure is a share, and a difference of two? 95 % intervals after Wilson (1927) and Newcombe (1998)."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A share, or a difference of shares, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(successes: int, total: int) -> Estimate:
    """Return the share of ``successes`` in ``total`` (1 or more) with Wilson's score interval."""
    share = successes / total
    center = successes + Z**2 / 2
    margin = Z * sqrt(total * share * (1 - share) + Z**2 / 4)
    low, high = ((center + sign * margin) / (total + Z**2) for sign in (-1, 1))
    # Rounding must not lead past what is certain.
    return Estimate(share, min(max(low, 0.0), share), max(min(high, 1.0), share))


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Return ``first`` less ``second``, shares of two groups, with Newcombe's hybrid score interval (his method 10)."""
    below = sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2)
    above = sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2)
    value = first.value - second.value
    return Estimate(value, value - below, value + above)
