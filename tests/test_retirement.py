"""A learner who asks to be forgotten: through the platform's own endpoints, from the request to the last trace."""

import json
import logging

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from openedx.core.djangoapps.user_api.models import UserRetirementStatus

from coaching_plugin import answered, audit, consent, disclosures
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door, PartnerDelivery
from coaching_plugin.partner import roster
from coaching_plugin.partner.channels import DeliveryError, MessageChannel, RosterChannel
from tests import factories
from tests.factories import NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED

pytestmark = pytest.mark.usefixtures("committed")

Status = CoachingConsent.Status

# What nobody else in the database has.
IP, USER_AGENT = "198.51.100.23", "Obscure Browser/47.11 (only of this learner)"
FROM = {"REMOTE_ADDR": IP, "HTTP_USER_AGENT": USER_AGENT}
PAGE = "/coaching/consent/"
REQUEST, RETIRE = "/api/user/v1/accounts/deactivate_logout/", "/api/user/v1/accounts/retire/"


def post(client, path, data):
    return client.post(path, data, headers={"X-CSRFToken": client.cookies["csrftoken"].value}, **FROM)


@pytest.fixture
def client(learner, log_in):
    return log_in(learner)


@pytest.fixture
def service(db, log_in):
    """The retirement service: a superuser with a browser of its own."""
    return log_in(factories.user(is_superuser=True, is_staff=True))


def patch(client, learner, path="coaching_consent", **data):
    response = client.patch(
        f"/api/coaching/v1/{path}/{learner.id}/",
        json.dumps(data),
        content_type="application/json",
        headers={"X-CSRFToken": client.cookies["csrftoken"].value},
        **FROM,
    )
    assert response.status_code in (200, 400), response.content
    return response


def ask(client, learner):
    assert client.get(PAGE, **FROM).status_code == 200


def be_refused(client, learner):
    ask(client, learner)
    assert patch(client, learner, coaching_consent=True, phone_number="12").status_code == 400


def decline(client, learner):
    ask(client, learner)
    patch(client, learner, coaching_consent=False)


def give(client, learner):
    ask(client, learner)
    assert patch(client, learner, coaching_consent=True, phone_number=OTHER_TYPED).status_code == 200
    assert patch(client, learner, "users", phone_number=TYPED).status_code == 200


def withdraw(client, learner):
    give(client, learner)
    patch(client, learner, coaching_consent=False)


def be_stopped(client, learner):
    give(client, learner)
    consent.opt_out(learner, consent.Evidence(door=Door.PARTNER))


HISTORIES = {
    "asked": ask,
    "refused": be_refused,
    "declined": decline,
    "consented": give,
    "withdrawn": withdraw,
    "stopped": be_stopped,
}


def request_retirement(client, password="edx"):
    return post(client, REQUEST, {"password": password})


def retire(service, username):
    return service.post(RETIRE, {"username": username}, headers={"X-CSRFToken": service.cookies["csrftoken"].value})


def events(learner):
    return list(ConsentEvent.objects.filter(learner_id=learner.id).order_by("sequence"))


def kinds(learner):
    return [event.kind for event in events(learner)]


def assert_chain_holds():
    assert [verdict for _, verdict in audit.of_each(CoachingConsent.objects.all()) if not verdict.is_sound] == []


def traces(*personal):
    """Return which tables hold one of these, in any column: every table of the database is read, whoever's it is."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor:
                text = " ".join(str(value) for value in row)
                found |= {(table, trace) for trace in personal if trace in text}
    for session in Session.objects.all():
        found |= {("decoded sessions", trace) for trace in personal if trace in repr(session.get_decoded())}
    return found


# As it is typed, stored, and stored by whoever leaves out the plus sign or the country.
NUMBERS = (NUMBER, OTHER_NUMBER, NUMBER[2:], OTHER_NUMBER[2:], TYPED, OTHER_TYPED)


def test_the_tables_are_really_searched(client, learner):
    give(client, learner)
    assert {table for table, _ in traces(*NUMBERS, IP, USER_AGENT)} == {
        "auth_userprofile",
        "coaching_plugin_coachingconsent",
        "coaching_plugin_consentevent",
    }


def test_requests_are_transactions_here():
    assert connection.settings_dict["ATOMIC_REQUESTS"] is True


# The request


def test_the_request_withdraws_at_once_and_says_why(client, learner):
    give(client, learner)
    assert request_retirement(client).status_code == 204
    row, last = CoachingConsent.objects.get(user=learner), events(learner)[-1]
    assert row.status == Status.WITHDRAWN
    assert (last.kind, last.door, last.reason) == ("withdrawn", Door.RETIREMENT, "retirement_requested")
    assert_chain_holds()


@pytest.mark.parametrize("history", [history for history in HISTORIES if history != "consented"])
def test_the_request_changes_nothing_where_no_consent_stands(history, client, learner):
    HISTORIES[history](client, learner)
    before = kinds(learner)
    assert request_retirement(client).status_code == 204
    assert kinds(learner) == before


def test_the_request_of_who_was_never_asked_stores_nothing(client, learner):
    assert request_retirement(client).status_code == 204
    assert not CoachingConsent.objects.exists()


def test_a_request_that_the_platform_refuses_withdraws_nothing(client, learner):
    give(client, learner)
    before = kinds(learner)
    assert request_retirement(client, password="wrong").status_code == 403
    assert kinds(learner) == before
    assert CoachingConsent.objects.get().is_consented


def test_a_request_that_breaks_afterwards_is_undone_whole(client, learner, monkeypatch):
    give(client, learner)
    before = kinds(learner)

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("openedx.core.djangoapps.user_api.accounts.views.logout", fail)
    client.raise_request_exception = False
    assert request_retirement(client).status_code == 500
    assert not UserRetirementStatus.objects.exists()
    assert kinds(learner) == before
    assert CoachingConsent.objects.get().is_consented


def test_a_later_change_of_the_queue_withdraws_nothing_again(client, learner):
    give(client, learner)
    request_retirement(client)
    before = kinds(learner)
    row = UserRetirementStatus.objects.get()
    row.responses += "\nMoved on."
    row.save()
    assert kinds(learner) == before


# Retirement


@pytest.mark.parametrize("history", HISTORIES)
def test_retirement_leaves_no_trace_in_any_table_and_the_chain_holds(history, client, learner, service):
    HISTORIES[history](client, learner)
    before = kinds(learner)
    assert request_retirement(client).status_code == 204
    assert retire(service, learner.username).status_code == 204
    assert traces(*NUMBERS, IP, USER_AGENT) == set()
    withdrawn = ["withdrawn"] if history == "consented" else []
    assert kinds(learner) == [*before, *withdrawn, "erased"]
    assert not ConsentEvent.objects.exclude(kind="erased").exclude(salt="").exists()
    assert events(learner)[-1].door == Door.RETIREMENT
    assert_chain_holds()


# What a person is known by, and nobody else in the database is.
NAME, EMAIL = "Zdenka Quillfeather", "zdenka.quillfeather@example.net"


@pytest.fixture
def channels(settings):
    """One way of each kind to the partner."""
    settings.COACHING_PARTNER_CHANNELS = {
        "webhook": {"BACKEND": "tests.test_retirement.Messages"},
        "roster": {"BACKEND": "tests.test_retirement.Rosters"},
    }
    return {"webhook", "roster"}


class Messages(MessageChannel):
    """Of the one kind."""

    def send(self, delivery_id, entry):
        raise DeliveryError("down")


class Rosters(RosterChannel):
    """Of the other."""

    def write(self, entries):
        raise DeliveryError("down")


def outbox():
    """Return what waits for each channel, as the sequences of events and their kinds."""
    kind_of = dict(ConsentEvent.objects.values_list("sequence", "kind"))
    waiting = {}
    for row in PartnerDelivery.objects.order_by("sequence"):
        waiting.setdefault(row.channel, []).append(kind_of[row.sequence])
    return waiting


def sign_up_on_the_page(client):
    """Consent as a person does, with a name and a number typed, and then with another number."""
    shown = disclosures.current().sha256
    answer = {"answer": "accept", "full_name": NAME, "agree": "on", "disclosure": shown}
    assert client.get(PAGE, **FROM).status_code == 200
    assert post(client, PAGE, {**answer, "phone_number": "12"}).status_code == 200
    assert post(client, PAGE, {**answer, "phone_number": OTHER_TYPED}).status_code == 302
    assert post(client, "/coaching/settings/", {"phone_number": TYPED, "agree": "on"}).status_code == 302


def our_traces(*personal):
    """Return where in the tables of this plugin one of these stands, whoever it is read by."""
    return {(table, trace) for table, trace in traces(*personal) if table.startswith("coaching_")}


def test_who_signed_up_on_the_page_leaves_no_trace_with_us_and_in_nothing_that_left_the_process(
    learner, log_in, service, channels, watch
):
    User.objects.filter(pk=learner.pk).update(email=EMAIL)
    client = log_in(learner)
    sign_up_on_the_page(client)
    learner.profile.refresh_from_db()
    assert (learner.profile.name, learner.profile.phone_number) == (NAME, NUMBER), "all of it was put in"
    personal = (*NUMBERS, IP, USER_AGENT, NAME, EMAIL)
    assert {trace for _, trace in our_traces(*personal)} >= {NUMBER, OTHER_NUMBER, IP, USER_AGENT}
    assert traces(NAME, EMAIL), "the search would find them"

    assert request_retirement(client).status_code == 204
    # At once, and not only when the account is gone.
    assert outbox() == dict.fromkeys(channels, ["consented", "phone_changed", "withdrawn"])
    assert retire(service, learner.username).status_code == 204

    assert our_traces(*personal) == set()
    assert outbox() == dict.fromkeys(channels, ["consented", "phone_changed", "withdrawn", "erased"])
    row = CoachingConsent.objects.get()
    assert row.changed_at == events(learner)[-1].occurred_at, "the partner asks for what changed since"
    assert row.erased_at
    assert {delivery.partner_id for delivery in PartnerDelivery.objects.all()} == {row.partner_id}
    # Every log line, event, Celery argument and address since the test began.
    left = [(source, trace) for source, text in watch.notes for trace in personal if trace in text]
    assert left == []
    assert watch.notes, "something was taken down"
    assert_chain_holds()


def test_what_the_partner_is_sent_of_a_retired_learner_says_only_that_they_are_erased(
    client, learner, service, channels
):
    sign_up_on_the_page(client)
    partner_id = CoachingConsent.objects.get().partner_id
    assert roster.entry_of(partner_id).phone_number == NUMBER
    assert [entry.partner_id for entry in roster.entries()] == [partner_id]

    def sent(status):
        sequence = CoachingConsent.objects.get().last_sequence
        return {"partner_id": str(partner_id), "sequence": sequence, "status": status}

    request_retirement(client)
    assert roster.entry_of(partner_id).as_json() == sent("withdrawn")
    retire(service, learner.username)
    assert roster.entry_of(partner_id).as_json() == sent("erased")
    assert list(roster.entries()) == []
    # The sequence of the last row in the outbox: all before it say no more than that.
    assert PartnerDelivery.objects.latest("sequence").sequence == sent("erased")["sequence"]


@pytest.mark.logs_personal_data
def test_the_watch_would_have_seen_it(client, learner, service, channels, watch):
    sign_up_on_the_page(client)
    logging.getLogger("coaching_plugin.anywhere").error("User %s is %s", learner.id, NAME)
    assert any(NAME in text for _, text in watch.notes)


def test_a_request_that_is_undone_leaves_no_row_in_the_outbox(client, learner, channels, monkeypatch):
    sign_up_on_the_page(client)
    before = list(PartnerDelivery.objects.values())

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("openedx.core.djangoapps.user_api.accounts.views.logout", fail)
    client.raise_request_exception = False
    assert request_retirement(client).status_code == 500
    assert list(PartnerDelivery.objects.values()) == before


def test_an_erasure_that_fails_leaves_no_row_in_the_outbox(client, learner, service, channels, monkeypatch):
    sign_up_on_the_page(client)
    request_retirement(client)
    before = outbox()

    def fail(*args, **kwargs):
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("coaching_plugin.outbox.add", fail)
        assert retire(service, learner.username).status_code == 500
    assert outbox() == before
    assert our_traces(NUMBER), "nothing pretends to be erased"
    assert retire(service, learner.username).status_code == 204
    assert outbox() == dict.fromkeys(channels, ["consented", "phone_changed", "withdrawn", "erased"])


@pytest.mark.parametrize("history", ["asked", "refused", "declined"])
def test_of_who_never_agreed_the_partner_hears_nothing_at_their_retirement_either(
    history, client, learner, service, channels
):
    HISTORIES[history](client, learner)
    request_retirement(client)
    assert retire(service, learner.username).status_code == 204
    assert kinds(learner)[-1] == "erased"
    assert not PartnerDelivery.objects.exists()


def test_erasure_touches_nobody_else(client, learner, service, log_in):
    other = factories.eligible_learner()
    neighbour = log_in(other)
    give(neighbour, other)
    before = list(ConsentEvent.objects.filter(learner_id=other.id).values())
    give(client, learner)
    request_retirement(client)
    retire(service, learner.username)
    assert list(ConsentEvent.objects.filter(learner_id=other.id).values()) == before
    assert CoachingConsent.objects.get(user=other).phone_number == NUMBER
    assert_chain_holds()


def test_retirement_without_a_request_before_withdraws_too(client, learner, service):
    """The queue may be filled by hand: no signal, then, has withdrawn."""
    give(client, learner)
    UserRetirementStatus.create_retirement(learner)
    CoachingConsent.objects.update(status=Status.CONSENTED)
    assert retire(service, learner.username).status_code == 204
    assert CoachingConsent.objects.get().status == Status.WITHDRAWN
    assert kinds(learner)[-2:] == ["withdrawn", "erased"]
    assert traces(*NUMBERS, IP, USER_AGENT, "a browser") == set()


def test_retirement_of_who_was_never_asked_stores_nothing(client, learner, service):
    request_retirement(client)
    assert retire(service, learner.username).status_code == 204
    assert not CoachingConsent.objects.exists()


def test_twice_is_fine_and_changes_nothing_more(client, learner, service):
    give(client, learner)
    request_retirement(client)
    assert retire(service, learner.username).status_code == 204
    before = kinds(learner), list(CoachingConsent.objects.values())
    assert retire(service, learner.username).status_code == 204
    assert (kinds(learner), list(CoachingConsent.objects.values())) == before
    assert_chain_holds()


def test_the_cache_forgets_too(client, learner, service):
    decline(client, learner)
    assert cache.get(answered.key(learner.id)) is False
    request_retirement(client)
    retire(service, learner.username)
    assert cache.get(answered.key(learner.id)) is None


# Failures


@pytest.mark.parametrize("broken", ["ledger.blank_personal_data", "ledger.append", "ledger.holds_personal_data"])
def test_an_erasure_that_fails_fails_the_retirement_and_pretends_nothing(broken, client, learner, service, monkeypatch):
    give(client, learner)
    request_retirement(client)
    before = kinds(learner), list(ConsentEvent.objects.values())

    def fail(*args, **kwargs):
        raise RuntimeError

    with monkeypatch.context() as patch_:
        patch_.setattr(f"coaching_plugin.{broken}", fail)
        assert retire(service, learner.username).status_code == 500
    assert (kinds(learner), list(ConsentEvent.objects.values())) == before
    assert User.objects.filter(username=learner.username).exists(), "the learner is not retired"
    assert_chain_holds()
    assert retire(service, learner.username).status_code == 204, "the queue tries again"
    assert traces(*NUMBERS, IP, USER_AGENT) == set()


@pytest.mark.parametrize("model", [CoachingConsent, ConsentEvent])
def test_a_database_that_fails_fails_the_retirement(model, client, learner, service, monkeypatch):
    give(client, learner)
    request_retirement(client)
    with monkeypatch.context() as patch_:
        patch_.setattr(model._meta, "db_table", "coaching_plugin_not_migrated")
        assert retire(service, learner.username).status_code == 500
    assert User.objects.filter(username=learner.username).exists()
    assert traces(NUMBER)
    assert retire(service, learner.username).status_code == 204
    assert traces(*NUMBERS, IP, USER_AGENT) == set()


def test_a_withdrawal_that_fails_keeps_nobody_from_asking_and_the_next_step_makes_it_good(
    client, learner, monkeypatch, caplog
):
    give(client, learner)

    def fail(*args, **kwargs):
        raise RuntimeError(NUMBERS[0])

    with monkeypatch.context() as broken:
        broken.setattr("coaching_plugin.consent.withdraw", fail)
        assert request_retirement(client).status_code == 204
    assert UserRetirementStatus.objects.filter(user=learner).exists()
    assert CoachingConsent.objects.get().is_consented
    assert not any(NUMBERS[0] in record.getMessage() for record in caplog.records)
    UserRetirementStatus.objects.get(user=learner).save()
    assert CoachingConsent.objects.get().status == Status.WITHDRAWN


def test_a_cache_that_is_down_fails_no_retirement(client, learner, service, monkeypatch):
    give(client, learner)
    request_retirement(client)

    def fail(*args, **kwargs):
        raise ConnectionError

    monkeypatch.setattr("django.core.cache.backends.locmem.LocMemCache.delete", fail)
    assert retire(service, learner.username).status_code == 204
    assert traces(*NUMBERS, IP, USER_AGENT) == set()


def test_a_failure_says_nothing_personal(client, learner, service, monkeypatch, caplog):
    give(client, learner)
    request_retirement(client)
    with monkeypatch.context() as patch_:
        patch_.setattr(ConsentEvent._meta, "db_table", "coaching_plugin_not_migrated")
        body = retire(service, learner.username).content.decode()
    logged = "".join(f"{record.getMessage()}{record.exc_text}" for record in caplog.records)
    for personal in (*NUMBERS, IP, USER_AGENT):
        assert personal not in body
        assert personal not in logged


# Deletion


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("retired", [True, False], ids=["retired", "not retired"])
def test_deleting_the_user_works_and_leaves_the_proof(history, retired, client, learner, service):
    HISTORIES[history](client, learner)
    if retired:
        request_retirement(client)
        retire(service, learner.username)
    before = kinds(learner)
    User.objects.get(pk=learner.pk).delete()
    row = CoachingConsent.objects.get()
    assert row.user is None
    assert kinds(learner) == before
    assert_chain_holds()


def test_deleting_somebody_who_was_never_asked_works(learner):
    learner.delete()
    assert not CoachingConsent.objects.exists()


def test_two_deleted_learners_do_not_get_in_each_others_way(client, learner, log_in):
    other = factories.eligible_learner()
    decline(client, learner)
    decline(log_in(other), other)
    User.objects.filter(pk__in=[learner.pk, other.pk]).delete()
    assert CoachingConsent.objects.filter(user=None).count() == 2
    assert_chain_holds()


def test_an_anonymous_visitor_requests_nothing(learner):
    assert Client().post(REQUEST, {"password": "edx"}).status_code in (401, 403)
    assert not UserRetirementStatus.objects.exists()
