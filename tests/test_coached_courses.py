"""How the catalog and operators fill the table of coached course runs, and the set that every course page asks."""

import copy
import io
import subprocess
import sys
import threading
from contextlib import contextmanager
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.catalog import cache as catalog
from openedx.core.djangoapps.site_configuration.models import SiteConfiguration

from coaching_plugin import coached_courses, eligibility
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.factories import LIST1, MB101, MB102, PLAIN

pytestmark = pytest.mark.django_db

FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
COMMAND = "sync_coached_courses"
CHANGELIST = reverse("admin:coaching_plugin_coachedcourse_changelist")
SYNC = reverse("admin:coaching_plugin_coachedcourse_sync")
ADD = reverse("admin:coaching_plugin_coachedcourse_add")
Source = CoachedCourse.Source


def courses(*keys):
    return [{"key": "DemoX+X", "course_runs": [{"key": str(key)} for key in keys]}]


def program(uuid=FIRST, *, runs=(MB101,), **fields):
    """Return a program as discovery gives it: of a coached type, unless the fields say otherwise."""
    coached = {"title": "Statistics", "type": "MicroBachelors", "type_attrs": {"slug": "microbachelors"}}
    return {"uuid": uuid, "courses": courses(*runs), "curricula": [], **coached, **fields}


def put(*programs, site=None):
    """Put programs where the platform's `cache_programs` puts a site's catalog, in place of what was there."""
    site = site or Site.objects.get(pk=django_settings.SITE_ID)
    SiteConfiguration.objects.update_or_create(
        site=site, defaults={"enabled": True, "site_values": {"COURSE_CATALOG_API_URL": "http://catalog.invalid/"}}
    )
    uuids = [item["uuid"] for item in programs]
    entries = {catalog.PROGRAM_CACHE_KEY_TPL.format(uuid=item["uuid"]): item for item in programs}
    cache.set_many({**entries, catalog.SITE_PROGRAM_UUIDS_CACHE_KEY_TPL.format(domain=site.domain): uuids})


def sync():
    out = io.StringIO()
    call_command(COMMAND, stdout=out)
    return out.getvalue().strip()


def runs():
    """Return what is coached now, by course key."""
    return {str(row.course_key): row for row in CoachedCourse.objects.filter(active=True)}


def coached_keys():
    return {row.course_key for row in runs().values()}


def table():
    return list(CoachedCourse.objects.order_by("pk").values())


@pytest.fixture
def admin():
    client = Client()
    client.force_login(User.objects.create_superuser("operator", "operator@example.com", "edx"))
    return client


def form(key, **fields):
    return {"course_key": str(key), "program_title": "", "program_uuid": "", "active": "on", **fields}


def change_page(row):
    return reverse("admin:coaching_plugin_coachedcourse_change", args=[row.pk])


# Which programs count


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"type": "Program anything", "type_attrs": {"slug": "microbachelors"}}, True),
        ({"type": "ميكروبكالوريوس", "type_attrs": {"slug": "microbachelors"}}, True),
        ({"type": "MicroBachelors", "type_attrs": {"slug": "micromasters"}}, False),
        ({"type": "MicroBachelors", "type_attrs": {}}, True),
        ({"type": "MicroBachelors", "type_attrs": {"slug": ""}}, True),
        ({"type": "MicroBachelors", "type_attrs": {"slug": None}}, True),
        ({"type": "MicroBachelors", "type_attrs": None}, True),
        ({"type": "MicroMasters", "type_attrs": None}, False),
        ({"type": None, "type_attrs": None}, False),
        ({"type": "", "type_attrs": {"slug": "MicroBachelors"}}, True),
        ({"type": "XSeries", "type_attrs": {"slug": "xseries", "coaching_supported": True}}, True),
        ({"type": "XSeries", "type_attrs": {"slug": "xseries", "coaching_supported": False}}, False),
        ({"type": "XSeries", "type_attrs": {"slug": "xseries", "coaching_supported": None}}, False),
        ({"type": "MicroBachelors", "type_attrs": {"slug": "microbachelors", "coaching_supported": False}}, True),
    ],
    ids=[
        "slug",
        "slug beside a translated type",
        "another slug beside our type",
        "type without slug",
        "type and an empty slug",
        "type and a null slug",
        "type and null attributes",
        "another type",
        "nothing at all",
        "slug in other letters",
        "coaching supported",
        "coaching not supported",
        "coaching support unknown",
        "our slug, coaching not supported",
    ],
)
def test_the_slug_decides_and_the_type_only_where_there_is_none(fields, counts):
    put(program(**fields))
    sync()
    assert coached_keys() == ({MB101} if counts else set())


@pytest.mark.parametrize("missing", [["type_attrs"], ["type"], ["type", "type_attrs"]], ids=" and ".join)
def test_a_program_may_lack_type_or_attributes(missing):
    item = program()
    for name in missing:
        del item[name]
    put(item)
    sync()
    assert coached_keys() == (set() if len(missing) == 2 else {MB101})


def test_the_operator_says_which_types_count(settings):
    settings.COACHING_PROGRAM_TYPES = ["Xseries", "professional-certificate"]
    put(
        program(FIRST, type_attrs={"slug": "microbachelors"}),
        program(SECOND, runs=[MB102], type_attrs={"slug": "XSERIES"}),
    )
    sync()
    assert coached_keys() == {MB102}


def test_what_is_stored_is_run_program_title_and_source():
    put(program(title="Statistics, first half"))
    assert sync() == "Coached course runs: 1 added."
    row = CoachedCourse.objects.get()
    assert (row.course_key, row.program_uuid, row.program_title) == (MB101, UUID(FIRST), "Statistics, first half")
    assert (row.source, row.active) == (Source.CATALOG, True)


def test_runs_of_curricula_and_child_programs_count():
    child = {"uuid": SECOND, "courses": courses(LIST1), "curricula": []}
    curricula = [
        {"is_active": False, "courses": courses(PLAIN)},
        {"is_active": True, "courses": courses(MB102), "programs": [child]},
    ]
    put(program(curricula=curricula))
    sync()
    assert coached_keys() == {MB101, MB102, LIST1}


def test_the_programs_of_every_site_count_once():
    other = Site.objects.create(domain="other.example.com", name="Other")
    Site.objects.create(domain="bare.example.com", name="No catalog")
    put(program(FIRST))
    put(program(FIRST), program(SECOND, runs=[MB102]), site=other)
    assert sync() == "Coached course runs: 2 added."
    assert coached_keys() == {MB101, MB102}


def test_a_run_in_two_programs_is_one_row_whatever_order_the_catalog_has():
    programs = [program(FIRST, title="One"), program(SECOND, title="Two")]
    put(*programs)
    assert sync() == "Coached course runs: 1 added."
    before = table()
    cache.clear()
    put(*reversed(programs))
    assert sync() == "Coached course runs: 1 unchanged."
    assert table() == before


def test_a_run_of_a_coached_and_another_program_is_coached():
    put(program(FIRST), program(SECOND, type_attrs={"slug": "micromasters"}))
    sync()
    assert coached_keys() == {MB101}
    assert runs()[str(MB101)].program_uuid == UUID(FIRST)


# Again


def test_a_second_run_changes_nothing():
    put(program(runs=[MB101, MB102]))
    sync()
    before = table()
    with CaptureQueriesContext(connection) as queries:
        assert sync() == "Coached course runs: 2 unchanged."
    assert table() == before
    assert not [query for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_changed_title_is_updated():
    put(program(title="Statistics"))
    sync()
    put(program(title="Statistics II"))
    assert sync() == "Coached course runs: 1 updated."
    assert runs()[str(MB101)].program_title == "Statistics II"


@pytest.mark.parametrize("count", [1, 100])
def test_a_sync_is_as_many_statements_for_a_hundred_runs_as_for_one(count):
    keys = [MB101.replace(run=f"run{number}") for number in range(count)]

    def statements_of(*programs):
        put(*programs)
        with CaptureQueriesContext(connection) as queries:
            said = sync()
        return said, len(queries)

    # The sites, a site's configuration, a savepoint and its release, the rows: and what is changed.
    assert statements_of(program(runs=keys)) == (f"Coached course runs: {count} added.", 6)
    assert coached_courses.keys() == {*keys}
    assert statements_of(program(runs=keys)) == (f"Coached course runs: {count} unchanged.", 5)
    with_updates = statements_of(program(runs=keys, title="Another"))
    assert with_updates[0] == f"Coached course runs: {count} updated."
    assert {row.program_title for row in runs().values()} == {"Another"}
    assert statements_of(program(runs=[])) == (f"Coached course runs: {count} removed.", with_updates[1])
    assert coached_courses.keys() == frozenset()


@pytest.mark.parametrize(("title", "stored"), [(None, ""), ("x" * 400, "x" * 255)], ids=["none", "long"])
def test_a_title_that_does_not_fit_stands_in_nobodys_way(title, stored):
    put(program(title=title))
    sync()
    assert runs()[str(MB101)].program_title == stored
    assert sync() == "Coached course runs: 1 unchanged."


def test_uuids_of_programs_are_compared_as_uuids():
    put(program(FIRST.upper()))
    sync()
    put(program(FIRST.replace("-", ""), runs=[]))
    assert sync() == "Coached course runs: 1 removed."


# The catalog forgets


def test_a_flushed_cache_changes_nobodys_eligibility():
    learner = factories.eligible_learner()
    put(program())
    sync()
    assert eligibility.explain(learner).is_eligible
    before = table()
    cache.clear()
    assert sync() == "Coached course runs: 1 kept."
    coached_courses.forget()
    assert eligibility.explain(learner).is_eligible
    assert table() == before


def test_an_empty_catalog_on_an_empty_table_is_no_error():
    assert sync() == "Coached course runs: none in the catalog."


def test_a_run_that_its_program_no_longer_lists_is_taken_away_and_comes_back():
    learner = factories.eligible_learner()
    put(program(runs=[MB101, MB102]))
    sync()
    put(program(runs=[MB102]))
    assert sync() == "Coached course runs: 1 removed, 1 unchanged."
    assert coached_keys() == {MB102}
    assert not eligibility.explain(learner).is_eligible
    before = table()
    sync()
    assert table() == before, "taken away once"
    put(program(runs=[MB101, MB102]))
    assert sync() == "Coached course runs: 1 unchanged, 1 updated."
    assert eligibility.explain(learner).is_eligible
    assert CoachedCourse.objects.count() == 2


def test_a_run_that_moved_to_another_program_stays():
    put(program(FIRST, runs=[MB101, MB102]), program(SECOND, runs=[LIST1], title="Second"))
    sync()
    put(program(FIRST, runs=[MB102]), program(SECOND, runs=[LIST1, MB101], title="Second"))
    sync()
    assert coached_keys() == {MB101, MB102, LIST1}
    assert (runs()[str(MB101)].program_uuid, runs()[str(MB101)].program_title) == (UUID(SECOND), "Second")


def test_a_run_that_moved_to_a_program_that_is_not_coached_is_taken_away():
    put(program(FIRST, runs=[MB101, MB102]))
    sync()
    put(program(FIRST, runs=[MB102]), program(SECOND, runs=[MB101], type_attrs={"slug": "xseries"}))
    sync()
    assert coached_keys() == {MB102}


def test_the_runs_of_a_program_that_is_gone_are_kept():
    put(program(FIRST), program(SECOND, runs=[MB102]))
    sync()
    cache.clear()
    put(program(SECOND, runs=[MB102]))
    assert sync() == "Coached course runs: 1 kept, 1 unchanged."
    assert coached_keys() == {MB101, MB102}


def test_the_runs_of_a_program_of_another_type_now_are_kept(settings):
    put(program())
    sync()
    put(program(type="XSeries", type_attrs={"slug": "xseries"}))
    assert sync() == "Coached course runs: 1 kept."
    put(program())
    settings.COACHING_PROGRAM_TYPES = ["masters"]
    assert sync() == "Coached course runs: 1 kept."
    assert coached_keys() == {MB101}


# The operator's word


@pytest.mark.parametrize("active", [True, False], ids=["active", "switched off"])
def test_an_operators_row_is_never_touched(active):
    CoachedCourse.objects.create(
        course_key=MB101, source=Source.OPERATOR, active=active, program_title="Mine", program_uuid=UUID(FIRST)
    )
    before = table()
    for item in (program(), program(runs=[]), program(title="Other"), program(type_attrs={"slug": "xseries"})):
        put(item)
        sync()
        assert table() == before
    cache.clear()
    sync()
    assert table() == before


def test_saving_the_catalogs_row_in_the_admin_makes_it_the_operators(admin):
    put(program(runs=[MB101, MB102]))
    sync()
    row = CoachedCourse.objects.get(course_key=MB101)
    data = form(row.course_key, program_uuid=FIRST, program_title=row.program_title)
    del data["active"]
    assert admin.post(change_page(row), data).status_code == 302
    row.refresh_from_db()
    assert (row.source, row.active) == (Source.OPERATOR, False)
    assert sync() == "Coached course runs: 1 operator, 1 unchanged."
    assert coached_keys() == {MB102}


def test_an_operator_adds_a_run_in_the_admin(admin):
    factories.overview(LIST1)
    assert admin.post(ADD, form(LIST1)).status_code == 302
    row = CoachedCourse.objects.get()
    assert (row.course_key, row.source, row.active) == (LIST1, Source.OPERATOR, True)
    assert coached_courses.is_coached(LIST1)


@pytest.mark.parametrize(
    "key",
    [
        "course-v1:DemoX+MB101",
        "DemoX+MB101",
        "DemoX+MB101+2026",
        "nonsense",
        " ",
        "",
        "course-v1:",
        "block-v1:DemoX+MB101+2026+type@course+block@course",
        "library-v1:DemoX+Shelf",
        "course-v1:DemoX+" + "M" * 300 + "+2026",
        "course-v1:Demo X+MB101+2026",
    ],
    ids=[
        "no run",
        "a course's key",
        "no prefix",
        "nonsense",
        "blank",
        "nothing",
        "a prefix",
        "a block",
        "a library",
        "too long",
        "a space in it",
    ],
)
@pytest.mark.parametrize("page", ["add", "change"])
def test_a_malformed_key_is_an_error_on_the_admins_form(admin, key, page):
    address = ADD
    if page == "change":
        address = change_page(CoachedCourse.objects.create(course_key=MB101))
    before = table()
    admin.raise_request_exception = False
    response = admin.post(address, form(key))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors.keys() == {"course_key"}
    assert table() == before


def test_white_space_around_a_key_is_no_reason_to_refuse_it(admin):
    factories.overview(LIST1)
    assert admin.post(ADD, form(f"  {LIST1} ")).status_code == 302
    assert coached_keys() == {LIST1}


def test_a_key_that_is_there_already_is_an_error_on_the_form(admin):
    factories.overview(MB101)
    CoachedCourse.objects.create(course_key=MB101)
    response = admin.post(ADD, form(MB101))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors.keys() == {"course_key"}


@pytest.mark.parametrize(
    ("words", "found"),
    [("MB101", {MB101}), ("mb10", {MB101, MB102}), ("DemoX+LIST", {LIST1}), ("Statist", {MB101, MB102}), ("%", set())],
    ids=["part of a key", "in other letters", "with a plus", "part of a title", "a wildcard"],
)
def test_the_admin_searches_by_part_of_a_key_or_title(admin, words, found):
    put(program(runs=[MB101, MB102]))
    sync()
    CoachedCourse.objects.create(course_key=LIST1)
    admin.raise_request_exception = False
    response = admin.get(CHANGELIST, {"q": words})
    assert response.status_code == 200
    assert {row.course_key for row in response.context["cl"].queryset} == found


def test_the_admin_filters_by_source(admin):
    put(program())
    sync()
    CoachedCourse.objects.create(course_key=LIST1)
    response = admin.get(CHANGELIST, {"source__exact": "catalog"})
    assert {row.course_key for row in response.context["cl"].queryset} == {MB101}


# The admin's button does what the command does


def press(admin):
    response = admin.post(SYNC, follow=True)
    assert response.status_code == 200
    return [(message.level_tag, str(message)) for message in response.context["messages"]]


def test_the_admins_button_synchronizes_and_says_what_changed(admin):
    put(program(runs=[MB101, MB102]))
    assert press(admin) == [("success", "Synchronized: 2 added.")]
    assert coached_keys() == {MB101, MB102}


def test_the_admins_button_keeps_everything_after_a_flush(admin):
    put(program())
    sync()
    cache.clear()
    assert press(admin) == [("success", "Synchronized: 1 kept.")]
    assert coached_keys() == {MB101}


# Rubbish


def with_run_key(key):
    item = program(uuid=SECOND, runs=[MB102])
    item["courses"][0]["course_runs"].append({"key": key})
    return item


def without(name, **fields):
    item = program(uuid=SECOND, runs=[MB102], **fields)
    del item[name]
    return item


RUBBISH = {
    "a word": "nonsense",
    "none": None,
    "a number": 5,
    "a list": [program(SECOND)],
    "no uuid": without("uuid"),
    "a null uuid": program(None),
    "an empty uuid": program(""),
    "a bad uuid": program("not-a-uuid"),
    "a number for a uuid": program(7),
    "a list for a uuid": program([SECOND]),
    "a dictionary for a uuid": program({"uuid": SECOND}),
    "null courses": program(SECOND, courses=None),
    "courses a word": program(SECOND, courses="MB101"),
    "a null course": program(SECOND, courses=[None]),
    "null course runs": program(SECOND, courses=[{"course_runs": None}]),
    "a run without a key": program(SECOND, courses=[{"course_runs": [{"title": "x"}]}]),
    "null curricula": program(SECOND, curricula=None),
    "a null curriculum": program(SECOND, curricula=[None]),
    "a malformed run key": with_run_key("nonsense"),
    "a course's key": with_run_key("DemoX+MB102"),
    "an empty run key": with_run_key(""),
    "a null run key": with_run_key(None),
    "a number for a run key": with_run_key(7),
    "a list for a run key": with_run_key(["x"]),
    "attributes a list": program(SECOND, type_attrs=["microbachelors"]),
    "attributes a word": program(SECOND, type_attrs="microbachelors"),
}


@contextmanager
def catalog_answers(monkeypatch, answer):
    """Have the platform's own function answer this: what a cache holds after a bad day of the catalog."""

    def get_programs(site=None, **kwargs):
        if isinstance(answer, Exception):
            raise answer
        return answer

    with monkeypatch.context() as patch:
        patch.setattr("openedx.core.djangoapps.catalog.utils.get_programs", get_programs)
        yield


@pytest.fixture
def standing_rows():
    """What stood in the table before the bad day: one run of the catalog, one that would be taken away."""
    put(program(runs=[MB101, MB102]))
    sync()
    return table()


def rubbish_beside_a_change(item):
    """Return an answer that, but for the rubbish in it, would add one run and take another away."""
    return [copy.deepcopy(program(FIRST, runs=[MB101, LIST1])), item]


@pytest.mark.parametrize("kind", RUBBISH)
def test_rubbish_in_the_catalog_is_named_and_changes_nothing(kind, standing_rows, monkeypatch):
    with (
        catalog_answers(monkeypatch, rubbish_beside_a_change(RUBBISH[kind])),
        pytest.raises(CommandError, match="Nothing was changed") as caught,
    ):
        sync()
    assert caught.value.returncode == 1
    assert len(str(caught.value)) > len("Nothing was changed. "), "it says what is wrong"
    if isinstance(RUBBISH[kind], dict) and RUBBISH[kind].get("uuid") == SECOND:
        assert SECOND in str(caught.value), "it names the program"
    assert table() == standing_rows


@pytest.mark.parametrize("kind", RUBBISH)
def test_rubbish_in_the_catalog_is_a_message_in_the_admin(kind, standing_rows, admin, monkeypatch):
    admin.raise_request_exception = False
    with catalog_answers(monkeypatch, rubbish_beside_a_change(RUBBISH[kind])):
        ((level, text),) = press(admin)
    assert level == "error"
    assert text
    assert table() == standing_rows


@pytest.mark.parametrize(
    "answer",
    [RuntimeError("the catalog is away"), KeyError("x"), None, 5],
    ids=["raises", "raises a key error", "none", "a number"],
)
def test_a_catalog_that_is_away_is_named_and_changes_nothing(answer, standing_rows, admin, monkeypatch):
    admin.raise_request_exception = False
    with catalog_answers(monkeypatch, answer):
        with pytest.raises(CommandError, match="Nothing was changed"):
            sync()
        ((level, _text),) = press(admin)
    assert level == "error"
    assert table() == standing_rows


@pytest.mark.once
def test_the_command_exits_1(tmp_path):
    """In a process of its own, as cron runs it: a catalog whose one program has no courses."""
    script = f"""
import django, sys
django.setup()
from django.core.management import call_command, execute_from_command_line
call_command("migrate", verbosity=0)
from openedx.core.djangoapps.catalog import utils
utils.get_programs = lambda site=None: [{{"uuid": "{FIRST}", "courses": None}}]
execute_from_command_line(["manage.py", "{COMMAND}"])
"""
    sandbox = django_settings.REPO_ROOT
    environment = {
        "DJANGO_SETTINGS_MODULE": "lms.envs.test",
        "PYTHONPATH": f"{sandbox.parent}:{sandbox}",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: Nothing was changed.")
    assert FIRST in done.stderr


# The set that every course page asks


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    now = [coached_courses.time.monotonic()]
    monkeypatch.setattr(coached_courses.time, "monotonic", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


@pytest.mark.usefixtures("coached")
def test_the_set_is_asked_of_the_table_once_a_minute(clock):
    coached_courses._keys.forget()
    with CaptureQueriesContext(connection) as first:
        assert coached_courses.keys() == {MB101, MB102, LIST1}
    with CaptureQueriesContext(connection) as warm:
        for _ in range(3):
            assert coached_courses.is_coached(MB101)
            assert not coached_courses.is_coached(PLAIN)
        clock(coached_courses.RELOAD_SECONDS - 1)
        assert coached_courses.is_coached(MB101)
    clock(1)
    with CaptureQueriesContext(connection) as after:
        assert coached_courses.is_coached(MB101)
    assert [len(queries) for queries in (first, warm, after)] == [1, 0, 1]


def test_a_process_notices_its_own_changes_at_once():
    assert coached_courses.keys() == frozenset()
    row = CoachedCourse.objects.create(course_key=MB101)
    assert coached_courses.is_coached(MB101)
    row.active = False
    row.save()
    assert not coached_courses.is_coached(MB101)
    row.active = True
    row.save()
    row.delete()
    assert not coached_courses.is_coached(MB101)


@pytest.mark.usefixtures("coached")
def test_the_old_set_stays_while_the_table_cannot_be_read_and_one_line_says_so(clock, monkeypatch, caplog):
    assert coached_courses.is_coached(MB101)
    clock(coached_courses.RELOAD_SECONDS)
    with monkeypatch.context() as broken:
        broken.setattr(CoachedCourse._meta, "db_table", "coaching_plugin_not_migrated")
        for _ in range(5):
            assert coached_courses.is_coached(MB101)
        assert len([record for record in caplog.records if record.name.startswith("coaching_plugin")]) == 1
        clock(coached_courses.RELOAD_SECONDS)
        assert coached_courses.is_coached(MB101)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert len(lines) == 2, "once for each time that the table was asked"
    clock(coached_courses.RELOAD_SECONDS)
    CoachedCourse.objects.filter(course_key=MB101).update(active=False)
    assert not coached_courses.is_coached(MB101)


def test_with_a_table_that_was_never_there_no_run_is_known_to_be_coached(monkeypatch):
    monkeypatch.setattr(CoachedCourse._meta, "db_table", "coaching_plugin_not_migrated")
    monkeypatch.setattr(coached_courses, "_keys", coached_courses._KeySet())
    assert not coached_courses.is_coached(factories.MB101)
    with pytest.raises(coached_courses.CoachedCoursesUnknown):
        coached_courses.keys()


class SlowSet(coached_courses._KeySet):
    """A set whose table takes as long to read as the test says."""

    def __init__(self):
        super().__init__()
        self.is_being_read, self.may_go_on = threading.Event(), threading.Event()
        self.readings = 0

    def _from_table(self):
        self.readings += 1
        self.is_being_read.set()
        assert self.may_go_on.wait(10)
        return frozenset({CourseKey.from_string(f"course-v1:DemoX+Reading+{self.readings}")})


def in_threads(count, work):
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads):
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_while_one_thread_reads_the_others_go_on_with_the_old_set(clock):
    slow = SlowSet()
    slow.may_go_on.set()
    old = slow.get()
    slow.is_being_read.clear()
    slow.may_go_on.clear()
    clock(coached_courses.RELOAD_SECONDS)
    reader = in_threads(1, slow.get)
    assert slow.is_being_read.wait(10)
    seen = []
    join(in_threads(8, lambda: seen.append(slow.get())))
    assert seen == [old] * 8, "none of them waited"
    slow.may_go_on.set()
    join(reader)
    assert slow.get() != old
    assert slow.readings == 2


def test_the_first_reading_of_a_process_is_waited_for_and_done_once():
    slow = SlowSet()
    seen = []
    threads = in_threads(8, lambda: seen.append(slow.get()))
    assert slow.is_being_read.wait(10)
    slow.may_go_on.set()
    join(threads)
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert seen[0], "nobody took the empty set for the answer"
    assert slow.readings == 1


def test_a_change_while_the_table_is_being_read_has_it_read_again():
    slow = SlowSet()
    reader = in_threads(1, slow.get)
    assert slow.is_being_read.wait(10)
    slow.forget()
    slow.may_go_on.set()
    join(reader)
    slow.get()
    slow.get()
    assert slow.readings == 2


def test_after_a_change_too_nobody_waits_for_the_reader():
    slow = SlowSet()
    slow.may_go_on.set()
    old = slow.get()
    slow.is_being_read.clear()
    slow.may_go_on.clear()
    slow.forget()
    reader = in_threads(1, slow.get)
    assert slow.is_being_read.wait(10)
    seen = []
    join(in_threads(4, lambda: seen.append(slow.get())))
    assert seen == [old] * 4
    slow.may_go_on.set()
    join(reader)
