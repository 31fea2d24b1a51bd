"""The sandbox's coaching partner: a receiver of its own, asked over loopback as the LMS and a browser ask it."""

import http.client
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from partner import OPT_OUT_SECRET, WEBHOOK_SECRET
from standardwebhooks import Webhook

from coaching_plugin.partner.roster import Entry, Standing
from tests.factories import NUMBER, OTHER_NUMBER
from tests.partner_process import SANDBOX, running_partner, signed

# The same wherever the plugin runs: no part of it runs here but what an entry says of itself.
pytestmark = pytest.mark.once

LENA, OTHER = UUID(int=1), UUID(int=2)
NAME, EMAIL = "Lena Learner", "lena@example.com"
OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0LCBvdGhlciBzZWNyZXQsIG90aGVyIQ=="


def message(sequence, standing=Standing.CONSENTED, partner_id=LENA, **fields):
    """Return a message in the form in which the webhook sends it."""
    known = {
        "full_name": NAME,
        "phone_number": NUMBER,
        "email": EMAIL,
        "language": "en",
        "programs": ("Statistics Fundamentals",),
        "consented_at": datetime(2026, 11, 26, 12, tzinfo=UTC),
        "disclosure_version": 1,
    }
    entry = Entry(partner_id=UUID(str(partner_id)), sequence=sequence, status=standing, **(known | fields))
    return {"type": f"learner.{standing.value}", "timestamp": "2026-11-26T12:00:00+00:00", "data": entry.as_json()}


@pytest.fixture
def database(tmp_path):
    return tmp_path / "partner.sqlite3"


@pytest.fixture
def partner(database):
    with running_partner(database, "--misbehave") as process:
        yield process


def taken(answer):
    assert answer.status == 200, answer.text
    return answer.json()["result"]


# What it takes


def test_what_an_entry_says_is_held(partner):
    assert taken(partner.tell(message(1))) == "taken"
    held = partner.holds()[str(LENA)]
    assert {name: held[name] for name in message(1)["data"]} == message(1)["data"]


def test_unsigned_wrongly_signed_and_late_is_refused_and_says_nothing(partner):
    body = json.dumps(message(1)).encode()
    good = signed(body)
    refused = [
        {},
        signed(body, secret=OTHER_SECRET),
        signed(body, at=datetime.now(UTC) - timedelta(minutes=6)),
        signed(body, at=datetime.now(UTC) + timedelta(minutes=6)),
        {**good, "webhook-id": "msg_another"},
        {**good, "webhook-timestamp": "nan"},
        *({**good, "webhook-signature": value} for value in ("", "v1", "v1,", "v1,%%%", "v2," + "A" * 44, "\xe9,\xe9")),
        *({key: good[key] for key in good if key != missing} for missing in good),
    ]
    for headers in refused:
        answer = partner.ask("POST", "/webhook", body, headers)
        assert (answer.status, answer.text) == (401, "Unauthorized"), headers
    assert partner.ask("POST", "/webhook", body + b" ", good).status == 401
    assert partner.holds() == {}
    assert partner.ask("POST", "/webhook", body, good).status == 200


def test_two_secrets_are_good_while_one_takes_the_others_place(database):
    with running_partner(database, PARTNER_WEBHOOK_SECRETS=f"{OTHER_SECRET} {WEBHOOK_SECRET}") as partner:
        assert taken(partner.tell(message(1))) == "taken"
        assert taken(partner.tell(message(2), secret=OTHER_SECRET)) == "taken"


def test_a_repeated_message_is_dropped_whatever_it_says(partner):
    assert taken(partner.tell(message(1), "msg_1")) == "taken"
    assert taken(partner.tell(message(1), "msg_1")) == "repeated"
    assert taken(partner.tell(message(5, phone_number=OTHER_NUMBER), "msg_1")) == "repeated"
    assert partner.holds()[str(LENA)]["phone_number"] == NUMBER


def test_a_message_that_is_not_newer_is_dropped(partner):
    assert taken(partner.tell(message(3, Standing.WITHDRAWN))) == "taken"
    assert taken(partner.tell(message(2))) == "older"
    assert taken(partner.tell(message(3))) == "older"
    assert partner.holds()[str(LENA)]["status"] == "withdrawn"
    assert taken(partner.tell(message(1, partner_id=OTHER))) == "taken"


@pytest.mark.parametrize("standing", [Standing.WITHDRAWN, Standing.ERASED])
def test_of_whoever_is_gone_nothing_is_left_in_any_byte(partner, database, standing):
    partner.tell(message(1))
    assert NUMBER.encode() in database.read_bytes()
    # Though it should be told them, which it is not.
    told = message(2, standing)
    told["data"] |= {name: value for name, value in message(2)["data"].items() if name != "status"}
    assert taken(partner.tell(told)) == "taken"
    assert partner.holds()[str(LENA)].keys() == {"partner_id", "sequence", "status", "heard_at", "stopped_at"}
    files = b"".join(file.read_bytes() for file in database.parent.iterdir())
    assert [word for word in (NAME, NUMBER, EMAIL) if word.encode() in files] == []
    assert [word for word in (NAME, NUMBER, EMAIL) if word in partner.page()] == []


@pytest.mark.parametrize(
    "change",
    [
        {"type": "learner.withdrawn"},
        {"type": "learner.moved"},
        {"type": None},
        {"data": None},
        {"data": []},
        *({"data": {**message(1)["data"], name: 7.5}} for name in ("partner_id", "status", "full_name", "programs")),
        {"data": {**message(1)["data"], "partner_id": "somebody"}},
        {"data": {**message(1)["data"], "sequence": "first"}},
        {"data": {key: value for key, value in message(1)["data"].items() if key != "phone_number"}},
    ],
    ids=range(12),
)
def test_a_signed_message_of_another_shape_is_refused(partner, change):
    assert partner.tell(message(1) | change).status == 400
    assert partner.holds() == {}


def test_too_much_is_refused(partner):
    assert partner.ask("POST", "/webhook", headers={"Content-Length": "70000"}).status == 413
    assert partner.ask("POST", "/webhook", headers={"Content-Length": "-1"}).status == 411


def test_many_at_once_leave_the_newest(partner):
    threads = [threading.Thread(target=partner.tell, args=[message(sequence)]) for sequence in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert partner.holds()[str(LENA)]["sequence"] == 20


def test_what_it_holds_outlives_it(database):
    with running_partner(database) as partner:
        partner.tell(message(1), "msg_1")
        partner.tell(message(1, Standing.WITHDRAWN, OTHER))
        held = partner.holds()
        partner.process.kill()
    with running_partner(database) as partner:
        assert partner.holds() == held
        assert taken(partner.tell(message(1), "msg_1")) == "repeated"
    assert database.stat().st_mode & 0o077 == 0


# What it shows


def test_the_page_shows_all_that_is_held(partner):
    assert "Nobody" in partner.page()
    partner.tell(message(1))
    partner.tell(message(1, Standing.ERASED, OTHER))
    page = BeautifulSoup(partner.page(), "html.parser")
    text = " ".join(page.main.text.split())
    for words in (NAME, NUMBER, EMAIL, "Statistics Fundamentals", "26 Nov 2026, 12:00 UTC", "version 1", "(1)"):
        assert words in text
    assert f"{str(OTHER)[:8]}…: erased" in text
    assert [button.text for button in page.select("form button")] == ["STOP"]


def test_what_is_not_known_breaks_no_page(partner):
    partner.tell(
        message(1, full_name="", email="", language="", programs=(), consented_at=None, disclosure_version=None)
    )
    assert "none named" in partner.page()


def test_hostile_names_stay_names(partner):
    hostile = "</h3><script>alert(1)</script>\"'{learners}{0}%s\u202e&amp;"
    partner.tell(message(1, full_name=hostile, email=hostile, language=hostile, programs=(hostile,)))
    page = BeautifulSoup(partner.page(), "html.parser")
    assert page.find("script") is None
    assert page.h3.text == hostile
    assert page.button["aria-label"].endswith(hostile)
    assert [element.text for element in page.select("dd bdi")] == [hostile, hostile]


def test_the_page_loads_nothing_from_elsewhere_and_is_kept_nowhere(partner):
    answer = partner.ask("GET", "/")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
    page = BeautifulSoup(answer.text, "html.parser")
    assert [link["href"] for link in page.select("link")] == ["data:,", "/partner.css"]
    assert partner.ask("GET", "/partner.css").headers["Content-Type"].startswith("text/css")


def test_another_name_for_this_machine_and_other_pages_get_nothing(partner):
    assert partner.ask("GET", "/learners.json", headers={"Host": "rebound.example.com"}).status == 421
    partner.tell(message(1))
    for origin in ("http://evil.example.com", "null", partner.url.replace("127.0.0.1", "localhost")):
        stop = partner.ask("POST", "/stop", f"partner_id={LENA}", {"Origin": origin})
        assert stop.status == 403
    assert partner.opt_outs() == []
    assert partner.ask("GET", "/stop").status == partner.ask("GET", "/other").status == 404


# What it passes on


class Lms(HTTPServer):
    """Takes opt-outs, checks their signatures, and answers as it was told to."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), LmsHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.heard, self.answers = [], []


class LmsHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, Webhook(OPT_OUT_SECRET).verify(body, dict(self.headers)), self.headers))
        status, answer = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Location", f"{self.server.url}/elsewhere")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def lms():
    server = Lms()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_stop_is_passed_on_signed_and_the_answer_shown(database, lms):
    result = json.dumps({"results": [{"partner_id": str(LENA), "result": "withdrawn"}]}).encode()
    lms.answers = [(200, result), (404, b"{}"), (302, b""), (500, b"<html>")]
    with running_partner(database, lms=lms.url) as partner:
        partner.tell(message(1))
        for _ in range(4):
            answer = partner.stop(LENA)
            assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert [each["answer"] for each in reversed(partner.opt_outs())] == ["200, withdrawn", "404", "302", "500"]
        assert "200, withdrawn" in partner.page()
        assert "Has texted STOP" in partner.page()
        paths, bodies, headers = zip(*lms.heard, strict=True)
        assert set(paths) == {"/api/coaching/v1/partner/opt-outs/"}
        assert bodies[0] == {"partner_id": str(LENA), "reason": "STOP"}
        assert len({each["webhook-id"] for each in headers}) == 4

        partner.tell(message(2, Standing.WITHDRAWN))
        assert "Has texted STOP" not in partner.page()
        assert partner.stop(LENA).status == 404
        partner.tell(message(3))
        assert partner.holds()[str(LENA)]["stopped_at"] is None


def test_stop_counts_at_once_although_the_lms_is_down(partner):
    partner.tell(message(1))
    partner.stop(LENA)
    assert partner.opt_outs()[0]["answer"] == "nothing, ConnectionRefusedError"
    assert partner.holds()[str(LENA)]["stopped_at"]


@pytest.mark.parametrize("partner_id", ["", "somebody", str(OTHER), "\x00", "é"])
def test_stop_of_nobody_is_not_passed_on(partner, partner_id):
    assert partner.stop(partner_id).status == 404
    assert partner.opt_outs() == []


def test_its_secret_for_opt_outs_is_its_environments(database, lms):
    lms.answers = [(200, b"{}")]
    with running_partner(database, lms=lms.url, PARTNER_OPT_OUT_SECRET=OTHER_SECRET) as partner:
        partner.tell(message(1))
        partner.stop(LENA)
        assert "nothing" in partner.opt_outs()[0]["answer"], "as the signature was refused"
        assert lms.heard == []


# How it misbehaves


def broken(partner, number=2):
    with pytest.raises((OSError, http.client.HTTPException)):
        pytest.fail(f"answered: {partner.tell(message(number)).text}")


def test_down_and_the_statuses_take_nothing(partner):
    partner.misbehave("down")
    broken(partner)
    partner.misbehave("500")
    assert partner.tell(message(2)).status == 500
    partner.misbehave("429", seconds=7)
    answer = partner.tell(message(2))
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert partner.holds() == {}
    partner.misbehave("none")
    assert taken(partner.tell(message(2))) == "taken"


@pytest.mark.parametrize("mode", ["half", "rubbish"])
def test_half_an_answer_and_rubbish_come_after_the_message_is_taken(partner, mode):
    partner.misbehave(mode)
    broken(partner)
    assert partner.holds()[str(LENA)]["sequence"] == 2


def test_slow_takes_the_message_and_answers_later(partner):
    partner.misbehave("slow", seconds=20)
    body = json.dumps(message(1)).encode()
    with pytest.raises(TimeoutError):
        partner.ask("POST", "/webhook", body, signed(body), timeout=1)
    assert partner.holds()[str(LENA)]["sequence"] == 1


def test_it_misbehaves_only_where_it_may(database, partner):
    assert partner.ask("POST", "/misbehave", '{"mode": "other"}').status == 400
    with running_partner(database) as behaved:
        assert behaved.ask("POST", "/misbehave", '{"mode": "down"}').status == 404


# Its process


def test_a_port_that_is_taken_is_named(database, partner):
    port = partner.url.rpartition(":")[2]
    with pytest.raises(AssertionError, match="did not start"), running_partner(database, "--port", port):
        pass


def test_nothing_of_the_plugin_is_in_it():
    sources = "".join(file.read_text() for file in (SANDBOX / "partner").glob("*.py"))
    assert "standardwebhooks" in sources
    assert [word for word in ("coaching_plugin", "django", "lms.", "openedx") if f"import {word}" in sources] == []
    assert [word for word in ("coaching_plugin", "django", "lms", "openedx") if f"from {word}" in sources] == []


def test_what_it_says_of_its_work_is_about_nobody(database):
    with running_partner(database) as partner:
        partner.tell(message(1))
        partner.tell(message(2, Standing.WITHDRAWN))
        partner.ask("GET", "/")
        partner.process.terminate()
        said = partner.process.communicate(timeout=30)[1]
    assert said.count(str(LENA)) == 2
    assert [word for word in (NAME, NUMBER, EMAIL) if word in said] == []
    assert partner.process.returncode == 0
