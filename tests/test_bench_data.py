"""`make bench-data`: a site of a seed, exactly as large as its size says, or none that would be measured."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pymysql
import pytest
from django.db import connection

from benchmarks.__main__ import _made
from benchmarks.data import __main__ as command
from benchmarks.data.activity import Activity
from benchmarks.data.chance import Shuffle, falling
from benchmarks.data.enrollments import COACHED, HUGE, RUNS, Enrollments
from benchmarks.data.loading import LoadError, load
from benchmarks.data.moments import DAY, DAYS, Moments
from benchmarks.data.numbers import Numbers
from benchmarks.data.streams import strewn
from benchmarks.site import COACHED_RUNS, HUGE_RUN, LARGE_LEARNER, OTHER_RUNS, SIZES, Size
from coaching_plugin import phone

ROOT = Path(__file__).parent.parent
NOWHERE = "mysql://root@127.0.0.1:1/coaching_bench"
TODAY = date(2026, 11, 24)
TINY = Size(f"tiny{os.getpid()}", 0.0005)
SEED = 7

on_mariadb = pytest.mark.skipif(connection.vendor != "mysql", reason="rows are loaded into MariaDB; its run does")


# What is told of a site, before any database


def told(seed=SEED, size=SIZES["small"], today=TODAY):
    moments = Moments(today)
    enrollments = Enrollments(size, seed, moments)
    return enrollments, Activity(size, seed, moments, enrollments)


@pytest.fixture(scope="module")
def enrolled():
    enrollments, _ = told()
    return [enrollments.one(number) for number in range(enrollments.total)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1_000, 30_001])
def test_a_shuffle_has_every_number_once_in_an_order_of_its_seed(size):
    shuffled = [Shuffle(size, SEED)(place) for place in range(size)]
    assert sorted(shuffled) == list(range(size))
    if size >= 64:
        assert shuffled != [Shuffle(size, SEED + 1)(place) for place in range(size)]
        # As far from where they were as chance puts them: a third of the whole.
        assert 0.2 < sum(abs(place - number) for place, number in enumerate(shuffled)) / size**2 < 0.45


@pytest.mark.parametrize(("total", "top"), [(1_000, 100), (37, 20), (0, 5), (500, 50)])
def test_rounds_fall_and_are_exactly_the_total(total, top):
    rounds = falling(total, top, [1 / (number + 1) for number in range(10)])
    assert sum(rounds) == total
    assert rounds == sorted(rounds, reverse=True)
    assert max(rounds) <= top


def test_more_than_all_rounds_take_is_refused():
    with pytest.raises(ValueError, match="501 are more than 10 rounds of 50"):
        falling(501, 50, [1.0] * 10)


def test_half_of_all_are_in_one_run_and_a_tenth_of_the_rest_in_other_coached_ones(enrolled):
    size = SIZES["small"]
    runs = Counter(one.run for one in enrolled)
    assert len(enrolled) == size.enrollments == 30_000
    assert len({(one.user_id, one.run) for one in enrolled}) == size.enrollments
    assert runs[HUGE] == size.users // 2
    rest = size.enrollments - runs[HUGE]
    assert sum(count for run, count in runs.items() if run < COACHED and run != HUGE) == pytest.approx(rest / 10, 0.1)
    # A long tail.
    popular = sorted(runs.values(), reverse=True)[1:]
    assert popular[0] > 10 * popular[len(popular) // 2]
    assert {one.user_id for one in enrolled} <= set(range(1, size.users + 1))


def test_modes_activity_and_times_are_as_in_a_real_lms(enrolled):
    of_huge = Counter(one.mode for one in enrolled if one.run == HUGE)
    of_rest = Counter(one.mode for one in enrolled if one.run != HUGE)
    assert of_huge["verified"] / of_huge.total() == pytest.approx(0.12, abs=0.02)
    assert of_rest["verified"] / of_rest.total() == pytest.approx(0.30, abs=0.02)
    assert {*of_huge} == {*of_rest} == {"verified", "honor", "professional", "no-id-professional", "audit"}
    assert sum(not one.is_active for one in enrolled) / len(enrolled) == pytest.approx(0.08, abs=0.01)
    created = [one.created for one in enrolled]
    assert created == sorted(created)
    assert created[0] < DAY
    assert (DAYS - 1) * DAY < created[-1] <= max(one.last for one in enrolled) < DAYS * DAY
    assert all(one.created <= one.last for one in enrolled)


def test_a_learners_rows_lie_scattered(enrolled):
    places = {}
    for place, one in enumerate(enrolled):
        places.setdefault(one.user_id, []).append(place)
    gaps = [after - before for ours in places.values() for before, after in zip(ours, ours[1:], strict=False)]
    assert sum(gap < 100 for gap in gaps) < len(gaps) / 20
    _, activity = told(size=Size("tiny", 0.001))
    states = [row.split("\t")[5] for row in activity.states()]
    assert sum(one == other for one, other in zip(states, states[1:], strict=False)) < len(states) / 50


def test_activity_is_exactly_as_much_as_the_size_says_in_blocks_and_days_of_those_enrolled(enrolled):
    size = SIZES["small"]
    enrollments, activity = told()
    since = {(str(one.user_id), RUNS[one.run]): one for one in enrolled}
    moments = Moments(TODAY)
    states, last = Counter(), {}
    for row in activity.states():
        kind, block, run, created, modified, learner, *_ = row.split("\t")
        one = since[learner, run]
        assert moments.text(one.created) <= created <= modified <= moments.text(one.last)
        last[learner, run] = max(last.get((learner, run), ""), modified)
        assert f"+type@{kind}+block@" in block
        assert block.startswith(run.replace("course-v1:", "block-v1:"))
        states[learner, block] += 1
    assert states.total() == len(states) == size.states == 200_000
    # All were there till the last moment of all.
    assert all(moments.text(since[key].last) == modified for key, modified in last.items())
    per_run = sorted(Counter(f"{learner} {block[:30]}" for learner, block in states).values(), reverse=True)
    assert sum(per_run[: len(enrolled) // 10]) > size.states / 2

    completed = Counter()
    for row in activity.completions():
        _, _, _, block, _, _, learner = row.strip().split("\t")
        completed[learner, block] += 1
    assert completed.total() == len(completed) == size.completions == 60_000
    assert set(completed) <= set(states)

    days = set()
    for row in activity.engagement_days():
        run, day, learner = row.strip().split("\t")
        one = since[learner, run]
        assert moments.text(one.created)[:10] <= day <= moments.text(one.last)[:10]
        days.add((run, day, learner))
    assert len(days) == size.engagement_days == 40_000


def test_a_seed_always_tells_the_same_and_another_something_else():
    def digest(seed):
        enrollments, activity = told(seed, Size("tiny", 0.001))
        rows = [*enrollments.rows(), *activity.states(), *activity.completions(), *activity.engagement_days()]
        return hashlib.sha256("".join(rows).encode()).hexdigest()

    assert digest(1) == digest(1) != digest(2)


def test_another_day_only_moves_the_times():
    def rows(today):
        return [row.split("\t", 1) for row in told(size=Size("tiny", 0.001), today=today)[0].rows()]

    for (earlier, one), (later, other) in zip(rows(TODAY), rows(TODAY + timedelta(days=3)), strict=True):
        assert datetime.fromisoformat(later) - datetime.fromisoformat(earlier) == timedelta(days=3)
        assert one == other


def test_ten_times_as_many_rows_take_no_more_memory():
    def peak(share):
        told = f"told(7, Size('', {share}), date(2026, 11, 24))"
        rows = "chain(enrollments.rows(), activity.states(), activity.completions(), activity.engagement_days())"
        code = (
            "import sys; from itertools import chain; from benchmarks.data.fill import _peak;"
            f" from tests.test_bench_data import *; enrollments, activity = {told};"
            f" sys.stdout.write(str(sum(1 for row in {rows}) and _peak()))"
        )
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "lms.envs.test", "PYTHONPATH": ".:sandbox"}
        return int(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment, text=True))

    # In kilobytes. The texts of 3,000 course runs, of one block, are most of it.
    assert peak(0.01) < peak(0.001) + 4_000


def test_few_rows_are_strewn_evenly_among_many():
    rows = list(strewn("abc", 3, "." * 9, 9))
    assert "".join(rows) == "...a...b...c"
    assert "".join(strewn("abcdef", 6, "..", 2)) == ".abc.def"


def test_numbers_can_be_texted_and_are_different():
    numbers = Numbers(1_000_001)
    some = [number for user_id in range(1, 1_000_001, 997) for number in (numbers.of(user_id), numbers.former(user_id))]
    assert len(set(some)) == len(some)
    assert all(phone.textable(number, ["US"]) == number for number in some)
    with pytest.raises(ValueError, match="more learners"):
        Numbers(10_000_000)


# What is said where there can be no site


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.data", *arguments],
        cwd=ROOT,
        env={**os.environ, "BENCH_DATABASE_URL": NOWHERE, **environment},
        capture_output=True,
        text=True,
    )


def test_a_size_that_there_is_not_is_named_with_those_that_there_are():
    done = run("--size", "huge")
    assert done.returncode == 2
    assert "there is no size 'huge', but small, medium, large" in done.stderr


def test_without_a_mariadb_it_says_so():
    done = run("--size", "small")
    assert done.returncode == 1
    assert done.stderr == "No MariaDB lets us in at 127.0.0.1:1 (OperationalError: 2003).\n"


class Server:
    """A cursor that tells what a server says of itself."""

    def __init__(self, local_infile, directory):
        self._answer = (local_infile, directory)

    def execute(self, sql):
        assert sql == "SELECT @@local_infile, @@datadir"

    def fetchone(self):
        return self._answer


def test_a_server_that_takes_no_rows_of_clients_is_told_how(tmp_path):
    with pytest.raises(command.CannotMakeError, match="SET GLOBAL local_infile = 1"):
        command._check(Server(0, str(tmp_path)), SIZES["small"])


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_dropped(monkeypatch, tmp_path):
    monkeypatch.setattr(command.shutil, "disk_usage", lambda directory: SimpleNamespace(free=3e9))
    command._check(Server(1, str(tmp_path)), SIZES["small"])
    with pytest.raises(command.CannotMakeError, match=r"large takes \d+\.0 GB on the server's disk, which has 3\.0"):
        command._check(Server(1, str(tmp_path)), SIZES["large"])
    # That of a server elsewhere cannot be seen.
    monkeypatch.setenv("BENCH_DATABASE_URL", "mysql://root@db.example/x")
    command._check(Server(1, str(tmp_path)), SIZES["large"])


# What is in the database

TABLES = {
    "auth_user": TINY.users + 1,
    "auth_userprofile": TINY.users + 1,
    "student_courseenrollment": TINY.enrollments + 200,
    "courseware_studentmodule": TINY.states + 50_000,
    "completion_blockcompletion": TINY.completions,
    "course_goals_useractivity": TINY.engagement_days,
    "coaching_plugin_coachingconsent": TINY.consents,
    "course_overviews_courseoverview": len(COACHED_RUNS) + len(OTHER_RUNS),
    "coaching_plugin_coachedcourse": len(COACHED_RUNS),
    "coaching_plugin_eligiblecount": 182 * 331,
}
CATALOG = {"course_overviews_courseoverview", "coaching_plugin_coachedcourse"}
# Of these the number follows from chance.
MORE_TABLES = [
    "coaching_plugin_consentevent",
    "coaching_plugin_partnerdelivery",
    "student_courseaccessrole",
    "user_api_userpreference",
    "user_api_userretirementstatus",
]


def server():
    """The server of the tests, with what the name of a database begins with."""
    return f"{os.environ['DATABASE_URL']}_bench"


@contextmanager
def asking(database=None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_DATABASE_URL", server())
        with command._connection() as connected, connected.cursor() as cursor:
            if database:
                connected.select_db(database)

            def ask(sql, *values):
                cursor.execute(sql, values)
                return cursor.fetchall()

            yield ask


def make(size, seed=SEED):
    """Make a site, and return the name of its database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_DATABASE_URL", server())
        command.make(size, seed, TODAY)
        return size.database


def drop(size):
    with asking() as ask, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_DATABASE_URL", server())
        ask(f"DROP DATABASE IF EXISTS `{size.database}`")


@pytest.fixture(scope="module")
def site():
    """The name of a database that has a tiny site."""
    yield make(TINY)
    drop(TINY)


@pytest.fixture
def ask(site):
    with asking(site) as ask:
        yield ask


def sums(ask):
    """A checksum of each table, over its rows as they stand one after the other."""
    return dict(ask(f"CHECKSUM TABLE {', '.join([*TABLES, *MORE_TABLES])}"))


@on_mariadb
class TestSite:
    def test_every_table_has_as_many_rows_as_the_size_says(self, ask):
        assert {table: ask(f"SELECT COUNT(*) FROM {table}")[0][0] for table in TABLES} == TABLES
        assert all(ask(f"SELECT COUNT(*) FROM {table}")[0][0] for table in MORE_TABLES)
        assert ask("SELECT * FROM coaching_bench_made") == ((TINY.name, SEED, 1, TODAY),)
        assert ask("SELECT COUNT(*) FROM waffle_flag WHERE everyone = 1") == ((4,),)
        assert ask("SELECT COUNT(DISTINCT program_uuid), SUM(active) FROM coaching_plugin_coachedcourse") == (
            (30, 300),
        )

    def test_no_row_refers_to_one_that_is_not_there(self, ask):
        # Loaded unchecked. What the tables' own constraints say, and what the platform has without one.
        found = ask(
            "SELECT table_name, column_name, referenced_table_name, referenced_column_name"
            " FROM information_schema.key_column_usage"
            " WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL"
        )
        users = [("courseware_studentmodule", "student_id"), ("coaching_plugin_consentevent", "learner_id")]
        runs = [("student_courseenrollment", "course_id"), ("courseware_studentmodule", "course_id")]
        runs += [("completion_blockcompletion", "course_key"), ("course_goals_useractivity", "course_key")]
        found = [*found, *((*one, "auth_user", "id") for one in users)]
        found = [*found, *((*one, "course_overviews_courseoverview", "id") for one in runs)]
        assert len(found) > 20
        for table, column, other, key in found:
            orphans = ask(
                f"SELECT COUNT(*) FROM {table} a LEFT JOIN {other} b ON a.{column} = b.{key}"
                f" WHERE a.{column} IS NOT NULL AND b.{key} IS NULL"
            )
            assert orphans == ((0,),), (table, column)

    def test_no_index_lacks_a_row(self, ask):
        # They are built at the end of a load.
        assert {row[-1] for row in ask(f"CHECK TABLE {', '.join([*TABLES, *MORE_TABLES])}")} == {"OK"}

    def test_half_of_all_learners_are_in_one_run(self, ask):
        found = ask("SELECT COUNT(*) FROM student_courseenrollment WHERE course_id = %s", str(HUGE_RUN))
        assert found == ((TINY.users // 2,),)

    def test_some_of_the_verified_were_active_lately(self, ask):
        since = TODAY - timedelta(days=90)
        recent = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} a WHERE a.{user} = e.user_id AND a.{run} = e.course_id AND a.{at} >= %s)"
            for table, user, run, at in (
                ("courseware_studentmodule", "student_id", "course_id", "modified"),
                ("completion_blockcompletion", "user_id", "course_key", "modified"),
                ("course_goals_useractivity", "user_id", "course_key", "date"),
            )
        )
        verified, active = ask(
            f"SELECT COUNT(DISTINCT user_id), COUNT(DISTINCT IF(e.created >= %s OR {recent}, user_id, NULL))"
            " FROM student_courseenrollment e JOIN coaching_plugin_coachedcourse ON course_key = course_id"
            " WHERE mode = 'verified'",
            *[since] * 4,
        )[0]
        assert 0.3 < active / verified < 0.5

    def test_nothing_happens_after_the_day_began(self, ask):
        for column in ("courseware_studentmodule.modified", "coaching_plugin_consentevent.occurred_at"):
            table, name = column.split(".")
            begin, end = ask(f"SELECT MIN({name}), MAX({name}) FROM {table}")[0]
            assert end < datetime.combine(TODAY, datetime.min.time()), column
            assert begin < end - timedelta(days=150), column

    def test_the_large_learner_is_as_expensive_as_there_is(self, ask):
        ((learner,),) = ask("SELECT id FROM auth_user WHERE username = %s AND is_active = 1", LARGE_LEARNER)
        rows = "FROM student_courseenrollment JOIN coaching_plugin_coachedcourse ON course_key = course_id"
        found = ask(f"SELECT COUNT(*), MIN(mode), MIN(is_active), MAX(created) {rows} WHERE user_id = %s", learner)
        count, mode, active, created = found[0]
        assert (count, mode, active) == (200, "verified", 1)
        today = datetime.combine(TODAY, datetime.min.time())
        assert created < today - timedelta(days=300)
        per_run = ask(
            "SELECT COUNT(*), MAX(modified), MAX(id) - MIN(id) FROM courseware_studentmodule WHERE student_id = %s"
            " GROUP BY course_id",
            learner,
        )
        assert [count for count, _, _ in per_run] == [250] * 200
        assert max(modified for _, modified, _ in per_run) < today - timedelta(days=91)
        # All over the table.
        assert min(width for _, _, width in per_run) > (TINY.states + 50_000) * 0.9
        for table in ("completion_blockcompletion", "course_goals_useractivity", "coaching_plugin_coachingconsent"):
            assert ask(f"SELECT COUNT(*) FROM {table} WHERE user_id = %s", learner) == ((0,),)

    def test_the_ledger_verifies_and_the_rows_beside_it_are_where_it_left_them(self, site):
        done = subprocess.run(
            [sys.executable, "manage.py", "verify_consent_ledger"],
            cwd=ROOT / "sandbox",
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "lms.envs.test",
                "DATABASE_URL": f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{site}",
            },
            capture_output=True,
            text=True,
        )
        assert done.stdout == f"Intact: the chains of {TINY.consents} learner(s), and the rows beside them.\n"

    def test_consents_are_of_those_who_were_verified_in_a_coached_run(self, ask):
        others = ask(
            "SELECT COUNT(*) FROM coaching_plugin_coachingconsent c WHERE NOT EXISTS ("
            "SELECT 1 FROM student_courseenrollment e JOIN coaching_plugin_coachedcourse ON course_key = course_id"
            " WHERE e.user_id = c.user_id AND mode = 'verified')"
        )
        assert others == ((0,),)
        profiles = ask(
            "SELECT COUNT(*), SUM(c.phone_number = p.phone_number) FROM coaching_plugin_coachingconsent c"
            " JOIN auth_userprofile p USING (user_id) WHERE status = 'consented'"
        )
        assert profiles[0][0] == profiles[0][1] > TINY.consents / 3

    def test_the_partner_was_told_of_every_change(self, ask):
        missing = ask(
            "SELECT COUNT(*) FROM coaching_plugin_coachingconsent c JOIN coaching_plugin_consentevent e"
            " ON e.consent_id = c.id AND e.occurred_at = c.changed_at AND kind <> 'asked'"
            " LEFT JOIN coaching_plugin_partnerdelivery d ON d.partner_id = c.partner_id AND d.status = 'sent'"
            " WHERE d.id IS NULL"
        )
        assert missing == ((0,),)

    def test_it_is_one_of_those_that_are_measured(self, site, monkeypatch):
        monkeypatch.setenv("BENCH_DATABASE_URL", server())
        assert site in _made()

    def test_the_same_seed_makes_the_same_again_in_bounded_memory(self, site, ask, capfd):
        again = Size(f"again{os.getpid()}", TINY.share)
        try:
            with asking(make(again)) as ask_again:
                names = {table.partition(".")[2]: found for table, found in sums(ask_again).items()}
            assert names == {table.partition(".")[2]: found for table, found in sums(ask).items()}
            assert len(names) == len(TABLES) + len(MORE_TABLES)
            said = capfd.readouterr().err
            assert int(re.search(r"at most (\d+) MB of memory in a process", said)[1]) < 150
            assert set(re.findall(r"^  (\w+): [\d,]+ rows", said, re.MULTILINE)) >= set(names) - CATALOG
        finally:
            drop(again)


@on_mariadb
def test_interrupted_it_leaves_nothing_that_is_measured(monkeypatch):
    monkeypatch.setenv("BENCH_DATABASE_URL", server())
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.data", "--size", "small"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # What runs in the background of a script ignores it, and so does all that is started there.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        # The next table takes seconds.
        assert "auth_user: 10,001 rows" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert f"Interrupted: {SIZES['small'].database} is not whole" in process.communicate()[1]
        assert process.returncode == 1
        with asking() as ask:
            tables = {name for (name,) in ask(f"SHOW TABLES IN `{SIZES['small'].database}`")}
        assert "auth_user" in tables
        assert SIZES["small"].database not in _made()
    finally:
        process.kill()
        drop(SIZES["small"])


@pytest.fixture
def scratch():
    """A connection, to a database with a table of one column that is unique."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_DATABASE_URL", server())
        size = Size(f"scratch{os.getpid()}", 0)
        with asking() as ask:
            ask(f"CREATE DATABASE `{size.database}`")
        try:
            with command._connection(database=size.database, local_infile=True) as connected:
                with connected.cursor() as cursor:
                    cursor.execute("CREATE TABLE few (number INT NOT NULL PRIMARY KEY)")
                yield connected
        finally:
            drop(size)


@on_mariadb
@pytest.mark.parametrize(
    ("rows", "length"),
    [(["1\n"], 2), (["1\n", "1\n"], 2), (["1\n", "two\n"], 2), ((1 / 0 for _ in "1"), 1)],
    ids=["too-few", "twice", "no-number", "fails"],
)
def test_rows_that_do_not_arrive_are_no_success(scratch, capfd, rows, length):
    with pytest.raises((LoadError, pymysql.MySQLError)):
        load(scratch, "few", ("number",), rows, length)
    assert "rows in" not in capfd.readouterr().err


@on_mariadb
def test_a_table_that_is_filled_is_told_in_a_line(scratch, capfd):
    load(scratch, "few", ("number",), (f"{number}\n" for number in range(3_000)), 3_000)
    assert re.fullmatch(r"  few: 3,000 rows in \d+ s\n", capfd.readouterr().err)


@on_mariadb
def test_on_a_terminal_a_bar_tells_it(scratch, monkeypatch):
    ours, theirs = os.openpty()
    with open(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        load(scratch, "few", ("number",), (f"{number}\n" for number in range(3_000)), 3_000)
        said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert re.search(r"few .*100%", said)
    assert "3,000 rows" not in said
