"""What the list of coached course runs shows operators, what it lets whom do, and which keys its form takes."""

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from coaching_plugin import coached_courses
from coaching_plugin.models import CoachedCourse
from tests import factories
from tests.factories import LIST1, MB101, MB102, PLAIN
from tests.operators import operator
from tests.test_coached_courses import program, put

pytestmark = [pytest.mark.once, pytest.mark.django_db]

CHANGELIST = reverse("admin:coaching_plugin_coachedcourse_changelist")
ADD = reverse("admin:coaching_plugin_coachedcourse_add")
SYNC = reverse("admin:coaching_plugin_coachedcourse_sync")
IMPORT = reverse("admin:coaching_plugin_coachedcourse_import")
EXPORT = reverse("admin:coaching_plugin_coachedcourse_export")
UNKNOWN = ["The LMS knows no course run with this key."]


def change_page(row):
    return reverse("admin:coaching_plugin_coachedcourse_change", args=[row.pk])


def form(key, **fields):
    return {"course_key": str(key), "program_title": "", "program_uuid": "", "active": "on", **fields}


def errors(response):
    assert response.status_code == 200
    return response.context["adminform"].form.errors


def page_of(response):
    return BeautifulSoup(response.content, "html.parser")


# Keys that the LMS knows


def test_a_key_that_the_lms_does_not_know_is_refused():
    assert errors(operator().post(ADD, form(MB101))) == {"course_key": UNKNOWN}
    assert not CoachedCourse.objects.exists()


@pytest.mark.parametrize(
    "key", [str(MB101).replace("MB", "mb"), f"{MB101}+branch@draft-branch"], ids=["case", "branch"]
)
def test_a_key_is_the_lmss_own_to_the_letter(key):
    """A database may find the run for it; courses would not."""
    factories.overview(MB101)
    assert errors(operator().post(ADD, form(key))) == {"course_key": UNKNOWN}
    assert not CoachedCourse.objects.exists()


def test_an_older_kind_of_key_is_taken_where_the_lms_knows_it():
    old = CourseKey.from_string("DemoX/OLD/2013")
    factories.overview(old)
    assert operator().post(ADD, form(old)).status_code == 302
    assert coached_courses.is_coached(old)


def test_a_row_whose_run_is_gone_from_the_lms_can_be_switched_off_and_on():
    row = CoachedCourse.objects.create(course_key=MB101)
    browser = operator()
    for active in (False, True):
        data = form(MB101, active="on" if active else "")
        assert browser.post(change_page(row), data).status_code == 302
        row.refresh_from_db()
        assert row.active == active
        assert coached_courses.is_coached(MB101) == active


def test_a_row_takes_no_other_key_that_the_lms_does_not_know():
    row = CoachedCourse.objects.create(course_key=MB101)
    browser = operator()
    assert errors(browser.post(change_page(row), form(MB102))) == {"course_key": UNKNOWN}
    factories.overview(MB102)
    assert browser.post(change_page(row), form(MB102)).status_code == 302
    assert CoachedCourse.objects.get().course_key == MB102


# The list


def cells(browser, name, query=""):
    rows = page_of(browser.get(CHANGELIST + query)).select("#result_list tbody tr")
    return {row.select_one(".field-course_key").get_text(): row.select_one(f".field-{name}").get_text() for row in rows}


def test_each_run_is_shown_with_the_name_that_the_lms_has_for_it():
    factories.coach_courses()
    factories.overview(MB101)
    CourseOverview.objects.filter(id=MB101).update(display_name="Statistics <i>I</i>")
    factories.overview(MB102)
    CourseOverview.objects.filter(id=MB102).update(display_name=None)
    assert cells(operator(), "run_name") == {
        str(MB101): "Statistics <i>I</i>",
        str(MB102): "-",
        str(LIST1): "Unknown to the LMS",
    }


def test_the_list_is_filtered_by_whose_word_it_is_and_whether_it_counts():
    factories.coach_courses()
    CoachedCourse.objects.filter(course_key=MB102).update(active=False)
    browser = operator()
    assert set(cells(browser, "source", "?source__exact=catalog")) == {str(MB101), str(MB102)}
    assert set(cells(browser, "source", "?active__exact=1")) == {str(MB101), str(LIST1)}


@pytest.mark.parametrize("rows", [1, 300])
def test_the_list_costs_as_many_queries_whatever_it_holds(rows, django_assert_max_num_queries):
    keys = [CourseKey.from_string(f"course-v1:DemoX+LONG{number}+2026") for number in range(rows)]
    CoachedCourse.objects.bulk_create(CoachedCourse(course_key=key) for key in keys)
    browser = operator()
    browser.get(CHANGELIST)
    with django_assert_max_num_queries(8):
        assert len(browser.get(CHANGELIST).context["cl"].result_list) == min(rows, 100)


def test_selected_rows_are_deleted_as_anywhere_in_the_admin():
    factories.coach_courses()
    assert coached_courses.is_coached(MB101)
    row = CoachedCourse.objects.get(course_key=MB101)
    data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    assert operator().post(CHANGELIST, data).status_code == 302
    assert not coached_courses.is_coached(MB101)


# The buttons


def buttons(browser):
    tools = page_of(browser.get(CHANGELIST)).select_one(".object-tools")
    return {link["href"] for link in tools.select("a")} | {form["action"] for form in tools.select("form")}


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ([], {f"{ADD}", IMPORT, EXPORT, SYNC}),
        (["view_coachedcourse"], {EXPORT}),
        (["change_coachedcourse"], {EXPORT, SYNC}),
        (["view_coachedcourse", "add_coachedcourse"], {ADD, EXPORT}),
    ],
    ids=["superuser", "view", "change", "view and add"],
)
def test_there_are_buttons_for_what_the_operator_may_do(permissions, expected):
    assert buttons(operator(*permissions)) == expected


def test_the_button_synchronizes_without_a_selection_on_an_empty_list():
    put(program(runs=[MB101, PLAIN]))
    browser = operator(enforce_csrf_checks=True)
    page = page_of(browser.get(CHANGELIST))
    button = page.select_one(f'form[action="{SYNC}"]')
    assert button["method"] == "post"
    assert button.button.get_text() == "Synchronize with the catalog"
    token = button.find("input", {"name": "csrfmiddlewaretoken"})["value"]
    response = browser.post(SYNC, {"csrfmiddlewaretoken": token}, follow=True)
    assert [str(message) for message in response.context["messages"]] == ["Synchronized: 2 added."]
    assert coached_courses.keys() == {MB101, PLAIN}


def test_to_synchronize_takes_a_token_and_a_post():
    put(program())
    browser = operator(enforce_csrf_checks=True)
    assert browser.post(SYNC).status_code == 403
    response = browser.get(SYNC)
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert not CoachedCourse.objects.exists()


def test_who_may_only_look_does_not_synchronize():
    put(program())
    assert operator("view_coachedcourse").post(SYNC).status_code == 403
    assert not CoachedCourse.objects.exists()


def test_who_has_no_permission_sees_nothing():
    browser = operator("view_user")
    assert [browser.get(page).status_code for page in (CHANGELIST, ADD, EXPORT)] == [403] * 3


@pytest.mark.parametrize("page", [CHANGELIST, ADD, SYNC, EXPORT])
def test_who_is_not_logged_in_is_sent_to_log_in(page):
    for response in (Client().get(page), Client().post(page)):
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
