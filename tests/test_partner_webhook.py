"""The webhook: what the partner gets, and what becomes of each way in which it may fail, over real connections."""

import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import pytest
import standardwebhooks
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from coaching_plugin.partner import channels, webhook
from coaching_plugin.partner.channels import DeliveryError
from coaching_plugin.partner.roster import Entry, Standing
from coaching_plugin.partner.webhook import WebhookChannel
from tests.factories import NUMBER
from tests.partner_server import (
    TAKEN,
    dripping,
    hang_up,
    reset,
    self_signed,
    serving,
    silent,
    then_hang_up,
    tunnel_to,
)
from tests.test_partner_signatures import NEW, OLD
from tests.watch import messages

pytestmark = pytest.mark.once

ID = "msg_0f8fad5bd9cb469fa16570867728950e_7"
LEARNER = Entry(
    partner_id=UUID("0f8fad5b-d9cb-469f-a165-70867728950e"),
    sequence=7,
    status=Standing.CONSENTED,
    full_name='Zoë "Zo" Łukasz \u2028 学',
    phone_number=NUMBER,
    email="zoe@example.com",
    language="es-419",
    programs=("Demo MicroBachelors",),
    consented_at=datetime(2026, 11, 27, 10, 30, tzinfo=UTC),
    disclosure_version=1,
)
GONE = Entry(partner_id=LEARNER.partner_id, sequence=8, status=Standing.WITHDRAWN)
# Of those that are to be over soon, because nothing comes.
SOON = 0.3


def channel(url, secrets=(OLD,), **options):
    return WebhookChannel(url=url, secrets=list(secrets), **options)


def failure(url, **options):
    """Return how the delivery failed."""
    with pytest.raises(DeliveryError) as failed:
        channel(url, **options).send(ID, LEARNER)
    return failed.value


def outcome(url):
    try:
        channel(url).send(ID, LEARNER)
    except DeliveryError as failed:
        return failed.code
    return "taken"


# Whether the partner is there


def check_failure(url, **options):
    with pytest.raises(DeliveryError) as failed:
        channel(url, **options).check()
    assert failed.value.__cause__ is None
    return failed.value.code


@pytest.mark.parametrize("status", [b"204 No Content", b"401 Unauthorized", b"404 Not Found", b"503 Too Busy"])
def test_whatever_a_host_answers_it_is_there(status):
    with serving(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n") as partner:
        assert channel(partner.url).check() == "its host answers"
    (request,) = partner.received
    assert (request.line, request.body) == ("HEAD / HTTP/1.1", b"")
    assert not [name for name in request.headers if name.startswith("webhook-")]


def test_a_host_that_leads_elsewhere_is_there():
    with (
        serving() as elsewhere,
        serving(f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}\r\n\r\n".encode()) as partner,
    ):
        assert channel(partner.url).check()
    assert elsewhere.received == []


def test_a_host_that_is_not_there_says_why(tmp_path):
    with serving() as partner:
        url = partner.url
    assert check_failure(url) == "connection"
    assert check_failure("https://partner.invalid/hook") == "connection"
    with serving(silent) as partner:
        assert check_failure(partner.url, timeout=SOON) == "timeout"
    with serving(certificate=self_signed(tmp_path / "certificate.pem")) as partner:
        assert check_failure(partner.url) == "tls"


def test_the_way_goes_by_the_sites_proxy_as_messages_do(tmp_path, monkeypatch):
    certificate = self_signed(tmp_path / "certificate.pem")
    with serving() as proxy, serving(certificate=certificate) as partner:
        proxy.answer = tunnel_to(partner.port)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert channel(partner.url).check() == "its host answers"
    (tunnel,) = proxy.received
    assert tunnel.line.startswith(f"CONNECT localhost:{partner.port} ")
    assert [request.line for request in partner.received] == ["HEAD / HTTP/1.1"]


# What the partner gets


def test_a_message_is_signed_json_that_holds_the_entry():
    with serving() as partner:
        channel(partner.url).send(ID, LEARNER)
    (request,) = partner.received
    assert request.line == "POST /hook HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == ID
    sent = standardwebhooks.Webhook(OLD).verify(request.body, request.headers)
    assert sent.keys() == {"type", "timestamp", "data"}
    assert sent["type"] == "learner.consented"
    assert datetime.now(UTC) - datetime.fromisoformat(sent["timestamp"]) < timedelta(minutes=5)
    assert sent["timestamp"].endswith("+00:00")
    assert sent["data"] == LEARNER.as_json()


@pytest.mark.parametrize("standing", Standing)
def test_the_type_says_how_the_learner_stands_now(standing):
    entry = Entry(partner_id=LEARNER.partner_id, sequence=9, status=standing)
    assert json.loads(webhook.message(entry))["type"] == f"learner.{standing.value}"


def test_of_somebody_who_does_not_agree_now_the_partner_gets_no_more_than_that():
    assert json.loads(webhook.message(GONE))["data"] == {
        "partner_id": str(GONE.partner_id),
        "sequence": 8,
        "status": "withdrawn",
    }


def test_the_body_is_compact_and_in_utf_8():
    body = webhook.message(LEARNER)
    assert b'","' in body
    assert b'": ' not in body
    assert "Zoë".encode() in body


def test_the_address_is_called_as_it_is_written():
    with serving() as partner:
        channel(f"{partner.url}/%7Ea/?b=%2B&c").send(ID, LEARNER)
    assert partner.received[0].line == "POST /hook/~a/?b=%2B&c HTTP/1.1"


def test_while_secrets_are_changed_a_partner_with_either_takes_it():
    with serving() as partner:
        channel(partner.url, [NEW, OLD]).send(ID, LEARNER)
    for secret in (NEW, OLD):
        standardwebhooks.Webhook(secret).verify(partner.received[0].body, partner.received[0].headers)


@pytest.mark.parametrize("answer", [TAKEN, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
def test_after_an_empty_answer_the_connection_is_kept(answer):
    with serving(answer) as partner:
        sender = channel(partner.url)
        for _ in range(3):
            sender.send(ID, LEARNER)
        assert (len(partner.received), partner.connections) == (3, 1)


def test_after_an_answer_with_a_body_there_is_another_connection():
    with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as partner:
        sender = channel(partner.url)
        for _ in range(3):
            sender.send(ID, LEARNER)
        assert (len(partner.received), partner.connections) == (3, 3)


def test_a_connection_that_the_partner_closed_meanwhile_is_opened_again():
    with serving(then_hang_up(TAKEN)) as partner:
        sender = channel(partner.url)
        sender.send(ID, LEARNER)
        partner.closing.wait(0.2)  # for the end of the connection to arrive
        sender.send(ID, LEARNER)
    assert partner.connections == 2


def test_no_cookie_of_the_partner_comes_back():
    with serving(b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b; Path=/\r\n\r\n") as partner:
        sender = channel(partner.url)
        sender.send(ID, LEARNER)
        sender.send(ID, LEARNER)
    assert "cookie" not in partner.received[1].headers


# Answers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_means_that_it_was_taken(status):
    with serving(b"HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n" % status) as partner:
        channel(partner.url).send(ID, LEARNER)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 413, 429, 500, 502, 503, 599, 999])
def test_any_other_status_is_a_failure_with_its_number(status):
    with serving(b"HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n" % status) as partner:
        assert failure(partner.url).code == f"http_{status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_not_followed(status):
    with serving() as elsewhere:
        head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        with serving(head.encode()) as partner:
            assert failure(partner.url).code == "redirect"
    assert elsewhere.received == []


def test_a_redirect_to_nowhere_is_one_too():
    with serving(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n") as partner:
        assert failure(partner.url).code == "redirect"


ENDLESS = b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\n%s\r\n"
LONG, CHUNKED, UNTIL_CLOSED = b"Content-Length: 999999999\r\n", b"Transfer-Encoding: chunked\r\n", b""


@pytest.mark.parametrize("kind", [LONG, CHUNKED, UNTIL_CLOSED])
@pytest.mark.parametrize(
    ("status", "code"), [(b"200 OK", None), (b"500 No", "http_500"), (b"302 Found\r\nLocation: /other", "redirect")]
)
def test_a_body_without_end_is_not_read(status, code, kind):
    drop = b"1\r\nx\r\n" if kind == CHUNKED else b"x"
    with serving(dripping(ENDLESS % (status, kind), drop)) as partner:
        if code is None:
            channel(partner.url).send(ID, LEARNER)
        else:
            assert failure(partner.url).code == code
        assert not partner.closing.is_set()


@pytest.mark.parametrize(
    ("head", "drop", "tail"),
    [
        (b"", b"H", b"\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y", b"\r\n\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["status line", "headers", "one header", "interim answers"],
)
def test_an_answer_that_does_not_get_to_its_end_is_waited_for_no_longer_than_one_that_does_not_begin(head, drop, tail):
    with serving(dripping(head, drop, tail)) as partner:
        assert failure(partner.url, timeout=SOON).code == "timeout"


def test_over_tls_neither(tmp_path, monkeypatch):
    certificate = self_signed(tmp_path / "certificate.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", b"\r\n"), certificate) as partner:
        assert failure(partner.url, timeout=1).code == "timeout"


def test_who_says_nothing_is_not_waited_for():
    with serving(silent) as partner:
        assert failure(partner.url, timeout=SOON).code == "timeout"


def test_who_does_not_take_the_call_is_not_waited_for():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        url = f"http://localhost:{server.getsockname()[1]}/"
        # Till the queue of those who want to be connected is full.
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        assert failure(url, timeout=SOON).code == "timeout"
        for client in waiting:
            client.close()


def test_nobody_is_there():
    with serving() as partner:
        pass
    assert failure(partner.url).code == "connection"


@pytest.mark.parametrize("answer", [hang_up, reset])
def test_the_connection_is_closed_before_the_answer(answer):
    with serving(answer) as partner:
        assert failure(partner.url).code == "connection"
    assert len(partner.received) == 1


RUBBISH = {
    "half a status line": b"HTTP/1.1 2",
    "no HTTP": b"220 mail.example.net ESMTP\r\n\r\n",
    "HTML alone": b"<html>\r\n\r\n",
    "binary": bytes(range(256)) + b"\r\n\r\n",
    "a status that is none": b"HTTP/1.1 twohundred OK\r\n\r\n",
    "a status line without end": b"HTTP/1.1 200 " + b"x" * 70_000,
    "a header without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
}


@pytest.mark.parametrize("answer", RUBBISH.values(), ids=RUBBISH)
def test_what_is_no_answer_is_rubbish(answer):
    with serving(then_hang_up(answer)) as partner:
        assert failure(partner.url).code == "rubbish"


@pytest.fixture(scope="module")
def any_partner():
    with serving() as partner:
        yield partner


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(b"HTTP/1.1 ".__add__)))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")
@example(b"HTTP/1.1 500 No\r\nno colon\r\n\r\n")
@example(b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b")
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_answered_it_was_taken_or_the_delivery_failed(any_partner, answer):
    any_partner.answer = then_hang_up(answer)
    code = outcome(any_partner.url)
    assert code in {"taken", "rubbish", "connection", "redirect"} or code.startswith("http_")
    assert code != "taken" or answer.startswith(b"HTTP/")


# TLS


@pytest.fixture
def certificate(tmp_path):
    return self_signed(tmp_path / "certificate.pem")


def test_nobody_is_told_whose_certificate_nobody_vouches_for(certificate):
    with serving(certificate=certificate) as partner:
        assert failure(partner.url).code == "tls"
    assert partner.received == []


def test_a_certificate_of_the_sites_own_authority_will_do(certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(certificate=certificate) as partner:
        sender = channel(partner.url)
        sender.send(ID, LEARNER)
        sender.send(ID, LEARNER)
        assert (len(partner.received), partner.connections) == (2, 1)


def test_a_certificate_for_another_host_will_not(certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(certificate=certificate) as partner:
        assert failure(f"https://127.0.0.2:{partner.port}/").code in ("tls", "connection")
    assert partner.received == []


def test_who_does_not_speak_tls_is_told_nothing():
    with serving() as partner:
        assert failure(partner.url.replace("http:", "https:")).code == "tls"
    assert LEARNER.phone_number not in str(partner.received)


def test_without_the_certificates_that_the_operator_names_nothing_is_sent(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/not/there.pem")
    assert failure("https://localhost:1/").code == "tls"


# The environment


def test_no_password_of_a_netrc_is_sent(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login operator password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    certificate = self_signed(tmp_path / "certificate.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(certificate=certificate) as partner:
        channel(partner.url).send(ID, LEARNER)
    assert "authorization" not in partner.received[0].headers


def test_nothing_for_this_machine_goes_to_a_proxy(monkeypatch):
    with serving() as proxy, serving() as partner:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        channel(partner.url).send(ID, LEARNER)
        assert (len(partner.received), proxy.received) == (1, [])


def test_the_sites_proxy_is_asked_for_the_way_out_and_told_no_more(monkeypatch):
    with serving(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert failure("HTTPS://coach.example/hook").code == "connection"
    (request,) = proxy.received
    assert request.line.startswith("CONNECT coach.example:443 ")
    assert "webhook-signature" not in request.headers
    assert request.body == b""


@pytest.fixture
def by_proxy(certificate, monkeypatch):
    """Return what has the channel go to a partner by way of a proxy."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def lead_to(partner, proxy):
        proxy.answer = tunnel_to(partner.port)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")

    return lead_to


def test_by_way_of_a_proxy_it_is_the_partner_who_has_to_prove_itself(certificate, by_proxy, monkeypatch):
    with serving(certificate=certificate) as partner, serving() as proxy:
        by_proxy(partner, proxy)
        channel(partner.url).send(ID, LEARNER)
        assert (len(partner.received), len(proxy.received)) == (1, 1)
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        assert failure(partner.url).code == "tls"
        assert len(partner.received) == 1


def test_by_way_of_a_proxy_too_there_is_a_deadline(certificate, by_proxy):
    with serving(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", b"\r\n"), certificate) as partner, serving() as proxy:
        by_proxy(partner, proxy)
        assert failure(partner.url, timeout=1).code == "timeout"
        assert not partner.closing.is_set()


# Retry-After

IN_AN_HOUR = "the date in an hour"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("120", 120, 120),
        (" 7 ", 7, 7),
        ("86400", 86400, 86400),
        ("86401", 86400, 86400),
        ("9" * 5000, 86400, 86400),
        (IN_AN_HOUR, 1800, 3600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400, 86400),
    ],
)
def test_the_partner_is_left_alone_as_long_as_it_asks_and_no_longer_than_a_day(status, asked, least, most):
    if asked == IN_AN_HOUR:
        asked = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    head = f"HTTP/1.1 {status} Busy\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n"
    with serving(head.encode()) as partner:
        failed = failure(partner.url)
    assert failed.code == f"http_{status}"
    assert timedelta(seconds=least) <= failed.retry_after <= timedelta(seconds=most)


@pytest.mark.parametrize("asked", ["", "0", "-5", "1.5", "soon", "²", "Sun, 06 Nov 1994 08:49:37 GMT", "1e3", "inf"])
def test_what_asks_for_no_pause_is_no_pause(asked):
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n"
    with serving(head.encode()) as partner:
        assert failure(partner.url).retry_after is None


@pytest.mark.parametrize("status", [200, 302, 500])
def test_of_other_answers_it_is_not_read(status):
    with serving(f"HTTP/1.1 {status} X\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n".encode()) as partner:
        if status == 200:
            channel(partner.url).send(ID, LEARNER)
        else:
            assert failure(partner.url).retry_after is None


# Nothing personal


@pytest.mark.parametrize(
    "answer", [hang_up, then_hang_up(b"rubbish\r\n\r\n"), then_hang_up(b"HTTP/1.1 500 No\r\n\r\n")]
)
def test_a_failure_holds_neither_what_was_sent_nor_where_to(answer, watch):
    with serving(answer) as partner:
        failed = failure(f"{partner.url}?key=abc123")
    told = " ".join(messages(failed))
    assert watch.traces(told) == set()
    assert "abc123" not in told
    assert "Zoë" not in told


# Options

SECRET = "whsec_c2VjcmV0IHRoYXQgaXMgbm90IHRvIGJlIHNob3du"
GOOD = {"url": "https://coach.example/hooks/abc123", "secrets": [SECRET]}


@pytest.mark.parametrize(
    "url",
    [
        "https://coach.example/",
        "https://coach.example:8443/a/b?c=d",
        "HTTPS://coach.example",
        "https://[2001:db8::1]/",
        "http://127.0.0.1:8000/",
        "http://[::1]:8000/",
        "http://localhost/hook",
    ],
)
def test_addresses_that_will_do(url):
    assert channel(url).seconds_per_message > 10


@pytest.mark.parametrize(
    "url",
    [
        None, 1, b"https://coach.example/abc123", ["https://coach.example/abc123"],
        "", "coach.example/abc123", "//coach.example/abc123", "/abc123", "https:", "https:///abc123",
        "http://coach.example/abc123", "http://127.0.0.1.coach.example/abc123", "http://10.0.0.1/abc123",
        "http://localhost@coach.example/abc123", "https://operator:abc123@coach.example/",
        "https://coach.example/#abc123", "https://coach.example\\@evil.example/abc123", "https://coach.example/abc 123",
        "https://coach.example/\tabc123", "https://coach.example/abc123\n", "https://[abc123/", "https://c:abc123/",
        "https://c:99999999/abc123", "https://c:0/abc123", "https://abc123..example/", f"https://{'abc123' * 11}.net/",
        "https://cöach.example/abc123", "file:///abc123", "ftp://localhost/abc123",
    ],
)  # fmt: skip
def test_addresses_that_will_not(url):
    with pytest.raises(ImproperlyConfigured) as refused:
        WebhookChannel(**GOOD | {"url": url})
    assert "url" in str(refused.value)
    assert "abc123" not in " ".join(messages(refused.value))


@pytest.mark.parametrize(
    "secrets_", [None, 5, [], "", [None], [SECRET, "whsec_c2hvcnQ="], ["abc123"], [SECRET] * 3, {"abc123"}, b"abc123"]
)
def test_secrets_that_will_not_do_are_not_shown(secrets_):
    with pytest.raises(ImproperlyConfigured) as refused:
        WebhookChannel(**GOOD | {"secrets": secrets_})
    told = " ".join(messages(refused.value))
    assert "secret" in told
    for shown in (SECRET, SECRET.removeprefix("whsec_"), "abc123", "c2hvcnQ"):
        assert shown not in told


@pytest.mark.parametrize("timeout", [None, "10", 0, -1, True, float("nan"), float("inf"), 61])
def test_timeouts_that_will_not_do(timeout):
    with pytest.raises(ImproperlyConfigured, match="timeout"):
        WebhookChannel(**GOOD | {"timeout": timeout})


def test_the_operator_chooses_it_by_the_setting(settings):
    with serving() as partner:
        settings.COACHING_PARTNER_CHANNELS = {
            "webhook": {
                "BACKEND": "coaching_plugin.partner.webhook.WebhookChannel",
                "OPTIONS": {"url": partner.url, "secrets": [OLD]},
            }
        }
        channels.make("webhook").send(ID, LEARNER)
    assert len(partner.received) == 1


@pytest.mark.parametrize(
    "options", [{}, {"url": GOOD["url"]}, GOOD | {"url": "http://coach.example/abc123"}, GOOD | {"abc": "abc123"}]
)
def test_one_whose_options_are_wrong_is_left_out_and_the_log_shows_none_of_them(settings, options, caplog):
    settings.COACHING_PARTNER_CHANNELS = {
        "webhook": {"BACKEND": "coaching_plugin.partner.webhook.WebhookChannel", "OPTIONS": options}
    }
    assert channels.configured() == {}
    assert "The partner channel webhook is not usable" in caplog.text
    assert SECRET not in caplog.text
    assert "abc123" not in caplog.text
