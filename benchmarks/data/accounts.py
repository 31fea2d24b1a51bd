"""The people of a site: accounts, profiles, preferences, roles in course runs, and requests to be forgotten."""

from collections.abc import Iterator

from benchmarks.data.chance import mixed
from benchmarks.data.enrollments import COACHED, RUNS
from benchmarks.data.moments import Moments
from benchmarks.data.numbers import Numbers
from benchmarks.site import LARGE_LEARNER, Size

_FIRST = "Ada Amara Ana Bao Carla Dalia Elif Emeka Gita Hugo Ines Ivan Jun Kofi Maya Yara".split()  # noqa: SIM905
_LAST = "Abara Bauer Castro Chen Costa Diallo Haddad Ito Kaya Khan Lopez Moreau Okoye Park Rossi Silva".split()  # noqa: SIM905
_LANGUAGES = ("en", "es-419", "ar", "fr")
# One in so many: staff, not activated, retiring, too young, with no year of birth, with a language of their choice,
# with a number in the profile that they gave to no coach.
_STAFF, _NOT_ACTIVE, _RETIRING, _YOUNG, _NO_YEAR, _SPEAKING, _NUMBERED = 2_000, 100, 500, 150, 7, 10, 20


class Accounts:
    """The learners of a site by their ids, from 1, with the one large account last."""

    def __init__(self, size: Size, seed: int, moments: Moments, numbers: Numbers):
        self.total = size.users + 1
        self.large_learner = self.total
        self._moments = moments
        self._numbers = numbers
        self._seed = mixed(5, seed)
        self._year = moments.datetime(moments.end).year

    def users(self) -> Iterator[str]:
        """Yield the rows of accounts, all older than any enrollment."""
        for user_id in range(1, self.total + 1):
            mix = mixed(user_id, self._seed)
            username = self.username(user_id)
            is_active = self._is_large(user_id) or mix % _NOT_ACTIVE != 0
            is_staff = user_id == 1 or (mix >> 8) % _STAFF == 0
            yield (
                f"{user_id}\t!{mix:040x}\t\\N\t0\t{username}\t\t\t{username}@example.com\t{is_staff:d}\t{is_active:d}\t"
                f"{self._moments.text(0)}\n"
            )

    def profiles(self, consented: bytearray) -> Iterator[str]:
        """Yield the rows of profiles: with their number, of those who gave it to a coach, and of some others."""
        for user_id in range(1, self.total + 1):
            mix = mixed(user_id, self._seed)
            has_number = consented[user_id >> 3] >> (user_id & 7) & 1 or (mix >> 16) % _NUMBERED == 0
            number = self._numbers.of(user_id) if has_number and not self._is_large(user_id) else "\\N"
            born = self._born(user_id, mix)
            yield f"{user_id}\t{self.name(user_id)}\t\tcourse.xml\t\t\t{born}\t{number}\t{user_id}\n"

    def preferences(self) -> Iterator[str]:
        """Yield the rows of preferences: the language of those who chose one."""
        for user_id in range(1, self.total):
            mix = mixed(user_id, self._seed)
            if (mix >> 24) % _SPEAKING == 0:
                yield f"pref-lang\t{_LANGUAGES[mix >> 62]}\t{user_id}\n"

    def retirements(self, state: int) -> Iterator[str]:
        """Yield the rows of requests to be forgotten, all in one state."""
        at = self._moments.text(self._moments.end - 1)
        for user_id in range(1, self.total):
            mix = mixed(user_id, self._seed)
            if (mix >> 32) % _RETIRING == 0:
                username = self.username(user_id)
                retired = f"retired__user_{mix:040x}"
                yield (
                    f"{at}\t{at}\t{username}\t{username}@example.com\t{self.name(user_id)}\t{retired}\t"
                    f"{retired}@retired.invalid\tCreated in state PENDING\t{state}\t{state}\t{user_id}\n"
                )

    def roles(self) -> Iterator[str]:
        """Yield the rows of roles: who teaches each coached course run."""
        for place, run in enumerate(RUNS[:COACHED]):
            for number, role in enumerate(("instructor", "staff", "beta_testers")):
                user_id = mixed(3 * place + number, self._seed) % (self.total - 1) + 1
                yield f"NationX\t{run}\t{role}\t{user_id}\n"

    def username(self, user_id: int) -> str:
        """Return the name of an account."""
        return LARGE_LEARNER if self._is_large(user_id) else f"learner{user_id:07}"

    def name(self, user_id: int) -> str:
        """Return the name of a person."""
        mix = mixed(user_id, self._seed)
        return f"{_FIRST[mix >> 40 & 15]} {_LAST[mix >> 48 & 15]}"

    def _born(self, user_id: int, mix: int) -> object:
        if self._is_large(user_id):
            return self._year - 30
        if (mix >> 4) % _NO_YEAR == 0:
            return "\\N"
        return self._year - (9 if (mix >> 12) % _YOUNG == 0 else 18 + (mix >> 56) % 50)

    def _is_large(self, user_id: int) -> bool:
        return user_id == self.large_learner
