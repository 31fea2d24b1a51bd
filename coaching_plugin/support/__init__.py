"""Why was this learner asked, or not? Each rule, its verdict and the facts behind it, and what each door would do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from edx_toggles.toggles import WaffleFlag
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import answered, coached_courses, consent, decisions, eligibility, lms, toggles
from coaching_plugin.decisions import Decision, Learner
from coaching_plugin.eligibility import RunVerdict, Verdict
from coaching_plugin.models import CoachedCourse, CoachingConsent
from coaching_plugin.support import door_words, facts
from coaching_plugin.support.facts import Rule

# The code of a door whose flags are neither on nor off for everyone, where it would ask or offer with them on.
DEPENDS = "depends_on_request"

# The code of a course door that would ask, if it were there.
NO_COURSE_DOOR = "no_course_door"

# What each door needs beside the master flag.
FLAGS = {
    "course": toggles.COURSE_REDIRECT,
    "consent_page": toggles.ENABLED,
    "dashboard_card": toggles.DASHBOARD_CARD,
    "account_settings": toggles.ACCOUNT_SETTINGS,
    "eligibility_api": toggles.ENABLED,
}

# Of several course doors that all pass the learner by, the first of these says most.
_TELLING = (
    Decision.FLAG_OFF,
    Decision.INACTIVE,
    Decision.STAFF,
    Decision.ANSWERED,
    Decision.LET_THROUGH,
    Decision.COURSE_TEAM,
    Decision.UNDER_AGE,
    Decision.NOT_ELIGIBLE,
    Decision.NOT_ENROLLED,
    Decision.NOT_COACHED,
)


@dataclass(frozen=True)
class DoorVerdict:
    """What the learner would see at one door, in plain words of the active language; two codes are for scripts."""

    door: str
    name: str
    code: str
    says: str


@dataclass(frozen=True)
class RunExplanation:
    """The rules of one course run, and what its doors, course pages and learning MFE, would do."""

    course_key: CourseKey
    is_eligible: bool
    rules: tuple[Rule, ...]
    door: DoorVerdict


@dataclass(frozen=True)
class Explanation:
    """
    Why a learner is asked, or not: the rules about the learner, those of each course run, and all other doors.

    ``notes`` say where something that is only remembered for a while stands before the facts.
    """

    user_id: int
    may_consent: bool
    summary: str
    rules: tuple[Rule, ...]
    runs: tuple[RunExplanation, ...]
    doors: tuple[DoorVerdict, ...]
    notes: tuple[str, ...]


def explain(user, course_key: CourseKey | None = None) -> Explanation:
    """
    Explain how a learner stands to coaching now, in all coached course runs that they know, or in one course run.

    Nothing is changed or remembered by that. Of the flags only those for everyone count, since there is no request of
    the learner's. Raises ``CoachedCoursesUnknown`` where this process could never read which course runs are coached.
    """
    learner = _Foreseen(user, course_key)
    verdicts = [_run(learner, key) for key in learner.course_keys]
    is_retiring = lms.is_retiring(user)
    return Explanation(
        user_id=user.id,
        may_consent=user.is_active and learner.verdict.may_consent and not is_retiring,
        summary=_summary(learner),
        rules=(
            *facts.of_learner(user, learner.verdict, learner.standing, is_retiring=is_retiring),
            *(facts.of_flag(flag, is_on) for flag, is_on in learner.flags.items()),
        ),
        runs=tuple(verdicts),
        doors=(
            _door(learner, "consent_page", decisions.consent_page(learner)),
            _door(learner, "dashboard_card", decisions.dashboard_card(learner)),
            _door(learner, "account_settings", decisions.account_settings(learner)),
            _door(learner, "eligibility_api", decisions.eligibility_api(learner)),
        ),
        notes=tuple(_notes(learner)),
    )


class _Foreseen(Learner):
    """The learner as all doors would meet them now, looked up at once; a flag that may be on counts as on."""

    def __init__(self, user, course_key: CourseKey | None) -> None:
        super().__init__(user)
        self.flags = {
            flag: toggles.for_everyone(flag)
            for flag in (
                toggles.ENABLED,
                toggles.COURSE_REDIRECT,
                toggles.DASHBOARD_CARD,
                toggles.ACCOUNT_SETTINGS,
            )
        }
        self.verdict: Verdict = eligibility.explain(user, entering_each=True)
        self.standing: CoachingConsent = consent.standing(user)
        self.course_keys = [run.course_key for run in self.verdict.runs] if course_key is None else [course_key]
        self.listed = {row.course_key: row for row in CoachedCourse.objects.filter(course_key__in=self.course_keys)}
        self.found: dict[str, Any] = cache.get_many(decisions.remembering_keys(user.id, self.course_keys))
        self.course_doors = {key: decisions.course_door(self, key) for key in self.course_keys}

    def is_enabled(self) -> bool:
        return self._may_be_on(toggles.ENABLED)

    def redirects_on_course_entry(self) -> bool:
        return self._may_be_on(toggles.ENABLED, toggles.COURSE_REDIRECT)

    def shows_dashboard_card(self) -> bool:
        return self._may_be_on(toggles.ENABLED, toggles.DASHBOARD_CARD)

    def offers_account_settings(self) -> bool:
        return self._may_be_on(toggles.ENABLED, toggles.ACCOUNT_SETTINGS)

    def has_answered(self) -> bool:
        return self.standing.has_answered

    def has_consented(self) -> bool:
        return self.found.get(answered.key(self.user.id)) is True or self.standing.is_consented

    def remembered(self, course_key: CourseKey) -> Decision | None:
        return decisions.remembered(self.found, self.user.id, course_key)

    def on_entering(self, course_key: CourseKey) -> Decision:
        return decisions.by_rules(self.verdict, course_key)

    def _may_be_on(self, *flags: WaffleFlag) -> bool:
        return all(self.flags[flag] is not False for flag in flags)


def _run(learner: _Foreseen, course_key: CourseKey) -> RunExplanation:
    run = learner.verdict.run(course_key)
    return RunExplanation(
        course_key=course_key,
        is_eligible=run is not None and run.is_eligible,
        rules=(facts.of_listing(learner.listed.get(course_key)), *_run_rules(learner, course_key, run)),
        door=_door(learner, "course", learner.course_doors[course_key]),
    )


def _run_rules(learner: _Foreseen, course_key: CourseKey, run: RunVerdict | None) -> tuple[Rule, ...]:
    if run is not None:
        return facts.of_run(run, learner.verdict.rules)
    return (facts.of_no_enrollment(),) if coached_courses.is_coached(course_key) else ()


def _door(learner: _Foreseen, door: str, decision: Decision) -> DoorVerdict:
    code, says = decision.value, door_words.says(door, decision)
    if door == "course" and decision is Decision.ASK and not lms.has_course_door():
        return DoorVerdict(door, str(door_words.NAMES[door]), NO_COURSE_DOOR, door_words.without_course_door())
    unsettled = [flag.name for flag in dict.fromkeys((toggles.ENABLED, FLAGS[door])) if learner.flags[flag] is None]
    if unsettled and decision in (Decision.ASK, Decision.OFFER):
        code = DEPENDS
        says = _("It depends on the request. With %(flags)s on: %(says)s Otherwise: %(otherwise)s") % {
            "flags": get_text_list(unsettled, _("and")),
            "says": says,
            "otherwise": door_words.PASSES[door],
        }
    return DoorVerdict(door, str(door_words.NAMES[door]), code, says)


def _summary(learner: _Foreseen) -> str:
    asking = [str(key) for key, decision in learner.course_doors.items() if decision is Decision.ASK]
    if asking and not lms.has_course_door():
        return door_words.without_course_door()
    if asking and None in (learner.flags[toggles.ENABLED], learner.flags[toggles.COURSE_REDIRECT]):
        return _("The learner is asked on entering %(courses)s, where the flags are on for the request.") % {
            "courses": get_text_list(asking, _("or"))
        }
    if asking:
        return _("The learner is asked on entering %(courses)s.") % {"courses": get_text_list(asking, _("or"))}
    if learner.standing.is_consented:
        return _("The learner is not asked. %(reason)s") % {"reason": door_words.reason(Decision.CONSENTED)}
    if not learner.course_doors:
        return _("The learner is not asked, having never been enrolled in a coached course run.")
    telling = min(learner.course_doors.values(), key=_TELLING.index)
    return _("The learner is not asked. %(reason)s") % {"reason": door_words.reason(telling)}


def _notes(learner: _Foreseen) -> Iterator[str]:
    """Yield where what is remembered for a while differs from what the tables say, or hides it."""
    for key in learner.course_keys:
        row = learner.listed.get(key)
        if coached_courses.is_coached(key) != (row is not None and row.active):
            yield _("%(course)s: this process has not noticed a change of the coached course runs yet.") % {
                "course": key
            }
    known = answered.key(learner.user.id) in learner.found
    if known and not learner.standing.has_answered:
        yield _("The cache says that the learner has answered, which is not so any more. It forgets within an hour.")
    for key in learner.course_keys:
        decision = learner.remembered(key)
        if decision is Decision.LET_THROUGH:
            yield _(
                "Courses let the learner through for an hour at most, after the consent page could not be shown, "
                "or was tried too often."
            )
            return
        if decision not in (None, Decision.ANSWERED):
            yield _("%(course)s: that the learner passes there is remembered for a minute.") % {"course": key}
