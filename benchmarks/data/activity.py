"""What learners did in their course runs: courseware state, completed blocks and days of engagement."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import md5

from benchmarks.data.chance import Shuffle, falling, mixed
from benchmarks.data.enrollments import QUIET, RUNS, Enrollments, large_enrollments
from benchmarks.data.moments import DAY, Moments
from benchmarks.site import RUNS_OF_LARGE_LEARNER, STATES_OF_LARGE_LEARNER, Size

BLOCKS = 250

# What the blocks of a course run are, in their order, and what is kept of a learner in each kind: grades and state.
_KINDS = ("sequential", "video", "problem", "problem", "video")
_COMPLETED = ("video", "problem")
_NO_GRADE = "\\N\t\\N"
_KEPT = {
    "sequential": [(_NO_GRADE, f'{{"position": {number}}}') for number in range(1, 9)],
    "video": [(_NO_GRADE, f'{{"saved_video_position": "00:0{number}:{number}7"}}') for number in range(8)],
    "problem": [
        (
            f"{number % 2}\t1",
            f'{{"seed": {number}, "attempts": {1 + number % 3}, "done": true, "correct_map": {{"2_1": {number % 2}}}}}',
        )
        for number in range(8)
    ],
}

# A tenth of the enrollments has most of the states; the same learners come on most days.
_FEWER_STATES = [1 / (1 + number / 5) ** 1.7 for number in range(BLOCKS)]
_FEWER_DAYS = [1 / (1 + number / 4) ** 1.5 for number in range(BLOCKS)]
_MOST_WITH_STATES = 0.65
# Many cannot have come on as many days as they should, since they have not been there for so long.
_DAYS_TRIED = 1.5
_MOST_DAYS = 40


class Activity:
    """
    What there is of each enrollment, in rounds: the first block of everybody, then the second of all who did a second.

    So the rows of a learner lie scattered over a table. Who did how much is told by a rank: the first did most.
    """

    def __init__(self, size: Size, seed: int, moments: Moments, enrollments: Enrollments):
        self._size = size
        self._moments = moments
        self._enrollments = enrollments
        self._ranked = Shuffle(enrollments.total, mixed(4, seed))
        self._rounds = falling(size.states, int(_MOST_WITH_STATES * enrollments.total), _FEWER_STATES)

    def states(self) -> Iterator[str]:
        """Yield the rows of courseware state."""
        text, where, ranked = self._moments.text, self._enrollments.where, self._ranked
        for block in range(BLOCKS):
            kind = _KINDS[block % len(_KINDS)]
            ends = [f"\t{grade}\t{kept}\tna\n" for grade, kept in _KEPT[kind]]
            begins = _OfRuns(lambda run, block=block, kind=kind: f"{kind}\t{_usage_key(run, block)}\t{RUNS[run]}\t")
            for done, ranks in self._done(block):
                for rank in ranks:
                    user_id, run, created, last = where(ranked(rank))
                    stay = last - created
                    opened, modified = created + stay * block // done, created + stay * (block + 1) // done
                    yield f"{begins[run]}{text(opened)}\t{text(modified)}\t{user_id}{ends[(user_id ^ rank) & 7]}"

    def states_of_large(self, user_id: int) -> Iterator[str]:
        """Yield the rows of courseware state of the one large account, all long past."""
        text, runs = self._moments.text, list(large_enrollments())
        for block in range(STATES_OF_LARGE_LEARNER // RUNS_OF_LARGE_LEARNER):
            kind = _KINDS[block % len(_KINDS)]
            grade, kept = _KEPT[kind][block & 7]
            for run, enrolled in runs:
                stay = self._moments.end - QUIET - enrolled
                opened, modified = (enrolled + stay * part // BLOCKS for part in (block, block + 1))
                yield (
                    f"{kind}\t{_usage_key(run, block)}\t{RUNS[run]}\t{text(opened)}\t{text(modified)}\t{user_id}"
                    f"\t{grade}\t{kept}\tna\n"
                )

    def completions(self) -> Iterator[str]:
        """Yield the rows of completed blocks: of those that have state, and of the more active learners."""
        text, where, ranked = self._moments.text, self._enrollments.where, self._ranked
        of_blocks = [self._rounds[block] if _KINDS[block % len(_KINDS)] in _COMPLETED else 0 for block in range(BLOCKS)]
        for block, completed in enumerate(_share(self._size.completions, of_blocks)):
            kind = _KINDS[block % len(_KINDS)]
            middles = _OfRuns(lambda run, block=block, kind=kind: f"{RUNS[run]}\t{_usage_key(run, block)}\t{kind}\t1\t")
            for done, ranks in self._done(block):
                for rank in range(ranks.start, min(ranks.stop, completed)):
                    user_id, run, created, last = where(ranked(rank))
                    at = text(created + (last - created) * (block + 1) // done)
                    yield f"{at}\t{at}\t{middles[run]}{user_id}\n"

    def engagement_days(self) -> Iterator[str]:
        """Yield the rows of engagement: for each enrollment the last day, then others back to the first."""
        day, where, ranked = self._moments.day, self._enrollments.where, self._ranked
        left = self._size.engagement_days
        most = int(_MOST_WITH_STATES * self._enrollments.total)
        for lap, coming in enumerate(falling(int(_DAYS_TRIED * left), most, _FEWER_DAYS)):
            for rank in range(coming):
                user_id, run, created, last = where(ranked(rank))
                first_day, last_day = created // DAY, last // DAY
                on = last_day - lap * (1 + (last_day - first_day) // _MOST_DAYS)
                if on < first_day:
                    continue
                if not left:
                    return
                left -= 1
                yield f"{RUNS[run]}\t{day(on)}\t{user_id}\n"
        if left:
            raise ValueError(f"{left} days of engagement more than all have been there")

    def _done(self, block: int) -> Iterator[tuple[int, range]]:
        """Yield, for those who came as far as a block, how many blocks they did, and which ranks did so many."""
        for done in range(BLOCKS, block, -1):
            yield done, range(self._rounds[done] if done < BLOCKS else 0, self._rounds[done - 1])


class _OfRuns(dict):
    """Texts by the places of course runs, each made when it is first needed."""

    def __init__(self, make: Callable[[int], str]):
        self._make = make

    def __missing__(self, run: int) -> str:
        return self.setdefault(run, self._make(run))


def _usage_key(run: int, block: int) -> str:
    course = RUNS[run].removeprefix("course-v1:")
    name = md5(f"{course} {block}".encode(), usedforsecurity=False).hexdigest()
    return f"block-v1:{course}+type@{_KINDS[block % len(_KINDS)]}+block@{name}"


def _share(total: int, sizes: Sequence[int]) -> Iterator[int]:
    """Share a number out in proportion to sizes, none getting more than its size."""
    whole, given, seen = sum(sizes), 0, 0
    if total > whole:
        raise ValueError(f"{total} are more than {whole}")
    for size in sizes:
        seen += size
        share = min(total * seen // whole - given, size)
        given += share
        yield share
