"""A site under load: the visits, what is the right answer to each, and what the benchmark makes of what Locust saw."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from common.djangoapps.student.models import UserProfile
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from lms.djangoapps.course_goals.models import UserActivity
from lms.djangoapps.courseware.models import StudentModule

from benchmarks import visits
from benchmarks.budgets import Measured, broken
from benchmarks.environment import child_environment
from benchmarks.ratios import Ratio
from benchmarks.server_log import errors_in
from benchmarks.site import COACHED_RUNS, OTHER_RUNS
from benchmarks.slices import Slice, by_pairs, halves, percentile, work_of_a_visit
from benchmarks.visits import (
    ANONYMOUS,
    ANSWERED,
    COURSE_METADATA,
    COURSE_PAGE,
    MIX,
    NOT_ELIGIBLE,
    NOT_OUR_COURSE,
    TO_BE_ASKED,
    Guest,
    Guests,
    Visit,
)
from coaching_plugin import consent
from coaching_plugin.models import CoachedCourse, CoachingConsent, ConsentEvent, PartnerDelivery
from tests import factories

RUN = "course-v1:NationX+MB001+2026"
QUESTION = "/coaching/consent/?next=%2Fcourses%2Fcourse-v1%3ANationX%2BMB001%2B2026%2Fcourseware%2F"
PAGE = "<span>lena</span> You are in."

needs_servers = pytest.mark.skipif(
    not all(find_spec(name) for name in ("psutil", "redis")),
    reason="benchmarks/requirements.txt is not installed",
)


def visit(state=ANSWERED, page=COURSE_PAGE, with_plugin=True, answer=""):
    return Visit(Guest(state, RUN, "" if state == ANONYMOUS else "lena", "a session"), page, with_plugin, answer)


def metadata(has_access=True, username="lena", error_code=None, message=None):
    access = {"has_access": has_access, "error_code": error_code, "developer_message": message}
    return json.dumps({"username": username, "course_access": access})


# What is the right answer


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        (visit(), (200, "", PAGE)),
        (visit(TO_BE_ASKED), (302, QUESTION, "")),
        (visit(TO_BE_ASKED, with_plugin=False), (200, "", PAGE)),
        (visit(ANONYMOUS), (302, "/login?next=/courses/", "")),
        (visit(NOT_ELIGIBLE, COURSE_METADATA), (200, "", metadata())),
        (visit(TO_BE_ASKED, COURSE_METADATA), (200, "", metadata(has_access=False, message=QUESTION))),
        (visit(TO_BE_ASKED, COURSE_METADATA, with_plugin=False), (200, "", metadata())),
        (visit(ANONYMOUS, COURSE_METADATA), (200, "", metadata(False, None, "authentication_required"))),
    ],
)
def test_the_right_answer_is_no_problem(one, answer):
    assert one.problem(*answer) == ""


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        (visit(), (500, "", PAGE)),
        (visit(), (200, "", "Coaching is not available at the moment. lena")),
        (visit(), (200, "", PAGE.replace("lena", "lars"))),
        (visit(), (302, QUESTION, "")),
        (visit(TO_BE_ASKED), (200, "", PAGE)),
        (visit(TO_BE_ASKED), (302, "/login?next=/courses/", "")),
        (visit(TO_BE_ASKED), (302, QUESTION.replace("MB001", "MB002"), "")),
        (visit(TO_BE_ASKED, with_plugin=False), (302, QUESTION, "")),
        (visit(ANONYMOUS), (200, "", PAGE)),
        (visit(page=COURSE_METADATA), (503, "", "")),
        (visit(page=COURSE_METADATA), (200, "", metadata(has_access=False))),
        (visit(page=COURSE_METADATA), (200, "", metadata(username="lars"))),
        (visit(TO_BE_ASKED, COURSE_METADATA), (200, "", metadata())),
        (visit(TO_BE_ASKED, COURSE_METADATA), (200, "", metadata(has_access=False))),
        (visit(ANONYMOUS, COURSE_METADATA), (200, "", metadata(username=None))),
    ],
)
def test_any_other_answer_is_a_problem_that_names_page_and_state_and_nobody(one, answer):
    problem = one.problem(*answer)
    assert problem.startswith(f"{one.page}, {one.guest.state}: ")
    assert "lena" not in problem


# Who visits


def guests(to_be_asked=60):
    states = dict.fromkeys(MIX, 20) | {TO_BE_ASKED: to_be_asked}
    return Guests(
        {state: [Guest(state, RUN, f"{state} {place}") for place in range(number)] for state, number in states.items()}
    )


def test_visits_come_as_the_mix_says_half_of_them_of_each_page():
    made = guests().visits(1000, with_plugin=True)
    assert Counter(one.guest.state for one in made) == {state: 10 * share for state, share in MIX.items()}
    assert Counter(one.page for one in made) == {COURSE_PAGE: 500, COURSE_METADATA: 500}
    assert sum(MIX.values()) == 100


def test_a_third_of_those_who_are_asked_answers_once_and_never_without_the_plugin():
    some = guests()
    made = some.visits(1000, with_plugin=True)
    answering = [one.guest.username for one in made if one.answer]
    assert len(answering) == len({*answering}) == 30, "as many as there are"
    assert Counter(one.answer for one in made if one.answer) == {"accept": 15, "decline": 15}
    assert not {*answering} & {one.guest.username for one in made if not one.answer}
    assert not any(one.answer for one in some.visits(1000, with_plugin=True)), "nobody is left who would"
    assert not any(one.answer for one in guests().visits(1000, with_plugin=False))


def test_visits_are_written_and_read_again(tmp_path):
    made = guests().visits(50, with_plugin=True)
    visits.write(made, tmp_path / "visits")
    assert visits.read(tmp_path / "visits") == made


# What is made of it


def a_slice(milliseconds=(10, 20, 30), problem="", visits=None, seconds=1.0, work=0.3, state=ANSWERED, rate=3):
    answers = [
        {"step": "visit", "state": state, "page": COURSE_PAGE, "answer": "", "milliseconds": took, "problem": problem}
        for took in milliseconds
    ]
    number = len(answers) if visits is None else visits
    return Slice(visits=number, rate=rate, seconds=seconds, latest=0.0, answers=answers, work=work)


def test_percentiles_are_those_of_the_times_that_locust_noted():
    times = [*range(1, 102)]
    assert [percentile(times, which) for which in (50, 95, 99)] == [51, 96, 100]


def test_a_slice_tells_of_the_same_pages_on_both_sides():
    answers = a_slice([10, 20]).answers + a_slice([500], state=TO_BE_ASKED).answers
    one = Slice(visits=3, rate=3, seconds=1, latest=0, answers=answers)
    assert one.of_pages() == [10, 20]
    assert one.of(state=TO_BE_ASKED) == [500]
    assert one.of("the question") == []


def test_an_error_and_a_visit_that_was_not_made_are_problems():
    assert a_slice().problems() == set()
    assert a_slice(problem="a course page, answered: 500 is not the page").problems() == {
        "a course page, answered: 500 is not the page"
    }
    assert a_slice(visits=4).problems() == {"of 4 visits, 3 were made"}


def test_a_rate_is_held_in_time_and_while_nobody_waits_long():
    alone = a_slice([10, 10, 10])
    assert a_slice([50, 50, 50], seconds=1.9).is_held(alone)
    assert not a_slice([50, 50, 50], seconds=2.1).is_held(alone)
    assert not a_slice([10, 10, 90], seconds=1.9).is_held(alone)


def test_slices_are_held_against_those_beside_them():
    these, those = [a_slice([20, 20]), a_slice([60, 60])], [a_slice([10, 10]), a_slice([20, 20])]
    assert by_pairs(these, those, lambda one: percentile(one.of_pages(), 50)) == Ratio(2.5, 2.0, 3.0)
    assert halves([1, 2, 3, 4]) == ([1, 3], [2, 4])
    assert work_of_a_visit(a_slice(work=0.3)) == pytest.approx(100)


def test_a_site_that_is_slower_by_more_than_the_noise_breaks_its_budget():
    quiet = Ratio(1.0, 0.99, 1.01)
    slow = [Measured(f"load_p{which}", "a site", Ratio(2.0, 1.9, 2.1), quiet) for which in (50, 95, 99)]
    assert len(broken(slow)) == 3
    assert not broken([Measured("load_work", "a site", Ratio(1.0, 0.9, 1.1), quiet)])


@needs_servers
def test_without_a_redis_it_says_so_and_fails_only_where_one_is_required(monkeypatch):
    from benchmarks import load
    from benchmarks.site import SIZES

    # Nothing listens on port 1.
    monkeypatch.setenv("BENCH_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.delenv("REQUIRE_REDIS", raising=False)
    outcome = load.run([SIZES["small"]], rounds=1)
    assert "not measured, no Redis answers at 127.0.0.1:1" in outcome.text
    assert (outcome.measured, outcome.wrong) == ((), ())
    monkeypatch.setenv("REQUIRE_REDIS", "1")
    assert load.run([SIZES["small"]], rounds=1).wrong


@pytest.mark.once
@pytest.mark.parametrize(("plugin", "is_there"), [("with", True), ("without", False)])
def test_the_platform_finds_the_plugin_or_does_not(tmp_path, plugin, is_there):
    tell = (
        "import django, json; django.setup()\n"
        "from django.conf import settings\n"
        "from django.urls import resolve, Resolver404\n"
        "def page():\n"
        "    try: return bool(resolve('/coaching/consent/'))\n"
        "    except Resolver404: return False\n"
        "of = [settings.INSTALLED_APPS, settings.MIDDLEWARE, settings.OPEN_EDX_FILTERS_CONFIG,"
        " settings.TRACKING_IGNORE_URL_PATTERNS]\n"
        "others = 'completion' in str(settings.INSTALLED_APPS)\n"
        "lasts = settings.DATABASES['default']['CONN_MAX_AGE'] is None\n"
        "print(json.dumps([['coaching' in str(part) for part in of] + [page()], others, lasts]))"
    )
    environment = child_environment(
        DJANGO_SETTINGS_MODULE=f"benchmarks.lms_{plugin}_plugin", DATABASE_URL="", SANDBOX_DATA_DIR=str(tmp_path)
    )
    told = subprocess.run([sys.executable, "-c", tell], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == [[is_there] * 5, True, True]


def test_what_a_server_logs_as_an_error_is_found_and_a_warning_is_none():
    errors = ["ERROR django.request Internal Server Error: /", "Traceback (most recent call last):"]
    of_gunicorn = "[2026-11-27 08:00:00 +0000] [12] [ERROR] Worker (pid:14) exited with code 1"
    log = "\n".join(["WARNING django.request Not Found: /", *errors, "  File", "ValueError", of_gunicorn, *errors])
    assert errors_in(log) == sorted([*errors, of_gunicorn])
    assert errors_in("") == []


def seen(side_is_slower_by):
    """Slices as of a whole run: every state, and the question followed to its end."""
    answers = [
        {"step": "visit", "state": state, "page": page, "answer": "", "milliseconds": side_is_slower_by * took}
        for state in MIX
        for page in (COURSE_PAGE, COURSE_METADATA)
        for took in (10, 20, 30)
    ]
    answers += [
        {**answers[0], "state": TO_BE_ASKED, "step": step, "answer": "accept"}
        for step in ("the question", "the answer", "the confirmation")
        for _ in range(2)
    ]
    answers = [answer | {"problem": ""} for answer in answers]
    visits = 6 * len(MIX)
    return [
        Slice(visits, rate=10, seconds=3, latest=0, answers=answers, work=0.3 * side_is_slower_by) for _ in range(2)
    ]


@needs_servers
def test_the_report_tells_of_every_state_and_step_and_a_slow_side_breaks_the_budgets():
    from benchmarks import load
    from benchmarks.site import SIZES

    sides = {load.WITH: seen(3), load.WITHOUT: seen(1)}
    of_shares = {load.WITH_ROOM: sides, load.NEAR_HIGHEST: {load.WITH: seen(9), load.WITHOUT: seen(1)}}
    found = load.Found(seen(1)[0], seen(1), of_shares, sides, connections=4)
    text = load._report(SIZES["small"], found)
    lines = text.splitlines()
    for name in ("pages", NOT_OUR_COURSE, ANSWERED, NOT_ELIGIBLE, TO_BE_ASKED):
        for side in (load.WITH, load.WITHOUT):
            assert any(line.startswith(f"{name}, {side} ") for line in lines), (name, side)
    assert "10 visits a second, 60% of the highest that is held, for 6 s on each side; 4 answered" in text
    assert re.findall(r"^p50 of pages, .* ([39]\.000) ", text, re.MULTILINE) == ["3.000", "9.000"]
    assert re.findall(r"^processor time of a visit, .* ([39]\.000) ", text, re.MULTILINE) == ["3.000", "9.000"]
    assert max(map(len, lines)) <= 105
    judged = list(load._measured(SIZES["small"], found))
    # Those of the rate that leaves room to both.
    assert [one.ratio.median for one in judged] == [pytest.approx(3)] * 4
    assert len(broken(judged)) == 4


# The site


@pytest.fixture
def site(committed, flags):
    """A site with two learners of each state, and its probe, in this process."""
    from benchmarks.load_probe import Site

    ours, other = COACHED_RUNS[0], OTHER_RUNS[0]
    CoachedCourse.objects.create(course_key=ours)
    for _ in range(2):
        factories.eligible_learner(ours)
        factories.enroll(factories.user(), ours, mode="audit")
        factories.enroll(factories.user(), other)
        consent.decline(factories.eligible_learner(ours), factories.evidence())
    site = Site()
    site.found = site.prepare(dict.fromkeys((NOT_OUR_COURSE, ANSWERED, NOT_ELIGIBLE, TO_BE_ASKED), 5))
    return site


def browser_of(guest):
    client = Client()
    client.cookies["sessionid"] = guest.session
    return client


@pytest.mark.course_doors
def test_whoever_is_found_is_answered_as_their_state_says_with_the_right_session(site):
    found = Guests.of(site.found)
    assert {state: len(some) for state, some in site.found.items()} == dict.fromkeys(MIX, 2) | {ANONYMOUS: 50}
    # Of the anonymous, whose course runs this site has not all, nobody comes.
    made = [one for one in found.visits(40, with_plugin=True) if one.guest.state != ANONYMOUS]
    for one in made:
        answer = browser_of(one.guest).get(one.path)
        assert one.problem(answer.status_code, answer.headers.get("Location", ""), answer.content.decode()) == ""


@pytest.mark.course_doors
def test_a_site_is_left_as_it_was_found_whatever_its_learners_did(site):
    before = stored()
    for guest in Guests.of(site.found).visits(12, with_plugin=True):
        browser_of(guest.guest).get(guest.path)
    for guest in site.found[TO_BE_ASKED]:
        learner = User.objects.get(username=guest["username"])
        browser_of(Guest(**guest)).get(f"/courses/{guest['course_key']}/courseware/")
        assert not consent.give(learner, factories.TYPED, "Another Name", factories.evidence()).is_refused
    assert site.judge({"consented": 2, "declined": 0}) == []
    assert site.judge({"consented": 1, "declined": 1}) == [
        "1 answers were confirmed as consented, and 2 are stored",
        "1 answers were confirmed as declined, and 0 are stored",
    ]
    assert stored() != before
    assert site.leave() == []
    assert not Session.objects.exists()
    assert {**stored(), Session: []} == {**before, Session: []}


def test_a_row_that_is_left_is_noticed(site):
    consent.decline(factories.user(), factories.evidence())
    assert site.leave() == [
        "coaching_plugin_coachingconsent is not left as it was found",
        "coaching_plugin_consentevent is not left as it was found",
    ]


def stored():
    models = (Session, StudentModule, UserActivity, CoachingConsent, ConsentEvent, PartnerDelivery, UserProfile)
    return {model: list(model.objects.order_by("pk").values()) for model in models}


def test_every_module_that_locust_reads_sets_up_no_django():
    folder = Path(visits.__file__).parent
    for name in ("visits", "locustfile"):
        assert "django" not in (folder / f"{name}.py").read_text().replace("No Django", "")
    assert os.path.exists(folder / "requirements.txt")
