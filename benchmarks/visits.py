"""Who visits what on a site under load, how often, and what is the right answer to each. No Django: Locust reads it."""

import json
import random
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

ASKED_PATH = "/coaching/consent/"
ANSWERED_PATH = "/coaching/consent/answered/"

COURSE_PAGE, COURSE_METADATA = "a course page", "course_metadata"
PATHS = {
    COURSE_PAGE: "/courses/{course_key}/courseware/",
    COURSE_METADATA: "/api/course_home/course_metadata/{course_key}",
}

NOT_OUR_COURSE, ANSWERED, NOT_ELIGIBLE, TO_BE_ASKED, ANONYMOUS = (
    "not our course",
    "answered",
    "not eligible",
    "to be asked",
    "anonymous",
)
# How often each comes, in hundred visits. Of those to be asked, a third answers: every other of them yes.
MIX = {NOT_OUR_COURSE: 40, ANSWERED: 25, NOT_ELIGIBLE: 20, TO_BE_ASKED: 9, ANONYMOUS: 6}
ANSWERING = 1 / 3
# How many pages a learner opens, and how many learners of a state there are at least: nobody opens two at once.
PAGES_OF_A_GUEST, FEWEST_GUESTS = 5, 20


@dataclass(frozen=True)
class Guest:
    """Who visits: in which state, which course run, and under which session; without one, it is anybody."""

    state: str
    course_key: str
    username: str = ""
    session: str = ""


@dataclass(frozen=True)
class Visit:
    """One visit: by whom, of what kind of page, whether the plugin is there, and what they answer if they are asked."""

    guest: Guest
    page: str
    with_plugin: bool
    answer: str = ""

    @property
    def path(self) -> str:
        """The address that is opened."""
        return PATHS[self.page].format(course_key=self.guest.course_key)

    @property
    def is_asked(self) -> bool:
        """Whether the question comes in the place of the page."""
        return self.with_plugin and self.guest.state == TO_BE_ASKED

    def problem(self, status: int, location: str, body: str) -> str:
        """Return what is wrong with an answer of the LMS to this visit; nothing where it is the right one."""
        wanted = {COURSE_PAGE: self._of_page, COURSE_METADATA: self._of_metadata}[self.page]
        problem = wanted(status, location, body)
        return f"{self.page}, {self.guest.state}: {problem}" if problem else ""

    def _of_page(self, status, location, body):
        if self.guest.state == ANONYMOUS:
            sent_to = "/login?next="
        elif self.is_asked:
            sent_to = f"{ASKED_PATH}?next={quote(self.path, safe='')}"
        else:
            is_page = "You are in." in body and self.guest.username in body
            return "" if status == 200 and is_page else f"{status} is not the page"
        return "" if status == 302 and location.startswith(sent_to) else f"{status} does not send to {sent_to}"

    def _of_metadata(self, status, location, body):
        if status != 200:
            return f"{status} is no metadata"
        metadata = json.loads(body)
        access = metadata["course_access"]
        if (metadata["username"] or "") != self.guest.username:
            return "the metadata of somebody else"
        if self.is_asked:
            asks = (access["developer_message"] or "").startswith(ASKED_PATH)
            return "" if asks and not access["has_access"] else "nobody is asked"
        if self.guest.state == ANONYMOUS:
            return "" if access["error_code"] == "authentication_required" else "somebody unknown is let in"
        return "" if access["has_access"] else "the course does not open"


class Guests:
    """All who may visit, and who of them visits next: each who answers does so once."""

    def __init__(self, by_state: dict[str, list[Guest]]):
        self._by_state, self._chance = by_state, random.Random(7)
        asked = by_state[TO_BE_ASKED]
        self._answering, self._passing_by = asked[: len(asked) // 2], asked[len(asked) // 2 :]
        self._answers = cycle(["accept", "decline"])

    @classmethod
    def of(cls, found: dict[str, list[dict[str, str]]]) -> "Guests":
        """Return the guests that a probe has found."""
        return cls({state: [Guest(**guest) for guest in guests] for state, guests in found.items()})

    def visits(self, number: int, with_plugin: bool) -> list[Visit]:
        """Return so many visits, mixed, one half of course pages and the other of ``course_metadata``."""
        states = [state for state, share in MIX.items() for _ in range(share)]
        kinds = [(states[place * len(states) // number], page) for place, page in zip(range(number), cycle(PATHS))]
        self._chance.shuffle(kinds)
        of_state = Counter(state for state, _ in kinds)
        turns = {state: self._turns(state, visits, with_plugin) for state, visits in of_state.items()}
        return [self._visit(state, page, turns[state], with_plugin) for state, page in kinds]

    def _turns(self, state, visits, with_plugin):
        """Yield who of a state visits next: a few of all, in turn, so that most pages are not a learner's first."""
        guests = self._passing_by if state == TO_BE_ASKED and with_plugin else self._by_state[state]
        number = max(visits // PAGES_OF_A_GUEST, FEWEST_GUESTS)
        return cycle(self._chance.sample(guests, min(number, len(guests))))

    def _visit(self, state, page, turns, with_plugin):
        # Drawn, so that no kind of page has them all.
        if state == TO_BE_ASKED and with_plugin and self._answering and self._chance.random() < ANSWERING:
            return Visit(self._answering.pop(), page, with_plugin, next(self._answers))
        return Visit(next(turns), page, with_plugin)


def write(visits: list[Visit], path: Path) -> None:
    """Write visits to a file, a line each."""
    path.write_text("".join(f"{json.dumps(asdict(visit))}\n" for visit in visits))


def read(path: Path) -> list[Visit]:
    """Return the visits of a file."""
    return [_visit(json.loads(line)) for line in path.read_text().splitlines()]


def _visit(fields: dict[str, Any]) -> Visit:
    return Visit(**{**fields, "guest": Guest(**fields["guest"])})
