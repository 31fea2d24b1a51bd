"""What monitoring is told at each door, through the doors: who decided what, and nothing of whom."""

import json
import re

import pytest
from common.djangoapps.student.models import CourseAccessRole
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from coaching_plugin import access, consent, monitoring
from coaching_plugin.decisions import Decision
from coaching_plugin.models import CoachedCourse, Door, PartnerDelivery
from coaching_plugin.monitoring import MonitoredDoor, Result
from tests import factories
from tests.consent_pages import ACCEPT, DISMISS, PAGE, SETTINGS, page_of, with_next
from tests.cost import counted
from tests.factories import MB101, MB102, PLAIN, TYPED, evidence
from tests.telemetry import NAME, Recorder
from tests.test_opt_outs import message, post, send
from tests.test_partner_signatures import OLD
from tests.test_rest_api import API, consent_form, dashboard_card, eligibility, receipts, users

pytestmark = [pytest.mark.course_doors, pytest.mark.usefixtures("committed")]

VERDICTS = {*Decision, *Result}


@pytest.fixture(autouse=True)
def _recorded(settings):
    """Record what monitoring is told, and hold all of it against what may be told."""
    settings.OPENEDX_TELEMETRY = [NAME]
    Recorder.forget()
    yield
    for name, value in Recorder.history:
        if name == "coaching.refusal":
            assert re.fullmatch(r"[a-z_]+( [a-z_]+)*", value)
        elif name == "coaching.door":
            assert value in set(MonitoredDoor)
        elif name == "coaching.verdict":
            assert value in VERDICTS
        elif name.startswith("coaching."):
            assert type(value) is int


def told():
    """Return the door and the verdict of what was asked last, and forget them."""
    attributes = {key: value for key, value in Recorder.attributes.items() if key.startswith("coaching.")}
    Recorder.forget()
    refusal = attributes.pop("coaching.refusal", None)
    assert set(attributes) <= {"coaching.door", "coaching.verdict"}
    if not attributes:
        return None
    pair = (attributes["coaching.door"], attributes["coaching.verdict"])
    return pair if refusal is None else (*pair, refusal)


def in_browser(learner):
    browser = Client(raise_request_exception=False)
    browser.force_login(learner)
    told()
    return browser


# Entering a course

LEGACY, METADATA = f"/courses/{MB101}/progress", f"/api/course_home/course_metadata/{MB101}"
DOORS = {"course_page": LEGACY, "course_metadata": METADATA}


def answer(learner):
    consent.decline(learner, evidence())


def visit_as_audit(learner):
    learner.courseenrollment_set.update(mode="audit")


STANDINGS = {
    "ask": lambda learner: None,
    "answered": answer,
    "let_through": lambda learner: access.let_through(learner, 60),
    "not_enrolled": lambda learner: learner.courseenrollment_set.update(is_active=False),
    "not_eligible": visit_as_audit,
    "under_age": lambda learner: type(learner.profile).objects.update(year_of_birth=timezone.now().year - 5),
    "course_team": lambda learner: CourseAccessRole.objects.create(
        user=learner, org="DemoX", course_id=MB101, role="staff"
    ),
    "staff": lambda learner: type(learner).objects.filter(pk=learner.pk).update(is_staff=True),
    "inactive": lambda learner: type(learner).objects.filter(pk=learner.pk).update(is_active=False),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("verdict", STANDINGS)
def test_every_decision_of_a_course_door_is_told_at_the_first_visit_and_the_second(learner, door, verdict, settings):
    factories.overview(MB101)
    STANDINGS[verdict](learner)
    browser = in_browser(learner)
    # Where the filters are called, the MFE's comes after the platform's own refusal.
    comes_to_us = settings.SANDBOX_COURSEWARE_HOOKS == "none" or (door, verdict) != ("course_metadata", "not_enrolled")
    for _ in range(2):
        browser.get(DOORS[door])
        assert told() == ((door, verdict) if comes_to_us else None)


@pytest.mark.parametrize("door", DOORS)
def test_an_anonymous_visitor_of_a_coached_course_is_told_of_as_such(coached, flags, door, settings):
    factories.overview(MB101)
    Client().get(DOORS[door])
    # Where the filters are called, the platform has refused anonymous visitors before that.
    assert told() == ((door, "anonymous") if settings.SANDBOX_COURSEWARE_HOOKS == "none" else None)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("what", ["another course", "nothing coached", "coaching.enabled", "coaching.course_redirect"])
def test_a_page_that_coaching_does_not_concern_carries_nothing(learner, set_flag, door, what):
    path = DOORS[door]
    if what == "another course":
        factories.enroll(learner, PLAIN)
        path = path.replace(str(MB101), str(PLAIN))
    elif what == "nothing coached":
        CoachedCourse.objects.all().delete()
    else:
        set_flag(what, False)
    in_browser(learner).get(path)
    assert told() is None


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("broken", ["coaching_plugin.enrollments.facts", "coaching_plugin.lms.is_masquerading"])
def test_a_course_door_that_fails_says_so(learner, monkeypatch, door, broken):
    monkeypatch.setattr(broken, lambda *args, **kwargs: 1 / 0)
    in_browser(learner).get(DOORS[door])
    assert told() == (door, "failed")


@pytest.mark.parametrize("door", DOORS)
def test_a_masquerade_is_told_of(learner, monkeypatch, door):
    monkeypatch.setattr("coaching_plugin.lms.is_masquerading", lambda request, course_key: True)
    in_browser(learner).get(DOORS[door])
    assert told() == (door, "masquerading")


# The consent page


def test_the_consent_page_tells_what_it_showed(learner, set_flag):
    browser = in_browser(learner)
    browser.get(PAGE)
    assert told() == ("consent_page", "ask")
    consent.give(learner, TYPED, None, evidence())
    browser.get(PAGE)
    assert told() == ("consent_page", "consented")
    in_browser(factories.user()).get(PAGE)
    assert told() == ("consent_page", "not_eligible")
    in_browser(factories.eligible_learner(year_of_birth=timezone.now().year - 5)).get(PAGE)
    assert told() == ("consent_page", "under_age")
    in_browser(factories.eligible_learner(is_active=False)).get(PAGE)
    assert told() == ("consent_page", "inactive")
    set_flag("coaching.enabled", False)
    browser.get(PAGE)
    assert told() is None


def submit(browser, path=PAGE, **typed):
    page = page_of(browser.get(with_next(path)))
    shown = page.find("input", {"name": "disclosure"})
    told()
    return browser.post(path, {"disclosure": shown["value"] if shown else "", **typed})


def test_the_consent_page_tells_what_became_of_an_answer(learner, settings, monkeypatch):
    browser = in_browser(learner)
    submit(browser, **{**ACCEPT, "phone_number": "800 234 5678", "agree": ""})
    assert told() == ("consent_page", "refused", "agreement_missing phone_type")
    submit(browser, **{**ACCEPT, "full_name": "x" * 300})
    assert told() == ("consent_page", "refused")
    submit(browser, answer="decline")
    assert told() == ("consent_page", "declined")
    submit(browser, **ACCEPT)
    assert told() == ("consent_page", "consented")
    browser.post(PAGE, {"answer": "decline"})
    assert told() == ("consent_page", "withdrawn")
    settings.COACHING_API_THROTTLE = "1/day"
    submit(browser, **ACCEPT)
    assert told() == ("consent_page", "throttled")
    monkeypatch.setattr("coaching_plugin.consent.decline", lambda *args: 1 / 0)
    browser.post(PAGE, {"answer": "decline"})
    assert told() == ("consent_page", "failed")


def test_what_was_typed_is_told_to_nobody(learner):
    submit(in_browser(learner), **{**ACCEPT, "phone_number": "613 555 0123", "full_name": "Lena <3"})
    said = repr(Recorder.history)
    for personal in ("613", "555", "Lena", learner.username, learner.email, str(MB101)):
        assert personal not in said


# The card and account settings


def test_the_card_tells_whom_it_is_shown_wherever_it_is(learner, set_flag):
    browser = in_browser(learner)
    for path in ("/dashboard", dashboard_card(learner)):
        browser.get(path)
        assert told() == ("dashboard_card", "offer")
    browser.post(DISMISS)
    assert told() == ("dashboard_card", "dismissed")
    other = factories.eligible_learner()
    in_browser(other).patch(dashboard_card(other), {"dismissed": True}, content_type="application/json")
    assert told() == ("dashboard_card", "dismissed")
    for path in ("/dashboard", dashboard_card(learner)):
        browser.get(path)
        assert told() == ("dashboard_card", "dismissed")
    consent.do_not_ask(other, evidence(Door.ADMIN), reason="x")
    set_flag("coaching.dashboard_card", False)
    for path in ("/dashboard", dashboard_card(learner)):
        browser.get(path)
        assert told() is None
    browser.post(DISMISS)
    assert told() is None


def test_a_card_that_fails_says_so(learner, monkeypatch):
    monkeypatch.setattr("coaching_plugin.consent.standing", lambda user: 1 / 0)
    browser = in_browser(learner)
    for path in ("/dashboard", dashboard_card(learner)):
        browser.get(path)
        assert told() == ("dashboard_card", "failed")


def test_account_settings_tell_what_they_offered_and_what_became_of_it(learner, set_flag, settings):
    browser = in_browser(learner)
    browser.get(SETTINGS)
    assert told() == ("account_settings", "offer")
    browser.get(users(learner))
    assert told() == ("account_settings", "offer")
    submit(browser, SETTINGS, phone_number="12", agree="on")
    assert told() == ("account_settings", "refused", "phone_malformed")
    submit(browser, SETTINGS, phone_number=TYPED)
    assert told() == ("account_settings", "undecided")
    submit(browser, SETTINGS, phone_number=TYPED, agree="on")
    assert told() == ("account_settings", "consented")
    browser.get(users(learner))
    assert told() == ("account_settings", "consented")
    set_flag("coaching.account_settings", False)
    browser.get(SETTINGS)
    assert told() == ("account_settings", "consented")
    submit(browser, SETTINGS, phone_number=TYPED)
    assert told() == ("account_settings", "withdrawn")
    browser.get(SETTINGS)
    assert told() is None
    browser.get(users(learner))
    assert told() is None
    set_flag("coaching.account_settings", True)
    settings.COACHING_API_THROTTLE = "1/day"
    submit(browser, SETTINGS, phone_number=TYPED, agree="on")
    submit(browser, SETTINGS, phone_number="12", agree="on")
    assert told() == ("account_settings", "throttled")


# The API


def patch(browser, path, **body):
    return browser.patch(path, body, content_type="application/json")


def test_the_api_tells_what_became_of_what_was_sent(learner, set_flag, settings, monkeypatch):
    browser = in_browser(learner)
    patch(browser, consent_form(learner), coaching_consent=True, phone_number="12")
    assert told() == ("api", "refused", "phone_malformed")
    patch(browser, consent_form(learner), nonsense=1)
    assert told() == ("api", "refused")
    patch(browser, consent_form(learner), coaching_consent=False)
    assert told() == ("api", "declined")
    patch(browser, users(learner), coaching_consent=True, phone_number=TYPED)
    assert told() == ("account_settings", "consented")
    set_flag("coaching.enabled", False)
    patch(browser, users(learner), coaching_consent=False)
    assert told() == ("account_settings", "withdrawn"), "while coaching is off, too"
    browser.get(users(learner))
    assert told() is None
    browser.get(eligibility(learner))
    assert told() is None
    set_flag("coaching.enabled", True)
    browser.get(eligibility(learner))
    assert told() == ("api", "offer")
    monkeypatch.setattr("coaching_plugin.consent.give", lambda *args: 1 / 0)
    patch(browser, consent_form(learner), coaching_consent=True, phone_number=TYPED)
    assert told() == ("api", "failed")
    monkeypatch.setattr("coaching_plugin.receipts.of", lambda user: 1 / 0)
    for path in (receipts(learner), "/coaching/receipt/"):
        browser.get(path)
        assert told() == ("receipt", "failed")
    settings.COACHING_API_THROTTLE = "1/day"
    browser.get(f"{API}/disclosure/")
    assert told() == ("api", "throttled")


# The partner


def test_opt_outs_tell_what_became_of_each_report(learner, settings, caplog, monkeypatch):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [OLD]
    known = consent.give(learner, TYPED, None, evidence()).consent
    body = message(partner_id=known.partner_id)
    send(body)
    assert told() == ("partner_opt_outs", "taken")
    send(message(partner_id="0f8fad5b-d9cb-469f-a165-70867728950e"))
    assert told() == ("partner_opt_outs", "unknown_learner")
    send(message(partner_id="nonsense"))
    assert told() == ("partner_opt_outs", "refused")
    assert not [record for record in caplog.records if record.name.startswith("coaching_plugin")]
    post(body)
    assert told() == ("partner_opt_outs", "bad_signature")
    (line,) = [record for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert (line.levelname, line.name) == ("WARNING", "coaching_plugin.rest_api.v1.opt_outs")
    assert line.getMessage().startswith("An opt-out report is refused: ")
    monkeypatch.setattr("coaching_plugin.partner.opt_outs.take", lambda *args: 1 / 0)
    send(body)
    assert told() == ("partner_opt_outs", "failed")


def delivered():
    """Return what was told of a delivery, without the rest."""
    part = {key.removeprefix("coaching.delivery."): value for key, value in Recorder.attributes.items()}
    Recorder.forget()
    return {key: value for key, value in part.items() if "." not in key}


def test_deliveries_are_counted_and_one_that_is_parked_is_an_error_once(
    partner, deliver, learner, flags, settings, caplog
):
    deliver(False)
    consent.give(learner, TYPED, None, evidence())
    call_command("deliver_to_partner")
    assert delivered() == {}
    deliver(True)
    settings.COACHING_PARTNER_MAX_ATTEMPTS = 2
    partner.mood = "500"
    for attempt, parked in ((1, 0), (2, 1)):
        PartnerDelivery.objects.update(due_at=timezone.now())
        caplog.clear()
        call_command("deliver_to_partner")
        assert delivered() == {"sent": 0, "failed": 1, "parked": parked, "rosters": 0}, attempt
        (line,) = [record for record in caplog.records if record.name.startswith("coaching_plugin")]
        assert line.levelname == ("ERROR" if parked else "WARNING")
        row = PartnerDelivery.objects.get()
        assert line.getMessage() == (
            f"Partner channel json: delivery {row.pk} " + ("is parked: http_500" if parked else "failed: http_500")
        )
    call_command("deliver_to_partner")
    assert delivered() == {}, "nothing was due"
    partner.mood = "200"
    PartnerDelivery.objects.update(status="waiting", due_at=timezone.now())
    call_command("deliver_to_partner")
    assert delivered() == {"sent": 1, "failed": 0, "parked": 0, "rosters": 0}


def test_an_erasure_that_fails_is_logged_and_stops_the_retirement(learner, monkeypatch, caplog):
    from openedx.core.djangoapps.user_api.accounts.signals import USER_RETIRE_LMS_CRITICAL

    consent.decline(learner, evidence())
    monkeypatch.setattr("coaching_plugin.ledger.blank_personal_data", lambda row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        USER_RETIRE_LMS_CRITICAL.send(sender=None, user=learner)
    (line,) = [record for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert line.levelname == "ERROR"
    assert line.getMessage().startswith(f"User {learner.id} is retired, and erasing failed: the retirement stops here:")


# What it costs, and what it may break


def test_telling_asks_neither_database_nor_cache():
    with counted() as cost:
        monitoring.note(MonitoredDoor.API, Result.REFUSED, reasons=["phone_type"])
        monitoring.note_deliveries(sent=1, failed=0, parked=0, rosters=0)
    assert (cost.queries, cost.round_trips) == (0, 0)
    assert len(Recorder.history) == 7


def test_a_backend_that_fails_costs_nobody_anything_and_says_so_once(learner, settings, caplog, monkeypatch):
    monkeypatch.setattr(monitoring, "_complained_of", set())
    settings.OPENEDX_TELEMETRY = ["tests.telemetry.Broken"]
    browser = in_browser(learner)
    assert browser.get(LEGACY).headers["Location"].startswith("/coaching/consent/")
    assert browser.get(PAGE).status_code == 200
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("coaching_plugin")]
    assert line.startswith("Monitoring is not told what coaching decides, since a telemetry backend fails: Runtime")
    assert "lena" not in line


def test_what_is_told_is_in_no_cache(learner):
    cache.clear()
    monitoring.note(MonitoredDoor.COURSE_PAGE, Decision.ASK)
    assert not cache._cache
    assert json.loads(json.dumps(dict(Recorder.history))) == {
        "coaching.door": "course_page",
        "coaching.verdict": "ask",
    }


def test_another_course_run_is_told_of_on_its_own(learner):
    factories.enroll(learner, MB102, mode="audit")
    in_browser(learner).get(f"/courses/{MB102}/progress")
    assert told() == ("course_page", "ask")
