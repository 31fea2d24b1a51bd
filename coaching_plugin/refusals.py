"""What is wrong with a submission: codes for the ledger, and words for the learner under the field they concern."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from coaching_plugin import conf, eligibility, lms, phone


@dataclass(frozen=True)
class Refusal:
    """One reason why a change is not made."""

    code: str
    message: str
    # phone_number, full_name, agree, or coaching where it is about no field.
    field: str = "coaching"


def of_learner(user) -> list[Refusal]:
    """Return why this learner may not give consent, whatever is submitted; nothing where they may."""
    if not user.is_active:
        return [Refusal("account_inactive", _("Activate your account first: open the link in the e-mail we sent."))]
    verdict = eligibility.explain(user)
    # A token may outlive the log-out that comes with the request to be deleted.
    if not verdict.is_eligible or lms.is_retiring(user):
        return [Refusal("not_eligible", _("Coaching is not available to you at the moment."))]
    if not verdict.old_enough:
        return [Refusal("under_age", _("You are not old enough to be coached."))]
    return []


def of_terms(*, shown: bool, agreed: bool) -> list[Refusal]:
    """Return what keeps the words from having been agreed to: others were shown, or the box was not ticked."""
    if not shown:
        message = _("The terms of coaching were not shown, or have changed. Read them again, then answer.")
        return [Refusal("disclosure_missing", message, "agree")]
    if not agreed:
        return [Refusal("agreement_missing", _("Tick the box to agree, or choose “No thanks”."), "agree")]
    return []


def judge_number(
    judge: Callable[[str | None, Sequence[str]], str], typed: str | None, *, in_use: bool = False
) -> tuple[str, list[Refusal]]:
    """
    Return the E.164 form that ``judge`` (``phone.textable`` or ``phone.valid``) makes of a number, or a refusal.

    Of a number that is ``in_use`` by a standing consent, the learner is told what keeps it from being removed.
    """
    try:
        return judge(typed, conf.phone_regions()), []
    except phone.InvalidPhoneNumber as error:
        message = _phone_message(error.code)
        if in_use and error.code == "phone_missing":
            message = _("Your coach needs this number. To remove it, stop being coached first.")
        return "", [Refusal(error.code, message, "phone_number")]


def judge_name(user, full_name: str | None) -> tuple[str, list[Refusal]]:
    """Return the name to write to the profile (empty: none), or its refusal; a managed name is not looked at."""
    if full_name is None or lms.is_name_managed(user):
        return "", []
    name = full_name.strip()
    if not name:
        return "", [Refusal("name_missing", _("Enter your full name."), "full_name")]
    try:
        lms.check_full_name(name)
    except lms.FullNameError as error:
        return "", [Refusal("name_malformed", str(error), "full_name")]
    return name, []


def _phone_message(code: str) -> str:
    countries = lms.country_names(conf.phone_regions())
    return {
        "phone_missing": _("Enter your mobile phone number."),
        "phone_malformed": _("Enter your mobile phone number in digits."),
        "phone_extension": _("Enter a number without an extension: text messages can’t reach one."),
        "phone_invalid": _("This phone number does not exist. Check its digits."),
        "phone_region": _("Enter a mobile phone number from: %(countries)s.") % {"countries": countries},
        "phone_type": _("This number can’t receive text messages. Enter a mobile phone number."),
    }[code]
