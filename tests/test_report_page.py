"""The page of the report: who may see it, on whom, how old it is, its files, and what it says where nothing is."""

import csv
import io
from datetime import timedelta
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Permission
from django.core.cache import cache, caches
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from freezegun import freeze_time

from coaching_plugin import reports
from coaching_plugin.models import CoachedCourse, CoachingConsent, ConsentEvent, EligibleCount
from coaching_plugin.reports import snapshot
from tests import factories
from tests.factories import LIST1, MB101, PROGRAM_UUID
from tests.test_reports import asked_learner
from tests.test_rest_api import stored

pytestmark = pytest.mark.once

PATH = "/coaching/report/"
TABLES = ["funnel", "weeks", "delays", "refusals", "persistence", "first_ten"]


def client_of(*permissions, **fields):
    account = factories.user(**fields)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(enforce_csrf_checks=True)
    client.force_login(account)
    return client


@pytest.fixture
def staff(coached):
    """A browser of somebody who may see the report."""
    return client_of("view_report", is_staff=True)


@pytest.fixture
def asked(coached):
    """Twenty learners who consented last week."""
    for second in range(20):
        asked_learner(timezone.now() - timedelta(weeks=1), ("refused", 2, "phone_type"), ("consented", 5 + second))


def page_of(response, status=200):
    assert response.status_code == status
    return BeautifulSoup(response.content, "html.parser").main


def recount(client, **data):
    token = client.get("/csrf/api/v1/token").json()["csrfToken"]
    return client.post(PATH, data, headers={"X-CSRFToken": token})


# Who may see it


def test_whoever_is_not_logged_in_logs_in_and_comes_back(coached):
    response = Client().get(PATH, {"course": str(MB101)})
    assert response.status_code == 302
    assert response["Location"] == "/login?next=/coaching/report/%3Fcourse%3Dcourse-v1%253ADemoX%252BMB101%252B2026"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("permissions", "fields"),
    [
        ([], {}),
        ([], {"is_staff": True}),
        (["view_report"], {}),
        (["view_coachingconsent", "export_roster"], {"is_staff": True}),
        (["view_report"], {"is_staff": True, "is_active": False}),
    ],
    ids=["a learner", "staff", "no staff", "another permission", "inactive"],
)
def test_nobody_else_may_see_it(coached, method, permissions, fields):
    client = client_of(*permissions, **fields)
    response = client.get(PATH) if method == "get" else recount(client)
    assert response.status_code == 403
    assert b"Coaching report" not in response.content


def test_a_superuser_may(coached):
    page_of(client_of(is_staff=True, is_superuser=True).get(PATH))


def test_it_is_there_while_coaching_is_off(staff, asked, set_flag):
    set_flag("coaching.enabled", False)
    assert "100.0% of the learners consent. The goal of 60.0% is reached." in page_of(staff.get(PATH)).get_text()


def test_looking_changes_nothing(staff, asked):
    before = stored()
    for query in ({}, {"course": str(MB101)}, {"table": "weeks", "format": "csv"}):
        staff.get(PATH, query)
    assert stored() == before
    assert not EligibleCount.objects.exists()


def test_it_is_kept_by_no_browser_and_told_to_no_other_site(staff, settings):
    settings.X_FRAME_OPTIONS = "DENY"
    for response in (staff.get(PATH), staff.get(PATH, {"table": "weeks", "format": "csv"})):
        assert "no-store" in response["Cache-Control"]
        assert response["X-Frame-Options"] == "DENY"
    assert staff.get(PATH)["Referrer-Policy"] == "same-origin"


def test_no_script_stands_in_the_page_and_none_comes_from_elsewhere(staff, asked):
    """So that the strictest policy of a site for its content lets it be."""
    page = BeautifulSoup(staff.get(PATH).content, "html.parser")
    assert {script.get("type") for script in page.main.select("script")} == {"application/json"}
    assert not page.main.select("style, iframe, object, embed, [style]")
    elements = page.select("head script, head link[href*=coaching]")
    sources = [element.get("src") or element["href"] for element in elements]
    assert len(sources) == 4
    assert all(source.startswith("/static/coaching_plugin/") for source in sources)


# On whom


def test_a_program_and_a_course_run_have_reports_of_their_own(staff, asked):
    for second in range(12):
        asked_learner(timezone.now() - timedelta(weeks=2), ("declined", 5 + second), key=LIST1)
    page = page_of(staff.get(PATH))
    for key, words in ((str(PROGRAM_UUID), "20"), (str(LIST1), "12")):
        (link,) = [link["href"] for link in page.select(".coaching-table a") if key in unquote(link["href"])]
        assert page_of(staff.get(PATH + link)).select_one("#table-funnel tbody td").get_text() == words


def test_a_plus_sign_that_nobody_encoded_is_understood(staff, asked):
    for written in ("course-v1:DemoX+MB101+2026", "course-v1%3ADemoX%2BMB101%2B2026"):
        page = page_of(staff.get(f"{PATH}?course={written}"))
        assert page.select_one(".coaching-lead").get_text() == str(MB101)


@pytest.mark.parametrize(
    "query",
    [
        "course=course-v1:DemoX%2BPLAIN%2B2026", "course=nonsense", "course=%00", "course=%27%3BDROP",
        "course=library-v1:X%2BY", "program=nonsense", "program=00000000-0000-4000-8000-000000000000", "program=None",
        f"program={PROGRAM_UUID}&course=course-v1:DemoX%2BMB101%2B2026",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_not_coached_has_no_report(staff, method, query):
    if method == "get":
        response = staff.get(f"{PATH}?{query}")
    else:
        response = recount(staff, **dict(part.split("=") for part in query.split("&")))
    assert "There is no such program or course run" in page_of(response, 404).get_text()


# How old it is


def test_it_says_as_of_when_and_keeps_for_minutes(staff, asked):
    first = page_of(staff.get(PATH)).time["datetime"]
    asked_learner(timezone.now() - timedelta(days=1))
    with CaptureQueriesContext(connection) as queries:
        assert page_of(staff.get(PATH)).time["datetime"] == first
    assert not [query for query in queries if "coaching_plugin" in query["sql"]]
    cache.clear()
    assert page_of(staff.get(PATH)).time["datetime"] > first


@pytest.mark.parametrize(("is_nightly", "expected"), [(True, 26 * 3600), (False, 600)], ids=["nightly", "on demand"])
def test_what_is_counted_anew_lasts_as_long_as_what_it_replaces(staff, asked, is_nightly, expected):
    """Else whoever opens the report of a large site after that waits for it."""
    with freeze_time(timezone.now()) as clock:
        if is_nightly:
            call_command("compute_coaching_report", stdout=io.StringIO())
        else:
            staff.get(PATH)
        clock.tick(60)
        assert recount(staff).status_code == 302
        counted_at = page_of(staff.get(PATH)).time["datetime"]
        clock.tick(expected - 1)
        assert page_of(staff.get(PATH)).time["datetime"] == counted_at
        clock.tick(2)
        assert page_of(staff.get(PATH)).time["datetime"] > counted_at


def test_the_time_is_in_utc_whatever_the_platform_has(staff, monkeypatch, settings):
    settings.TIME_ZONE = "Pacific/Kiritimati"
    report = snapshot.get(reports.Scope())
    monkeypatch.setattr(snapshot, "get", lambda scope: {**report, "computed_at": "2026-11-25T15:07:00+00:00"})
    assert "As of Nov. 25, 2026, 3:07 p.m., UTC." in page_of(staff.get(PATH)).get_text()


SCOPES = [{}, {"program": str(PROGRAM_UUID)}, {"course": str(MB101)}]


@pytest.mark.parametrize("data", SCOPES, ids=["all", "program", "run"])
def test_it_is_counted_anew_once_in_five_minutes(staff, asked, data):
    def consented():
        return page_of(staff.get(PATH, data)).select_one("#table-funnel tbody td:nth-of-type(4)").get_text()

    assert consented() == "20"
    asked_learner(timezone.now() - timedelta(days=1), ("consented", 5))
    assert consented() == "20"
    response = recount(staff, **data)
    assert response.status_code == 302
    assert staff.get(response["Location"]).status_code == 200
    assert consented() == "21"
    asked_learner(timezone.now() - timedelta(days=1), ("consented", 5))
    page = page_of(recount(staff, **data), 429)
    assert "less than five minutes ago" in page.select_one("[role=alert]").get_text()
    assert consented() == "21"


def test_counting_that_failed_may_be_tried_again_at_once(staff, asked, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(reports.funnel, "count", lambda *args: 1 / 0)
        page_of(recount(staff), 503)
    assert recount(staff).status_code == 302


def test_no_other_site_can_have_it_counted(staff, asked, monkeypatch):
    monkeypatch.setattr(snapshot, "count_anew", lambda scope: pytest.fail("it was counted"))
    assert staff.post(PATH).status_code == 403
    assert staff.post(PATH, headers={"X-CSRFToken": "x" * 64}).status_code == 403


def test_without_a_cache_it_is_there_all_the_same(staff, asked, monkeypatch, caplog):
    for name in ("get", "set", "add", "delete"):
        monkeypatch.setattr(caches["default"], name, _away)
    assert "100.0% of the learners consent" in page_of(staff.get(PATH)).get_text()
    assert "could not be read" in caplog.text
    assert recount(staff).status_code == 302


def _away(*args, **kwargs):
    raise ConnectionError("the cache is away")


# Where it fails


def test_a_report_that_fails_says_so_and_logs_why(staff, monkeypatch, caplog):
    monkeypatch.setattr(reports.funnel, "count", lambda *args: [][len("a phone number: +14155552671")])
    page = page_of(staff.get(PATH), 503)
    assert "The report could not be counted." in page.get_text()
    assert "the coaching report failed: IndexError" in caplog.text


# Its files


@pytest.mark.parametrize("name", TABLES)
def test_each_table_is_a_file(staff, asked, name):
    link = page_of(staff.get(PATH)).select_one(f"a[href*='table={name}']")
    response = staff.get(PATH + link["href"])
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="coaching-{name}-{timezone.now():%Y-%m-%d}.csv"'
    assert response.content.count(b"\r\n") == response.content.count(b"\n")
    header, *rows = csv.reader(io.StringIO(response.content.decode()))
    assert rows
    assert {len(row) for row in rows} == {len(header)}
    assert all(column.isidentifier() for column in header)


def test_a_file_is_the_same_in_every_language(staff, asked):
    for name in TABLES:
        answers = {
            staff.get(PATH, {"table": name, "format": "csv"}, headers={"Accept-Language": language}).content
            for language in ("en", "ar", "es-419")
        }
        assert len(answers) == 1


def test_a_file_is_of_the_scope(staff, asked):
    query = {"course": str(MB101), "table": "funnel", "format": "csv"}
    rows = list(csv.DictReader(io.StringIO(staff.get(PATH, query).content.decode())))
    assert [row["key"] for row in rows] == [str(MB101)]
    assert rows[0]["consented"] == "20"


TITLES = ["=1+1", '=HYPERLINK("http://evil.example.com")', "@x", " +1", 'say "hi", all', "ä\nb"]


@pytest.mark.parametrize("title", TITLES)
def test_no_spreadsheet_runs_a_title(staff, asked, title):
    CoachedCourse.objects.filter(program_uuid=PROGRAM_UUID).update(program_title=title)
    content = staff.get(PATH, {"table": "funnel", "format": "csv"}).content.decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    (found,) = {row["title"] for row in rows if row["title"]}
    assert found.replace("'", "") == title
    assert found[0] not in "=@ "


NO_FILES = ["table=weeks", "format=csv", "table=users&format=csv", "table=weeks&format=xls"]


@pytest.mark.parametrize("query", NO_FILES)
def test_what_is_no_file_is_not_found(staff, query):
    assert staff.get(f"{PATH}?{query}").status_code == 404


def test_a_title_is_text_in_the_page_and_in_its_data(staff, asked):
    CoachedCourse.objects.filter(program_uuid=PROGRAM_UUID).update(program_title="</script><script>alert(1)</script>")
    content = staff.get(PATH).content.decode()
    assert "<script>alert" not in content
    assert "&lt;script&gt;alert(1)" in content


# The first ten


@pytest.mark.parametrize("may_see", [True, False])
def test_a_learner_is_linked_for_those_alone_who_may_see_consents(coached, may_see):
    account = asked_learner(timezone.now() - timedelta(weeks=1), ("consented", 5))
    client = client_of("view_report", *(["view_coachingconsent"] if may_see else []), is_staff=True)
    response = client.get(PATH)
    links = [link["href"] for link in page_of(response).select("#table-first_ten a")]
    assert links == ([f"/admin/coaching_plugin/coachingconsent/learner/{account.pk}/"] if may_see else [])
    assert b"user_id" not in client.get(PATH, {"table": "first_ten", "format": "csv"}).content


def test_the_first_ten_say_what_went_wrong_in_words(staff):
    asked_learner(timezone.now() - timedelta(weeks=1), ("refused", 5, "phone_type", "name_missing"), ("declined", 9))
    asked_learner(timezone.now() - timedelta(days=2), ("consented", 9))
    asked_learner(timezone.now() - timedelta(days=1))
    page = page_of(staff.get(PATH))
    assert "Of the 3 learners asked first, 1 answered without an error." in page.get_text()
    cells = [[cell.get_text() for cell in row.select("td")][1:] for row in page.select("#table-first_ten tbody tr")]
    assert cells == [
        [
            "Was refused (Phone number that cannot receive text messages, No name); Said no",
            "Answered, after an error",
        ],
        ["Said yes", "Answered without an error"],
        ["–", "No answer yet"],
    ]


# Where nothing is


def test_where_nothing_is_coached_it_says_so(db):
    page = page_of(client_of("view_report", is_staff=True).get(PATH))
    assert "No course run is coached yet" in page.get_text()
    assert not page.select("table")


def test_where_nobody_was_asked_it_says_so(staff, flags):
    for _ in range(12):
        factories.eligible_learner()
    page = page_of(staff.get(PATH))
    assert "Nobody has been asked yet." in page.get_text()
    assert page.select_one("#table-funnel tbody td").get_text() == "12"
    assert not page.select("#table-weeks")


def test_it_says_what_it_does_not_tell(staff, asked):
    text = page_of(staff.get(PATH)).get_text()
    assert "This is no experiment" in text
    assert "Satisfaction is not measured here" in text
    assert "Where the page itself failed, the log of the LMS says so" in text


def test_the_goal_is_the_operators(staff, asked, settings):
    settings.COACHING_CONSENT_GOAL = 1
    CoachingConsent.objects.filter(pk=CoachingConsent.objects.first().pk).update(status="withdrawn")
    assert "95.0% of the learners consent. The goal is 100.0%." in page_of(staff.get(PATH)).get_text()


def test_the_ledger_is_in_the_report_and_not_in_its_address(staff, asked):
    assert ConsentEvent.objects.count() == 60
    for link in page_of(staff.get(PATH)).select("a[href^='?']"):
        names = {part.split("=")[0] for part in link["href"][1:].split("&")}
        assert names <= {"program", "course", "table", "format"}
