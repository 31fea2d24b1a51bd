"""What Locust runs: browsers that make the visits of a file at a constant rate, and judge each answer."""

import json
import re
import time
from html import unescape
from itertools import count
from pathlib import Path

import gevent
from locust import FastHttpUser, events, task
from locust.exception import StopUser

from benchmarks import visits
from benchmarks.visits import ANSWERED_PATH, Visit

CSRF_TOKEN = "b" * 32
FIELD = re.compile(r'<input type="hidden" name="(csrfmiddlewaretoken|next|disclosure)" value="([^"]*)"')


class Agenda:
    """The visits to make, each at its time, whatever became of those before; and what was answered."""

    def __init__(self, options):
        self.visits = iter(visits.read(Path(options.visits)))
        self.rate, self.result = options.rate, Path(options.result)
        self.left = 0
        self.answers: list[dict] = []
        self.started = time.monotonic()
        self.latest = 0.0
        self.places = count()

    def next_visit(self) -> Visit:
        """Wait till the next visit is due, and return it."""
        visit = next(self.visits, None)
        if visit is None:
            raise StopUser
        if self.rate:
            due = self.started + next(self.places) / self.rate
            gevent.sleep(max(due - time.monotonic(), 0))
            self.latest = max(self.latest, time.monotonic() - due)
        return visit

    def write(self) -> None:
        """Write down what was answered, in what time, and how long all took."""
        seconds = time.monotonic() - self.started
        result = {"seconds": seconds, "latest": self.latest, "answers": self.answers}
        self.result.write_text(json.dumps(result))


@events.init_command_line_parser.add_listener
def _add_arguments(parser):
    parser.add_argument("--visits", help="the file of the visits to make")
    parser.add_argument("--result", help="the file to write what was answered to")
    parser.add_argument("--rate", type=float, default=0, help="visits a second; 0: as many as there are answers")


@events.test_start.add_listener
def _start(environment, **kwargs):
    environment.agenda = Agenda(environment.parsed_options)


@events.request.add_listener
def _note(response_time, exception, context, **kwargs):
    problem = "" if exception is None else str(exception) or type(exception).__name__
    agenda, of_visit = context["agenda"], {name: value for name, value in context.items() if name != "agenda"}
    agenda.answers.append(of_visit | {"milliseconds": response_time, "problem": problem})


class Browser(FastHttpUser):
    """A browser that learners share: each visits once, and is forgotten."""

    # An answer that takes longer is an error.
    connection_timeout = network_timeout = 30.0

    def on_start(self):
        """Be one more who visits."""
        self.agenda = self.environment.agenda
        self.agenda.left += 1

    def on_stop(self):
        """End the run with the last visit."""
        self.agenda.left -= 1
        if self.agenda.left == 0:
            self.agenda.write()
            self.environment.runner.quit()

    @task
    def visit(self):
        """Open a page, and answer the question where the visit says so."""
        visit = self.agenda.next_visit()
        sent_to = ""
        with self._open(visit, "visit", visit.path) as response:
            status, location, body = response.status_code, response.headers.get("Location") or "", response.text or ""
            problem = visit.problem(status, location, body) if status else "no answer"
            if problem:
                response.failure(problem)
            elif visit.answer:
                sent_to = location or json.loads(body)["course_access"]["developer_message"]
        if sent_to:
            self._answer(visit, sent_to)

    def _answer(self, visit, question):
        with self._open(visit, "the question", question) as response:
            form = {name: unescape(value) for name, value in FIELD.findall(response.text or "")}
            if response.status_code != 200 or len(form) != 3:
                response.failure(f"{response.status_code} is not the question")
                return
        form |= {"answer": visit.answer, "full_name": "Lena Learner", "phone_number": "(415) 555-2671", "agree": "on"}
        with self._open(visit, "the answer", question.partition("?")[0], form) as response:
            confirmation = response.headers.get("Location") or ""
            if response.status_code != 302 or not confirmation.startswith(ANSWERED_PATH):
                response.failure(f"{response.status_code} does not send to the confirmation")
                return
        with self._open(visit, "the confirmation", confirmation) as response:
            said = "signed up for coaching" if visit.answer == "accept" else "Your answer is saved"
            if response.status_code != 200 or said not in (response.text or ""):
                response.failure(f"{response.status_code} is not the confirmation")

    def _open(self, visit, step, path, form=None):
        # Nothing that a learner before was given.
        self.client.cookiejar.clear()
        cookies = {"csrftoken": CSRF_TOKEN} | ({"sessionid": visit.guest.session} if visit.guest.session else {})
        return self.client.request(
            "POST" if form else "GET",
            path,
            data=form,
            headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())},
            name=step,
            context={
                "agenda": self.agenda,
                "step": step,
                "state": visit.guest.state,
                "page": visit.page,
                "answer": visit.answer,
            },
            catch_response=True,
            allow_redirects=False,
        )
