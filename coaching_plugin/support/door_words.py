"""What does a door's decision mean, in plain words to whoever answers a learner?"""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coaching_plugin.decisions import Decision

# Each of what follows is about somebody else: who reads it helps the learner.
NAMES = {
    "course": gettext_lazy("Course pages and learning MFE"),
    "consent_page": gettext_lazy("Consent page"),
    "dashboard_card": gettext_lazy("Dashboard card"),
    "account_settings": gettext_lazy("Account settings"),
    "eligibility_api": gettext_lazy("Eligibility API"),
}

ASKS = {
    "course": gettext_lazy("The learner is sent to the consent page first."),
    "consent_page": gettext_lazy("The learner sees the form."),
    "dashboard_card": gettext_lazy("The learner sees the card."),
    "account_settings": gettext_lazy("The learner sees phone number and switch."),
    "eligibility_api": gettext_lazy("The learner may consent."),
}

PASSES = {
    "course": gettext_lazy("The learner enters without being asked."),
    "consent_page": gettext_lazy("The learner is sent on."),
    "dashboard_card": gettext_lazy("There is no card."),
    "account_settings": gettext_lazy("The fields are not offered."),
    "eligibility_api": gettext_lazy("The learner may not consent."),
}

_REASONS = {
    Decision.NOT_COACHED: gettext_lazy("This is no coached course run."),
    Decision.FLAG_OFF: gettext_lazy("A flag that this needs is off."),
    Decision.INACTIVE: gettext_lazy("The account is not activated."),
    Decision.STAFF: gettext_lazy("Staff of the site is never asked."),
    Decision.ANSWERED: gettext_lazy("An answer is on record, or an operator's “do not ask”."),
    Decision.LET_THROUGH: gettext_lazy("For a while every course lets the learner through."),
    Decision.NOT_ENROLLED: gettext_lazy("The learner has no active enrollment there."),
    Decision.COURSE_TEAM: gettext_lazy("The learner has a role in the course or in its organization."),
    Decision.NOT_ELIGIBLE: gettext_lazy("No coached course run makes the learner eligible."),
    Decision.UNDER_AGE: gettext_lazy("The learner may be too young."),
    Decision.CONSENTED: gettext_lazy("The learner has consented."),
    Decision.DISMISSED: gettext_lazy("The learner has dismissed the card."),
    Decision.DO_NOT_ASK: gettext_lazy("An operator has noted that the learner is not to be asked."),
}


def reason(decision: Decision) -> str:
    """Return, in the active language, why a door passes a learner by."""
    return str(_REASONS[decision])


def without_course_door() -> str:
    """Return, in the active language, why nobody at all is asked on entering a course."""
    return _(
        "Nobody is asked on entering a course: neither our steps nor our middleware are in effect. Run the checks."
    )


def says(door: str, decision: Decision) -> str:
    """Return what a learner sees at a door, and why, in the active language."""
    if decision in (Decision.ASK, Decision.OFFER):
        return str(ASKS[door])
    if door == "account_settings" and decision is Decision.CONSENTED:
        return _("The learner sees phone number and switch, to withdraw with.")
    if door == "eligibility_api" and decision is Decision.INACTIVE:
        return _("The learner is refused. %(reason)s") % {"reason": reason(decision)}
    if door == "dashboard_card" and decision is Decision.NOT_COACHED:
        return _("There is no card. No course run is coached.")
    return f"{PASSES[door]} {reason(decision)}"
