"""Whole groups of learners, each asked of the database in one statement: who is eligible, and who would be asked."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import (
    CharField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, TruncDate
from opaque_keys.edx.django.models import CourseKeyField
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import lms
from coaching_plugin.eligibility import Rules
from coaching_plugin.models import CoachingConsent


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
    since: datetime | OuterRef | CombinedExpression,
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
    # Wrapped in COALESCE, course and time fit no index but that of the learner: see ``lms.enrollment_facts``.
    states = tables.courseware_state.objects.annotate(
        run=Coalesce("course_id", Value(""), output_field=CharField()),
        changed=Coalesce("modified", "created", output_field=DateTimeField()),
    )
    changed = states.filter(student_id=user_id, changed__gte=moment, **within("run")).order_by()
    return Q(Exists(completed.order_by())) | Q(Exists(engaged.order_by())) | Q(Exists(changed))


def _moment_and_day(since: datetime | OuterRef | CombinedExpression) -> tuple[Any, Any]:
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
    eligible = eligible_enrollments(course_keys, rules)
    doors = list(course_keys if entering is None else entering)
    entered = lms.tables().enrollment.objects.filter(course_id__in=doors, is_active=True)
    entered = entered.exclude(_of_course_team(doors)).order_by()
    answered = CoachingConsent.objects.filter(user_id=OuterRef("pk")).filter(
        Q(do_not_ask=True) | ~Q(status=CoachingConsent.Status.UNDECIDED)
    )
    users = get_user_model().objects.filter(
        ~Exists(answered),
        Exists(entered.filter(user_id=OuterRef("pk"))),
        pk__in=eligible.values("user_id"),
        is_active=True,
        is_staff=False,
    )
    if rules.last_year_of_birth is None:
        return users
    born = "profile__year_of_birth"
    return users.filter(Q(**{f"{born}__isnull": True}) | Q(**{f"{born}__lte": rules.last_year_of_birth}))


def _of_course_team(course_keys: Collection[CourseKey]) -> Q:
    """Return a condition on enrollments: the learner has a role in the course, or in the whole of its organization."""
    roles = lms.tables().course_role.objects.filter(user_id=OuterRef("user_id"))
    condition = Q(Exists(roles.filter(course_id=OuterRef("course_id"))))
    # An enrollment tells its organization by its course key alone.
    for org in sorted({str(key.org) for key in course_keys}):
        of_org = Q(course_id__in=[key for key in course_keys if key.org == org])
        condition |= of_org & Q(Exists(roles.filter(org=org, course_id=CourseKeyField.Empty)))
    return condition
