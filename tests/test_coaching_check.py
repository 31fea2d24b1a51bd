"""``coaching_check``: what it finds on a site that is set up, and on sites where each piece is not."""

import contextlib
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.catalog import utils as catalog_utils
from waffle.models import Flag

from coaching_plugin import checks, conf, consent
from coaching_plugin.models import (
    CoachedCourse,
    CoachingConsent,
    Disclosure,
    EligibleCount,
    PartnerChannel,
    PartnerDelivery,
)
from coaching_plugin.partner.webhook import WebhookChannel
from coaching_plugin.settings import common
from coaching_plugin.settings.filters import STEPS
from tests import factories
from tests.factories import LIST1, MB101, MB102, NUMBER, TYPED, evidence
from tests.migrated_site import NAMES
from tests.partner_server import serving
from tests.test_checks import BAD_SETTINGS
from tests.test_coached_courses import program, put
from tests.test_faults import without_tables
from tests.test_partner_signatures import NEW

pytestmark = [pytest.mark.course_doors, pytest.mark.django_db]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEBHOOK = "coaching_plugin.partner.webhook.WebhookChannel"
FOLDER = "coaching_plugin.partner.roster_file.FolderChannel"


@pytest.fixture
def site(coached, flags, settings, tmp_path):
    """A site on which all is as it should be, partner included."""
    for key in (MB101, MB102, LIST1):
        factories.overview(key)
    put(program(str(factories.PROGRAM_UUID), runs=[MB101, MB102]))
    settings.COACHING_PARTNER_CHANNELS = {"nightly": {"BACKEND": FOLDER, "OPTIONS": {"folder": str(tmp_path)}}}
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [NEW]
    settings.COACHING_EVIDENCE_RETENTION_DAYS = 30
    factories.set_switch(True)
    EligibleCount.objects.create(day=timezone.now().astimezone(UTC).date(), learners=3)


def run(*arguments, exit_code=0, **options):
    """Return what the command writes; its exit code is the one that is expected."""
    out = io.StringIO()
    with contextlib.nullcontext() if exit_code == 0 else pytest.raises(CommandError) as ended:
        call_command("coaching_check", *arguments, stdout=out, **options)
    if ended:
        assert ended.value.returncode == exit_code
        assert "\n" not in str(ended.value)
    return out.getvalue()


def found(level=None):
    """Return the findings of a level; of any, where none is named."""
    out = io.StringIO()
    with contextlib.suppress(CommandError):
        call_command("coaching_check", "--json", stdout=out)
    findings = json.loads(out.getvalue())["findings"]
    return [finding for finding in findings if level in (None, finding["level"])]


def problems():
    return found("error") + found("warning")


def the_problem(level, *words):
    """Return the one thing that is wrong with a site that is else as it should be; the exit code says it, too."""
    (problem,) = problems()
    run(exit_code=int(level == "error"))
    run("--fail-on", "warning", exit_code=1)
    assert problem["level"] == level
    for word in words:
        assert str(word) in problem["what"] + problem["to_do"]
    return problem


# All well


def test_of_a_site_that_is_set_up_nothing_is_wrong(site):
    assert problems() == []
    assert found("note") == []
    told = run("--fail-on", "warning")
    for words in (
        "coaching.enabled is on for everyone.",
        "All 14 COACHING_* settings are usable.",
        f"All migrations are applied, up to {NAMES[-1]}.",
        "The cache keeps what it is given.",
        "3 course runs are coached: 2 by the catalog, 1 by an operator.",
        "The catalog has 1 program(s), of which 1 coached (microbachelors).",
        "Version 1 of the disclosure is published in ar, en, es-419.",
        "Channel nightly: its folder is there and may be written to.",
        "The partner can report opt-outs: there are 1 secret(s).",
        "error: 0",
    ):
        assert words in " ".join(told.split())


def test_every_group_has_something_to_say_once_and_in_order(site):
    groups = [line for line in run().splitlines() if not line.startswith(" ")]
    assert groups[:-1] == list(dict.fromkeys(finding["group"] for finding in found()))
    assert len(groups[:-1]) == 8


def test_lines_fit_a_terminal(site):
    CoachedCourse.objects.all().delete()
    assert max(map(len, run().splitlines())) <= 98


def test_a_plugin_that_was_just_installed_is_not_broken(db, settings):
    """Nothing is turned on yet, and no run is coached: notes and a warning, and 0."""
    told = run()
    assert "No course run is coached" in told
    assert "manage.py lms waffle_flag --create --everyone coaching.enabled" in told
    run("--fail-on", "warning", exit_code=1)


def test_quietly_it_tells_of_problems_alone(site):
    assert run(verbosity=0) == ""
    CoachedCourse.objects.all().delete()
    told = run(verbosity=0)
    assert "No course run is coached" in told
    assert "coaching.enabled" not in told


def test_a_wrong_argument_exits_2_as_a_script_sees_it(monkeypatch, capsys):
    from django.core.management import ManagementUtility

    monkeypatch.setattr(sys, "argv", ["manage.py", "coaching_check", "--fail-on", "mood"])
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(sys.argv).execute()
    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


# Flags


def set_flag(name, **fields):
    Flag.objects.update_or_create(name=f"coaching.{name}", defaults={"everyone": None, "superusers": False, **fields})


def test_flags_without_effect_are_told(site):
    set_flag("enabled", everyone=False)
    the_problem("warning", "coaching.course_redirect, coaching.dashboard_card, coaching.account_settings")
    assert "coaching.enabled is off." in run()


def test_a_master_flag_alone_is_told(site):
    Flag.objects.exclude(name="coaching.enabled").delete()
    the_problem("warning", "nobody is asked")
    notes = [finding["what"] for finding in found("note")]
    assert "coaching.course_redirect is off: there is no such flag yet." in notes


def test_a_flag_for_some_is_a_note_and_several_percentages_are_a_warning(site):
    set_flag("course_redirect", percent="10", staff=True)
    assert problems() == []
    (note,) = found("note")
    assert note["what"] == "coaching.course_redirect is on for some: staff, 10.0 % of browsers."
    set_flag("enabled", percent="10")
    the_problem("warning", "dice")


# Settings


@pytest.mark.parametrize("name", sorted(conf.DEFAULTS.keys() - {"COACHING_PARTNER_CHANNELS"}))
def test_a_setting_that_is_not_usable_is_an_error_with_the_settings_own_words(site, settings, name):
    setattr(settings, name, BAD_SETTINGS[name])
    errors = found("error")
    assert [error["what"] for error in errors] == [f"{name} is not usable ({conf.problems()[name]})."]


def test_channels_of_some_other_type_are_one_error(site, settings):
    settings.COACHING_PARTNER_CHANNELS = ["nightly"]
    the_problem("error", "COACHING_PARTNER_CHANNELS", "a dictionary of channels is expected")


def test_a_misspelled_setting_is_a_warning(site, settings):
    settings.COACHING_PHONE_REGION = ["CA"]
    the_problem("warning", "COACHING_PHONE_REGION.", "COACHING_PHONE_REGIONS", "W008")


@pytest.mark.parametrize(
    ("name", "value", "number", "level"),
    [
        ("TRACKING_IGNORE_URL_PATTERNS", [], "W003", "error"),
        ("MAKO_TEMPLATE_DIRS_BASE", [], "W005", "warning"),
        ("OPEN_EDX_FILTERS_CONFIG", {}, "W001", "warning"),
    ],
)
def test_a_shared_setting_that_was_replaced_is_told_with_what_to_write(site, settings, name, value, number, level):
    setattr(settings, name, value)
    problem = the_problem(level, f"coaching_plugin.{number}")
    assert "Tutor" in problem["to_do"]


def test_what_an_operator_has_silenced_is_a_note(site, settings):
    settings.MAKO_TEMPLATE_DIRS_BASE = []
    settings.SILENCED_SYSTEM_CHECKS = [checks.NO_DASHBOARD_CARD]
    assert problems() == []
    (note,) = found("note")
    assert note["what"].endswith(" [coaching_plugin.W005]")


# Database and cache


def test_migrations_that_are_missing_are_named(site):
    MigrationRecorder.Migration.objects.filter(app="coaching_plugin", name=NAMES[-1]).delete()
    the_problem("error", NAMES[-1], "manage.py lms migrate coaching_plugin")


def test_a_cache_that_keeps_nothing_is_told(site, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert "The cache keeps nothing" in " ".join(problem["what"] for problem in problems())


def test_the_cache_is_left_as_it_was(site):
    run()
    before = set(cache._cache)
    run()
    assert set(cache._cache) == before


@contextlib.contextmanager
def a_database_that_is_away():
    def run(execute, *args):
        raise OperationalError(2013, "Lost connection to server during query with secret words")

    with connection.execute_wrapper(run):
        yield


def test_a_database_that_is_away_is_found_and_no_traceback(site):
    with a_database_that_is_away():
        told = run(exit_code=1)
    for piece in ("flags", "migrations", "table", "overviews", "disclosure", "deliveries", "report"):
        assert f"Could not be looked at: {piece} (" in told
    assert "The catalog could not be read (OperationalError)." in told
    assert "Traceback" not in told
    assert "secret words" not in told
    assert "All 14 COACHING_* settings are usable." in told, "the rest is looked at all the same"


def test_tables_that_no_migration_has_made_yet_are_found_and_no_traceback(committed, site):
    with without_tables():
        told = run(exit_code=1)
    for piece in ("table", "overviews", "disclosure", "deliveries", "pauses", "report"):
        assert f"Could not be looked at: {piece} (" in told
    assert "Traceback" not in told
    assert "coaching.enabled is on for everyone." in told


def test_a_cache_that_is_away_is_found_and_no_traceback(site, settings):
    settings.CACHES = {"default": {"BACKEND": "tests.test_faults.DownCache"}}
    told = run(exit_code=1)
    assert "Could not be looked at: cache (ConnectionError)" in told
    assert "Traceback" not in told


# Ways into a course


def test_the_active_course_door_is_told_with_the_reason(site, settings):
    (door,) = [finding for finding in found() if finding["group"] == "Ways into a course"]
    assert door["level"] == "ok"
    if settings.SANDBOX_COURSEWARE_HOOKS == "filters":
        assert "The filter steps are the course door" in door["what"]
    else:
        assert "The middleware is the course door" in door["what"]
        assert "it has no courseware_view_hooks" in door["what"]


def test_where_the_steps_were_taken_out_the_middleware_is_the_door(site, settings):
    settings.OPEN_EDX_FILTERS_CONFIG = {}
    (door,) = [finding for finding in found() if finding["group"] == "Ways into a course"]
    assert "The middleware is the course door" in door["what"]
    if settings.SANDBOX_COURSEWARE_HOOKS == "filters":
        assert "our steps are missing" in door["what"]


def test_a_platform_that_calls_one_filter_alone_is_told_from_one_that_calls_none(site, settings, monkeypatch):
    if settings.SANDBOX_COURSEWARE_HOOKS != "filters":
        pytest.skip("The platform of this run calls no courseware filters; the other pass of the suite does.")
    monkeypatch.setattr("lms.djangoapps.courseware.courses.check_course_access", lambda course, user, action: None)
    (door,) = [finding for finding in found() if finding["group"] == "Ways into a course"]
    assert "calls no filter for the learning MFE" in door["what"]


def test_without_middleware_and_steps_nobody_is_asked(site, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != common.COURSE_DOOR_MIDDLEWARE]
    settings.OPEN_EDX_FILTERS_CONFIG = {name: {"pipeline": []} for name in STEPS}
    errors = [error["what"] for error in found("error")]
    assert any("[coaching_plugin.W002]" in error for error in errors)
    assert any("the middleware is not loaded, and this platform" in error for error in errors)


def test_middleware_that_cannot_be_loaded_is_found(site, settings):
    settings.OPEN_EDX_FILTERS_CONFIG = {}
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "nowhere.Middleware"]
    assert "Could not be looked at: course doors (ModuleNotFoundError)" in run(exit_code=1)


# Coached course runs


def test_where_no_run_is_coached_it_says_so(site):
    CoachedCourse.objects.update(active=False, source=CoachedCourse.Source.OPERATOR)
    the_problem("warning", "No course run is coached", "sync_coached_courses")


def test_runs_that_the_lms_does_not_know_are_named(site):
    unknown = [MB101.replace(run=f"run{number}") for number in range(5)]
    CoachedCourse.objects.bulk_create(CoachedCourse(course_key=key) for key in unknown)
    problem = the_problem("warning", "5 course runs are coached and unknown to the LMS", unknown[0], "and 2 more")
    assert str(unknown[4]) not in problem["what"]


def test_a_key_that_differs_in_case_alone_is_unknown_to_the_lms(site):
    row = CoachedCourse.objects.get(course_key=MB101)
    row.course_key = CourseKey.from_string(str(MB101).lower())
    row.source = CoachedCourse.Source.OPERATOR
    row.save()
    assert str(row.course_key) in " ".join(problem["what"] for problem in problems())


def test_runs_of_the_catalog_that_the_table_lacks_are_named(site):
    new = MB101.replace(run="2027")
    put(program(str(factories.PROGRAM_UUID), runs=[MB101, MB102, new]))
    the_problem("warning", "1 course run is in a coached program and not in the table", new, "sync_coached_courses")
    call_command("sync_coached_courses", stdout=io.StringIO())
    factories.overview(new)
    assert problems() == []


def test_what_an_operator_took_out_is_not_lacking(site):
    CoachedCourse.objects.filter(course_key=MB101).update(active=False, source=CoachedCourse.Source.OPERATOR)
    assert problems() == []


def test_a_catalog_without_programs_or_coached_ones_is_a_note(site):
    put(program(type="MicroMasters", type_attrs={"slug": "micromasters"}))
    (note,) = found("note")
    assert "1 program(s), of which 0 coached" in note["what"]
    assert "COACHING_PROGRAM_TYPES" in note["to_do"]
    put()
    (note,) = found("note")
    assert "The catalog has no programs" in note["what"]


def test_a_catalog_that_answers_nonsense_is_an_error(site, monkeypatch):
    put(program("no uuid"))
    the_problem("error", "a program without a usable uuid")

    def away(**kwargs):
        raise ConnectionError("of https://user:password@discovery.example.com")

    monkeypatch.setattr(catalog_utils, "get_programs", away)
    assert "password" not in the_problem("error", "The catalog could not be read (ConnectionError).")["what"]


# Disclosure


def test_without_a_disclosure_nobody_can_be_asked(site):
    unpublish()
    the_problem("error", "No disclosure is published")


def unpublish(**which):
    """Take disclosures back, as nothing but SQL can."""
    table, ids = Disclosure._meta.db_table, list(Disclosure.objects.filter(**which).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        for pk in ids:
            cursor.execute(f"UPDATE {table} SET published_at = NULL WHERE id = %s", [pk])


def test_languages_of_the_site_without_it_are_named(site, settings):
    settings.LANGUAGES = [("en", "English"), ("es-mx", "Español"), ("fr", "Français"), ("zh-cn", "中文")]
    assert problems() == []
    (note,) = found("note")
    assert note["what"] == "2 of the site's 4 languages are without it, and show it in en: fr, zh-cn."
    settings.LANGUAGE_CODE = "fr"
    the_problem("warning", "show it in en: fr, zh-cn.")


def test_the_newest_version_alone_counts(site):
    draft = Disclosure.objects.create(version=2, language="en", body="Words")
    assert "Version 1 of the disclosure" in run()
    draft.published_at = timezone.now()
    draft.save()
    (note,) = found("note")
    assert "2 of the site's 3 languages are without it, and show it in en: es-419, ar." in note["what"]


# The partner


def channel(settings, backend, **options):
    settings.COACHING_PARTNER_CHANNELS = {"crm": {"BACKEND": backend, "OPTIONS": options}}


def test_a_webhooks_host_is_asked_and_no_learner_told_of(site, settings):
    learner = factories.eligible_learner()
    consent.give(learner, TYPED, None, evidence())
    with serving() as partner:
        channel(settings, WEBHOOK, url=partner.url, secrets=[NEW])
        assert "Channel crm: its host answers." in run()
    (request,) = partner.received
    assert request.line == "HEAD / HTTP/1.1"
    assert request.body == b""
    assert "webhook-signature" not in request.headers
    assert NUMBER not in str(request)


def test_a_webhook_whose_host_does_not_answer_is_an_error(site, settings):
    with serving() as partner:
        url = partner.url
    channel(settings, WEBHOOK, url=url, secrets=[NEW])
    problem = the_problem("error", "Channel crm does not reach the partner: connection.")
    assert url not in str(problem)


def test_a_channel_that_cannot_be_made_is_an_error(site, settings):
    channel(settings, WEBHOOK, url="http://partner.example.com/a-secret-path", secrets=[NEW])
    problem = the_problem("error", "Channel crm cannot be made: its url is not https")
    assert "a-secret-path" not in str(problem)


def test_a_folder_that_is_gone_is_an_error(site, settings, tmp_path):
    channel(settings, FOLDER, folder=str(tmp_path / "gone"))
    the_problem("error", "Channel crm does not reach the partner: folder_missing.")


def test_a_channel_of_an_operators_own_that_cannot_be_tried_is_a_note(site, settings):
    channel(settings, "tests.loopback_partner.JsonChannel", url="http://localhost:1/")
    assert problems() == []
    (note,) = found("note")
    assert "Channel crm can be made" in note["what"]


def test_a_channel_that_fails_in_its_own_way_is_no_traceback(site, settings, monkeypatch):
    def fail(self):
        raise RuntimeError("whsec_secret")

    monkeypatch.setattr(WebhookChannel, "check", fail)
    channel(settings, WEBHOOK, url="https://partner.example.com/", secrets=[NEW])
    assert "whsec_secret" not in str(the_problem("error", "Channel crm could not be tried (RuntimeError)."))


def test_no_partner_at_all_is_a_note(site, settings):
    settings.COACHING_PARTNER_CHANNELS = {}
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = []
    factories.set_switch(False)
    assert problems() == []
    assert len(found("note")) == 3


def test_a_partner_that_cannot_report_a_stop_is_a_warning(site, settings):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = []
    the_problem("warning", "COACHING_PARTNER_OPT_OUT_SECRETS is empty")


def wait_for_the_partner(channel="nightly", ago=2 * HOUR, **fields):
    moment = timezone.now() - ago
    PartnerDelivery.objects.create(
        channel=channel, partner_id=UUID(int=1), sequence=1, created_at=moment, due_at=moment, **fields
    )


def test_what_waits_for_over_an_hour_is_told(site):
    wait_for_the_partner(ago=HOUR / 2)
    assert problems() == []
    PartnerDelivery.objects.all().delete()
    wait_for_the_partner()
    the_problem("warning", "1 change(s) have waited for the partner for over an hour", "Celery")
    factories.set_switch(False)
    assert problems() == []
    assert "1 change(s) wait for the partner, since the switch is off." in [note["what"] for note in found("note")]


def test_what_is_parked_and_what_waits_for_a_channel_that_is_gone_is_told(site):
    wait_for_the_partner(status=PartnerDelivery.Status.PARKED, ago=timedelta())
    the_problem("warning", "1 change(s) are parked")
    PartnerDelivery.objects.all().delete()
    wait_for_the_partner("crm", ago=timedelta())
    the_problem("warning", "does not name: crm.")


def test_a_pause_after_failures_is_told_and_the_one_between_two_rosters_is_not(site):
    later = timezone.now() + HOUR
    row = PartnerChannel.objects.create(name="nightly", not_before=later)
    assert problems() == []
    PartnerChannel.objects.filter(pk=row.pk).update(failures=4)
    the_problem("warning", f"Channel nightly is paused till {later:%Y-%m-%d %H:%M} UTC after 4 failure(s)")


def test_what_waits_is_counted_and_not_read(site, django_assert_max_num_queries):
    for number in range(20):
        outbox_row = {"channel": "nightly", "partner_id": UUID(int=number + 1), "sequence": 1}
        PartnerDelivery.objects.create(**outbox_row, created_at=timezone.now() - 2 * HOUR)
    run()
    with django_assert_max_num_queries(45):
        run()


# Upkeep


def test_a_report_that_is_not_counted_every_night_is_told(site):
    today = timezone.now().astimezone(UTC).date()
    EligibleCount.objects.update(day=today - 2 * DAY)
    assert problems() == []
    EligibleCount.objects.update(day=today - 3 * DAY)
    the_problem("warning", today - 3 * DAY, "compute_coaching_report")
    EligibleCount.objects.all().delete()
    assert problems() == []
    assert "never been counted" in found("note")[0]["what"]


def test_evidence_that_is_kept_for_too_long_is_told(site, settings):
    learner = factories.eligible_learner()
    consent.give(learner, TYPED, None, evidence())
    consent.decline(learner, evidence())
    assert problems() == []
    settings.COACHING_EVIDENCE_RETENTION_DAYS = 0
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE coaching_plugin_consentevent SET occurred_at = %s", [long_ago.replace(tzinfo=None)])
    the_problem("warning", "COACHING_EVIDENCE_RETENTION_DAYS says (0)", "erase_expired_evidence")
    settings.COACHING_EVIDENCE_RETENTION_DAYS = None
    assert problems() == []
    assert "COACHING_EVIDENCE_RETENTION_DAYS is not set" in found("note")[0]["what"]


# Nothing personal


def test_nothing_personal_and_no_secret_is_told(site, settings):
    learner = factories.eligible_learner(phone_number=NUMBER)
    consent.give(learner, TYPED, None, evidence())
    wait_for_the_partner()
    told = run() + run("--json")
    for secret in (learner.username, learner.email, NUMBER, NEW, str(learner.profile.name)):
        assert secret not in told
    assert CoachingConsent.objects.count() == 1
