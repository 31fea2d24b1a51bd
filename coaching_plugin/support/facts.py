"""What are the facts behind each rule, in plain words to whoever answers a learner?"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from edx_toggles.toggles import WaffleFlag

from coaching_plugin.eligibility import Rules, RunVerdict, Verdict
from coaching_plugin.enrollments import EnrollmentFacts
from coaching_plugin.models import CoachedCourse, CoachingConsent

Status = CoachingConsent.Status


@dataclass(frozen=True)
class Rule:
    """One rule, in words of the active language, and whether it is met; None where it decides nothing."""

    code: str
    name: str
    met: bool | None
    facts: str


def of_learner(user, verdict: Verdict, standing: CoachingConsent, *, is_retiring: bool) -> tuple[Rule, ...]:
    """Return the rules about the learner, whatever the course run. Year of birth, name and number are in no fact."""
    rules = (
        _account(user),
        _staff(user),
        _age(verdict),
        _eligible(verdict),
        _answer(standing),
        _card(standing),
        _retirement(is_retiring),
    )
    return (*rules, _opt_out(standing.opted_out_at)) if standing.opted_out_at else rules


def of_flag(flag: WaffleFlag, is_on: bool | None) -> Rule:
    """Return what a flag says where nothing is known of the learner's request."""
    said = {
        True: _("On for everyone."),
        False: _("Off for everyone."),
        None: _("Neither on nor off for everyone: it depends on the request."),
    }
    return Rule("flag", _("Flag %(flag)s") % {"flag": flag.name}, is_on, said[is_on])


def of_listing(row: CoachedCourse | None) -> Rule:
    """Return whether a course run is coached, and by whose word."""
    if row is None:
        said = _("It is not listed, neither by the catalog nor by an operator.")
    elif row.source == CoachedCourse.Source.OPERATOR:
        said = _("An operator has listed it.") if row.active else _("An operator has switched it off.")
    else:
        said = _("The catalog lists it.") if row.active else _("The catalog lists it no longer.")
    if row is not None and row.program_title:
        said = _("%(said)s Program: %(title)s.") % {"said": said, "title": row.program_title}
    return Rule("coached", _("Coached course run"), row is not None and row.active, said)


def of_run(run: RunVerdict, rules: Rules) -> tuple[Rule, ...]:
    """Return the rules of a coached course run in which the learner is or was enrolled."""
    facts = run.facts
    return (
        Rule(
            "enrollment",
            _("Enrollment"),
            facts.is_active,
            _("The enrollment is active.") if facts.is_active else _("The enrollment is not active any more."),
        ),
        Rule(
            "mode",
            _("Mode"),
            run.mode_counts,
            _("The mode is %(mode)s. What counts: %(modes)s.") % {"mode": facts.mode, "modes": ", ".join(rules.modes)},
        ),
        Rule("activity", _("Activity"), run.recently_active, _activity(run, rules)),
        Rule(
            "course_team",
            _("No role in the course"),
            not facts.has_course_role,
            _("There is one in the course or in the whole of its organization.")
            if facts.has_course_role
            else _("There is none in the course, nor in the whole of its organization."),
        ),
    )


def of_no_enrollment() -> Rule:
    """Return what there is to say of a coached course run in which the learner never was."""
    return Rule("enrollment", _("Enrollment"), False, _("The learner was never enrolled in it."))


def day(moment: datetime) -> date:
    """Return the day of a moment, as the rules count days."""
    return moment.astimezone(UTC).date()


def _account(user) -> Rule:
    said = _("The account is activated.") if user.is_active else _("The account is not activated.")
    return Rule("account", _("Active account"), user.is_active, said)


def _staff(user) -> Rule:
    said = _("The learner is not staff of the site.")
    if user.is_staff:
        said = _("The learner is staff of the site, whom courses never ask. The other doors are open to staff.")
    return Rule("staff", _("Not staff"), not user.is_staff, said)


def _age(verdict: Verdict) -> Rule:
    name, minimum = _("Age"), verdict.rules.minimum_age
    if not minimum:
        return Rule("age", name, None, _("No minimum age is set."))
    if not verdict.runs:
        return Rule("age", name, None, _("Without an enrollment in a coached course run, it was not looked up."))
    if verdict.runs[0].facts.year_of_birth is None:
        return Rule("age", name, True, _("The year of birth is not known, which passes."))
    said = _("By the year of birth, the learner is surely %(age)s or older.")
    if not verdict.old_enough:
        said = _("By the year of birth, the learner may be younger than %(age)s.")
    return Rule("age", name, verdict.old_enough, said % {"age": minimum})


def _eligible(verdict: Verdict) -> Rule:
    name = _("Eligible")
    if not verdict.runs:
        return Rule("eligible", name, False, _("The learner was never enrolled in a coached course run."))
    said = ngettext(
        "%(met)s of %(count)s coached course run with an enrollment meets all three rules.",
        "%(met)s of %(count)s coached course runs with an enrollment meet all three rules.",
        len(verdict.runs),
    ) % {"met": sum(run.is_eligible for run in verdict.runs), "count": len(verdict.runs)}
    return Rule("eligible", name, verdict.is_eligible, said)


def _answer(standing: CoachingConsent) -> Rule:
    said = {
        Status.UNDECIDED: _("The learner has not answered."),
        Status.CONSENTED: _("The learner has consented."),
        Status.DECLINED: _("The learner has declined."),
        Status.WITHDRAWN: _("The learner consented once, and that has ended."),
    }[Status(standing.status)]
    asked = _("Asked on %(day)s.") % {"day": day(standing.asked_at)} if standing.asked_at else _("Never asked.")
    parts = [said, asked]
    if standing.answered_at:
        parts.append(_("Last answer on %(day)s.") % {"day": day(standing.answered_at)})
    if standing.do_not_ask:
        parts.append(_("An operator has noted that the learner is not to be asked."))
    return Rule("answer", _("Not answered yet"), not standing.has_answered, " ".join(parts))


def _card(standing: CoachingConsent) -> Rule:
    dismissed_at = standing.card_dismissed_at
    said = _("The learner has not dismissed the card.")
    if dismissed_at:
        said = _("The learner dismissed the card on %(day)s.") % {"day": day(dismissed_at)}
    return Rule("card", _("Card not dismissed"), dismissed_at is None, said)


def _retirement(is_retiring: bool) -> Rule:
    said = _("There is no request to delete the account.")
    if is_retiring:
        said = _("There is a request to delete the account, and no consent is taken any more.")
    return Rule("retirement", _("No deletion under way"), not is_retiring, said)


def _opt_out(opted_out_at: datetime) -> Rule:
    said = _("The learner told the coaching partner to stop, on %(day)s. Consenting again is possible.")
    return Rule("opt_out", _("Opted out"), None, said % {"day": day(opted_out_at)})


def _activity(run: RunVerdict, rules: Rules) -> str:
    parts = [
        _newest(run.facts),
        _("What counts begins on %(day)s (UTC).") % {"day": rules.since.date()},
    ]
    if run.facts.has_recent_courseware_state:
        parts.insert(1, _("Work in the course is recorded since that day."))
    elif run.lacks_only_activity:
        parts.append(_("A visit counts: after one, the learner is eligible."))
    return " ".join(parts)


def _newest(facts: EnrollmentFacts) -> str:
    """Return the newest of what the platform recorded with a date, and what it is."""
    recorded = [
        (facts.enrolled_at and day(facts.enrolled_at), _("Newest on record: enrolled on %(day)s.")),
        (facts.last_engaged_on, _("Newest on record: in the course on %(day)s.")),
        (
            facts.last_completion_at and day(facts.last_completion_at),
            _("Newest on record: a block completed on %(day)s."),
        ),
    ]
    dated = [(on, said) for on, said in recorded if on is not None]
    if not dated:
        return _("Nothing is on record with a date.")
    on, said = max(dated, key=lambda entry: entry[0])
    return said % {"day": on}
