"""How the one query reads the platform's largest table, as MariaDB explains it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from coaching_plugin import eligibility
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.cost import plan_of, states_in, the_query_of
from tests.factories import MB101

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's optimizer is asked; the MariaDB run does"),
]

OLD = timedelta(days=200)


def learner_among_others(runs, blocks, others):
    """Return a learner with old state in so many blocks of so many runs, and others with as much in the first run."""
    keys = [MB101, *(MB101.replace(run=f"run{number}") for number in range(runs - 1))]
    CoachedCourse.objects.bulk_create(CoachedCourse(course_key=key) for key in keys[1:])
    learner = factories.user()
    for key in keys:
        factories.enroll(learner, key)
    rest = [factories.user() for _ in range(others)]
    for other in rest:
        factories.enroll(other, MB101)
    factories.save_many_states([learner, *rest], blocks, timezone.now() - OLD)
    return learner


def explained(learner):
    """Return the plan's rows for the courseware-state table, as the learner is judged."""
    assert not eligibility.explain(learner).is_eligible  # the coached keys are known then
    return states_in(plan_of(the_query_of(lambda: eligibility.explain(learner))))


def assert_no_index_of_others_fits(row):
    """Check that what other learners did in a course, or at a time, is not looked at."""
    for unwanted in ("course_id_", "modified", "created"):
        assert f"courseware_studentmodule_{unwanted}" not in row["possible_keys"], row


def test_only_the_learners_own_rows_are_read_once_for_all_runs(coached):
    (row,) = explained(learner_among_others(runs=3, blocks=300, others=60))
    assert row["select_type"] == "MATERIALIZED"
    assert row["key"].startswith("courseware_studentmodule_student_id_module_id_cou"), row
    assert row["ref"] == "const", row
    assert int(row["rows"]) < 3000, "the learner has 900 of 18,900"
    assert_no_index_of_others_fits(row)


def test_of_fifty_thousand_rows_in_many_runs_each_is_read_once(coached):
    """Of a table that is half a learner's own, MariaDB reads the whole; `make bench` has one of a million."""
    (row,) = explained(learner_among_others(runs=200, blocks=250, others=200))
    assert row["select_type"] == "MATERIALIZED"
    assert_no_index_of_others_fits(row)


def test_of_fifty_thousand_rows_those_of_a_minute_are_found_by_their_date(coached):
    learner = learner_among_others(runs=200, blocks=250, others=3)
    factories.save_state(learner, timezone.now())
    a_minute_ago = timezone.now() - timedelta(minutes=1)
    assert eligibility.explain(learner, states_from=a_minute_ago).is_eligible
    (row,) = states_in(plan_of(the_query_of(lambda: eligibility.explain(learner, states_from=a_minute_ago))))
    assert row["select_type"] == "MATERIALIZED"
    assert row["key"].startswith("courseware_studentmodule_modified"), row
    assert int(row["rows"]) < 10, row
    assert "courseware_studentmodule_course_id_" not in row["possible_keys"], row
