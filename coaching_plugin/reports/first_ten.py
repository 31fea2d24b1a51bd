"""Did the first ten learners who were asked get through without an error? The launch plan's own check."""

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from coaching_plugin.models import ConsentEvent
from coaching_plugin.reports import asked

Kind = ConsentEvent.Kind

TEN = 10
ATTEMPTS = [Kind.CONSENTED, Kind.DECLINED, Kind.REFUSED]
# Nobody needs to see more of one learner, and nobody can make the report grow.
EVENTS_EACH = 30


def table(within: Q) -> list[dict[str, Any]]:
    """
    Return the attempts of the first ten learners who were asked, in two queries.

    Only who was eligible was asked. It is exempt from the rule on small groups, since it is about ten learners by what
    it is for. It has no names; ``user_id`` is for who may see consents, and for nobody else.
    """
    first = asked.first_asked(within).order_by("occurred_at", "consent_id")
    ten = list(first.values("consent_id", "sequence", "occurred_at", "consent__user_id")[:TEN])
    attempts: dict[int, list[dict[str, Any]]] = {row["consent_id"]: [] for row in ten}
    if ten:
        events = ConsentEvent.objects.filter(reduce(or_, map(_window, ten)), kind__in=ATTEMPTS)
        for event in events.order_by("consent_id", "sequence").values("consent_id", "kind", "reason"):
            attempts[event["consent_id"]].append({"kind": event["kind"], "reasons": event["reason"].split()})
    return [
        {
            "key": str(number),
            "asked_on": row["occurred_at"].date().isoformat(),
            "user_id": row["consent__user_id"],
            "attempts": attempts[row["consent_id"]],
            **_outcome(attempts[row["consent_id"]]),
        }
        for number, row in enumerate(ten, start=1)
    ]


def _window(row: dict[str, Any]) -> Q:
    return Q(consent_id=row["consent_id"], sequence__range=(row["sequence"], row["sequence"] + EVENTS_EACH))


def _outcome(attempts: list[dict[str, Any]]) -> dict[str, bool]:
    kinds = [attempt["kind"] for attempt in attempts]
    answer = next((index for index, kind in enumerate(kinds) if kind != Kind.REFUSED), len(kinds))
    # What went wrong after an answer was about something else, such as another number.
    return {"answered": answer < len(kinds), "met_error": Kind.REFUSED in kinds[:answer]}
