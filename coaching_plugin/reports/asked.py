"""When was each learner first asked, and what did they answer first? What several tables count from."""

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from coaching_plugin.models import ConsentEvent

Kind = ConsentEvent.Kind
ANSWERS = [Kind.CONSENTED, Kind.DECLINED]


def first_asked(within: Q) -> QuerySet:
    """Return the first ``asked`` event of each learner of a scope (a condition on ``learner_id``)."""
    before = ConsentEvent.objects.filter(
        consent_id=OuterRef("consent_id"), kind=Kind.ASKED, sequence__lt=OuterRef("sequence")
    )
    return ConsentEvent.objects.filter(within, ~Exists(before.order_by()), kind=Kind.ASKED).order_by()


def first_answer(column: str) -> Subquery:
    """Return, to annotate ``first_asked`` with, a column of the first answer that came after it; NULL for none."""
    answers = ConsentEvent.objects.filter(
        consent_id=OuterRef("consent_id"), kind__in=ANSWERS, sequence__gt=OuterRef("sequence")
    )
    return Subquery(answers.order_by("sequence").values(column)[:1])
