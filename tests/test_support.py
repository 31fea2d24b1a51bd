"""Why a learner is asked, or not: the facts behind each rule, and what is said of each door, on page and command."""

import io
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from common.djangoapps.student.models import CourseAccessRole
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.template.loader import render_to_string
from django.utils import translation
from freezegun import freeze_time
from openedx.core.djangoapps.user_api.models import RetirementState, UserRetirementStatus

from coaching_plugin import access, coached_courses, consent, support
from coaching_plugin.management.commands import explain_eligibility
from coaching_plugin.models import CoachedCourse, CoachingConsent, Door
from tests import factories
from tests.cost import enter
from tests.factories import LIST1, MB101, MB102, PLAIN, TYPED, evidence
from tests.test_support_is_true import asks_on_course_page, in_browser

pytestmark = pytest.mark.usefixtures("committed", "coached", "flags")

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
FIRST_DAY = "What counts begins on 2026-03-17 (UTC)."


@pytest.fixture(autouse=True)
def _noon():
    with freeze_time(NOW):
        yield


def rule(learner, code, key=None):
    """Return whether one rule is met, and the facts: of the learner, or of a course run."""
    explanation = support.explain(learner)
    rules = explanation.rules
    if key is not None:
        (rules,) = [run.rules for run in explanation.runs if run.course_key == key]
    (found,) = [rule for rule in rules if rule.code == code]
    return found.met, found.facts


def says(learner, door):
    (found,) = [verdict.says for verdict in support.explain(learner).doors if verdict.door == door]
    return found


def only_run(learner, key=None):
    (run,) = support.explain(learner, key).runs
    return run


# The learner


def test_account_and_staff():
    assert rule(factories.user(), "account") == (True, "The account is activated.")
    assert rule(factories.user(is_active=False), "account") == (False, "The account is not activated.")
    assert rule(factories.user(), "staff") == (True, "The learner is not staff of the site.")
    met, facts = rule(factories.user(is_staff=True), "staff")
    assert (met, "courses never ask" in facts) == (False, True)


@pytest.mark.parametrize(
    ("minimum", "born", "expected"),
    [
        (13, None, (True, "The year of birth is not known, which passes.")),
        (13, 2012, (True, "By the year of birth, the learner is surely 13 or older.")),
        (13, 2013, (False, "By the year of birth, the learner may be younger than 13.")),
        (0, 2020, (None, "No minimum age is set.")),
    ],
)
def test_age_is_said_without_the_year(settings, minimum, born, expected):
    settings.COACHING_MINIMUM_AGE = minimum
    learner = factories.eligible_learner(year_of_birth=born)
    assert rule(learner, "age") == expected
    assert born is None or str(born) not in repr(support.explain(learner))


def test_of_whom_nothing_was_looked_up_no_age_is_said():
    assert rule(factories.user(year_of_birth=2020), "age")[0] is None


def test_eligibility_is_counted_over_course_runs(learner):
    assert rule(factories.user(), "eligible") == (False, "The learner was never enrolled in a coached course run.")
    assert rule(learner, "eligible") == (True, "1 of 1 coached course run with an enrollment meets all three rules.")
    factories.enroll(learner, MB102, mode="audit")
    assert rule(learner, "eligible") == (True, "1 of 2 coached course runs with an enrollment meet all three rules.")


def answered_by(change):
    learner = factories.eligible_learner()
    change(learner)
    return rule(learner, "answer")


def test_every_answer_is_told_with_its_days(learner):
    ask = lambda learner: consent.ask(learner, evidence())  # noqa: E731
    assert rule(learner, "answer") == (True, "The learner has not answered. Never asked.")
    assert answered_by(ask) == (True, "The learner has not answered. Asked on 2026-06-15.")
    consent.ask(learner, evidence())
    with freeze_time(NOW + timedelta(days=1)):
        consent.decline(learner, evidence())
        said = (False, "The learner has declined. Asked on 2026-06-15. Last answer on 2026-06-16.")
        assert rule(learner, "answer") == said
        consent.give(learner, TYPED, None, evidence())
        assert rule(learner, "answer")[1].startswith("The learner has consented. Asked on 2026-06-15.")
        consent.decline(learner, evidence())
        assert rule(learner, "answer")[1].startswith("The learner consented once, and that has ended.")
    assert answered_by(lambda learner: consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x")) == (
        False,
        "The learner has not answered. Never asked. An operator has noted that the learner is not to be asked.",
    )


def test_card_opt_out_and_retirement(learner):
    assert rule(learner, "card") == (True, "The learner has not dismissed the card.")
    assert "opt_out" not in [found.code for found in support.explain(learner).rules]
    assert rule(learner, "retirement") == (True, "There is no request to delete the account.")
    assert support.explain(learner).may_consent
    consent.dismiss_card(learner)
    consent.opt_out(learner, evidence(Door.PARTNER), reason="stop")
    RetirementState.objects.create(state_name="PENDING", state_execution_order=1)
    UserRetirementStatus.create_retirement(learner)
    assert rule(learner, "card") == (False, "The learner dismissed the card on 2026-06-15.")
    assert rule(learner, "opt_out")[0] is None
    assert "on 2026-06-15" in rule(learner, "opt_out")[1]
    assert rule(learner, "retirement")[0] is False
    assert not support.explain(learner).may_consent


@pytest.mark.parametrize(
    ("everyone", "said"),
    [
        (True, "On for everyone."),
        (False, "Off for everyone."),
        (None, "Neither on nor off for everyone: it depends on the request."),
    ],
)
def test_of_a_flag_only_what_holds_for_everyone_is_known(learner, set_flag, everyone, said):
    set_flag("coaching.enabled", everyone)
    flags = {rule.name: (rule.met, rule.facts) for rule in support.explain(learner).rules if rule.code == "flag"}
    assert flags.pop("Flag coaching.enabled") == (everyone, said)
    assert set(flags.values()) == {(True, "On for everyone.")}


@pytest.mark.parametrize("default", [True, False])
def test_a_flag_that_nobody_made_is_what_waffle_takes_it_for(settings, default):
    settings.WAFFLE_FLAG_DEFAULT = default
    from waffle.models import Flag

    for flag in Flag.objects.all():
        flag.delete()
    learner = factories.eligible_learner()
    assert {rule.met for rule in support.explain(learner).rules if rule.code == "flag"} == {default}
    assert (only_run(learner).door.code == "ask") is default is (enter(learner) is not None)


# Course runs


def test_enrollment_mode_and_role(learner, settings):
    settings.COACHING_ENROLLMENT_MODES = ["verified", "masters"]
    assert rule(learner, "enrollment", MB101) == (True, "The enrollment is active.")
    assert rule(learner, "mode", MB101) == (True, "The mode is verified. What counts: verified, masters.")
    met, facts = rule(learner, "course_team", MB101)
    assert (met, facts) == (True, "There is none in the course, nor in the whole of its organization.")
    learner.courseenrollment_set.update(is_active=False, mode="audit")
    CourseAccessRole.objects.create(user=learner, org="DemoX", course_id=MB101, role="staff")
    assert rule(learner, "enrollment", MB101) == (False, "The enrollment is not active any more.")
    assert rule(learner, "mode", MB101) == (False, "The mode is audit. What counts: verified, masters.")
    assert rule(learner, "course_team", MB101)[0] is False


def block(day):
    return lambda learner: factories.complete_block(learner, datetime(2026, *day, 23, 59, tzinfo=UTC))


def a_day(day):
    return lambda learner: factories.engage(learner, date(2026, *day))


ACTIVITIES = {
    "enrolled long ago": ([], False, "Newest on record: enrolled on 2025-05-11. {} A visit counts: after one, {}"),
    "a block": ([block((5, 1)), a_day((4, 30))], True, "Newest on record: a block completed on 2026-05-01. {}"),
    "a day": ([block((5, 1)), a_day((5, 2))], True, "Newest on record: in the course on 2026-05-02. {}"),
    "a block too old": (
        [block((3, 16))],
        False,
        "Newest on record: a block completed on 2026-03-16. {} A visit counts: after one, {}",
    ),
    "work in the course": (
        [lambda learner: factories.save_state(learner, NOW)],
        True,
        "Newest on record: enrolled on 2025-05-11. Work in the course is recorded since that day. {}",
    ),
    "nothing with a date": (
        [lambda learner: learner.courseenrollment_set.update(created=None)],
        False,
        "Nothing is on record with a date. {} A visit counts: after one, {}",
    ),
}


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_the_newest_activity_is_told_with_what_it_was(activity):
    records, met, facts = ACTIVITIES[activity]
    learner = factories.user()
    factories.enroll(learner)
    for record in records:
        record(learner)
    assert rule(learner, "activity", MB101) == (met, facts.format(FIRST_DAY, "the learner is eligible."))


def deactivate(key):
    row = CoachedCourse.objects.get(course_key=key)
    row.active = False
    row.save()


def test_by_whose_word_a_course_run_is_coached(learner):
    def listing(key):
        (run,) = support.explain(learner, key).runs
        (found,) = [rule for rule in run.rules if rule.code == "coached"]
        return found.met, found.facts

    assert listing(MB102) == (True, "The catalog lists it. Program: Demo MicroBachelors.")
    assert listing(LIST1) == (True, "An operator has listed it.")
    assert listing(PLAIN) == (False, "It is not listed, neither by the catalog nor by an operator.")
    deactivate(MB102)
    deactivate(LIST1)
    assert listing(MB102) == (False, "The catalog lists it no longer. Program: Demo MicroBachelors.")
    assert listing(LIST1) == (False, "An operator has switched it off.")


def test_a_course_run_that_is_asked_for_is_told_of_whether_or_not_the_learner_knows_it(learner):
    assert [run.course_key for run in support.explain(learner).runs] == [MB101]
    run = only_run(learner, MB102)
    assert [rule.code for rule in run.rules] == ["coached", "enrollment"]
    assert run.rules[1].facts == "The learner was never enrolled in it."
    assert run.door.code == "not_enrolled"
    factories.enroll(learner, PLAIN)
    run = only_run(learner, PLAIN)
    assert [rule.code for rule in run.rules] == ["coached"]
    assert run.door.code == "not_coached"
    assert not run.is_eligible
    assert support.explain(learner, PLAIN).may_consent, "by another course run"


# The doors, and the sum of it

ENTERS = "The learner enters without being asked. "


def test_what_the_learner_sees_is_told_in_plain_words(learner, set_flag):
    assert only_run(learner).door.says == "The learner is sent to the consent page first."
    assert says(learner, "consent_page") == "The learner sees the form."
    assert says(learner, "dashboard_card") == "The learner sees the card."
    assert says(learner, "account_settings") == "The learner sees phone number and switch."
    assert says(learner, "eligibility_api") == "The learner may consent."
    consent.give(learner, TYPED, None, evidence())
    assert only_run(learner).door.says == ENTERS + "An answer is on record, or an operator's “do not ask”."
    assert says(learner, "consent_page") == "The learner is sent on. The learner has consented."
    assert says(learner, "dashboard_card") == "There is no card. The learner has consented."
    assert says(learner, "account_settings") == "The learner sees phone number and switch, to withdraw with."
    set_flag("coaching.enabled", False)
    assert only_run(learner).door.says == ENTERS + "A flag that this needs is off."
    assert says(learner, "eligibility_api") == "The learner may not consent. A flag that this needs is off."
    CoachedCourse.objects.all().delete()
    coached_courses.forget()
    assert says(learner, "dashboard_card") == "There is no card. No course run is coached."
    inactive = factories.user(is_active=False)
    assert says(inactive, "eligibility_api") == "The learner is refused. The account is not activated."


def summary(learner, key=None):
    return support.explain(learner, key).summary


def test_the_summary_names_where_the_learner_is_asked_or_what_keeps_it(learner, set_flag):
    assert summary(learner) == f"The learner is asked on entering {MB101}."
    factories.enroll(learner, LIST1, mode="audit")
    assert summary(learner) == f"The learner is asked on entering {MB101} or {LIST1}."
    assert summary(learner, PLAIN) == "The learner is not asked. This is no coached course run."
    set_flag("coaching.course_redirect", None)
    assert summary(learner, MB101).endswith(f"{MB101}, where the flags are on for the request.")
    set_flag("coaching.course_redirect", False)
    assert summary(learner) == "The learner is not asked. A flag that this needs is off."
    set_flag("coaching.course_redirect", True)
    CourseAccessRole.objects.create(user=learner, org="DemoX", course_id=MB101, role="staff")
    learner.courseenrollment_set.filter(course_id=LIST1).update(is_active=False)
    assert summary(learner) == (
        "The learner is not asked. The learner has a role in the course or in its organization."
    ), "which says more than that of the run that was left"
    consent.give(learner, TYPED, None, evidence())
    assert summary(learner) == "The learner is not asked. The learner has consented."
    nobody = factories.user()
    assert summary(nobody) == "The learner is not asked, having never been enrolled in a coached course run."


@pytest.mark.course_doors
def test_a_platform_without_a_course_door_asks_nobody_there(learner, settings):
    """As where settings that run after the plugins' have assigned them."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "CourseDoorMiddleware" not in name]
    settings.OPEN_EDX_FILTERS_CONFIG = {}
    assert not asks_on_course_page(in_browser(learner), MB101)
    explanation = support.explain(learner)
    assert explanation.runs[0].door.code == "no_course_door"
    assert explanation.summary == explanation.runs[0].door.says
    assert explanation.summary.startswith("Nobody is asked on entering a course: ")
    assert only_run(learner, PLAIN).door.code == "not_coached"
    assert says(learner, "consent_page") == "The learner sees the form."


# What hides the truth for a while


def notes(learner, key=None):
    return support.explain(learner, key).notes


def test_what_is_remembered_is_noted(learner):
    assert notes(learner) == ()
    assert enter(learner, MB102) is None
    factories.enroll(learner, MB102)
    assert notes(learner) == (f"{MB102}: that the learner passes there is remembered for a minute.",)
    assert {run.course_key: run.door.code for run in support.explain(learner).runs} == {
        MB101: "ask",
        MB102: "not_enrolled",
    }
    access.let_through(learner, 60)
    (note,) = notes(learner)
    assert note.startswith("Courses let the learner through for an hour at most")
    consent.decline(learner, evidence())
    assert notes(learner) == (), "an answer is no passing state"
    CoachingConsent.objects.update(status="undecided")
    (note,) = notes(learner)
    assert note.startswith("The cache says that the learner has answered")
    cache.clear()
    assert notes(learner) == ()


def test_a_change_of_another_process_is_noted_until_this_one_has_seen_it(learner):
    coached_courses.keys()
    CoachedCourse.objects.filter(course_key=MB101).update(active=False)  # sends no signal
    assert notes(learner) == (f"{MB101}: this process has not noticed a change of the coached course runs yet.",)
    assert only_run(learner).door.code == "ask"
    coached_courses._keys.forget()
    assert notes(learner, MB101) == ()


# Its cost


@pytest.mark.parametrize(("runs", "queries"), [(0, 3), (1, 4), (40, 4)])
def test_four_queries_however_many_course_runs(runs, queries, django_assert_num_queries):
    learner = factories.user()
    for number in range(runs):
        key = MB101.replace(run=f"run{number}", org=f"Org{number % 3}")
        CoachedCourse.objects.create(course_key=key)
        factories.enroll(learner, key)
    support.explain(learner)  # the flags and the coached course runs are known then
    with django_assert_num_queries(queries):  # the facts, the standing, the listing, the retirement
        assert len(support.explain(learner).runs) == runs


# On a page


def page_of(learner, **context):
    html = render_to_string(
        "admin/coaching_plugin/explanation.html", {"explanation": support.explain(learner), **context}
    )
    return BeautifulSoup(html, "html.parser")


def test_the_fragment_shows_all_of_it(learner):
    factories.enroll(learner, MB102, mode="audit")
    access.let_through(learner, 60)
    explanation, page = support.explain(learner), page_of(learner)
    text = " ".join(page.get_text(" ").split())
    assert page.section["aria-labelledby"] == page.h2["id"]
    assert explanation.summary in text
    for note in explanation.notes:
        assert note in text
    for rule_ in [*explanation.rules, *explanation.runs[0].rules, *explanation.runs[1].rules]:
        mark = {True: "Met", False: "Not met", None: "Neither"}[rule_.met]
        assert f"{rule_.name} {mark} {rule_.facts}" in text
    for door in explanation.doors:
        assert f"{door.name} {door.says}" in text
    for run in explanation.runs:
        assert f"{run.door.name} {run.course_key} {run.door.says}" in text
    assert f"Makes the learner eligible: {MB101}" in text
    assert f"Does not make the learner eligible: {MB102}" in text


def test_what_others_have_written_is_no_markup(learner):
    CoachedCourse.objects.filter(course_key=MB101).update(program_title="<script>alert(1)</script>")
    page = page_of(learner)
    assert not page.find("script")
    assert "<script>alert(1)</script>" in page.get_text()


# The command


def run_command(*arguments):
    out = io.StringIO()
    call_command("explain_eligibility", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_a_learner_is_found_by_user_name_e_mail_and_id(learner):
    expected = run_command(learner.username)
    assert expected.startswith(f"Learner {learner.id}: The learner is asked on entering {MB101}.\n")
    assert run_command(learner.email.upper()) == run_command(learner.id) == expected


def test_a_user_name_of_digits_is_a_user_name_and_whoever_else_may_be_meant_is_asked_for(learner):
    other = factories.user(username="987654321")
    assert run_command("987654321").startswith(f"Learner {other.id}:")
    namesake = factories.user(username=str(learner.id))
    with pytest.raises(CommandError, match="^More than one learner may be meant") as refused:
        run_command(learner.id)
    assert refused.value.returncode == 2
    assert run_command(learner.id, "--by", "username").startswith(f"Learner {namesake.id}:")
    assert run_command(learner.id, "--by", "id").startswith(f"Learner {learner.id}:")
    assert run_command(learner.email, "--by", "email").startswith(f"Learner {learner.id}:")
    with pytest.raises(CommandError, match=r"^There is no such learner\.$"):
        run_command(learner.email, "--by", "username")


@pytest.mark.parametrize("typed", ["nobody", "nobody@example.com", "0", "-0", "007", "99999999999999999999", "", "٣"])
def test_an_unknown_learner_is_one_line_that_does_not_repeat_what_was_typed(typed, capsys):
    factories.user(username="somebody").__class__.objects.filter(username="somebody").update(email="")
    with pytest.raises(SystemExit) as ended:
        explain_eligibility.Command().run_from_argv(["manage.py", "explain_eligibility", "--skip-checks", "--", typed])
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "CommandError: There is no such learner.\n")


@pytest.mark.parametrize("typed", ["nonsense", "", "library-v1:DemoX+L", "lena@example.com"])
def test_a_malformed_course_key_is_one_line_that_does_not_repeat_it(learner, typed, capsys):
    arguments = ["manage.py", "explain_eligibility", "--skip-checks", f"--course={typed}", learner.username]
    with pytest.raises(SystemExit) as ended:
        explain_eligibility.Command().run_from_argv(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "CommandError: This is not the key of a course run.\n")


def test_the_answer_fits_a_terminal_and_names_nobody(learner):
    factories.enroll(learner, MB102, mode="audit")
    consent.give(learner, TYPED, "Lena Learner", evidence())
    access.let_through(learner, 60)
    said = run_command(learner.username)
    lines = said.splitlines()
    assert max(map(len, lines)) < 80
    assert len(lines) <= 48
    for personal in (learner.username, learner.email, "Lena", TYPED, "4155552671", "+1"):
        assert personal not in said


def test_a_key_that_is_longer_than_a_line_can_still_be_copied(learner):
    key = MB101.replace(run="a-run-" * 12 + "end")
    assert str(key) in run_command(learner.username, "--course", key).replace(": ", "\n").splitlines()


def test_the_command_speaks_english_whatever_the_site_speaks(learner):
    with translation.override("ar"):
        assert run_command(learner.username).startswith(f"Learner {learner.id}: The learner is asked")
        assert translation.get_language() == "ar"


def test_the_answer_for_scripts_has_all_of_it_in_codes(learner):
    answer = json.loads(run_command(learner.username, "--json", "--course", MB102))
    explanation = support.explain(learner, MB102)
    assert set(answer) == {"user_id", "may_consent", "summary", "rules", "runs", "doors", "notes"}
    assert [rule["code"] for rule in answer["rules"]] == [rule.code for rule in explanation.rules]
    assert answer["runs"][0]["course_key"] == str(MB102)
    assert answer["runs"][0]["door"]["code"] == "not_enrolled"
    assert {door["door"]: door["code"] for door in answer["doors"]} == {
        "consent_page": "ask",
        "dashboard_card": "offer",
        "account_settings": "offer",
        "eligibility_api": "offer",
    }


def test_where_the_coached_course_runs_are_unknown_nobody_is_called_ineligible(learner, monkeypatch):
    monkeypatch.setattr(coached_courses, "_keys", coached_courses._KeySet())
    monkeypatch.setattr(coached_courses._KeySet, "_from_table", lambda self: 1 / 0)
    with pytest.raises(CommandError, match="not known to this process yet") as refused:
        run_command(learner.username)
    assert refused.value.returncode == 1
