"""``coaching_preview``: how many would be asked tomorrow, who would not and why, and that nobody is asked by it."""

import io
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from common.djangoapps.student.models import CourseAccessRole
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from freezegun import freeze_time
from waffle.models import Flag

from coaching_plugin import consent
from coaching_plugin.cohorts import Outlook
from coaching_plugin.management.commands import coaching_preview
from coaching_plugin.models import CoachedCourse, Door
from tests import factories
from tests.cost import enter
from tests.factories import LIST1, MB101, MB102, PROGRAM_UUID, evidence
from tests.terminal import Terminal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("coached")]

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OTHER_UUID = UUID("0d8f2a0e-2f4b-4a55-9f0c-3b1b6f4f8f11")
OTHER_RUN = MB101.replace(course="DS101")


@pytest.fixture(autouse=True)
def _noon():
    with freeze_time(NOW):
        yield


@pytest.fixture
def other_program():
    CoachedCourse.objects.create(course_key=OTHER_RUN, program_uuid=OTHER_UUID, program_title="Data Science")


@pytest.fixture
def learners():
    """Learners of whom one is asked in two course runs, one in one, and the others in none, each for its own reason."""
    several = factories.eligible_learner()
    factories.enroll(several, LIST1, mode="audit")
    factories.eligible_learner()
    factories.eligible_learner(is_active=False)
    factories.eligible_learner(is_staff=True)
    CourseAccessRole.objects.create(user=factories.eligible_learner(), course_id=MB101, role="staff")
    factories.enroll(factories.user(), mode="audit", ago=DAY)
    factories.enroll(factories.user())
    factories.eligible_learner(year_of_birth=2015)
    consent.do_not_ask(factories.eligible_learner(), evidence(Door.ADMIN), reason="x")
    for _ in range(2):
        consent.decline(factories.eligible_learner(), evidence())
    factories.enroll(factories.user(), factories.PLAIN, ago=DAY)


def run(*arguments):
    out = io.StringIO()
    call_command("coaching_preview", *arguments, stdout=out)
    return out.getvalue()


def as_json(*arguments):
    return json.loads(run("--json", *arguments))


def line_of(text, label):
    """Return the numbers of a row of the table."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(label)]
    return line.split()[-3:]


def refused(*arguments):
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert "\n" not in str(error.value)
    return error.value


def test_everybody_counts_once_in_all_and_once_in_each_of_their_course_runs(learners):
    told = run()
    assert "2 of 11 learners enrolled in a coached course run would be asked once they enter one." in told
    assert line_of(told, "All") == ["11", "2", "40%"]
    assert line_of(told, "Demo MicroBachelors") == line_of(told, str(MB101)) == ["11", "2", "40%"]
    assert line_of(told, str(MB102)) == ["0", "0", "-"]
    assert line_of(told, "Without a program") == line_of(told, str(LIST1)) == ["1", "1", "100%"]


def test_who_is_left_out_is_told_with_the_reason(learners):
    told = " ".join(run().split())
    for number, why in (
        (1, "inactive account"),
        (1, "global staff"),
        (1, "course team of each course run that they would enter"),
        (1, "enrolled in no mode that counts (verified)"),
        (1, "not active since 2026-03-18 in a course run that counts"),
        (1, "possibly younger than 13"),
        (1, "not to be asked, by an operator"),
        (2, "answered already"),
    ):
        assert f" {number} {why}" in told


def test_every_reason_has_words():
    assert {Outlook.ASKED, *coaching_preview.WHY_NOT} == set(Outlook)


def test_scripts_read_the_same(learners):
    told = as_json()
    assert told["day"] == "2026-06-16"
    assert (told["enrolled"], told["to_be_asked"], told["share_without_answer"]) == (11, 2, 0.4)
    assert told["left_out"] == {
        "inactive": 1,
        "staff": 1,
        "course_team": 1,
        "mode_does_not_count": 1,
        "no_recent_activity": 1,
        "under_age": 1,
        "do_not_ask": 1,
        "answered": 2,
    }
    program, alone = told["programs"]
    assert (program["uuid"], program["title"]) == (str(PROGRAM_UUID), "Demo MicroBachelors")
    assert {row["course_key"]: row["to_be_asked"] for row in program["runs"]} == {str(MB101): 2, str(MB102): 0}
    assert (alone["uuid"], alone["title"], alone["to_be_asked"]) == (None, "", 1)


def test_it_is_the_number_that_the_doors_ask_the_next_day(learners, flags):
    """Of one who leaves the window by tomorrow, too."""
    leaving = factories.user()
    factories.enroll(leaving)
    factories.complete_block(leaving, NOW - 90 * DAY)
    assert enter(leaving)
    cache.clear()
    foretold = as_json()["to_be_asked"]
    with freeze_time(NOW + DAY):
        asked = [user for user in User.objects.all() if enter(user, MB101) or enter(user, LIST1)]
    assert len(asked) == foretold == 2


def test_nothing_is_stored_and_nobody_asked(learners, flags):
    def stored():
        models = apps.get_app_config("coaching_plugin").get_models()
        return [list(model.objects.order_by("pk").values()) for model in models]

    def remembered():
        return {key: value for key, value in cache._cache.items() if "coaching" in key}

    before = stored(), remembered()
    with CaptureQueriesContext(connection) as queries:
        run()
        run("--json", "--program", str(PROGRAM_UUID))
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}
    assert (stored(), remembered()) == before


def test_one_query_a_group(learners, django_assert_num_queries):
    # All, the program and its two runs, and one run that is all of what is in no program; two more read the table of
    # runs, and two the flags.
    with django_assert_num_queries(5 + 2 + 2):
        run()


# One program


@pytest.mark.parametrize("wanted", [str(OTHER_UUID), OTHER_UUID.hex.upper(), "Data Science", " dATA sCIENCE "])
def test_one_program_is_named_by_its_uuid_or_its_title(learners, other_program, wanted):
    """Whoever is eligible by another program's course run is asked at its doors, too."""
    elsewhere = factories.eligible_learner()
    factories.enroll(elsewhere, OTHER_RUN, mode="audit")
    told = as_json("--program", wanted)
    assert (told["enrolled"], told["to_be_asked"]) == (1, 1)
    assert [program["title"] for program in told["programs"]] == ["Data Science"]
    assert "Demo MicroBachelors" not in run("--program", wanted)


@pytest.mark.parametrize("wanted", ["Nothing", "", "Data", str(UUID(int=1)), str(MB101)])
def test_an_unknown_program_is_refused_with_those_that_are_known(other_program, wanted):
    error = refused("--program", wanted)
    assert error.returncode == 2
    assert f"Data Science ({OTHER_UUID}); Demo MicroBachelors ({PROGRAM_UUID})" in str(error)


def test_a_title_that_several_programs_have_is_refused(other_program):
    CoachedCourse.objects.filter(program_uuid=OTHER_UUID).update(program_title="demo microbachelors")
    error = refused("--program", "Demo MicroBachelors")
    assert error.returncode == 2
    assert str(OTHER_UUID) in str(error)
    assert str(PROGRAM_UUID) in str(error)
    assert as_json("--program", str(OTHER_UUID))["enrolled"] == 0
    assert str(OTHER_UUID) in run(), "in the table, titles alone would not tell them apart"


def test_a_program_of_which_the_title_is_unknown_goes_by_its_uuid(other_program):
    CoachedCourse.objects.filter(program_uuid=OTHER_UUID).update(program_title="")
    assert str(OTHER_UUID) in run("--program", str(OTHER_UUID))


def test_a_program_whose_runs_are_taken_out_is_unknown(other_program):
    CoachedCourse.objects.filter(program_uuid=OTHER_UUID).update(active=False)
    assert refused("--program", "Data Science").returncode == 2


# The edges


def test_where_nothing_is_coached_nobody_is_asked():
    CoachedCourse.objects.all().delete()
    assert "Nobody would be asked, since no course run is coached." in run()
    assert as_json()["to_be_asked"] == 0
    assert "Those that have: none." in str(refused("--program", "Data Science"))


def test_where_nobody_is_enrolled_there_is_no_share():
    told = run()
    assert "0 of 0 learners" in told
    assert line_of(told, "All") == ["0", "0", "-"]
    assert "Not asked" not in told
    assert as_json()["share_without_answer"] is None


def test_a_table_is_no_wider_than_a_terminal():
    long = MB101.replace(run="x" * 60)
    CoachedCourse.objects.create(course_key=long, program_uuid=PROGRAM_UUID, program_title="Demo MicroBachelors")
    told = run()
    assert max(len(line) for line in told.splitlines() if str(long) not in line) <= 110
    assert str(long) in told


def flag(**fields):
    Flag.objects.update_or_create(name="coaching.course_redirect", defaults={"superusers": False, **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"everyone": True}, "on for everyone"),
        ({"everyone": False, "staff": True}, "off"),
        ({"everyone": None}, "off"),
        ({"everyone": None, "superusers": True}, "on for some: superusers"),
        ({"everyone": None, "staff": True, "percent": "12.5"}, "on for some: staff, 12.5 % of browsers"),
        ({"everyone": None, "languages": "es-419,ar"}, "on for some: languages es-419,ar"),
        ({"everyone": None, "testing": True}, "on for some: sessions that test it"),
        ({"everyone": None, "authenticated": True}, "on for some: everyone who is logged in"),
    ],
)
def test_it_says_what_the_flags_are_now(fields, words):
    flag(**fields)
    told = run()
    assert f"coaching.course_redirect is {words}." in told
    assert "coaching.enabled is off." in told


def test_groups_and_users_of_a_flag_are_counted_and_not_named():
    flag(everyone=None)
    row = Flag.objects.get(name="coaching.course_redirect")
    row.groups.add(Group.objects.create(name="coaching-pilot"))
    row.users.add(factories.user(), factories.user())
    assert "coaching.course_redirect is on for some: 1 group(s), 2 user(s)." in run()
    assert as_json()["flags"]["coaching.course_redirect"]["some"] == ["1 group(s)", "2 user(s)"]


def test_a_flag_without_a_row_is_what_waffle_takes_it_for(settings):
    settings.WAFFLE_FLAG_DEFAULT = True
    assert "coaching.enabled is on for everyone." in run()


def test_a_terminal_sees_how_far_it_is_and_a_script_does_not(monkeypatch, capsys):
    for stream, is_told in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr("sys.stderr", stream)
        assert as_json()["enrolled"] == 0
        assert ("Counting" in stream.getvalue()) is is_told
        assert ("100%" in stream.getvalue()) is is_told
