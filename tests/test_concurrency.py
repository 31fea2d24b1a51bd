"""
Learners who do two things at once, on a real database, with real threads, at both isolation levels.

SQLite lets one writer in at a time and has nothing to show here.
"""

import io
import json
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from coaching_plugin import consent, disclosures, ledger, lms
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door
from tests import factories
from tests.factories import CANADIAN, NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.story import assert_told, events, kinds

pytestmark = [
    pytest.mark.skipif(connection.vendor != "mysql", reason="real locks are wanted; the MariaDB run has them"),
    pytest.mark.usefixtures("committed", "coached", "flags", "isolation", "unthrottled"),
]

Status = CoachingConsent.Status

PAGE = "/coaching/consent/"
TIMES = 10
THREADS = 8


@pytest.fixture(params=["read committed", "repeatable read"])
def isolation(request, monkeypatch):
    """The level at which threads that connect from now on work."""
    monkeypatch.setitem(connections["default"].settings_dict["OPTIONS"], "isolation_level", request.param)
    return request.param


@pytest.fixture
def unthrottled(settings):
    settings.COACHING_API_THROTTLE = "100000/minute"


def meanwhile(*works):
    """Do all of these at the same moment, each in a thread with its own connection, and return what each returned."""
    start = threading.Barrier(len(works))
    results = [None] * len(works)

    def run(number, work):
        try:
            connections["default"].ensure_connection()
            start.wait(30)
            results[number] = work()
        except BaseException as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "nobody waits for ever"
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def somebody_waits_for_a_lock():
    """Return whether a transaction on the database of the tests waits for another."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.INNODB_TRX JOIN information_schema.PROCESSLIST"
            " ON trx_mysql_thread_id = id WHERE trx_state = 'LOCK WAIT' AND db = DATABASE()"
        )
        return cursor.fetchone()[0] > 0


def wait_until(happened):
    """Wait for what another thread does, half a minute at most."""
    for _ in range(150):
        if happened():
            return
        # What MariaDB says of its transactions is as old as the last look, unless a tenth of a second lies between two.
        time.sleep(0.2)
    pytest.fail("it did not happen")


def innodb_status():
    """Return the latest deadlock, for the report of a test that fails."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW ENGINE INNODB STATUS")
        text = cursor.fetchone()[2]
    _, found, deadlock = text.partition("LATEST DETECTED DEADLOCK")
    return deadlock.partition("\nTRANSACTIONS\n")[0] if found else "no deadlock"


def assert_no_server_error(statuses):
    assert not [status for status in statuses if status >= 500], innodb_status()


class Tab:
    """One of a learner's tabs: logged in by itself, and never seen the page, so that nothing is stored yet."""

    def __init__(self, learner):
        self.learner = learner
        self.client = Client(raise_request_exception=False)
        self.client.force_login(learner)
        self.disclosure = disclosures.current("en").sha256

    def page(self, answer, **typed):
        data = {"answer": answer, "disclosure": self.disclosure, "agree": "on"}
        return lambda: self.client.post(PAGE, {**data, "phone_number": TYPED, **typed}).status_code

    def api(self, resource="coaching_consent", **data):
        path = f"/api/coaching/v1/{resource}/{self.learner.id}/"
        body = json.dumps(data)
        return lambda: self.client.patch(path, body, content_type="application/json").status_code

    def look(self):
        return lambda: self.client.get(PAGE).status_code


def accept_on_page(tab):
    return tab.page("accept", full_name=tab.learner.profile.name)


def decline_on_page(tab):
    return tab.page("decline")


def accept_by_api(tab):
    return tab.api(coaching_consent=True, phone_number=TYPED, disclosure=tab.disclosure)


def decline_by_api(tab):
    return tab.api(coaching_consent=False)


def change_by_api(tab):
    return tab.api("users", phone_number=OTHER_TYPED)


def be_refused_by_api(tab):
    return tab.api(coaching_consent=True, phone_number="12")


def change_on_page(tab):
    return tab.page("accept", phone_number=OTHER_TYPED, full_name=tab.learner.profile.name)


def assert_sound(learner):
    """All events tell one story, the row and the profile stand where the last of them left them."""
    row = assert_told(learner)
    assert kinds(learner).count("asked") <= 1 + kinds(learner).count("ask_again")
    if row.is_consented:
        learner.profile.refresh_from_db()
        assert learner.profile.phone_number == row.phone_number
    return row


def test_the_threads_work_at_the_level_that_the_test_says(isolation):
    def level():
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@tx_isolation, CONNECTION_ID()")
            return cursor.fetchone()

    (one, first), (other, second) = meanwhile(level, level)
    assert one == other == isolation.upper().replace(" ", "-")
    assert first != second, "each thread has a connection of its own"


# Two first answers


@pytest.mark.parametrize(
    ("accept", "decline"),
    [(accept_on_page, decline_on_page), (accept_by_api, decline_by_api), (accept_on_page, decline_by_api)],
    ids=["page", "API", "page and API"],
)
def test_yes_and_no_at_the_same_moment(accept, decline):
    for _ in range(TIMES):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(2)]
        assert_no_server_error(meanwhile(accept(tabs[0]), decline(tabs[1])))
        assert kinds(learner) in (["consented", "withdrawn"], ["declined", "consented"])
        assert_sound(learner)


@pytest.mark.parametrize(
    ("one", "other"),
    [(accept_on_page, accept_on_page), (accept_by_api, accept_by_api), (accept_on_page, accept_by_api)],
    ids=["page", "API", "page and API"],
)
def test_yes_twice_at_the_same_moment_is_one_yes(one, other):
    for _ in range(TIMES):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(2)]
        assert_no_server_error(meanwhile(one(tabs[0]), other(tabs[1])))
        assert kinds(learner) == ["consented"]
        assert assert_sound(learner).phone_number == NUMBER


def test_no_twice_at_the_same_moment_is_one_no():
    for _ in range(TIMES):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(2)]
        assert_no_server_error(meanwhile(decline_on_page(tabs[0]), decline_by_api(tabs[1])))
        assert kinds(learner) == ["declined"]
        assert_sound(learner)


@pytest.mark.parametrize("answer", [accept_on_page, decline_by_api])
def test_a_dismissal_of_the_card_beside_an_answer_leaves_both(answer):
    for _ in range(TIMES):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(3)]
        statuses = meanwhile(answer(tabs[0]), *[tab.api("dashboard_card", dismissed=True) for tab in tabs[1:]])
        assert_no_server_error(statuses)
        row = assert_sound(learner)
        assert row.has_answered
        assert row.card_dismissed_at
        assert len(kinds(learner)) == 1


def test_yes_with_two_numbers_at_the_same_moment_ends_with_the_later():
    for _ in range(TIMES):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(2)]
        assert_no_server_error(meanwhile(accept_on_page(tabs[0]), change_on_page(tabs[1])))
        assert kinds(learner) == ["consented", "phone_changed"]
        assert assert_sound(learner).phone_number == events(learner)[-1].phone_number


def test_the_same_refusal_twice_at_the_same_moment_is_one():
    for _ in range(TIMES):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(2)]
        assert meanwhile(*[be_refused_by_api(tab) for tab in tabs]) == [400, 400], innodb_status()
        assert kinds(learner) == ["refused"]
        assert_sound(learner)


# Many


def test_eight_tabs_that_show_the_question_ask_once():
    for _ in range(TIMES // 2):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(THREADS)]
        statuses = meanwhile(*[tab.look() for tab in tabs])
        assert statuses == [200] * THREADS, innodb_status()
        assert kinds(learner) == ["asked"]
        assert_sound(learner)


def test_eight_tabs_that_show_the_question_beside_an_answer_ask_at_most_once():
    for _ in range(TIMES // 2):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(THREADS)]
        looks = [tab.look() for tab in tabs[2:]]
        assert_no_server_error(meanwhile(accept_on_page(tabs[0]), decline_by_api(tabs[1]), *looks))
        assert_sound(learner)


def test_eight_tabs_that_do_everything_at_once():
    works = [
        accept_on_page,
        decline_on_page,
        change_on_page,
        accept_by_api,
        decline_by_api,
        change_by_api,
        be_refused_by_api,
        lambda tab: tab.look(),
    ]
    assert len(works) == THREADS
    learner = factories.eligible_learner()
    tabs = [Tab(learner) for _ in works]
    seen = Counter()
    for number in range(TIMES):
        # Another tab does another thing each time.
        mixed = [work(tabs[(place + number) % THREADS]) for place, work in enumerate(works)]
        statuses = meanwhile(*mixed)
        assert_no_server_error(statuses)
        seen.update(statuses)
        assert_sound(learner)
    assert seen[200] + seen[302] > TIMES, "most of it was taken"
    assert len(events(learner)) > TIMES / 2


def test_each_tab_does_many_things_without_waiting_for_the_others():
    learner = factories.eligible_learner()
    works = [accept_on_page, decline_by_api, change_by_api, accept_by_api, decline_on_page, change_on_page]
    tabs = [Tab(learner) for _ in range(THREADS)]

    def busy(place, tab):
        steps = [works[(place + step) % len(works)](tab) for step in range(2 * len(works))]
        return lambda: [step() for step in steps]

    statuses = meanwhile(*[busy(place, tab) for place, tab in enumerate(tabs)])
    assert_no_server_error([status for of_one in statuses for status in of_one])
    assert_sound(learner)


def by_somebody_else(change, **reason):
    """Return the work of an operator, the partner or the retirement service on the learner of a tab."""

    def work(tab):
        def do():
            change(tab.learner, evidence(Door.ADMIN, disclosure=None), **reason)
            return 200

        return do

    return work


def test_eight_who_change_the_same_consent_learner_operator_partner_and_retirement():
    works = [
        accept_on_page,
        accept_by_api,
        change_by_api,
        decline_on_page,
        by_somebody_else(consent.opt_out),
        by_somebody_else(consent.do_not_ask, reason="asked"),
        by_somebody_else(consent.ask_again, reason="asked"),
        by_somebody_else(consent.erase),
    ]
    assert len(works) == THREADS
    learner = factories.eligible_learner()
    tabs = [Tab(learner) for _ in works]
    seen = set()
    for number in range(TIMES):
        mixed = [work(tabs[(place + number) % THREADS]) for place, work in enumerate(works)]
        assert_no_server_error(meanwhile(*mixed))
        assert_sound(learner)
        seen.update(kinds(learner))
    assert {"consented", "opted_out", "do_not_ask", "ask_again", "erased"} <= seen


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (by_somebody_else(consent.opt_out), "opted_out"),
        (by_somebody_else(consent.do_not_ask, reason="asked"), "do_not_ask"),
        (by_somebody_else(consent.withdraw, reason="asked"), "withdrawn"),
        (by_somebody_else(consent.erase), "erased"),
        (change_by_api, "phone_changed"),
        (decline_by_api, "withdrawn"),
    ],
    ids=["opt out", "do not ask", "withdraw", "erase", "change the number", "decline"],
)
def test_the_same_change_eight_times_at_the_same_moment_is_one_event(change, kind):
    for _ in range(TIMES // 5):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(THREADS)]
        assert accept_on_page(tabs[0])() == 302
        assert_no_server_error(meanwhile(*[change(tab) for tab in tabs]))
        assert kinds(learner).count(kind) == 1
        assert kinds(learner) in (["consented", kind], ["consented", "withdrawn", kind])
        assert_sound(learner)


# Learners beside each other


@pytest.mark.parametrize(
    "work",
    [accept_on_page, decline_on_page, accept_by_api, be_refused_by_api, change_by_api, lambda tab: tab.look()],
    ids=["accept on the page", "decline on the page", "accept by API", "be refused", "change the number", "look"],
)
def test_learners_who_do_their_first_thing_at_the_same_moment_do_not_get_in_each_others_way(work):
    for _ in range(TIMES // 2):
        learners = [factories.eligible_learner() for _ in range(THREADS)]
        tabs = [Tab(learner) for learner in learners]
        assert_no_server_error(meanwhile(*[work(tab) for tab in tabs]))
        for learner in learners:
            assert_sound(learner)


def test_learners_who_each_answer_twice_at_the_same_moment_do_not_get_in_each_others_way():
    for _ in range(TIMES // 2):
        learners = [factories.eligible_learner() for _ in range(THREADS // 2)]
        # The newest first, so that rows are not made in the order of their ids.
        tabs = [Tab(learner) for learner in reversed(learners) for _ in range(2)]
        works = [[accept_on_page, be_refused_by_api][number % 2](tab) for number, tab in enumerate(tabs)]
        assert_no_server_error(meanwhile(*works))
        for learner in learners:
            assert assert_sound(learner).is_consented


# Beside what else changes the profile


def test_the_account_api_beside_an_answer_is_no_server_error():
    """The platform writes the whole profile without a lock; what it loses is its own, but nothing breaks."""
    for _ in range(TIMES // 2):
        learner = factories.eligible_learner()
        tab, other = Tab(learner), Tab(learner)

        def change_bio(tab=other):
            return tab.client.patch(
                f"/api/user/v1/accounts/{tab.learner.username}",
                json.dumps({"bio": "Hello."}),
                content_type="application/merge-patch+json",
            ).status_code

        assert_no_server_error(meanwhile(accept_on_page(tab), change_bio))
        row = assert_told(learner)
        if row.is_consented:
            assert row.phone_number == NUMBER
        else:
            # The platform wrote back, on the learner's word, a profile that had no number yet.
            assert ConsentEvent.objects.get(consent=row, kind="withdrawn").reason == "phone_missing"


def test_a_number_changed_in_the_account_beside_our_own_changes_ends_in_one_story():
    """Whoever comes last: the consent is for a number that can be texted, nothing breaks, and no deadlock stays."""
    for work in (change_by_api, decline_by_api, change_on_page):
        for phone_number in (OTHER_TYPED, "", CANADIAN):
            learner = factories.eligible_learner()
            tab, other = Tab(learner), Tab(learner)
            assert accept_by_api(tab)() == 200

            def change_account(tab=other, phone_number=phone_number):
                return tab.client.patch(
                    f"/api/user/v1/accounts/{tab.learner.username}",
                    json.dumps({"phone_number": phone_number}),
                    content_type="application/merge-patch+json",
                ).status_code

            assert_no_server_error(meanwhile(work(tab), change_account))
            row = assert_told(learner)
            assert row.phone_number in (NUMBER, OTHER_NUMBER)
            if work is decline_by_api:
                assert row.status == Status.WITHDRAWN


def test_retirement_beside_an_answer_leaves_no_number():
    for _ in range(TIMES // 2):
        learner = factories.eligible_learner()
        tabs = [Tab(learner) for _ in range(2)]
        assert accept_on_page(tabs[0])() == 302

        def close_account(tab=tabs[1]):
            path = "/api/user/v1/accounts/deactivate_logout/"
            return tab.client.post(path, {"password": "edx"}).status_code

        statuses = meanwhile(change_by_api(tabs[0]), close_account)
        assert_no_server_error(statuses)
        assert statuses[1] == 204
        row = CoachingConsent.objects.get(user=learner)
        assert row.status == Status.WITHDRAWN
        assert ledger.verify_one(row) is None


def test_who_consents_again_while_expired_evidence_is_erased_keeps_everything(monkeypatch, settings):
    """Read as expired, the row is locked by an answer that is not committed yet, and waited for."""
    settings.COACHING_EVIDENCE_RETENTION_DAYS = 30
    learner = factories.eligible_learner()
    with freeze_time(timezone.now() - timedelta(days=400)):
        consent.give(learner, TYPED, None, evidence())
        consent.decline(learner, evidence())
    is_given, waits, write = threading.Event(), [], lms.write_phone_number

    def write_and_dawdle(*args):
        write(*args)
        is_given.set()
        wait_until(somebody_waits_for_a_lock)
        waits.append(True)

    def erase():
        assert is_given.wait(30)
        out = io.StringIO()
        call_command("erase_expired_evidence", stdout=out)
        return out.getvalue().strip()

    monkeypatch.setattr(lms, "write_phone_number", write_and_dawdle)

    def give():
        return consent.give(learner, OTHER_TYPED, None, evidence()).is_refused

    assert meanwhile(give, erase) == [False, "Erased: the evidence of 0 learner(s)."]
    assert waits, "the command has waited for the answer"
    assert kinds(learner) == ["consented", "withdrawn", "consented"]
    row = CoachingConsent.objects.get(user=learner)
    assert (row.is_consented, row.phone_number) == (True, OTHER_NUMBER)
    assert not ConsentEvent.objects.filter(learner_id=learner.id, salt="").exists()
    assert ledger.verify_one(row) is None


def test_a_retirement_request_withdraws_what_is_being_given_at_the_same_moment(monkeypatch):
    """The answer is judged and written, but not yet committed, when the learner asks to be deleted in another tab."""
    learner = factories.eligible_learner()
    consent.ask(learner, evidence())
    tabs = [Tab(learner) for _ in range(2)]
    is_given, is_closed = threading.Event(), threading.Event()
    write = lms.write_phone_number

    def write_and_dawdle(*args):
        write(*args)
        is_given.set()
        wait_until(lambda: is_closed.is_set() or somebody_waits_for_a_lock())

    def close_account():
        assert is_given.wait(30)
        path = "/api/user/v1/accounts/deactivate_logout/"
        try:
            return tabs[1].client.post(path, {"password": "edx"}).status_code
        finally:
            is_closed.set()

    monkeypatch.setattr(lms, "write_phone_number", write_and_dawdle)
    assert meanwhile(accept_on_page(tabs[0]), close_account) == [302, 204]
    assert kinds(learner) == ["asked", "consented", "withdrawn"]
    assert CoachingConsent.objects.get(user=learner).status == Status.WITHDRAWN
