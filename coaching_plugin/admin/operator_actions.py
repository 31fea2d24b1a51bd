"""What operators do to a learner's consent: for which learners, for what reason, and what became of it."""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.utils.translation import gettext_lazy, ngettext

from coaching_plugin import conf, consent, phone
from coaching_plugin.faults import log_fault
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OperatorAction:
    """Something that operators do: by which change of ``consent.py``, and to whom that applies."""

    name: str
    change: Callable[..., consent.Outcome]
    applies_to: Callable[[CoachingConsent], bool]
    # Texts that are translated when they are shown.
    label: Any
    effect: Any
    # Why it changes nothing for the others.
    otherwise: Any


WITHDRAW = OperatorAction(
    name="withdraw",
    change=consent.withdraw,
    applies_to=lambda row: row.is_consented,
    label=gettext_lazy("Withdraw on behalf of the learner"),
    effect=gettext_lazy("The consent ends at once, the coaching partner is told, and the learner is not asked again."),
    otherwise=gettext_lazy("no consent stands"),
)
DO_NOT_ASK = OperatorAction(
    name="do_not_ask",
    change=consent.do_not_ask,
    applies_to=lambda row: not row.do_not_ask,
    label=gettext_lazy("Do not ask"),
    effect=gettext_lazy("The learner is never asked on entering a course. A consent that stands goes on standing."),
    otherwise=gettext_lazy("they are not to be asked already"),
)
ASK_AGAIN = OperatorAction(
    name="ask_again",
    change=consent.ask_again,
    applies_to=lambda row: row.has_answered and not row.is_consented,
    label=gettext_lazy("Ask again"),
    effect=gettext_lazy(
        "The learner is asked once more on entering a coached course, as long as they are eligible. What they answered "
        "before stays in the ledger."
    ),
    otherwise=gettext_lazy("a consent stands, which stays as it is, or they have not answered and are asked anyway"),
)
ACTIONS = (WITHDRAW, DO_NOT_ASK, ASK_AGAIN)


class ReasonForm(forms.Form):
    """Why an operator does something, in words that stay in the ledger for ever."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=ConsentEvent._meta.get_field("reason").max_length,
        help_text=gettext_lazy(
            "At most 200 characters. The learner can read it on their receipt, and it is never erased: no names, phone "
            "numbers or e-mail addresses."
        ),
        widget=forms.TextInput({"autocomplete": "off", "class": "vTextField", "dir": "auto"}),
    )

    def clean_reason(self) -> str:
        """Return the reason on one line. Raises ``ValidationError`` where an address or a number stands in it."""
        reason = " ".join(self.cleaned_data["reason"].split())
        # An erasure leaves reasons: their hash is a part of the chain.
        if re.search(r"\S@\S", reason):
            raise forms.ValidationError(gettext_lazy("Leave the e-mail address out: a reason is never erased."))
        if phone.is_in(reason, conf.phone_regions()):
            raise forms.ValidationError(gettext_lazy("Leave the phone number out: a reason is never erased."))
        return reason


@dataclass
class Tally:
    """For how many learners something is done, or was."""

    done: int = 0
    unchanged: int = 0
    # Of those whose account was deleted nothing can be changed.
    deleted: int = 0
    failed: int = 0


def forecast(action: OperatorAction, rows: Iterable[CoachingConsent]) -> Tally:
    """Return for how many of the learners, as they stand now, an action would change something."""
    tally = Tally()
    for row in rows:
        if row.user_id is None:
            tally.deleted += 1
        elif action.applies_to(row):
            tally.done += 1
        else:
            tally.unchanged += 1
    return tally


def carry_out(action: OperatorAction, rows: Iterable[CoachingConsent], operator, reason: str) -> Tally:
    """
    Do it for each of the learners, whose users were read with them, in a transaction of its own.

    The ledger keeps the operator and the reason, and nothing of the operator's request. What fails for one learner is
    logged and stops nobody else's.
    """
    evidence = consent.Evidence(door=Door.ADMIN, actor_id=operator.pk)
    tally = Tally()
    for row in rows:
        if row.user is None:
            tally.deleted += 1
            continue
        try:
            is_changed = action.change(row.user, evidence, reason).is_changed
        except Exception as error:
            log_fault(log, error, "User %s: an operator's %s failed", row.user_id, action.name)
            tally.failed += 1
        else:
            tally.done += is_changed
            tally.unchanged += not is_changed
    return tally


def outlook(action: OperatorAction, tally: Tally) -> list[str]:
    """Return, in the active language, what an action will do to how many, and to how many it does nothing."""
    will = ngettext("This is done for %(count)s learner.", "This is done for %(count)s learners.", tally.done)
    return [will % {"count": tally.done}, *_left_out(action, tally)]


def report(request, action: OperatorAction, tally: Tally) -> None:
    """Tell the operator what became of an action."""
    if tally.done:
        done = ngettext(
            "%(action)s: done for %(count)s learner.", "%(action)s: done for %(count)s learners.", tally.done
        )
        messages.success(request, done % {"action": action.label, "count": tally.done})
    for sentence in _left_out(action, tally):
        messages.warning(request, sentence)
    if tally.failed:
        failed = ngettext(
            "It failed for %(count)s learner, whose user id the log names. Try again.",
            "It failed for %(count)s learners, whose user ids the log names. Try again.",
            tally.failed,
        )
        messages.error(request, failed % {"count": tally.failed})


def _left_out(action: OperatorAction, tally: Tally) -> list[str]:
    sentences = []
    if tally.unchanged:
        unchanged = ngettext(
            "Nothing changes for %(count)s learner: %(why)s.",
            "Nothing changes for %(count)s learners: %(why)s.",
            tally.unchanged,
        )
        sentences.append(unchanged % {"count": tally.unchanged, "why": action.otherwise})
    if tally.deleted:
        deleted = ngettext(
            "%(count)s record is of a deleted account and stays as it is.",
            "%(count)s records are of deleted accounts and stay as they are.",
            tally.deleted,
        )
        sentences.append(deleted % {"count": tally.deleted})
    return sentences
