"""No group under ten learners can be read from the report, in whatever form it comes, nor worked out by subtraction."""

import csv
import io
import json
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from coaching_plugin.models import EligibleCount
from coaching_plugin.reports import small_groups
from coaching_plugin.reports.small_groups import Row, shown, withheld
from tests import factories
from tests.factories import LIST1, MB101, MB102, PROGRAM_UUID
from tests.test_reports import asked_learner

PATH = "/coaching/report/"
GROUPS = st.lists(st.integers(0, 40), max_size=12)


# The rule itself


@given(GROUPS)
def test_of_a_partition_no_small_group_is_shown_or_comes_out_by_subtraction(groups):
    hidden = withheld(groups, sum(groups))
    assert not any(0 < groups[index] < 10 for index in range(len(groups)) if index not in hidden)
    # Whoever knows the whole knows how many all that is withheld are together, and no more.
    together = sum(groups[index] for index in hidden)
    assert together == 0 or together >= 10 or together == sum(groups)


@given(GROUPS)
def test_what_need_not_be_withheld_is_shown(groups):
    hidden = withheld(groups, sum(groups))
    if not any(0 < group < 10 for group in groups):
        assert hidden == set()
    assert all(groups[index] for index in hidden), "an empty group tells of nobody"
    # Without the largest of the others, the small ones alone would give themselves away.
    others = [groups[index] for index in hidden if groups[index] >= 10]
    small = sum(group for group in groups if group < 10)
    assert len(others) <= 1 or small + sum(sorted(others)[:-1]) < 10


@given(st.lists(st.sets(st.integers(0, 30)), max_size=6))
def test_of_groups_that_overlap_neither_one_nor_the_rest_of_everybody_is_small(groups):
    """Learners of several course runs: those who are in one, and those who are not, are both groups."""
    everybody = set().union(*groups)
    hidden = withheld([len(group) for group in groups], len(everybody))
    for index, group in enumerate(groups):
        if index not in hidden and group:
            assert len(group) >= 10
            assert not 0 < len(everybody - group) < 10


@given(st.integers(0, 9))
def test_a_row_that_is_withheld_has_no_number_left(learners):
    row = Row("key", learners, {"learners": learners, "rate": 0.5})
    (out,) = shown([row])
    assert (out["withheld"], out["learners"], out["rate"]) == ((True, None, None) if learners else (False, 0, 0.5))


@given(st.integers(0, 40))
def test_a_part_of_a_group_may_be_too_small_where_the_group_is_not(part):
    (out,) = shown([Row("key", 40, {"rate": 0.5, "eligible": part}, {"eligible": part})])
    assert (out["eligible"], out["withheld_cells"]) == ((None, ["eligible"]) if 0 < part < 10 else (part, []))
    assert out["rate"] == 0.5


def test_nothing_but_the_rule_turns_rows_into_what_is_kept():
    """A row has no other way out: what ``build`` returns is plain data, and rows are not."""
    assert not hasattr(Row("key", 1, {}), "__getitem__")
    assert small_groups.SMALLEST == 10


# The page, its charts and its files


@pytest.fixture
def staff(coached):
    account = factories.user(is_staff=True)
    account.user_permissions.add(Permission.objects.get(codename="view_report"))
    client = Client()
    client.force_login(account)
    return client


def seen(client, **query):
    """Return the text of the page, what its charts draw, and the rows of each of its files."""
    page = BeautifulSoup(client.get(PATH, query).content, "html.parser")
    charts = page.find(id="coaching-report-charts")
    files = {}
    for link in page.select("a[href*='format=csv']"):
        name = dict(part.split("=") for part in link["href"].lstrip("?").split("&"))["table"]
        files[name] = list(csv.DictReader(io.StringIO(client.get(PATH + link["href"]).content.decode())))
    return page.main, json.loads(charts.string) if charts else {}, files


def ask(number, key, weeks=1, arm="consented", **fields):
    for second in range(number):
        asked_at = timezone.now() - timedelta(weeks=weeks)
        asked_learner(asked_at, ("refused", 3, "phone_type"), (arm, 20 + second), key=key, **fields)


def row_of(page, words):
    (row,) = [row for row in page.select("tbody tr") if words in row.th.get_text()]
    return [cell.get_text() for cell in row.select("td")]


def test_a_small_program_is_nowhere_and_neither_is_what_gives_it_away(staff):
    ask(30, MB101)
    ask(7, LIST1)
    page, charts, files = seen(staff)
    assert row_of(page, "All learners")[0] == "37"
    for words in ("Demo MicroBachelors", "MB101", "Course runs in no program", "LIST1"):
        assert row_of(page, words) == ["not shown"]
    assert charts["funnel"]["labels"] == ["All learners"]
    withheld_rows = [row for row in files["funnel"] if row["withheld"] == "row"]
    assert len(withheld_rows) == 5, "both programs, and all of their runs"
    assert {row["learners"] + row["consented"] + row["rate"] for row in withheld_rows} == {""}
    told = {cell.get_text() for cell in page.select("table:not(.coaching-first-ten) td")}
    del files["first_ten"]
    told |= {cell for rows in files.values() for row in rows for cell in row.values()}
    told |= {str(value) for chart in charts.values() for series in chart["series"] for value in series["values"]}
    assert "37" in told
    assert not told & {"30", "7"}


@pytest.mark.parametrize(
    "query", [{"course": str(LIST1)}, {"course": str(MB101)}, {"program": str(PROGRAM_UUID)}], ids=str
)
def test_of_a_scope_that_is_withheld_no_part_is_shown(staff, query):
    ask(30, MB101)
    ask(7, LIST1)
    page, charts, files = seen(staff, **query)
    assert "fewer than 10 learners" in page.get_text()
    assert charts == {}
    assert files.keys() == {"funnel", "first_ten"}
    assert {row["withheld"] for row in files["funnel"]} <= {"row", ""}
    assert not any(row["consented"].strip("0") for row in files["funnel"])
    for name in ("weeks", "delays", "refusals", "persistence"):
        lines = staff.get(PATH, {**query, "table": name, "format": "csv"}).content.decode().splitlines()
        assert len(lines) == 1, "the header, and nothing under it"


def test_weeks_and_reasons_with_few_learners_are_withheld_with_the_next(staff):
    ask(20, MB101, weeks=2)
    ask(15, MB101, weeks=5)
    ask(4, MB101, weeks=8)
    page, charts, files = seen(staff)
    known = {row["key"]: row for row in files["weeks"] if row["withheld"] == "row" or row["asked"] != "0"}
    assert [(row["asked"], row["withheld"]) for row in known.values()] == [("", "row"), ("", "row"), ("20", "")]
    values = [value for value in charts["weeks"]["series"][0]["values"] if value]
    assert values == [20]


def test_an_arm_with_few_learners_is_withheld_and_so_is_the_comparison(staff):
    ask(20, MB101, weeks=10)
    ask(6, MB101, weeks=10, arm="declined")
    page, charts, files = seen(staff)
    by_key = {row["key"]: row for row in files["persistence"]}
    assert by_key["60-consented"]["learners"] == "20"
    assert [by_key[f"60-{group}"]["withheld"] for group in ("consented", "declined", "difference")] == [
        "",
        "row",
        "row",
    ]
    assert charts["persistence"]["series"][1]["values"] == [None] * 4


def test_the_time_to_answer_of_few_is_withheld_with_its_median(staff):
    ask(8, MB101)
    for _ in range(20):
        asked_learner(timezone.now() - timedelta(weeks=1))
    page, charts, files = seen(staff)
    assert "Half of those who answered" not in page.get_text()
    assert {row["withheld"] for row in files["delays"]} == {"row"}
    assert "delays" not in charts


def test_a_count_of_few_eligible_learners_is_withheld_in_its_week(staff):
    ask(20, MB101)
    EligibleCount.objects.create(day=timezone.now().date(), scope="", learners=6)
    EligibleCount.objects.create(day=timezone.now().date() - timedelta(weeks=1), scope="", learners=60)
    *_, before, last = seen(staff)[2]["weeks"]
    assert (before["eligible"], last["eligible"], last["withheld"]) == ("60", "", "eligible")


@pytest.mark.parametrize("number", [1, 9])
def test_of_fewer_than_ten_there_are_the_first_ten_alone(staff, number):
    ask(number, MB101)
    page, charts, files = seen(staff)
    assert row_of(page, "All learners") == ["not shown"]
    assert charts == {}
    assert len(files["first_ten"]) == number
    assert f"Of the {number} learner" in page.get_text()


def test_nothing_names_anybody(staff):
    ask(30, MB102)
    for learner in factories.User.objects.filter(is_staff=False):
        learner.profile.name = "Lena Learner"
        learner.profile.save()
    page, charts, files = seen(staff)
    everything = str(page) + json.dumps(charts) + json.dumps(files)
    for learner in factories.User.objects.filter(is_staff=False):
        assert learner.username not in everything
        assert learner.email not in everything
    assert "Lena" not in everything
    assert "/learner/" not in everything
