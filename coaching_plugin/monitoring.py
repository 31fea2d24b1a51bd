"""What monitoring tools are told of each decision: custom attributes of the current transaction, or of a task's."""

import logging
from collections.abc import Iterable
from enum import StrEnum

from edx_django_utils.monitoring import set_custom_attribute

from coaching_plugin.consent import Outcome
from coaching_plugin.decisions import Decision
from coaching_plugin.faults import log_fault

log = logging.getLogger(__name__)


class MonitoredDoor(StrEnum):
    """Where something was decided."""

    COURSE_PAGE = "course_page"
    COURSE_METADATA = "course_metadata"
    CONSENT_PAGE = "consent_page"
    DASHBOARD_CARD = "dashboard_card"
    ACCOUNT_SETTINGS = "account_settings"
    RECEIPT = "receipt"
    API = "api"
    OPT_OUTS = "partner_opt_outs"


class Result(StrEnum):
    """What became of what was sent to a door, beside what a door decides by itself (``Decision``)."""

    CONSENTED = "consented"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    UNDECIDED = "undecided"
    REFUSED = "refused"
    THROTTLED = "throttled"
    FAILED = "failed"
    TAKEN = "taken"
    UNKNOWN_LEARNER = "unknown_learner"
    BAD_SIGNATURE = "bad_signature"


_complained_of: set[type[Exception]] = set()

# With these nothing was decided of anybody: pages that coaching does not concern carry nothing of ours.
_NOTHING_DECIDED = (Decision.NOT_COACHED, Decision.FLAG_OFF)


def note(door: MonitoredDoor, verdict: Decision | Result, reasons: Iterable[str] = ()) -> None:
    """
    Tell monitoring what a door decided. Raises nothing, and asks neither the database nor the cache.

    Args:
        reasons: codes of why a submission was refused.
    """
    if verdict in _NOTHING_DECIDED:
        return
    # .. custom_attribute_name: coaching.door
    # .. custom_attribute_description: At which door coaching was decided: course_page, course_metadata, consent_page,
    #   dashboard_card, account_settings, receipt, api or partner_opt_outs. Missing where nothing was decided, as on
    #   pages of courses that are not coached, and while a flag is off. Of several doors in one request, the last.
    _set("coaching.door", door.value)
    # .. custom_attribute_name: coaching.verdict
    # .. custom_attribute_description: What was decided there, or what became of what was sent there: one code of about
    #   twenty, such as ask, answered, consented or failed.
    _set("coaching.verdict", verdict.value)
    if codes := " ".join(sorted(set(reasons))):
        # .. custom_attribute_name: coaching.refusal
        # .. custom_attribute_description: Why a submission was refused: the ledger's codes, in alphabetical order with
        #   blanks between them, such as "agreement_missing phone_type".
        _set("coaching.refusal", codes)


def note_outcome(door: MonitoredDoor, outcome: Outcome) -> None:
    """Tell monitoring what became of a change: refused for which reasons, or how the learner stands now."""
    if outcome.is_refused:
        note(door, Result.REFUSED, reasons=(refusal.code for refusal in outcome.refusals))
    else:
        note(door, Result(outcome.consent.status))


def note_deliveries(*, sent: int, failed: int, parked: int, rosters: int) -> None:
    """Tell monitoring what a worker delivered to the partner; nothing where nothing was due. Raises nothing."""
    if not (sent or failed or rosters):
        return
    # .. custom_attribute_name: coaching.delivery.sent
    # .. custom_attribute_description: How many changes a task, or the command, has told the coaching partner.
    _set("coaching.delivery.sent", sent)
    # .. custom_attribute_name: coaching.delivery.failed
    # .. custom_attribute_description: How many of its attempts to tell the coaching partner something have failed.
    _set("coaching.delivery.failed", failed)
    # .. custom_attribute_name: coaching.delivery.parked
    # .. custom_attribute_description: How many changes were parked by that, to wait for an operator.
    _set("coaching.delivery.parked", parked)
    # .. custom_attribute_name: coaching.delivery.rosters
    # .. custom_attribute_description: How many roster files it has written.
    _set("coaching.delivery.rosters", rosters)


def _set(name: str, value: str | int) -> None:
    try:
        set_custom_attribute(name, value)
    except Exception as error:
        # Once in a process for each kind: a backend that fails, fails on every page.
        if type(error) not in _complained_of:
            _complained_of.add(type(error))
            log_fault(log, error, "Monitoring is not told what coaching decides, since a telemetry backend fails")
