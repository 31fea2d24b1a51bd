"""Whole groups of learners, each asked of the database in one statement: who is eligible, and who would be asked."""

from collections import Counter
from collections.abc import Collection
from enum import StrEnum

from django.contrib.auth import get_user_model
from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    Exists,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from opaque_keys.edx.django.models import CourseKeyField
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import lms
from coaching_plugin.eligibility import Rules
from coaching_plugin.models import CoachingConsent

# Of so many values, MariaDB and MySQL look up how many rows each has before they choose an index; of more, they take
# all for equally frequent (eq_range_index_dive_limit). Where one run has half of all learners they then walk the index
# of the course and fetch each row on its own, which took twice as long as reading the table.
MOST_RUNS_LOOKED_UP = 200


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


def all_enrollments(course_keys: Collection[CourseKey], modes: Collection[str]) -> QuerySet:
    """Return the same as ``enrollments``, for a question about everybody: with many runs, in one pass of the table."""
    if len(course_keys) <= MOST_RUNS_LOOKED_UP:
        return enrollments(course_keys, modes)
    # Wrapped in COALESCE, the course fits no index.
    run = Coalesce("course_id", Value(""), output_field=CharField())
    rows = lms.tables().enrollment.objects.alias(run_key=run)
    return rows.filter(run_key__in=[str(key) for key in course_keys], mode__in=list(modes)).order_by()


def eligible_enrollments(course_keys: Collection[CourseKey], rules: Rules) -> QuerySet:
    """
    Return the enrollments that make a learner eligible: ``RunVerdict.is_eligible`` for everybody at once.

    Of learners who may be too young, or whom nobody asks, too: see ``to_be_asked``.
    """
    return all_enrollments(course_keys, rules.modes).filter(makes_eligible(rules))


def makes_eligible(rules: Rules) -> Q:
    """Return a condition on enrollments in coached course runs and modes that count: active, and used lately."""
    tables = lms.tables()
    since, learner, run = rules.since, OuterRef("user_id"), OuterRef("course_id")
    completed = tables.completion.objects.filter(user_id=learner, context_key=run, modified__gte=since)
    engaged = tables.engagement.objects.filter(user_id=learner, course_key=run, date__gte=since.date())
    changed = _states_of(learner).filter(run=run, changed__gte=since)
    recently = Q(created__gte=since) | Q(Exists(completed.order_by())) | Q(Exists(engaged.order_by()))
    return Q(is_active=True) & (recently | Q(Exists(changed)))


def last_activity(learner: OuterRef, runs: Collection[CourseKey]) -> dict[str, Subquery]:
    """
    Return when a learner last did something in any of the course runs, by what recorded it; NULL for never.

    ``last_completed_at`` and ``last_changed_at`` are moments, ``last_engaged_on`` is a day.
    """
    tables, keys = lms.tables(), list(runs)
    completed = tables.completion.objects.filter(user_id=learner, context_key__in=keys)
    engaged = tables.engagement.objects.filter(user_id=learner, course_key__in=keys)
    changed = _states_of(learner).filter(run__in=[str(key) for key in keys])
    return {
        "last_completed_at": _latest(completed, "modified"),
        "last_engaged_on": _latest(engaged, "date"),
        "last_changed_at": _latest(changed, "changed"),
    }


def last_enrolled_at(learner: OuterRef, runs: Collection[CourseKey], modes: Collection[str]) -> Subquery:
    """Return when a learner last enrolled in one of the course runs in one of the modes; NULL for never."""
    return _latest(enrollments(runs, modes).filter(user_id=learner), "created")


def _states_of(learner: OuterRef) -> QuerySet:
    # Wrapped in COALESCE, course and time fit no index but that of the learner: see ``enrollments.facts``.
    return (
        lms.tables()
        .courseware_state.objects.filter(student_id=learner)
        .annotate(
            run=Coalesce("course_id", Value(""), output_field=CharField()),
            changed=Coalesce("modified", "created", output_field=DateTimeField()),
        )
        .order_by()
    )


def _latest(rows: QuerySet, column: str) -> Subquery:
    """Return the greatest value of a column, as a subquery: grouped by nothing, so that it has one row."""
    everything = rows.order_by().annotate(everything=Value(1)).values("everything")
    return Subquery(everything.annotate(latest=Max(column)).values("latest"))


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
    conditions = _conditions(course_keys, rules, doors)
    # An enrollment that makes eligible is in a mode that counts, and in one of all runs.
    del conditions[Outlook.MODE_DOES_NOT_COUNT]
    users = get_user_model().objects.order_by() if entering is None else _enrolled_in(doors)
    return users.filter(*conditions.values())


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
        Outlook.COURSE_TEAM: _may_enter(doors),
        Outlook.MODE_DOES_NOT_COUNT: Q(Exists(counting)),
        Outlook.NO_RECENT_ACTIVITY: Q(pk__in=eligible_enrollments(course_keys, rules).values("user_id")),
        Outlook.UNDER_AGE: _old_enough(rules),
        Outlook.DO_NOT_ASK: Q(~Exists(standing.filter(do_not_ask=True))),
        Outlook.ANSWERED: Q(~Exists(standing.exclude(status=CoachingConsent.Status.UNDECIDED))),
    }
    return {reason: conditions[reason] for reason in Outlook if conditions.get(reason)}


def _may_enter(doors: Collection[CourseKey]) -> Q:
    """Return a condition on users who are enrolled in one of the course runs: in one of whose team they are not."""
    # Most have no role anywhere, and nothing else is looked up of them.
    roles = lms.tables().course_role.objects.filter(user_id=OuterRef("pk"))
    return ~Q(Exists(roles)) | Q(Exists(_entered(doors).exclude(_of_course_team(doors))))


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
