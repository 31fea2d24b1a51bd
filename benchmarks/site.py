"""The site that is measured: how large it is, which course runs and programs it has, and in which database it is."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import pymysql
from opaque_keys.edx.keys import CourseKey

SERVER_URL = "mysql://root@127.0.0.1:3306/coaching_bench"

PROGRAM_COUNT = 30
RUNS_OF_A_PROGRAM = 10
_NAMESPACE = UUID("2f9a6c1e-6f0c-4a55-9c1b-0d8a4f1f3c77")


@dataclass(frozen=True)
class Size:
    """How much of a national LMS a database holds. A catalog is as large as it is, however many learners there are."""

    name: str
    share: float

    def of(self, number: int) -> int:
        """Return so much of a number of the whole."""
        return round(number * self.share)

    @property
    def users(self) -> int:
        """Accounts, beside the few that ``large_learners`` names."""
        return self.of(1_000_000)

    @property
    def enrollments(self) -> int:
        """Enrollments, active or not, in any mode."""
        return self.of(3_000_000)

    @property
    def states(self) -> int:
        """Rows of courseware state."""
        return self.of(20_000_000)

    @property
    def completions(self) -> int:
        """Completed blocks."""
        return self.of(6_000_000)

    @property
    def engagement_days(self) -> int:
        """Days on which a learner visited a course run."""
        return self.of(4_000_000)

    @property
    def consents(self) -> int:
        """Learners of whom the ledger knows."""
        return self.of(100_000)

    @property
    def database_url(self) -> str:
        """The address of the database: beside that of ``BENCH_DATABASE_URL``, under a name with the size in it."""
        return f"{server_url()}_{self.name}"

    @property
    def database(self) -> str:
        """The name of the database."""
        return urlsplit(self.database_url).path.lstrip("/")


SIZES = {size.name: size for size in (Size("small", 0.01), Size("medium", 0.1), Size("large", 1.0))}

# Half of all learners are in this one.
HUGE_RUN = CourseKey.from_string("course-v1:NationX+HUGE+2026")
COACHED_RUNS = [
    HUGE_RUN,
    *(
        CourseKey.from_string(f"course-v1:NationX+MB{number:03}+2026")
        for number in range(1, PROGRAM_COUNT * RUNS_OF_A_PROGRAM)
    ),
]
OTHER_RUNS = [CourseKey.from_string(f"course-v1:OtherX+C{number:04}+2026") for number in range(3_000)]
PROGRAMS = {uuid5(_NAMESPACE, str(number)): f"MicroBachelors {number:02}" for number in range(PROGRAM_COUNT)}

# One account that is in 200 coached runs, with 250 rows of courseware state in each, all older than the window.
LARGE_LEARNER = "large-learner"
RUNS_OF_LARGE_LEARNER = 200
STATES_OF_LARGE_LEARNER = 50_000


def program_of(number: int) -> UUID:
    """Return the program of the coached run of a number, in the order of ``COACHED_RUNS``."""
    return list(PROGRAMS)[number // RUNS_OF_A_PROGRAM]


def server_url() -> str:
    """Return the address to whose database name a size is appended."""
    return os.environ.get("BENCH_DATABASE_URL") or SERVER_URL


def connection(**options) -> pymysql.Connection:
    """Return a connection to the server, with options of PyMySQL. Raises ``pymysql.MySQLError`` where it takes none."""
    parts = urlsplit(server_url())
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        connect_timeout=3,
        **options,
    )


def server() -> str:
    """Return host and port of the server, to tell of it."""
    parts = urlsplit(server_url())
    return f"{parts.hostname}:{parts.port or 3306}"
