"""Who is enrolled in what, since when, and till when they were active: told of each enrollment, and stored of none."""

import random
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from benchmarks.data.chance import Shuffle, falling, mixed
from benchmarks.data.moments import DAY, Moments
from benchmarks.site import COACHED_RUNS, HUGE_RUN, OTHER_RUNS, RUNS_OF_LARGE_LEARNER, Size

RUNS = [str(key) for key in (*COACHED_RUNS, *OTHER_RUNS)]
COACHED = len(COACHED_RUNS)
HUGE = COACHED_RUNS.index(HUGE_RUN)
# The one account has no part in the run of half the site.
RUNS_OF_THE_LARGE = range(COACHED - RUNS_OF_LARGE_LEARNER, COACHED)
# How long before the end the one account was last anywhere; the window is 90 days.
QUIET = 120 * DAY

# The modes of a hundred thousand enrollments, in the run of half the site and elsewhere; the rest audit.
_MODES_OF_HUGE = {"verified": 12_000, "honor": 2_000, "professional": 500, "no-id-professional": 200}
_MODES = {"verified": 30_000, "honor": 3_000, "professional": 1_000, "no-id-professional": 500}
_INACTIVE = 8

# How the enrollments beside that run are shared out among learners: most have few.
_ROUNDS = 30
_FEWER = 0.66
# How they are shared out among course runs: so many of this many parts in coached ones, and a long tail within each.
_PARTS = 1 << 16
_COACHED_PARTS = _PARTS // 10
_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
# Steps of the golden ratio come no closer to each other than this in so many rounds.
_MOST_PARTS = int(_PARTS * 0.0085)

# How long one stays, in days.
_MEAN_STAY = 85
_STAYS = 4_096


class Enrollment(NamedTuple):
    """One enrollment; ``run`` is a place in ``RUNS``, times are seconds as ``Moments`` has them."""

    user_id: int
    run: int
    mode: str
    is_active: bool
    created: int
    last: int


class Enrollments:
    """All enrollments of a site but those of the one large account, by their number, which is their order in time."""

    def __init__(self, size: Size, seed: int, moments: Moments):
        self.total = size.enrollments
        self._moments = moments
        self._seed = mixed(1, seed)
        self._users = size.users
        self._in_huge = size.users // 2
        rounds = falling(self.total - self._in_huge, size.users, [_FEWER**number for number in range(_ROUNDS)])
        self._starts = [0, *accumulate(rounds)]
        self._slot = Shuffle(self.total, mixed(2, seed))
        self._learner = Shuffle(size.users, mixed(3, seed))
        self._parts = _run_of_each_part(random.Random(seed))
        self._modes = {True: _thresholds(_MODES_OF_HUGE), False: _thresholds(_MODES)}
        chance = random.Random(seed)
        self._stays = [int(chance.expovariate(1 / (_MEAN_STAY * DAY))) for _ in range(_STAYS)]

    def where(self, number: int) -> tuple[int, int, int, int]:
        """Return, of an enrollment, the id of the user, the place of the run, and the seconds of its begin and end."""
        slot = self._slot(number)
        return (*self._who(slot), *self._when(number, mixed(slot, self._seed)))

    def one(self, number: int) -> Enrollment:
        """Return an enrollment."""
        slot = self._slot(number)
        user_id, run = self._who(slot)
        mix = mixed(slot, self._seed)
        modes, names = self._modes[run == HUGE]
        mode = names[bisect_right(modes, mix % 100_000)]
        is_active = (mix >> 20) % 100 >= _INACTIVE
        return Enrollment(user_id, run, mode, is_active, *self._when(number, mix))

    def _who(self, slot: int) -> tuple[int, int]:
        if slot < self._in_huge:
            # Every other learner.
            return 2 * slot + 2, HUGE
        slot -= self._in_huge
        lap = bisect_right(self._starts, slot) - 1
        user_id = self._learner(slot - self._starts[lap]) + 1
        # Points that are never the same for two rounds of a learner, and so no course run is.
        point = (mixed(user_id, self._seed) + lap * _GOLDEN) & _WORD
        return user_id, self._parts[point >> 48]

    def _when(self, number: int, mix: int) -> tuple[int, int]:
        end = self._moments.end
        created = end * number // self.total
        return created, min(created + self._stays[mix >> 52], end - 1)

    def rows(self) -> Iterator[str]:
        """Yield the rows of the table, in the order of time."""
        text = self._moments.text
        for number in range(self.total):
            user_id, run, mode, is_active, created, _ = self.one(number)
            yield f"{text(created)}\t{is_active:d}\t{mode}\t{RUNS[run]}\t{user_id}\n"

    def rows_of_large(self, user_id: int) -> Iterator[str]:
        """Yield the rows of the one large account."""
        for run, created in large_enrollments():
            yield f"{self._moments.text(created)}\t1\tverified\t{RUNS[run]}\t{user_id}\n"


def large_enrollments() -> Iterator[tuple[int, int]]:
    """Yield the places of the course runs of the one large account, and since when it is in each."""
    for number, run in enumerate(RUNS_OF_THE_LARGE):
        yield run, number * 90 * DAY // RUNS_OF_LARGE_LEARNER


def _thresholds(modes: dict[str, int]) -> tuple[list[int], list[str]]:
    return list(accumulate(modes.values())), [*modes, "audit"]


def _run_of_each_part(chance: random.Random) -> list[int]:
    """Return which course run each of equal parts of all enrollments belongs to: some many, and every run one."""
    coached = [place for place in range(COACHED) if place != HUGE]
    others = list(range(COACHED, len(RUNS)))
    spans = []
    for runs, parts, flatness in ((coached, _COACHED_PARTS, 5), (others, _PARTS - _COACHED_PARTS, 25)):
        chance.shuffle(runs)
        widths = falling(parts - len(runs), _MOST_PARTS - 1, [1 / (number + flatness) for number in range(len(runs))])
        spans += [(run, width + 1) for run, width in zip(runs, widths, strict=True)]
    chance.shuffle(spans)
    return [run for run, width in spans for _ in range(width)]
