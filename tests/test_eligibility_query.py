"""How the one query reads the platform's largest table, as MariaDB explains it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from lms.djangoapps.courseware.models import StudentModule

from coaching_plugin import eligibility
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.factories import MB101

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's optimizer is asked; the MariaDB run does"),
]

OLD = timedelta(days=200)


def states(learner, course_key, count):
    """Return old courseware state of a learner in many blocks of a course run."""
    for number in range(count):
        yield StudentModule(
            student=learner,
            course_id=course_key,
            module_state_key=course_key.make_usage_key("problem", f"block{number}"),
            module_type="problem",
        )


@pytest.fixture
def explained(coached):
    """The plan's rows for the courseware-state table, for a learner of three runs among sixty others."""
    learner = factories.user()
    rows = []
    for number in range(3):
        key = MB101.replace(run=f"run{number}")
        CoachedCourse.objects.create(course_key=key)
        factories.enroll(learner, key)
        rows += states(learner, key, 300)
    for _ in range(60):
        rows += states(factories.user(), MB101, 300)
    StudentModule.objects.bulk_create(rows, batch_size=1000)
    StudentModule.objects.update(modified=timezone.now() - OLD, created=timezone.now() - OLD)
    eligibility.explain(learner)  # the coached keys are known then
    with CaptureQueriesContext(connection) as queries:
        assert not eligibility.explain(learner).is_eligible
    assert len(queries) == 1
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {queries[0]['sql']}")
        names = [column[0] for column in cursor.description]
        plan = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    state_of = [row for row in plan if "courseware_studentmodule" in str(row["possible_keys"])]
    assert state_of, plan
    return state_of


def test_only_the_learners_own_index_fits(explained):
    for row in explained:
        assert row["key"].startswith("courseware_studentmodule_student_id_module_id_cou"), row
        assert row["ref"] == "const", row
        for unwanted in ("course_id_", "modified", "created"):
            assert f"courseware_studentmodule_{unwanted}" not in row["possible_keys"], row


def test_the_learners_rows_are_read_once_for_all_runs(explained):
    assert [row["select_type"] for row in explained] == ["MATERIALIZED"]
    assert int(explained[0]["rows"]) < 3000, "the learner has 900 of 18,900"
