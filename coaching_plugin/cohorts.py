"""Whole groups of learners, each asked of the database in one statement: who is eligible, and who would be asked."""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    Exists,
    Expression,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, TruncDate
from opaque_keys.edx.django.models import CourseKeyField
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import lms
from coaching_plugin.eligibility import Rules
from coaching_plugin.models import CoachingConsent


class Outlook(StrEnum):
    """How a learner enrolled in a coached course run would fare at its door: asked, or left out, and why."""

    ASKED = "asked"
    INACTIVE = "inactive"
    STAFF = "staff"
    COURSE_TEAM = "course_team"
    MODE_DOES_NOT_COUNT = "mode_does_not_count"
    NO_RECENT_ACTIVITY = "no_recent_activity"
    UNDER_AGE = "under_age"
    DO_NOT_ASK = "do_not_ask"
    ANSWERED = "answered"


def enrollments(course_keys: Collection[CourseKey], modes: Collection[str]) -> QuerySet:
    """Return the enrollments in course runs in one of the modes, those that have ended too."""
    return lms.tables().enrollment.objects.filter(course_id__in=list(course_keys), mode__in=list(modes)).order_by()


def eligible_enrollments(course_keys: Collection[CourseKey], rules: Rules) -> QuerySet:
    """
    Return the enrollments that make a learner eligible: ``RunVerdict.is_eligible`` for everybody at once.

    Of learners who may be too young, or whom nobody asks, too: see ``to_be_asked``.
    """
    recently = Q(created__gte=rules.since) | active_since(rules.since)
    return enrollments(course_keys, rules.modes).filter(recently, is_active=True)


def active_since(
    since: datetime | Expression | OuterRef,
    learner: OuterRef | None = None,
    runs: Collection[CourseKey] | None = None,
) -> Q:
    """
    Return a condition: the platform recorded activity at ``since`` or later, for days in UTC, as ``Rules`` counts them.

    Args:
        since: an aware time, or an expression for one, such as ``OuterRef("asked_at") + timedelta(days=30)``.
        learner: an expression for the learner's id; ``OuterRef("user_id")`` by default.
        runs: in which course runs; the row's own ``course_id`` by default.

    ``OuterRef`` names a column of the rows that are filtered.
    """
    tables = lms.tables()
    user_id = learner or OuterRef("user_id")

    def within(column: str) -> dict:
        return {column: OuterRef("course_id")} if runs is None else {f"{column}__in": list(runs)}

    moment, day = _moment_and_day(since)
    completed = tables.completion.objects.filter(user_id=user_id, modified__gte=moment, **within("context_key"))
    engaged = tables.engagement.objects.filter(user_id=user_id, date__gte=day, **within("course_key"))
    # Wrapped in COALESCE, course and time fit no index but that of the learner: see ``enrollments.facts``.
    states = tables.courseware_state.objects.annotate(
        run=Coalesce("course_id", Value(""), output_field=CharField()),
        changed=Coalesce("modified", "created", output_field=DateTimeField()),
    )
    changed = states.filter(student_id=user_id, changed__gte=moment, **within("run")).order_by()
    return Q(Exists(completed.order_by())) | Q(Exists(engaged.order_by())) | Q(Exists(changed))


def _moment_and_day(since: datetime | Expression | OuterRef) -> tuple[Any, Any]:
    """Return a time, with its day in UTC, both to compare columns with."""
    if isinstance(since, datetime):
        return since, since.astimezone(UTC).date()
    # Of what type a column of the outer rows is, Django does not know within.
    moment = ExpressionWrapper(since, output_field=DateTimeField())
    return moment, TruncDate(moment, tzinfo=UTC)


def to_be_asked(
    course_keys: Collection[CourseKey], rules: Rules, entering: Collection[CourseKey] | None = None
) -> QuerySet:
    """
    Return the users whom a course door would ask, by the rules, once they enter a course run.

    Args:
        course_keys: the coached course runs, of which any may make a learner eligible.
        entering: the runs at whose doors they would be asked, among those; all of them by default.
    """
    doors = course_keys if entering is None else entering
    return _enrolled_in(doors).filter(*_conditions(course_keys, rules, doors).values())


def outlook(
    course_keys: Collection[CourseKey], rules: Rules, entering: Collection[CourseKey] | None = None
) -> Counter[Outlook]:
    """
    Count, in one query, the users with an active enrollment in a course run by how they would fare at its door.

    ``ASKED`` are those whom ``to_be_asked`` returns; each of the others counts once, under the first reason that
    applies, in the order of ``Outlook``.
    """
    doors = course_keys if entering is None else entering
    conditions = _conditions(course_keys, rules, doors)
    reasons = [When(~condition, then=Value(reason.value)) for reason, condition in conditions.items()]
    users = _enrolled_in(doors).annotate(outlook=Case(*reasons, default=Value(Outlook.ASKED.value)))
    counted = users.values("outlook").annotate(learners=Count("pk")).values_list("outlook", "learners")
    return Counter({Outlook(code): learners for code, learners in counted})


def _enrolled_in(course_keys: Collection[CourseKey]) -> QuerySet:
    """Return the users with an active enrollment in one of the course runs, in any mode."""
    return get_user_model().objects.filter(Exists(_entered(course_keys))).order_by()


def _entered(course_keys: Collection[CourseKey]) -> QuerySet:
    """Return the active enrollments of a user of the outer query, in any mode: a learner may enter then."""
    enrolled = lms.tables().enrollment.objects.filter(course_id__in=list(course_keys), is_active=True)
    return enrolled.filter(user_id=OuterRef("pk")).order_by()


def _conditions(course_keys: Collection[CourseKey], rules: Rules, doors: Collection[CourseKey]) -> dict[Outlook, Q]:
    """Return what must hold of a user who is to be asked, each under the reason why others are left out."""
    counting = enrollments(course_keys, rules.modes).filter(user_id=OuterRef("pk"), is_active=True)
    standing = CoachingConsent.objects.filter(user_id=OuterRef("pk"))
    conditions = {
        Outlook.INACTIVE: Q(is_active=True),
        Outlook.STAFF: Q(is_staff=False),
        Outlook.COURSE_TEAM: Q(Exists(_entered(doors).exclude(_of_course_team(doors)))),
        Outlook.MODE_DOES_NOT_COUNT: Q(Exists(counting)),
        Outlook.NO_RECENT_ACTIVITY: Q(pk__in=eligible_enrollments(course_keys, rules).values("user_id")),
        Outlook.UNDER_AGE: _old_enough(rules),
        Outlook.DO_NOT_ASK: Q(~Exists(standing.filter(do_not_ask=True))),
        Outlook.ANSWERED: Q(~Exists(standing.exclude(status=CoachingConsent.Status.UNDECIDED))),
    }
    return {reason: conditions[reason] for reason in Outlook if conditions.get(reason)}


def _old_enough(rules: Rules) -> Q:
    """Return a condition on users, ``Rules.old_enough``; an empty one where nobody is too young."""
    if rules.last_year_of_birth is None:
        return Q()
    born = "profile__year_of_birth"
    return Q(**{f"{born}__isnull": True}) | Q(**{f"{born}__lte": rules.last_year_of_birth})


def _of_course_team(course_keys: Collection[CourseKey]) -> Q:
    """Return a condition on enrollments: the learner has a role in the course, or in the whole of its organization."""
    roles = lms.tables().course_role.objects.filter(user_id=OuterRef("user_id"))
    condition = Q(Exists(roles.filter(course_id=OuterRef("course_id"))))
    # An enrollment tells its organization by its course key alone.
    for org in sorted({str(key.org) for key in course_keys}):
        of_org = Q(course_id__in=[key for key in course_keys if key.org == org])
        condition |= of_org & Q(Exists(roles.filter(org=org, course_id=CourseKeyField.Empty)))
    return condition
