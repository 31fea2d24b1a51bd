"""What a CSV does to the coached course runs: all that it says, or nothing and a list of what is wrong with it."""

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, connections
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import coached_courses, course_csv
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.factories import LIST1, MB101, MB102, PLAIN, PROGRAM_UUID
from tests.test_concurrency import meanwhile

pytestmark = pytest.mark.django_db

IMPORT = reverse("admin:coaching_plugin_coachedcourse_import")
EXPORT = reverse("admin:coaching_plugin_coachedcourse_export")
CHANGELIST = reverse("admin:coaching_plugin_coachedcourse_changelist")
Source = CoachedCourse.Source

UNKNOWN = "The LMS knows no course run with this key."
MALFORMED = "This is not the key of a course run."
NO_CSV = "From here on this is no CSV: a quotation mark stands where none may, or is missing at the end."


@pytest.fixture(autouse=True)
def _known_to_the_lms(db):
    for key in (MB101, MB102, LIST1, PLAIN):
        factories.overview(key)


@pytest.fixture
def admin():
    client = Client()
    client.force_login(User.objects.create_superuser("operator", "operator@example.com", "edx"))
    return client


def upload(client, content, **more):
    if isinstance(content, str):
        content = content.encode()
    return client.post(IMPORT, {"file": SimpleUploadedFile("runs.csv", content)}, **more)


def lines(*of, header="course_key"):
    return "\r\n".join([header, *map(str, of), ""])


def imported(client, content):
    """Upload what is to be taken, and return what the list then says."""
    response = upload(client, content, follow=True)
    assert response.redirect_chain, response.context["problems"] or response.context["form"].errors
    ((text),) = [str(message) for message in response.context["messages"]]
    return text


def refused(client, content):
    """Upload what is not to be taken, and return the problems that the page shows, by line."""
    before = table()
    response = upload(client, content)
    assert response.status_code == 200
    assert table() == before
    assert not LogEntry.objects.exists()
    return [(problem.line, problem.what) for problem in response.context["problems"]]


def table():
    return list(CoachedCourse.objects.order_by("course_key").values())


def stored():
    return {
        row.course_key: (row.program_title, row.program_uuid, row.active, row.source)
        for row in CoachedCourse.objects.all()
    }


# What is taken


def test_a_list_of_keys_is_all_it_takes(admin):
    assert imported(admin, lines(MB101, LIST1)) == "Imported: 2 added, 0 updated, 0 unchanged."
    assert stored() == dict.fromkeys((MB101, LIST1), ("", None, True, Source.OPERATOR))
    assert coached_courses.is_coached(MB101)


def test_every_column_may_stand_anywhere(admin):
    header = " Active ,PROGRAM_UUID,course_key,program_title"
    words = [f"no,{PROGRAM_UUID},{MB101},Statistics", f"TRUE,, {MB102} ,", f'1,{PROGRAM_UUID.hex},{LIST1},"a, ""b"""']
    assert imported(admin, lines(*words, header=header)) == "Imported: 3 added, 0 updated, 0 unchanged."
    assert stored() == {
        MB101: ("Statistics", PROGRAM_UUID, False, Source.OPERATOR),
        MB102: ("", None, True, Source.OPERATOR),
        LIST1: ('a, "b"', PROGRAM_UUID, True, Source.OPERATOR),
    }


@pytest.mark.parametrize(
    "content",
    [
        f"course_key\n{MB101}",
        f"\ufeffcourse_key\r\n{MB101}\r\n",
        f"course_key\r{MB101}\r",
        f'"course_key"\n"{MB101}"\n',
        f"\n\ncourse_key\n \n{MB101}\n\n\n",
        f"course_key,active\n,\n{MB101},yes\n,\n",
    ],
    ids=["no last line end", "as Excel saves it", "old line ends", "quoted", "blank lines", "empty rows"],
)
def test_it_may_be_written_in_any_way_that_a_spreadsheet_writes_it(admin, content):
    imported(admin, content)
    assert stored() == {MB101: ("", None, True, Source.OPERATOR)}


def test_what_is_there_is_overwritten_by_the_operators_word(admin):
    factories.coach_courses()
    assert coached_courses.is_coached(MB101)
    content = lines(
        f"{MB101},Other,false", f"{MB102},Demo MicroBachelors,true", header="course_key,program_title,active"
    )
    assert imported(admin, content) == "Imported: 0 added, 1 updated, 1 unchanged."
    assert stored() == {
        MB101: ("Other", PROGRAM_UUID, False, Source.OPERATOR),
        MB102: ("Demo MicroBachelors", PROGRAM_UUID, True, Source.CATALOG),
        LIST1: ("", None, True, Source.OPERATOR),
    }
    assert not coached_courses.is_coached(MB101), "this process knows at once"


def test_without_the_column_whatever_is_listed_is_active(admin):
    CoachedCourse.objects.create(course_key=MB101, active=False, program_title="Kept")
    assert imported(admin, lines(MB101)) == "Imported: 0 added, 1 updated, 0 unchanged."
    assert stored() == {MB101: ("Kept", None, True, Source.OPERATOR)}


def test_an_empty_cell_empties(admin):
    factories.coach_courses()
    imported(admin, lines(f"{MB101},,", header="course_key,program_title,program_uuid"))
    assert stored()[MB101] == ("", None, True, Source.OPERATOR)


def test_a_run_that_is_gone_from_the_lms_can_be_switched_off(admin):
    gone = CourseKey.from_string("course-v1:DemoX+GONE+2020")
    CoachedCourse.objects.create(course_key=gone)
    imported(admin, lines(f"{gone},false", header="course_key,active"))
    assert stored()[gone] == ("", None, False, Source.OPERATOR)


def test_the_history_of_each_row_says_who_imported_it(admin):
    CoachedCourse.objects.create(course_key=MB101, active=False)
    CoachedCourse.objects.create(course_key=LIST1)
    imported(admin, lines(MB101, MB102, LIST1))
    entries = {(entry.object_repr, entry.action_flag, entry.get_change_message()) for entry in LogEntry.objects.all()}
    said = "Imported from a CSV."
    assert entries == {(str(MB101), CHANGE, said), (str(MB102), ADDITION, said)}
    row = CoachedCourse.objects.get(course_key=MB102)
    history = admin.get(reverse("admin:coaching_plugin_coachedcourse_history", args=[row.pk])).content.decode()
    assert said in history
    assert "operator" in history


# There and back


def test_what_is_downloaded_changes_nothing_when_it_is_imported(admin):
    factories.coach_courses()
    gone = CourseKey.from_string("course-v1:DemoX+GÖNE+2020")
    titles = {MB101: ' =1+1, "quoted"\r\nand\rmore\n', MB102: "الإحصاء", gone: "gone"}
    CoachedCourse.objects.create(course_key=gone, active=False)
    for key, title in titles.items():
        CoachedCourse.objects.filter(course_key=key).update(program_title=title)
    before = table()
    response = admin.get(EXPORT)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="coached-course-runs.csv"'
    assert response.content.startswith(b"\xef\xbb\xbfcourse_key,program_title,program_uuid,active\r\n")
    assert imported(admin, response.content) == "Imported: 0 added, 0 updated, 4 unchanged."
    assert table() == before
    CoachedCourse.objects.exclude(course_key=gone).delete()
    imported(admin, response.content)
    columns = ("course_key", "program_title", "program_uuid", "active")
    assert [[row[name] for name in columns] for row in table()] == [[row[name] for name in columns] for row in before]


def test_of_no_course_runs_the_download_is_the_header(admin):
    assert admin.get(EXPORT).content.decode("utf-8-sig") == "course_key,program_title,program_uuid,active\r\n"


# What is refused

LONG_KEY = f"course-v1:DemoX+{'M' * 300}+2026"
REFUSED = {
    "unknown": (lines("course-v1:DemoX+NONE+2026"), [(2, UNKNOWN)]),
    "another case": (lines(str(MB101).replace("MB", "mb")), [(2, UNKNOWN)]),
    "with a branch": (lines(f"{MB101}+branch@draft-branch"), [(2, UNKNOWN)]),
    "malformed": (lines("nonsense"), [(2, MALFORMED)]),
    "a course's key": (lines("DemoX+MB101"), [(2, MALFORMED)]),
    "a library": (lines("library-v1:DemoX+Shelf"), [(2, MALFORMED)]),
    "no key": (lines(",Statistics", header="course_key,program_title"), [(2, MALFORMED)]),
    "too long": (lines(LONG_KEY), [(2, MALFORMED)]),
    "twice": (lines(MB101, LIST1, MB101), [(4, "Line 2 has this course run already.")]),
    "twice, spelled differently": (lines(MB101, f" {MB101}  "), [(3, "Line 2 has this course run already.")]),
    "twice, in another case": (
        lines(MB101, str(MB101).replace("MB", "mb")),
        [(3, "Line 2 has this course run already.")],
    ),
    "three times": (lines(MB101, MB101, MB101), [(line, "Line 2 has this course run already.") for line in (3, 4)]),
    "a long title": (
        lines(f"{MB101},{'x' * 256}", header="course_key,program_title"),
        [(2, "program_title is longer than 255 characters.")],
    ),
    "no uuid": (
        lines(f"{MB101},7", header="course_key,program_uuid"),
        [(2, "program_uuid is neither a UUID nor empty.")],
    ),
    "neither true nor false": (
        lines(f"{MB101},", f"{LIST1},maybe", header="course_key,active"),
        [(2, "active is neither true nor false."), (3, "active is neither true nor false.")],
    ),
    "too few cells": (
        lines(MB101, header="course_key,active"),
        [(2, "This line does not have as many cells as the first.")],
    ),
    "too many cells": (lines(f"{MB101},true"), [(2, "This line does not have as many cells as the first.")]),
    "an unknown column": (
        lines(f"{MB101},x", header="course_key,phone"),
        [(1, "Column 2 has none of these names: course_key, program_title, program_uuid, active.")],
    ),
    "a column twice": (
        lines(f"{MB101},{LIST1}", header="course_key,Course_Key"),
        [(1, "Two columns have the same name.")],
    ),
    "no header": (
        f"{MB101}\n",
        [
            (1, "The first line has to name the columns, divided by commas, course_key among them."),
            (1, "Column 1 has none of these names: course_key, program_title, program_uuid, active."),
        ],
    ),
    "no key column": (
        "\n\nprogram_title\nStatistics\n",
        [(3, "The first line has to name the columns, divided by commas, course_key among them.")],
    ),
    "nothing but blanks": (
        "\n \n",
        [(1, "The first line has to name the columns, divided by commas, course_key among them.")],
    ),
    "nothing but a mark": (
        "\ufeff",
        [(1, "The first line has to name the columns, divided by commas, course_key among them.")],
    ),
    "no rows": ("course_key\n\n", [(None, "There is no course run under the names of the columns.")]),
    "a NUL": (f"course_key\r\n{MB101}\r\n\0", [(3, "There is a NUL character, which no text has.")]),
    "UTF-16": (lines(MB101).encode("utf-16"), [(1, "This is not UTF-8. Save the file as “CSV UTF-8”.")]),
    "Latin-1": (
        lines(MB101, f"{LIST1},é", header="course_key,program_title").encode("latin-1"),
        [(3, "This is not UTF-8. Save the file as “CSV UTF-8”.")],
    ),
    "an open quotation mark": (f'course_key\n{MB101}\n"{LIST1}\n{PLAIN}\n', [(3, NO_CSV)]),
    "a quotation mark within": (f'course_key\n"{MB101}"x\n', [(2, NO_CSV)]),
    "a cell without end": (f'course_key\n{MB101}\n"{"x" * 200_000}', [(3, NO_CSV)]),
}


@pytest.mark.parametrize(("content", "problems"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_wrong_is_said_with_its_line_and_nothing_is_imported(admin, content, problems):
    assert refused(admin, content) == problems


def test_all_that_is_wrong_is_listed_by_lines_of_the_file(admin):
    """A quoted cell goes over several lines: what follows is where an editor shows it."""
    content = lines(
        f'{MB101},"two\r\nlines\r\n"',
        "nonsense,",
        "",
        '"course-v1:DemoX+NONE+2026","a\nb"',
        f"{MB101},again",
        f'{LIST1},"open',
        header="course_key,program_title",
    )
    assert refused(admin, content) == [
        (5, MALFORMED),
        (7, UNKNOWN),
        (9, "Line 2 has this course run already."),
        (10, NO_CSV),
    ]
    page = upload(admin, content).content.decode()
    assert f"<strong>Line 5:</strong> {MALFORMED}" in page
    assert "<title>Error: " in page


def test_of_very_many_problems_some_are_shown_and_the_others_counted(admin):
    before = table()
    response = upload(admin, lines(*["nonsense"] * 51))
    assert [problem.line for problem in response.context["problems"]] == list(range(2, 52))
    assert "And 1 more problem." in response.content.decode()
    assert "more problem" not in upload(admin, lines(*["nonsense"] * 50)).content.decode()
    assert "And 9950 more problems." in upload(admin, lines(*["nonsense"] * 10_000)).content.decode().replace(",", "")
    assert table() == before


def test_the_page_repeats_nothing_of_the_file(admin):
    """It may be of another list than was meant: of people."""
    person = "Somebody Else,not.a.key@elsewhere.invalid"
    for content in (lines(person), lines("x,y", header=person), lines(MB101, header=person)):
        page = upload(admin, content).content.decode()
        assert "Somebody Else" not in page
        assert "elsewhere.invalid" not in page


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "The submitted file is empty."), (b"x" * (course_csv.MAX_BYTES + 1), "The file is larger than 1 MB.")],
    ids=["empty", "too large"],
)
def test_a_file_of_no_or_too_many_bytes_is_an_error_on_the_form(admin, content, said):
    response = upload(admin, content)
    assert response.status_code == 200
    assert response.context["form"].errors == {"file": [said]}
    assert said in response.content.decode()


def test_no_file_is_an_error_on_the_form(admin):
    response = admin.post(IMPORT)
    assert response.context["form"].errors.keys() == {"file"}
    assert 'aria-invalid="true"' in response.content.decode()


@pytest.mark.parametrize("bulk", ["bulk_create", "bulk_update"])
def test_a_row_that_somebody_else_has_stored_at_the_same_moment_is_no_crash(admin, monkeypatch, caplog, bulk):
    CoachedCourse.objects.create(course_key=MB101, active=False)

    def refuse(*args, **kwargs):
        raise IntegrityError(1062, f"Duplicate entry '{MB101}'")

    monkeypatch.setattr(QuerySet, bulk, refuse)
    said = "The database refused it. Somebody may have changed the course runs just now; try again."
    assert refused(admin, lines(MB101, LIST1)) == [(None, said)]
    (record,) = [record for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert "IntegrityError" in record.getMessage()


def test_a_history_that_cannot_be_written_takes_the_import_back(admin, monkeypatch):
    """On a platform without a transaction for each request, too."""
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", False)
    before = table()
    monkeypatch.setattr("coaching_plugin.admin.coached_courses.LogEntry", None)
    admin.raise_request_exception = False
    assert upload(admin, lines(MB101)).status_code == 500
    assert table() == before


def test_a_long_list_costs_one_query_for_each_500_keys(admin):
    keys = [CourseKey.from_string(f"course-v1:DemoX+LONG{number}+2026") for number in range(1200)]
    type(factories.overview(MB101)).objects.bulk_create(
        [type(factories.overview(MB101))(id=key, _location=key.make_usage_key("course", "course")) for key in keys]
    )
    with CaptureQueriesContext(connection) as queries:
        assert imported(admin, lines(*keys)) == "Imported: 1200 added, 0 updated, 0 unchanged."
    selects = [query for query in queries if "FROM" in query["sql"] and "courseoverview" in query["sql"]]
    # Three for the import, one for the list that follows.
    assert len(selects) == 4
    assert CoachedCourse.objects.count() == 1200


# Whatever it is


COLUMNS = ["course_key", "course_key,active", "course_key,program_title,program_uuid,active"]
KEYS = [str(MB101), str(MB102), f" {LIST1}", "course-v1:DemoX+NONE+2026", "nonsense"]
cells = st.sampled_from([*KEYS, "true", "no", str(PROGRAM_UUID), ""]) | st.text(max_size=8)
rows = st.lists(st.lists(cells, min_size=1, max_size=4).map(",".join), max_size=5)
headers = st.sampled_from(COLUMNS) | st.text(max_size=10)
csvs = st.builds(lambda header, rows: "\n".join([header, *rows]).encode(), headers, rows)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | csvs)
@example(f"course_key,program_title\n{MB101},\U0001f600\u2028\x85".encode())
def test_whatever_is_uploaded_is_imported_whole_or_not_at_all(admin, content):
    CoachedCourse.objects.all().delete()
    CoachedCourse.objects.create(course_key=PLAIN, program_title="Before")
    before = table()
    response = upload(admin, content)
    if response.status_code == 302:
        assert CoachedCourse.objects.filter(course_key=PLAIN).exists()
        # Every key of the file is there: to import it again changes nothing.
        after = table()
        assert upload(admin, content).status_code == 302
        assert table() == after
    else:
        assert response.status_code == 200
        assert response.context["problems"] or response.context["form"].errors
        assert table() == before


# Two at once


@pytest.mark.skipif(connection.vendor != "mysql", reason="real locks are wanted")
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
@pytest.mark.parametrize("attempt", range(5))
def test_two_operators_import_at_once_and_each_run_is_there_once(admin, monkeypatch, isolation, attempt):
    monkeypatch.setitem(connections["default"].settings_dict["OPTIONS"], "isolation_level", isolation)
    other = Client()
    other.force_login(User.objects.get(username="operator"))
    responses = meanwhile(
        lambda: upload(admin, lines(MB101, MB102, LIST1)),
        lambda: upload(other, lines(LIST1, MB102, MB101)),
    )
    assert set(stored()) == {MB101, MB102, LIST1}
    for response in responses:
        if response.status_code != 302:
            assert "The database refused it." in response.content.decode()
    assert 302 in [response.status_code for response in responses]


# Who may


def operator(*permissions, is_staff=True):
    account = User.objects.create_user("somebody", is_staff=is_staff)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(account)
    return client


@pytest.mark.parametrize(
    ("permissions", "may_import", "may_export"),
    [
        (["view_coachedcourse"], False, True),
        (["add_coachedcourse"], False, False),
        (["change_coachedcourse"], False, True),
        (["add_coachedcourse", "change_coachedcourse"], True, True),
        (["view_user"], False, False),
    ],
    ids=["view", "add", "change", "add and change", "another"],
)
def test_it_takes_the_permissions_to_add_and_to_change(permissions, may_import, may_export):
    client = operator(*permissions)
    assert client.get(IMPORT).status_code == (200 if may_import else 403)
    assert upload(client, lines(MB101)).status_code == (302 if may_import else 403)
    assert set(stored()) == ({MB101} if may_import else set())
    assert client.get(EXPORT).status_code == (200 if may_export else 403)


@pytest.mark.parametrize("client", [Client, lambda: operator(is_staff=False)], ids=["nobody", "no staff"])
def test_others_are_sent_to_log_in(client):
    browser = client()
    for response in (browser.get(IMPORT), upload(browser, lines(MB101)), browser.get(EXPORT)):
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
    assert stored() == {}


def test_it_is_checked_for_forgery():
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("operator"))
    assert upload(client, lines(MB101)).status_code == 403
    assert stored() == {}
