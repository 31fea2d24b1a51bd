"""All about one learner on one page: where they stand, their whole ledger, whether it holds, and why they are asked."""

import logging
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coaching_plugin import audit, receipts, support
from coaching_plugin.admin.learners import Learner
from coaching_plugin.admin.operator_actions import ACTIONS
from coaching_plugin.faults import log_fault
from coaching_plugin.models import CoachingConsent, ConsentEvent

log = logging.getLogger(__name__)

# Most ledgers have a handful of entries. Who is refused again and again has thousands.
ENTRIES_A_PAGE = 200

MAY_SEE_EVENTS = ["coaching_plugin.view_consentevent", "coaching_plugin.change_consentevent"]
MAY_SEE_DELIVERIES = ["coaching_plugin.view_partnerdelivery", "coaching_plugin.change_partnerdelivery"]
MAY_SEE_USERS = ["auth.view_user", "auth.change_user"]

# What the codes mean, said of the learner and not to them.
REASONS = {
    **receipts.REASONS,
    "learner": gettext_lazy("The learner ended it"),
    "retirement_requested": gettext_lazy("The learner asked for the account to be deleted"),
    "retirement": gettext_lazy("The account was deleted"),
    "phone_changed_by_other": gettext_lazy("Somebody else changed the phone number"),
    "revoked": gettext_lazy("The learner wanted no more messages, in the judgement of the coaching partner"),
    "account_inactive": gettext_lazy("The account was not activated"),
    "not_eligible": gettext_lazy("The learner was not eligible"),
    "under_age": gettext_lazy("The learner was not old enough"),
}


@dataclass(frozen=True)
class LedgerEntry:
    """An event as operators read it."""

    event: ConsentEvent

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Each reason in plain words, with its code; words of an operator or of the learner have none."""
        if codes := receipts.codes_of(self.event):
            return [(str(REASONS[code]), code) for code in codes]
        return [(self.event.reason, "")] if self.event.reason else []


def show(request, model_admin, learner: Learner) -> TemplateResponse:
    """Show a learner's page; of a long ledger one page, by ``p`` in the query."""
    row = _with_events(learner.consent)
    learner = Learner(learner.user, row or learner.consent)
    entries = Paginator([LedgerEntry(event) for event in row.events.all()] if row else [], ENTRIES_A_PAGE)
    may_act = learner.user is not None and model_admin.has_change_permission(request)
    verdict = audit.of(row) if row else None
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _title(learner),
        "subtitle": None,
        "learner": learner,
        "standing": learner.consent,
        "verdict": verdict,
        "problem": _(verdict.broken.problem) if verdict and verdict.broken else "",
        "may_see_events": any(map(request.user.has_perm, MAY_SEE_EVENTS)),
        "may_see_deliveries": any(map(request.user.has_perm, MAY_SEE_DELIVERIES)),
        "may_see_users": any(map(request.user.has_perm, MAY_SEE_USERS)),
        # The newest are on the last page.
        "entries": entries.get_page(request.GET.get("p") or entries.num_pages),
        "actions": [action for action in ACTIONS if may_act and action.applies_to(learner.consent)],
        "explanation": _explanation(request, learner),
    }
    return TemplateResponse(request, "admin/coaching_plugin/learner.html", context)


def _title(learner: Learner) -> str:
    if learner.user is None:
        return _("Learner whose account was deleted")
    return _("Learner with LMS user id %(user_id)s") % {"user_id": learner.user.pk}


def _with_events(consent: CoachingConsent) -> CoachingConsent | None:
    """Return the row with all of its events, read once; None where nothing is stored."""
    if consent.pk is None:
        return None
    rows = CoachingConsent.objects.select_related("disclosure").prefetch_related("events__disclosure")
    return rows.get(pk=consent.pk)


def _explanation(request, learner: Learner) -> SafeString | None:
    """Return why the learner is asked, or not, as HTML; None where there is no learner, or where it fails."""
    if learner.user is None:
        return None
    try:
        context = {"explanation": support.explain(learner.user)}
        return render_to_string("admin/coaching_plugin/explanation.html", context, request)
    except Exception as error:
        # The ledger is most wanted when something else is broken.
        log_fault(log, error, "User %s: the learner's page cannot explain whether they are asked", learner.user.pk)
        return None
