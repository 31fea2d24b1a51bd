"""What did the platform record of one learner's enrollments? And which of many learners are enrolled where?"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    DateTimeField,
    Exists,
    F,
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
from coaching_plugin.models import CoachedCourse


@dataclass(frozen=True)
class EnrollmentFacts:
    """What the platform recorded of one learner in one course run."""

    course_key: CourseKey
    mode: str
    is_active: bool
    enrolled_at: datetime | None
    last_completion_at: datetime | None
    last_engaged_on: date | None
    # None where it was not looked up, the rest having settled the matter.
    has_recent_courseware_state: bool | None
    has_course_role: bool
    year_of_birth: int | None = field(repr=False)


def facts(
    user_id: int,
    course_keys: Collection[CourseKey],
    *,
    modes: Collection[str],
    since: datetime,
    states_from: datetime | None = None,
    role_in: CourseKey | None = None,
    role_in_each: bool = False,
) -> list[EnrollmentFacts]:
    """
    Return, in one query, the learner's enrollments in ``course_keys`` with the newest activity in each.

    The keys are of rows of ``CoachedCourse``, active or not: the statement names none of them, however many there are.

    Courseware state is looked up last: only for active enrollments in ``modes`` without other activity from ``since``
    on. With ``states_from``, only what changed from then on counts: the caller knows that nothing did between the two,
    and is spared a look at all that the learner ever did. ``has_course_role`` tells of a role in the course ``role_in``
    or in the whole of its organization; with ``role_in_each``, in the course of each enrollment.
    """
    tables = lms.tables()
    completions = tables.completion.objects.filter(user_id=user_id, context_key=OuterRef("course_id"))
    engagement = tables.engagement.objects.filter(user_id=user_id, course_key=OuterRef("course_id"))
    # Wrapped in COALESCE, course_id and modified fit no index but (student, module, course), the one that is fast:
    # left plain, MariaDB takes the index of the course or of the date and reads what other learners did. The set is
    # made once for all enrollments, not once for each.
    states = tables.courseware_state.objects.filter(student_id=user_id).annotate(
        run=Coalesce("course_id", Value(""), output_field=CharField()),
        changed=Coalesce("modified", "created", output_field=DateTimeField()),
    )
    # Of a minute, the index of the date is short: whichever of the two is shorter may be taken.
    is_recent = Q(changed__gte=since) if states_from is None else Q(modified__gte=max(since, states_from))
    recent_state = states.filter(is_recent).order_by().values("run")
    # Without a course of entry nobody is asking about roles.
    roles = tables.course_role.objects.none()
    # Hundreds of keys would cost more, in the statement, than all the rest of it. The table narrows what is looked up,
    # as databases compare, and may be ahead of this process; the keys decide.
    listed = CoachedCourse.objects.filter(course_key=OuterRef("course_id")).order_by()
    enrollments = tables.enrollment.objects.filter(Exists(listed), user_id=user_id)
    if role_in_each:
        enrollments = enrollments.annotate(org=_organization(course_keys))
        whole_organization = Q(org=OuterRef("org"), course_id=CourseKeyField.Empty)
        roles = tables.course_role.objects.filter(
            Q(course_id=OuterRef("course_id")) | whole_organization, user_id=user_id
        )
    elif role_in is not None:
        whole_organization = Q(org=role_in.org, course_id=CourseKeyField.Empty)
        roles = tables.course_role.objects.filter(Q(course_id=role_in) | whole_organization, user_id=user_id)
    rows = (
        enrollments.annotate(
            completed_at=Subquery(completions.order_by("-modified").values("modified")[:1]),
            engaged_on=Subquery(engagement.order_by("-date").values("date")[:1]),
            has_role=Exists(roles),
            state_is_recent=Case(
                When(~Q(is_active=True, mode__in=list(modes)), then=Value(None)),
                When(
                    Q(created__gte=since) | Q(completed_at__gte=since) | Q(engaged_on__gte=since.date()),
                    then=Value(None),
                ),
                When(course_id__in=recent_state, then=Value(True)),
                default=Value(False),
                output_field=BooleanField(null=True),
            ),
            born=F("user__profile__year_of_birth"),
        )
        .order_by("created", "pk")
        .values_list(
            "course_id",
            "mode",
            "is_active",
            "created",
            "completed_at",
            "engaged_on",
            "state_is_recent",
            "has_role",
            "born",
        )
    )
    return [EnrollmentFacts(*row) for row in rows if row[0] in course_keys]


def enrolled_in(
    runs: QuerySet, column: str, user_ids: Collection[int], *, modes: Collection[str]
) -> set[tuple[int, Any]]:
    """
    Return, in one query, each learner's id with ``column`` of the course runs in which they are enrolled.

    ``runs`` are rows with a unique ``course_key``. Only active enrollments in ``modes`` count.
    """
    run = runs.filter(course_key=OuterRef("course_id"))
    enrollments = (
        lms.tables()
        .enrollment.objects.filter(user_id__in=list(user_ids), is_active=True, mode__in=list(modes))
        .annotate(of_run=Subquery(run.order_by().values(column)[:1]))
        .order_by()
    )
    # A condition would have the database look each of them up twice.
    return {row for row in enrollments.values_list("user_id", "of_run") if row[1] is not None}


def _organization(course_keys: Collection[CourseKey]) -> Case:
    """Return an expression for the organization of an enrollment, which tells it by its course key alone."""
    of_org: dict[str, list[CourseKey]] = {}
    for key in course_keys:
        of_org.setdefault(str(key.org), []).append(key)
    cases = [When(course_id__in=keys, then=Value(org)) for org, keys in sorted(of_org.items())]
    return Case(*cases, default=Value(None), output_field=CharField())
