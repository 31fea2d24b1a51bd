"""The roster over the API: who may read it, its pages, what has changed, and in which form."""

import csv
import io
import threading
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from django.conf import settings as lms_settings
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from edx_rest_framework_extensions.auth.jwt.decoder import jwt_decode_handler
from freezegun import freeze_time
from openedx.core.djangoapps.oauth_dispatch.jwt import create_jwt_for_user

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent
from coaching_plugin.partner import roster
from coaching_plugin.rest_api.v1.roster import COMMITTED_WITHIN, RosterPagination, RosterRateThrottle
from tests import factories
from tests.cost import plan_of
from tests.factories import NUMBER, OTHER_TYPED, TYPED, evidence
from tests.fixtures_sandbox import seed
from tests.partner_learners import consent_many
from tests.test_rest_api import assert_refused, statements

pytestmark = pytest.mark.usefixtures("committed")

ROSTER = "/api/coaching/v1/partner/roster/"
TOKENS = "/oauth2/access_token"
CREDENTIALS = {"grant_type": "client_credentials", "client_id": "coach_api", "client_secret": "edx"}


def permission():
    return Permission.objects.get(content_type__app_label="coaching_plugin", codename="export_roster")


def token_of_service(**fields):
    answer = Client().post(TOKENS, CREDENTIALS | fields)
    assert answer.status_code == 200, answer.content
    return answer.json()["access_token"]


def with_jwt(token):
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"JWT {token}"})


@pytest.fixture
def account(db):
    """A service account that an operator gave the permission."""
    account = factories.user(name="", username="partners_account")
    account.user_permissions.add(permission())
    return account


@pytest.fixture
def partner(account):
    """A program of the partner's, with a token."""
    return with_jwt(create_jwt_for_user(account))


@pytest.fixture
def person(account):
    """The same account in a browser: a session lasts longer than a token, when clocks are turned."""
    client = Client()
    client.force_login(account)
    return client


def get(client, expected=200, headers=None, **query):
    response = client.get(ROSTER, query, headers=headers)
    assert response.status_code == expected, response.content
    return response


def page(client, **query):
    return get(client, **query).json()


def refusal(client, status, headers=None, **query):
    return assert_refused(client.get(ROSTER, query, headers=headers), status)


def walk(client, **query):
    """Return all results, page by page, as a client follows the links."""
    answer, results = page(client, **query), []
    for _ in range(1_000):
        results += answer["results"]
        if answer["next"] is None:
            return results
        answer = client.get(answer["next"]).json()
    raise AssertionError("the pages do not end")


def agree(learner):
    assert not consent.give(learner, TYPED, None, evidence()).is_refused
    return CoachingConsent.objects.get(user=learner)


def ids(results):
    return [entry["partner_id"] for entry in results]


def rows_in_order(*columns):
    return [str(row) for row in CoachingConsent.objects.order_by(*columns).values_list("partner_id", flat=True)]


# Who may read it


def test_the_service_account_of_the_demo_reads_it_with_a_token_of_the_lms(db):
    seed()
    client = with_jwt(token_of_service(token_type="jwt"))
    results = page(client)["results"]
    assert {entry["status"] for entry in results} == {"consented"}
    assert {entry["phone_number"] for entry in results} == {NUMBER}


def test_the_bearer_token_of_the_same_account_will_do(db):
    seed()
    client = Client(headers={"Authorization": f"Bearer {token_of_service()}"})
    assert page(client)["results"]


def test_a_token_of_a_restricted_application_will_not_do(db):
    seed()
    claims = jwt_decode_handler(token_of_service(token_type="jwt"))
    for is_restricted, expected in [(False, 200), (True, 403)]:
        token = jwt.encode(
            {**claims, "is_restricted": is_restricted}, lms_settings.JWT_PRIVATE_SIGNING_KEY, algorithm="RS512"
        )
        get(with_jwt(token), expected)


def test_a_token_that_somebody_else_signed_will_not_do(db):
    seed()
    head, body, signature = token_of_service(token_type="jwt").split(".")
    refusal(with_jwt(f"{head}.{body}.{signature[::-1]}"), 401)


def test_nobody_else_reads_it(learner):
    staff = factories.user(is_staff=True)
    refusal(Client(), 401)
    for user in (learner, staff):
        client = Client()
        client.force_login(user)
        refusal(client, 403)


def test_a_person_with_the_permission_may_look(learner):
    agree(learner)
    group = Group.objects.create(name="coaches")
    group.permissions.add(permission())
    person = factories.user()
    person.groups.add(group)
    client = Client()
    client.force_login(person)
    assert len(page(client)["results"]) == 1


def test_an_inactive_account_may_not(account, partner):
    User.objects.filter(pk=account.pk).update(is_active=False)
    refusal(partner, 403)


def test_it_depends_on_no_flag(learner, partner, set_flag):
    agree(learner)
    for part in ("enabled", "course_redirect", "dashboard_card", "account_settings"):
        set_flag(f"coaching.{part}", False)
    assert len(page(partner)["results"]) == 1


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_for_reading(partner, method):
    assert_refused(getattr(partner, method)(ROSTER, content_type="application/json"), 405)


def test_it_is_kept_by_no_cache(partner):
    assert "no-store" in get(partner).headers["Cache-Control"]


def test_a_program_that_goes_round_in_circles_is_stopped(learner, partner, monkeypatch, settings):
    settings.COACHING_API_THROTTLE = "1/minute"
    monkeypatch.setattr(RosterRateThrottle, "get_rate", lambda self: "3/minute")
    for _ in range(3):
        get(partner)
    assert int(get(partner, 429).headers["Retry-After"]) > 0


# A page


def test_an_entry_tells_what_the_partner_may_know_and_no_more(learner, partner):
    row = agree(learner)
    (entry,) = page(partner)["results"]
    assert entry == roster.entry_of(row.partner_id).as_json()
    assert entry.keys() == {
        "partner_id", "sequence", "status", "full_name", "phone_number", "email", "language", "programs",
        "consented_at", "disclosure_version",
    }  # fmt: skip


def test_pages_lead_on_and_back(coached, partner):
    consent_many(25)
    first = page(partner, page_size=10)
    second = partner.get(first["next"]).json()
    third = partner.get(second["next"]).json()
    assert first["previous"] is third["next"] is None
    assert ids(first["results"] + second["results"] + third["results"]) == rows_in_order("pk")
    assert partner.get(second["previous"]).json()["results"] == first["results"]
    assert partner.get(third["previous"]).json()["results"] == second["results"]


@pytest.mark.parametrize(("asked", "given"), [({}, 100), ({"page_size": 7}, 7), ({"page_size": "9" * 5000}, 1000)])
def test_the_size_of_a_page(coached, partner, asked, given):
    consent_many(1_001)
    assert len(page(partner, **asked)["results"]) == given


@pytest.mark.parametrize("size", ["0", "-1", "x", "", "1.5", " 5", "0000000000100", "\u0663"])
def test_a_size_that_is_none_is_refused(partner, size):
    assert "page_size" in refusal(partner, 400, page_size=size)["detail"]


def test_nobody_is_missed_while_learners_come_and_go(coached, flags, partner):
    learners = [factories.eligible_learner() for _ in range(6)]
    stay = [agree(learner) for learner in learners]
    first = page(partner, page_size=2)
    consent.decline(learners[0], evidence())
    consent.decline(learners[4], evidence())
    late = agree(factories.eligible_learner())
    rest = walk_on(partner, first)
    assert ids(first["results"]) + ids(rest) == [str(row.partner_id) for row in (*stay[:4], stay[5], late)]


def walk_on(client, answer):
    results = []
    while answer["next"]:
        answer = client.get(answer["next"]).json()
        results += answer["results"]
    return results


CURSORS = {
    "another order's": "p=2026-11-27 00:00:00+00:00",
    "a word": "p=drop",
    "a number too large": "p=" + "9" * 40,
    "a number below all": "p=-1",
    "a letter of another script": "p=\u0663",
}


@pytest.mark.parametrize("cursor", CURSORS.values(), ids=CURSORS)
def test_a_cursor_that_is_none_is_refused(partner, cursor):
    refusal(partner, 404, cursor=b64encode(cursor.encode()).decode())
    refusal(partner, 404, cursor=cursor)


@pytest.mark.parametrize("position", ["12", "2026-11-27", "0001-01-01 00:00:00+14:00", "2026-13-27 00:00:00+00:00"])
def test_a_cursor_of_another_order_is_refused(partner, position):
    cursor = b64encode(urlencode({"p": position}).encode()).decode()
    refusal(partner, 404, cursor=cursor, changed_since="2026-01-01T00:00:00Z")


def test_an_offset_past_everything_is_an_empty_page(learner, partner):
    agree(learner)
    for offset in ("1", "9" * 30):
        cursor = b64encode(urlencode({"o": offset}).encode()).decode()
        assert page(partner, cursor=cursor)["results"] == []


# What has changed


def test_who_left_comes_as_a_tombstone_to_who_asks_for_changes(coached, flags, partner):
    learners = [factories.eligible_learner() for _ in range(5)]
    with freeze_time("2026-11-01"):
        old, moved, withdrawn, erased, _ = rows = [agree(learner) for learner in learners]
    with freeze_time("2026-11-02 12:00"):
        consent.change_phone(learners[1], OTHER_TYPED, evidence())
        consent.decline(learners[2], evidence())
        consent.erase(learners[3], evidence())
    results = page(partner, changed_since="2026-11-02T00:00:00Z")["results"]
    assert [(entry["partner_id"], entry["status"]) for entry in results] == [
        (str(moved.partner_id), "consented"),
        (str(withdrawn.partner_id), "withdrawn"),
        (str(erased.partner_id), "erased"),
    ]
    assert results[1] == {"partner_id": str(withdrawn.partner_id), "sequence": 2, "status": "withdrawn"}
    assert ids(page(partner)["results"]) == [str(row.partner_id) for row in (old, moved, rows[4])]


def test_of_who_never_agreed_nothing_is_told(learner, partner):
    consent.decline(learner, evidence())
    assert page(partner, changed_since="2000-01-01T00:00:00Z")["results"] == []


def test_a_change_at_the_very_moment_is_told(learner, partner):
    with freeze_time("2026-11-02 12:00:00.123456"):
        agree(learner)
    told = {
        "2026-11-02T12:00:00.123456Z": 1,
        "2026-11-02T12:00:00.123457Z": 0,
        "2026-11-02T14:00:00.123456+02:00": 1,
        "2026-11-02T10:00:00.123457-02:00": 0,
    }
    assert {since: len(page(partner, changed_since=since)["results"]) for since in told} == told


def test_changes_come_in_their_order_page_by_page(coached, partner):
    consent_many(30)
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    for number, row in enumerate(CoachingConsent.objects.order_by("-pk")):
        # Of some, more than a page holds at once.
        CoachingConsent.objects.filter(pk=row.pk).update(changed_at=moment + timedelta(seconds=number // 12))
    results = walk(partner, changed_since="2026-01-01T00:00:00Z", page_size=5)
    assert ids(results) == rows_in_order("changed_at", "pk")


def test_however_many_change_in_one_moment_none_is_left_out(coached, partner):
    consent_many(1_250, changed_at=datetime(2026, 11, 1, tzinfo=UTC))
    results = walk(partner, changed_since="2026-01-01T00:00:00Z", page_size=200)
    assert ids(results) == rows_in_order("pk")


MALFORMED = {
    "a day": "2026-11-27",
    "without an offset": "2026-11-27T09:30:00",
    "a month too many": "2026-13-27T09:30:00Z",
    "a plus sign that became a blank": "2026-11-27T09:30:00 00:00",
    "before all time": "0001-01-01T00:00:00+14:00",
    "after all time": "9999-12-31T23:59:59-14:00",
    "words": "yesterday",
    "nothing": "",
}


@pytest.mark.parametrize("name", ["changed_since", "as_of"])
@pytest.mark.parametrize("moment", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("form", [{}, {"format": "csv"}])
def test_a_moment_that_is_none_is_refused(partner, name, moment, form):
    body = refusal(partner, 400, **{name: moment}, **form)
    assert name in body["detail"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_farthest_moments_are_moments(learner, partner, moment):
    agree(learner)
    assert len(page(partner, changed_since=moment)["results"]) == (moment < "2000")


# As of when


def test_what_to_ask_for_next_time_is_safely_in_the_past(person):
    with freeze_time("2026-11-27 09:30:00.5"):
        answer = page(person)
    assert answer["as_of"] == "2026-11-27T09:25:00.500000Z"
    assert answer["results"] == []


def test_all_pages_tell_when_the_walk_began(coached, person):
    consent_many(3)
    with freeze_time("2026-11-27 09:30") as clock:
        first = page(person, page_size=1)
        clock.tick(timedelta(hours=1))
        second = person.get(first["next"]).json()
        clock.tick(timedelta(hours=1))
        third = person.get(second["next"]).json()
        back = person.get(third["previous"]).json()
    assert {answer["as_of"] for answer in (first, second, third, back)} == {"2026-11-27T09:25:00Z"}


def test_nobody_can_be_told_of_a_moment_that_is_not_past(person):
    with freeze_time("2026-11-27 09:30"):
        assert page(person, as_of="2026-11-27T09:30:00Z")["as_of"] == "2026-11-27T09:25:00Z"


@pytest.mark.skipif(
    connection.vendor != "mysql", reason="two transactions at once are wanted; the MariaDB run has them"
)
def test_a_change_that_is_not_committed_yet_is_told_the_next_time(learner, partner):
    changed, may_commit = threading.Event(), threading.Event()

    def agree_slowly():
        try:
            with transaction.atomic():
                agree(learner)
                changed.set()
                assert may_commit.wait(30)
        finally:
            connection.close()

    other = threading.Thread(target=agree_slowly)
    other.start()
    try:
        assert changed.wait(30)
        answer = page(partner)
        assert answer["results"] == page(partner, changed_since=answer["as_of"])["results"] == []
    finally:
        may_commit.set()
        other.join()
    row = CoachingConsent.objects.get(user=learner)
    assert row.changed_at < timezone.now()
    assert ids(page(partner, changed_since=answer["as_of"])["results"]) == [str(row.partner_id)]


def test_the_margin_outlasts_a_wait_for_a_lock():
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@innodb_lock_wait_timeout")
            (seconds,) = cursor.fetchone()
            assert timedelta(seconds=2 * seconds) < COMMITTED_WITHIN
    assert timedelta(minutes=2) < COMMITTED_WITHIN < timedelta(hours=1)


# CSV


def csv_of(response):
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))


@pytest.mark.parametrize("asked", [{"format": "csv"}, {"headers": {"Accept": "text/csv"}}], ids=["format", "accept"])
def test_it_comes_as_csv_to_who_wants_it(learner, partner, asked):
    row = agree(learner)
    consent.change_phone(learner, TYPED, evidence())
    response = get(partner, **asked)
    entry = page(partner)["results"][0]
    assert csv_of(response) == [
        {**{name: str(value) for name, value in entry.items()}, "programs": "Demo MicroBachelors"}
    ]
    assert response.content.splitlines()[1].startswith(str(row.partner_id).encode())
    assert "no-store" in response.headers["Cache-Control"]


def test_a_tombstone_in_csv_is_empty_but_for_three_cells(learner, partner):
    agree(learner)
    consent.decline(learner, evidence())
    (row,) = csv_of(get(partner, format="csv", changed_since="2026-01-01T00:00:00Z"))
    assert {name for name, cell in row.items() if cell} == {"partner_id", "sequence", "status"}


def test_csv_pages_are_walked_by_a_header(coached, partner):
    consent_many(5)
    response, read = get(partner, format="csv", page_size=2), []
    as_of = response.headers["Coaching-As-Of"]
    while True:
        read += [row["partner_id"] for row in csv_of(response)]
        links = dict(reversed(link.split("; ")) for link in response.headers["Link"].split(", "))
        assert response.headers["Coaching-As-Of"] == as_of
        if 'rel="next"' not in links:
            break
        response = partner.get(links['rel="next"'].strip("<>"))
    assert read == rows_in_order("pk")
    assert 'rel="prev"' in links
    assert parse_datetime(as_of) < timezone.now()


def test_json_unless_csv_is_asked_for(partner):
    for accept in ("*/*", "application/json", "text/*;q=0.1, application/json"):
        assert get(partner, headers={"Accept": accept}).headers["Content-Type"] == "application/json"
    refusal(partner, 406, headers={"Accept": "application/xml"})
    refusal(partner, 404, format="xml")


def test_the_format_may_be_asked_for_though_the_platform_turns_that_off(partner, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "URL_FORMAT_OVERRIDE": None}
    assert csv_of(get(partner, format="csv")) == []
    assert page(partner, format="json")["results"] == []
    refusal(partner, 404, format="xml")


def test_a_refusal_is_json_to_who_wants_csv(learner):
    client = Client()
    client.force_login(learner)
    for asked in ({"format": "csv"}, {"headers": {"Accept": "text/csv"}}):
        refusal(client, 403, **asked)
        refusal(Client(), 401, **asked)


def test_what_the_resource_is_is_told_in_json(partner):
    response = partner.options(ROSTER)
    assert response.status_code == 200
    assert response.json()["renders"] == ["application/json", "text/csv"]
    assert partner.options(ROSTER, headers={"Accept": "text/csv"}).status_code == 406


# What it costs


@pytest.fixture
def ten_thousand(coached):
    consent_many(10_000)


def queries_of(client, path, django_assert_max_num_queries):
    with django_assert_max_num_queries(20) as queries:
        assert client.get(path).status_code == 200
    return statements(queries.captured_queries)


def about_the_roster(queries):
    return [sql for sql in queries if "coaching_plugin_" in sql]


def test_a_page_takes_two_queries_wherever_it_is(ten_thousand, partner, django_assert_max_num_queries):
    for query in ("page_size=1000", "changed_since=2026-01-01T00:00:00Z&page_size=1000"):
        answer = partner.get(f"{ROSTER}?{query}").json()
        for _ in range(4):
            queries = queries_of(partner, answer["next"], django_assert_max_num_queries)
            # Who is calling; what is allowed to the account, and to its groups; the rows; their programs.
            assert len(queries) == 5, queries
            assert len(about_the_roster(queries)) == 2, queries
            answer = partner.get(answer["next"]).json()


def test_ten_thousand_are_walked(ten_thousand, partner):
    for query in ({}, {"changed_since": "2026-01-01T00:00:00Z"}):
        results = walk(partner, page_size=1000, **query)
        assert len(results) == len(set(ids(results))) == 10_000


@pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's optimizer is asked; the MariaDB run does")
def test_a_page_is_read_by_an_index(ten_thousand, partner, django_assert_max_num_queries):
    oldest = CoachingConsent.objects.order_by("pk").values_list("pk", flat=True)[:9_000]
    CoachingConsent.objects.filter(pk__in=list(oldest)).update(status="withdrawn")
    spread_changes()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE coaching_plugin_coachingconsent, student_courseenrollment, auth_user")
        cursor.fetchall()
    since = (timezone.now() - timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for query in ("", f"changed_since={since}"):
        first = partner.get(f"{ROSTER}?page_size=100&{query}").json()
        for address in (f"{ROSTER}?page_size=100&{query}", first["next"]):
            rows, programs = about_the_roster(queries_of(partner, address, django_assert_max_num_queries))
            read = plan_of(rows)[0]
            assert read["table"] == "coaching_plugin_coachingconsent"
            assert read["key"] in ({"coaching_consent_changed"} if query else {"PRIMARY", "coaching_consent_status"})
            for step in plan_of(rows):
                assert "filesort" not in (step["Extra"] or ""), plan_of(rows)
                assert "temporary" not in (step["Extra"] or ""), plan_of(rows)
            assert all(step["key"] for step in plan_of(programs)), plan_of(programs)


def spread_changes():
    """Have the changes lie a second apart, the newest now."""
    now = timezone.now()
    rows = list(CoachingConsent.objects.order_by("pk").only("pk"))
    for number, row in enumerate(rows):
        row.changed_at = now - timedelta(seconds=len(rows) - number)
    CoachingConsent.objects.bulk_update(rows, ["changed_at"], batch_size=1000)


def test_no_cursor_and_no_address_tells_of_a_person(coached, partner):
    consent_many(3)
    query = parse_qs(urlsplit(page(partner, page_size=1)["next"]).query)
    assert query.keys() == {"cursor", "page_size", "as_of"}


def test_the_page_is_read_after_the_moment_was_taken(learner, partner, monkeypatch):
    """What is committed between the two is in the page, or told the next time."""
    taken = []
    original = RosterPagination.paginate_queryset

    def agree_first(self, *args, **kwargs):
        taken.append(self.as_of)
        agree(learner)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(RosterPagination, "paginate_queryset", agree_first)
    assert len(page(partner)["results"]) == 1
    assert taken[0] < CoachingConsent.objects.get(user=learner).changed_at
