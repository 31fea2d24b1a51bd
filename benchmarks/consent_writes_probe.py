"""Learners of one site who answer, in threads of this process, by the plugin and by hand; what is stored is judged."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from time import perf_counter_ns

# isort: off
from benchmarks import django_process  # before all that needs Django set up

# isort: on
import waffle
from common.djangoapps.student.models import UserProfile
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import RequestFactory

from benchmarks import sessions
from benchmarks.new_learners import LEDGER, NewLearners, counts
from benchmarks.probe import serve
from benchmarks.rows_by_hand import by_hand
from coaching_plugin import audit, coached_courses, consent, disclosures, toggles
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door, PartnerDelivery

PAGE = "/coaching/consent/"
CHANNEL = {"bench": {"BACKEND": "tests.loopback_partner.JsonChannel", "OPTIONS": {"url": "http://127.0.0.1:1/"}}}
# Each learner of three in turn: what they answer, one after another.
ANSWERS = (("consented", "withdrawn"), ("consented",), ("declined",))
CSRF_TOKEN = "b" * 32
THREADS = 8


@dataclass(frozen=True)
class Answering:
    """A learner, what they answer, and the browser from which."""

    user: User
    number: str
    name: str
    answers: tuple[str, ...]
    browser: RequestFactory


class Writers:
    """Threads that stay, each with its connection, so that none is made while time is taken."""

    def __init__(self, number: int):
        self._number = number
        self._threads = ThreadPoolExecutor(number)
        ready = threading.Barrier(number)
        for done in [self._threads.submit(self._connect, ready) for _ in range(number)]:
            done.result()

    def end(self) -> None:
        """Close the connections, and have the threads end."""
        ready = threading.Barrier(self._number)
        for done in [self._threads.submit(self._disconnect, ready) for _ in range(self._number)]:
            done.result()
        self._threads.shutdown()

    def take_turns(self, works: list[Callable]) -> tuple[int, list[str]]:
        """Have all done at once, each by one thread, and return nanoseconds and the names of what was raised."""
        start = threading.Barrier(self._number + 1)
        shares = [works[place :: self._number] for place in range(self._number)]
        running = [self._threads.submit(self._run, start, share) for share in shares]
        start.wait()
        started = perf_counter_ns()
        errors = [error for done in running for error in done.result()]
        return perf_counter_ns() - started, errors

    @staticmethod
    def _connect(ready):
        connection.ensure_connection()
        ready.wait()

    @staticmethod
    def _disconnect(ready):
        connection.close()
        ready.wait()

    @staticmethod
    def _run(start, works):
        start.wait()
        errors = []
        for work in works:
            try:
                work()
            except Exception as error:
                errors.append(": ".join([type(error).__name__, *(str(part) for part in error.args[:1])]))
        return errors


class Site:
    """The learners of a site who have not answered yet, and the ways in which they do."""

    def __init__(self):
        self._writers = {number: Writers(number) for number in (1, THREADS)}
        self._lms = WSGIHandler()

    def prepare(self) -> None:
        """Note how the site stands, and have this process know what it knows after a while."""
        self._as_found = counts()
        self._shown = disclosures.current()
        coached_courses.keys()

    def write(self, way: str, threads: int, outbox: bool, learners: int) -> dict:
        """Have new learners answer in one way, judge what is stored, take it back, and return what it took."""
        with self._learners(learners, outbox) as ours:
            works = [getattr(self, f"_{way}")(learner) for learner in ours]
            taken, errors = self._writers[threads].take_turns(works)
            problems = errors + _problems({learner: learner.answers for learner in ours}, outbox)
        return {"nanoseconds": taken, "writes": _number_of_answers(ours), "problems": problems}

    def write_by_hand(self, threads: int, outbox: bool, learners: int) -> dict:
        """Have rows as the plugin has just stored them stored for others, by plain statements."""
        with self._learners(2 * learners, outbox) as ours:
            models, others = ours[0::2], ours[1::2]
            self._writers[THREADS].take_turns([self._plugin(learner) for learner in models])
            works = [by_hand(model.user, other.user) for model, other in zip(models, others, strict=True)]
            before = counts(LEDGER)
            taken, errors = self._writers[threads].take_turns(works)
            stored = {table: number - before[table] for table, number in counts(LEDGER).items()}
        writes = _number_of_answers(models)
        wanted = {CoachingConsent: learners, ConsentEvent: writes, PartnerDelivery: outbox * _number_told(models)}
        if {model._meta.db_table: number for model, number in wanted.items()}.items() - stored.items():
            errors.append("by hand, not the same rows are stored")
        return {"nanoseconds": taken, "writes": writes, "problems": errors}

    def contend(self, threads: int, outbox: bool, learners: int) -> dict:
        """Have all threads change the answer of one learner, as often as so many learners answer."""
        with self._learners(learners, outbox) as ours:
            learner, evidence = ours[0], self._evidence()
            give = partial(consent.give, learner.user, learner.number, learner.name, evidence)
            decline = partial(consent.decline, learner.user, evidence)
            works = [(give, decline)[place // threads % 2] for place in range(_number_of_answers(ours))]
            taken, errors = self._writers[threads].take_turns(works)
            events = ConsentEvent.objects.filter(learner_id=learner.user.pk)
            kinds = tuple(events.order_by("sequence").values_list("kind", flat=True))
            # Whoever comes first: a yes after a no changes something, and a no after a yes; the same again does not.
            first = kinds[:1] == ("declined",)
            if kinds[first:] != tuple(islice(cycle(["consented", "withdrawn"]), len(kinds) - first)):
                errors.append("what is stored is no story of yes and no")
            problems = errors + _problems({learner: kinds}, outbox)
        return {"nanoseconds": taken, "writes": len(works), "problems": problems}

    def leave(self) -> list[str]:
        """Return which tables are not left as they were found."""
        now = counts()
        return [
            f"{table} is not left as it was found" for table, number in self._as_found.items() if now[table] != number
        ]

    def end(self) -> None:
        """Have all threads end."""
        for writers in self._writers.values():
            writers.end()

    @contextmanager
    def _learners(self, number, outbox):
        """Have new learners for a while: a row made anew for one whose row was just deleted is locked otherwise."""
        settings.COACHING_PARTNER_CHANNELS = CHANNEL if outbox else {}
        with NewLearners(number) as users:
            keys = sessions.log_in(users)
            # As any process finds it: the flags and the switch are cached, the learners are not.
            cache.clear()
            for flag in toggles.FLAGS:
                waffle.get_waffle_flag_model().get(flag.name)
            toggles.delivers_to_partner()
            yield [_answering(place, user, keys[user.pk]) for place, user in enumerate(users)]
            sessions.log_out_all()

    # The ways, each of one learner.

    def _plugin(self, learner):
        """Answer by the functions that the consent page calls."""
        evidence = self._evidence()
        do = {
            "consented": partial(consent.give, learner.user, learner.number, learner.name, evidence),
            "declined": partial(consent.decline, learner.user, evidence),
            "withdrawn": partial(consent.decline, learner.user, evidence),
        }
        return lambda: [do[answer]() for answer in learner.answers]

    def _page(self, learner):
        """Answer as a browser does: a POST to the consent page, through all of the LMS's middleware."""
        form = {
            "csrfmiddlewaretoken": CSRF_TOKEN,
            "disclosure": self._shown.sha256,
            "next": "/dashboard",
            "full_name": learner.name,
            "phone_number": learner.number,
            "agree": "on",
        }
        answers = [{**form, "answer": "accept" if answer == "consented" else "decline"} for answer in learner.answers]
        requests = [learner.browser.post(PAGE, answer).environ for answer in answers]
        return lambda: [self._send(request) for request in requests]

    def _send(self, environ):
        response = self._lms(environ, lambda status, headers: None)
        b"".join(response)
        response.close()
        if response.status_code != 302 or not response.headers["Location"].startswith("/coaching/consent/answered/"):
            raise WrongAnswer(f"{response.status_code} {response.headers.get('Location', '')}")

    def _evidence(self):
        return consent.Evidence(
            door=Door.PAGE, disclosure=self._shown, names_disclosure=True, ip="192.0.2.7", user_agent="A browser"
        )


class WrongAnswer(Exception):
    """Raised where the consent page does not say that an answer is stored."""


def _answering(place, user, session_key):
    browser = RequestFactory(HTTP_USER_AGENT="A browser of the benchmark", REMOTE_ADDR="192.0.2.7")
    browser.cookies["sessionid"], browser.cookies["csrftoken"] = session_key, CSRF_TOKEN
    number = f"+1415555{place % 9000 + 1000:04}"
    return Answering(user, number, user.profile.name, ANSWERS[place % len(ANSWERS)], browser)


def _number_of_answers(learners):
    return sum(len(learner.answers) for learner in learners)


def _number_told(learners):
    """Return of how many answers the partner hears: not of a no of somebody who never said yes."""
    return sum(answer != "declined" for learner in learners for answer in learner.answers)


def _problems(expected, outbox):
    """Say, of learners by what they answered, what is not stored exactly once, or in a ledger that does not hold."""
    problems = []
    rows = CoachingConsent.objects.filter(user_id__in=[learner.user.pk for learner in expected])
    judged = {row.user_id: (row, verdict) for row, verdict in audit.of_each(rows)}
    for learner, answers in expected.items():
        row, verdict = judged.get(learner.user.pk, (None, None))
        if row is None:
            problems.append("an answer is not stored")
            continue
        if not verdict.is_sound:
            problems.append("a ledger does not hold, or its row stands elsewhere")
        if [event.kind for event in row.events.all()] != [*answers]:
            problems.append("answers are not stored exactly once, in their order")
        changes = [answer for answer in answers if answer != "declined"]
        if PartnerDelivery.objects.filter(partner_id=row.partner_id).count() != outbox * len(changes):
            problems.append("the outbox does not hold each change exactly once")
        if changes and UserProfile.objects.get(user=learner.user).phone_number != row.phone_number:
            problems.append("a number is not in the profile")
    return problems


def main():
    """Answer what the benchmark asks."""
    django_process.keep_connection()
    django_process.write_log_nowhere()
    site = Site()
    serve(
        {
            "prepare": site.prepare,
            "write": site.write,
            "write_by_hand": site.write_by_hand,
            "contend": site.contend,
            "leave": site.leave,
        }
    )


if __name__ == "__main__":
    main()
