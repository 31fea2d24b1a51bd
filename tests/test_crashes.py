"""
A process that is killed between request and answer has stored a change wholly or not at all.

The server is a process of its own, on the database of this one, and is killed for good: see ``crash_server``.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
from common.djangoapps.student.models import UserProfile
from django.db import connection, transaction
from django.test import Client

from coaching_plugin import consent, disclosures
from coaching_plugin.models import CoachingConsent, ConsentEvent
from tests import factories
from tests.crash_server import COMMITTED, POINTS
from tests.factories import NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.story import assert_told, events, kinds

pytestmark = pytest.mark.usefixtures("committed", "coached", "flags")

ROOT = Path(__file__).parent.parent
PAGE = "/coaching/consent/"
NAME = "Lena Q. Learner"


class Server:
    """A server that serves one request at a time, each in a process that lives as long as the test says."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_server"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'sandbox'}", "DATABASE_URL": _database_url()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._says())

    def _says(self):
        return self.process.stdout.readline().strip()

    def serve(self, request):
        """Send a request to a server that lives, and return the status of its answer."""
        status = self._send("", request)
        assert self._says() == "0"
        return status

    def be_killed(self, point, request):
        """Send a request to a server that is killed at a point; fail where it never got there."""
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            pytest.fail(f"answered {self._send(point, request)} and not killed {point}")
        assert self._says() == "reached", point
        assert self._says() == str(-signal.SIGKILL), point

    def _send(self, point, request):
        self.process.stdin.write(f"{point}\n")
        self.process.stdin.flush()
        browser = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            browser.request(*request)
            return browser.getresponse().status
        finally:
            browser.close()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def _database_url():
    """Return the address of the database that this process tests with."""
    parts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{parts['NAME']}"
    return f"mysql://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"


@pytest.fixture(scope="module")
def server(django_db_setup):
    """A server on the database of this run; its end of the pipe tells it when to stop."""
    server = Server()
    yield server
    server.stop()


# The requests, as a browser sends them


def headers_of(learner, content_type):
    client = Client()
    client.force_login(learner)
    token = client.get("/csrf/api/v1/token").json()["csrfToken"]
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return {"Content-Type": content_type, "Cookie": cookies, "User-Agent": "a browser", "X-CSRFToken": token}


def on_page(learner, **fields):
    """Return the request of the consent page's form."""
    body = urlencode({"agree": "on", "disclosure": disclosures.current("en").sha256, **fields})
    return "POST", PAGE, body, headers_of(learner, "application/x-www-form-urlencoded")


def by_api(learner, resource="coaching_consent", **fields):
    """Return the request of the account MFE, or of another client."""
    path = f"/api/coaching/v1/{resource}/{learner.id}/"
    return "PATCH", path, json.dumps(fields), headers_of(learner, "application/json")


# What is stored


def wait_for_the_rollback(learner):
    """Wait till the database has noticed that a client is dead: what it had locked is free then."""
    with transaction.atomic():
        list(CoachingConsent.objects.select_for_update().filter(user=learner))


def stored(learner):
    """Return all that a request may change; of what differs from learner to learner, only whether it is there."""
    own = {"id", "user_id", "partner_id", "consent_id", "learner_id", "asked_at", "answered_at", "occurred_at"}
    own |= {"changed_at", "erased_at", "salt", "personal_digest", "previous_hash", "hash", "last_hash"}
    found = CoachingConsent.objects.filter(user=learner), ConsentEvent.objects.filter(learner_id=learner.id)
    rows = [row for query_set in found for row in query_set.values()]
    profile = UserProfile.objects.get(user=learner)
    return (
        [{name: bool(row[name]) if name in own else row[name] for name in row} for row in rows],
        (profile.name, profile.phone_number, [name for name, *_ in profile.get_meta().get("old_names", [])]),
    )


def standing(learner):
    """Return status and number of the consent, and number and name of the profile."""
    row, profile = consent.standing(learner), UserProfile.objects.get(user=learner)
    return row.status, row.phone_number, profile.phone_number, profile.name


def undecided():
    return factories.eligible_learner()


def consented():
    learner = factories.eligible_learner()
    assert not consent.give(learner, TYPED, NAME, evidence()).is_refused
    return learner


# What is done

UNDECIDED = "undecided", "", None, "Lena Learner"
DECLINED = "declined", "", None, "Lena Learner"
CONSENTED = "consented", NUMBER, NUMBER, NAME
MOVED = "consented", OTHER_NUMBER, OTHER_NUMBER, NAME
WITHDRAWN = "withdrawn", NUMBER, NUMBER, NAME

ROW_IS_THERE = {"before the row is made", "after the row is made"}
NAME_STAYS = {"after the name is written"}
NUMBER_STAYS = {"after row and profile are locked", "before the number is written", "after the number is written"}


@dataclass(frozen=True)
class Change:
    """A request that changes something, made by a learner who stands somewhere, and the points it never comes to."""

    start: Callable
    request: Callable
    after: tuple
    kinds: list[str]
    passes_by: set[str] = field(default_factory=set)

    @property
    def points(self):
        assert self.passes_by <= set(POINTS)
        return [point for point in POINTS if point not in self.passes_by]


CHANGES = {
    "sign up on the page": Change(
        undecided,
        lambda learner: on_page(learner, answer="accept", phone_number=TYPED, full_name=NAME),
        CONSENTED,
        ["consented"],
    ),
    "sign up by API": Change(
        undecided,
        lambda learner: by_api(learner, coaching_consent=True, phone_number=TYPED, full_name=NAME),
        CONSENTED,
        ["consented"],
    ),
    "no thanks on the page": Change(
        undecided,
        lambda learner: on_page(learner, answer="decline"),
        DECLINED,
        ["declined"],
        NAME_STAYS | NUMBER_STAYS,
    ),
    "change the number by API": Change(
        consented,
        lambda learner: by_api(learner, "users", phone_number=OTHER_TYPED),
        MOVED,
        ["consented", "phone_changed"],
        ROW_IS_THERE | NAME_STAYS,
    ),
    "withdraw by API": Change(
        consented,
        lambda learner: by_api(learner, coaching_consent=False),
        WITHDRAWN,
        ["consented", "withdrawn"],
        ROW_IS_THERE | NAME_STAYS | NUMBER_STAYS,
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_killed_at_any_point_a_change_is_stored_wholly_or_not_at_all_and_made_good_when_sent_again(server, change):
    spared = change.start()
    answer = server.serve(change.request(spared))
    assert (standing(spared), kinds(spared)) == (change.after, change.kinds)
    whole = stored(spared)
    for point in change.points:
        learner = change.start()
        request, nothing, known = change.request(learner), stored(learner), events(learner)
        assert standing(learner) == (CONSENTED if known else UNDECIDED)
        server.be_killed(point, request)
        wait_for_the_rollback(learner)
        assert stored(learner) == (whole if point in COMMITTED else nothing), point
        if known or point in COMMITTED:
            assert_told(learner)
        assert server.serve(request) == answer, point
        assert stored(learner) == whole, point
        assert events(learner)[: len(known)] == known
        assert_told(learner)


def test_a_sign_up_is_killed_at_ten_points_before_its_commit_and_at_some_after():
    for name in ("sign up on the page", "sign up by API"):
        before = [point for point in CHANGES[name].points if point not in COMMITTED]
        assert len(before) >= 10
        assert CHANGES[name].points == [*before, *COMMITTED]
        assert len(COMMITTED) == 3
