"""What support is told of each door is what the door does, through HTTP, for learners in many states."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup
from common.djangoapps.student.models import CourseAccessRole
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from openedx.core.djangoapps.user_api.models import RetirementState, UserRetirementStatus
from waffle.models import Flag

from coaching_plugin import access, coached_courses, consent, disclosures, support
from coaching_plugin.models import CoachedCourse, CoachingConsent, Door
from tests import factories
from tests.factories import LIST1, MB101, MB102, PLAIN, TYPED, evidence

pytestmark = pytest.mark.usefixtures("committed")

API = "/api/coaching/v1"
COURSES = [MB101, MB102, LIST1, PLAIN]
FLAGS = ["coaching.enabled", "coaching.course_redirect", "coaching.dashboard_card", "coaching.account_settings"]


@dataclass(frozen=True)
class Enrolled:
    """An enrollment, and what is recorded of the learner there."""

    mode: str = "verified"
    is_active: bool = True
    activity: str = "block"


def ago(days):
    return timezone.now() - timedelta(days=days)


ACTIVITY = {
    "nothing": lambda learner, key: None,
    "old": lambda learner, key: factories.complete_block(learner, ago(92), key),
    "block": lambda learner, key: factories.complete_block(learner, ago(1), key),
    "day": lambda learner, key: factories.engage(learner, ago(89).date(), key),
    "state": lambda learner, key: factories.save_state(learner, ago(2), key),
    "enrolled": lambda learner, key: learner.courseenrollment_set.filter(course_id=key).update(created=ago(3)),
}


def consented(learner):
    consent.give(learner, TYPED, None, evidence())


def restored(learner):
    """Have the table say what the cache does not, as after a backup was restored."""
    CoachingConsent.objects.filter(user=learner).update(status="undecided", answered_at=None)


HISTORY = {
    "asked": lambda learner: consent.ask(learner, evidence()),
    "declined": lambda learner: consent.decline(learner, evidence()),
    "consented": consented,
    "stopped": lambda learner: consent.opt_out(learner, evidence(Door.PARTNER), reason="stop"),
    "dismissed": consent.dismiss_card,
    "not to be asked": lambda learner: consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x"),
    "to be asked again": lambda learner: consent.ask_again(learner, evidence(Door.ADMIN), reason="x"),
    "let through": lambda learner: access.let_through(learner, 60),
    "forgotten": lambda learner: cache.clear(),
    "restored": restored,
    "retiring": lambda learner: retire(learner),
    "visited": lambda learner: in_browser(learner).get(f"/courses/{MB101}/progress"),
    "unlisted by somebody else": lambda learner: CoachedCourse.objects.filter(course_key=MB101).update(active=False),
    "unlisted here": lambda learner: [row.delete() for row in CoachedCourse.objects.filter(course_key=MB102)],
    "upgraded": lambda learner: learner.courseenrollment_set.update(mode="verified"),
}


def retire(learner):
    if not UserRetirementStatus.objects.filter(user=learner).exists():
        UserRetirementStatus.create_retirement(learner)


ROLES = {
    "course": {"course_id": MB101, "org": "DemoX", "role": "staff"},
    "organization": {"org": "DemoX", "role": "instructor"},
    "other organization": {"org": "OtherX", "role": "staff"},
    "nowhere": {"org": "", "role": "course_creator_group"},
}


@dataclass(frozen=True)
class State:
    """All that may bear on a learner's being asked."""

    runs: dict
    history: tuple = ()
    roles: tuple = ()
    flags: tuple = (True, True, True, True)
    is_active: bool = True
    is_staff: bool = False
    born: int | None = None


enrollments = st.builds(
    Enrolled,
    mode=st.sampled_from(["verified", "verified", "audit"]),
    is_active=st.sampled_from([True, True, False]),
    activity=st.sampled_from(list(ACTIVITY)),
)
flag_states = st.one_of(
    st.just((True, True, True, True)), st.tuples(*[st.sampled_from([True, True, False, None])] * len(FLAGS))
)
states = st.builds(
    State,
    runs=st.dictionaries(st.sampled_from(COURSES), enrollments, max_size=3),
    history=st.lists(st.sampled_from(list(HISTORY)), max_size=3).map(tuple),
    roles=st.lists(st.sampled_from(list(ROLES)), max_size=1).map(tuple),
    flags=flag_states,
    is_active=st.sampled_from([True, True, True, False]),
    is_staff=st.sampled_from([False, False, False, True]),
    born=st.sampled_from([None, None, 30, 13, 5]),
)


def made(state):
    """Return a learner in a state, as a new process with an empty cache meets them."""
    cache.clear()
    CoachedCourse.objects.all().delete()
    factories.coach_courses()
    for key in COURSES:
        factories.overview(key)
    RetirementState.objects.get_or_create(state_name="PENDING", state_execution_order=1)
    born = state.born and timezone.now().year - state.born
    learner = factories.user(is_active=state.is_active, is_staff=state.is_staff, year_of_birth=born)
    for key, enrolled in state.runs.items():
        enrollment = factories.enroll(learner, key, mode=enrolled.mode)
        ACTIVITY[enrolled.activity](learner, key)
        type(enrollment).objects.filter(pk=enrollment.pk).update(is_active=enrolled.is_active)
    for role in state.roles:
        CourseAccessRole.objects.create(user=learner, **ROLES[role])
    factories.turn_on_flags()
    for step in state.history:
        HISTORY[step](learner)
    for name, everyone in zip(FLAGS, state.flags, strict=True):
        factories.set_flag(name, everyone)
    return learner


def in_browser(learner):
    browser = Client()
    browser.force_login(learner)
    return browser


# What each door really does, and the codes that foretell it


def asks_on_course_page(browser, key):
    location = browser.get(f"/courses/{key}/progress").headers.get("Location", "")
    return location.startswith("/coaching/consent/")


def asks_in_learning_mfe(browser, key):
    access_to_course = browser.get(f"/api/course_home/course_metadata/{key}").json()["course_access"]
    return (access_to_course["developer_message"] or "").startswith("/coaching/consent/")


def shows_the_form(browser):
    response = browser.get(f"/coaching/consent/?{urlencode({'next': '/dashboard'})}")
    if response.status_code == 302:
        assert response.headers["Location"] == "/dashboard"
        return False
    return bool(BeautifulSoup(response.content, "html.parser").find("input", {"name": "phone_number"}))


def card_of(browser, learner):
    response = browser.get(f"{API}/dashboard_card/{learner.id}/")
    assert response.status_code == (200 if learner.is_active else 403)
    return learner.is_active and response.json()["show"]


def shows_a_card(browser, learner):
    return b'id="coaching-card"' in browser.get("/dashboard").content


def offers_the_fields(browser):
    page = BeautifulSoup(browser.get("/coaching/settings/").content, "html.parser")
    return bool(page.find("input", {"name": "phone_number"}))


def told_by_the_api(browser, learner):
    """Return the code of what the API says, in the words that support is told."""
    response = browser.get(f"{API}/eligibility/{learner.id}/")
    if response.status_code == 403:
        return "inactive"
    body = response.json()
    if body["reasons"] == ["coaching_off"]:
        return "flag_off"
    if body["may_consent"]:
        return "offer"
    return "under_age" if body["eligible"] else "not_eligible"


def code_of(explanation, door):
    (found,) = [verdict for verdict in explanation.doors if verdict.door == door]
    return found.code


def holds(code, effect, asking):
    """Return whether a door had the effect that its code foretells; what depends on the request may have either."""
    event(f"{'/'.join(asking)}: {code}")
    return code == support.DEPENDS or effect is (code in asking)


@pytest.mark.course_doors
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(State({MB101: Enrolled()}))
@example(State({MB101: Enrolled(), MB102: Enrolled(mode="audit")}, history=("consented",)))
@example(State({MB101: Enrolled()}, history=("visited",), roles=("course",)))
@example(State({MB101: Enrolled(mode="audit")}, history=("visited", "upgraded")))
@example(State({MB101: Enrolled(activity="nothing")}, history=("visited",)))
@example(State({MB101: Enrolled()}, history=("declined", "restored")))
@example(State({MB101: Enrolled()}, history=("consented", "restored")))
@example(State({MB101: Enrolled()}, history=("consented", "unlisted by somebody else")))
@example(State({MB101: Enrolled()}, history=("retiring",)))
@example(State({MB101: Enrolled()}, flags=(True, None, False, None)))
@example(State({MB101: Enrolled()}, flags=(None, None, None, None), is_staff=True))
@example(State({MB101: Enrolled(), LIST1: Enrolled()}, roles=("organization",)))
@example(State({MB101: Enrolled()}, born=5))
@example(State({MB101: Enrolled()}, is_active=False))
@given(states)
def test_each_door_does_what_support_was_told(state):
    learner = made(state)
    browser = in_browser(learner)
    seen = {run.course_key: run.door for run in support.explain(learner).runs}
    for key in COURSES:
        for asks in (asks_on_course_page, asks_in_learning_mfe):
            # Each visit may change what the next one meets.
            (run,) = support.explain(learner, key).runs
            if asks is asks_on_course_page and key in seen:
                assert support.explain(learner).runs[list(seen).index(key)].door == run.door
            assert holds(run.door.code, asks(browser, key), ["ask"]), (key, run)
    explanation = support.explain(learner)
    assert holds(code_of(explanation, "dashboard_card"), card_of(browser, learner), ["offer"])
    assert holds(code_of(explanation, "dashboard_card"), shows_a_card(browser, learner), ["offer"])
    explanation = support.explain(learner)
    assert holds(code_of(explanation, "consent_page"), shows_the_form(browser), ["ask"])
    assert holds(code_of(explanation, "account_settings"), offers_the_fields(browser), ["offer", "consented"])
    code = code_of(explanation, "eligibility_api")
    told = told_by_the_api(browser, learner)
    assert told == code or None in state.flags and (code == support.DEPENDS or told == "flag_off")
    if state.flags[0] and not consent.standing(learner).is_consented:
        answer = {"answer": "accept", "phone_number": TYPED, "full_name": "Lena Learner", "agree": "on"}
        browser.post("/coaching/consent/", {**answer, "disclosure": disclosures.current().sha256})
        assert consent.standing(learner).is_consented is explanation.may_consent


@pytest.mark.course_doors
@pytest.mark.parametrize("is_among_them", [True, False])
def test_of_a_flag_for_some_only_both_may_be_true(learner, is_among_them):
    factories.set_flag("coaching.course_redirect", None)
    if is_among_them:
        flag = Flag.objects.get(name="coaching.course_redirect")
        flag.users.add(learner)
        flag.flush()
    (run,) = support.explain(learner).runs
    assert run.door.code == "depends_on_request"
    assert run.door.says == (
        "It depends on the request. With coaching.course_redirect on: The learner is sent to the consent page first. "
        "Otherwise: The learner enters without being asked."
    )
    assert asks_on_course_page(in_browser(learner), MB101) is is_among_them


def test_looking_changes_and_remembers_nothing(learner):
    coached_courses.keys()
    support.explain(learner)
    stored = dict(cache._cache)
    support.explain(learner)
    assert dict(cache._cache) == stored
    assert not [key for key in stored if "coaching_plugin." in key]
    assert not CoachingConsent.objects.exists()
