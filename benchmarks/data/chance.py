"""Chance that can be asked again: the same seed and number give the same answer, in whatever order one asks."""

from collections.abc import Sequence

_WORD = (1 << 64) - 1


def mixed(number: int, seed: int) -> int:
    """Return 64 bits that look random, from a number: SplitMix64."""
    mix = (number * 0x9E3779B97F4A7C15 + seed) & _WORD
    mix = ((mix ^ mix >> 30) * 0xBF58476D1CE4E5B9) & _WORD
    mix = ((mix ^ mix >> 27) * 0x94D049BB133111EB) & _WORD
    return mix ^ mix >> 31


class Shuffle:
    """
    The numbers below ``size`` in a random order, of which nothing is stored: called with a place, it tells the number.

    Bits are mixed in ways that can be undone, so no two places have the same number; what comes out as ``size`` or more
    is mixed again.
    """

    def __init__(self, size: int, seed: int):
        self.size = size
        bits = max(size - 1, 1).bit_length()
        self._mask = (1 << bits) - 1
        self._shift = bits // 2 or 1
        self._keys = [mixed(number, seed) & self._mask for number in range(4)]
        # Odd, so that a product can be undone.
        self._keys[1] |= 1
        self._keys[3] |= 1

    def __call__(self, place: int) -> int:
        """Return the number that stands at a place."""
        first, second, third, fourth = self._keys
        mask, shift, size = self._mask, self._shift, self.size
        while True:
            place = ((place ^ first) * second) & mask
            place ^= place >> shift
            place = ((place ^ third) * fourth) & mask
            place ^= place >> shift
            place = (place * second) & mask
            if place < size:
                return place


def falling(total: int, top: int, weights: Sequence[float]) -> list[int]:
    """
    Share ``total`` out over rounds by falling weights, none with more than ``top``, nor with more than the one before.

    Raises ``ValueError`` where it is more than all rounds take.
    """
    if total > top * len(weights):
        raise ValueError(f"{total} are more than {len(weights)} rounds of {top}")
    low, high = 0.0, float(total) / weights[-1]
    for _ in range(100):
        scale = (low + high) / 2
        if sum(min(top, int(scale * weight)) for weight in weights) <= total:
            low = scale
        else:
            high = scale
    counts = [min(top, int(low * weight)) for weight in weights]
    missing = total - sum(counts)
    while missing:
        for number, most in enumerate([top, *counts[:-1]]):
            if missing and counts[number] < most:
                counts[number] += 1
                missing -= 1
    return counts
