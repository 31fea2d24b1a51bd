"""Account settings: the learner's phone number and the consent switch, as a page and as a part of a theme's pages."""

import math
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from coaching_plugin import conf, consent, decisions, disclosures, lms, monitoring, phone, toggles
from coaching_plugin.decisions import Decision, Learner
from coaching_plugin.forms import AccountSettingsForm
from coaching_plugin.models import CoachingConsent, Door
from coaching_plugin.monitoring import MonitoredDoor, Result
from coaching_plugin.throttling import LearnerRateThrottle
from coaching_plugin.views import LearnerPage, with_next

# Where the session keeps that the next page has to say so.
SAVED = "coaching_plugin.settings_saved"


def is_offered(learner: Learner) -> bool:
    """Return whether account settings show the fields to a learner: to who may consent, and to who has, to withdraw."""
    decision = decisions.account_settings(learner)
    monitoring.note(MonitoredDoor.ACCOUNT_SETTINGS, decision)
    return decision in (Decision.OFFER, Decision.CONSENTED)


def fields_context(request: HttpRequest, standing: CoachingConsent, form: AccountSettingsForm | None = None) -> dict:
    """Return what ``settings_form.html`` shows: the form as things stand, or as it was sent, with what is wrong."""
    shown = disclosures.named(form.cleaned_data.get("disclosure", "")) if form else None
    shown = shown or disclosures.current()
    if form is None:
        form = AccountSettingsForm.prefilled(lms.profile(request.user), shown, standing.is_consented)
    regions = conf.phone_regions()
    return {
        "form": form,
        "disclosure": shown,
        # A tick that was for other words is not for these.
        "agreed": form["agree"].value() and (standing.is_consented or form["disclosure"].value() == shown.sha256),
        "standing": standing,
        "phone_number": phone.national_format(standing.phone_number),
        "regions": regions,
        "country_names": lms.country_names(regions),
        "partner_name": conf.partner_name(),
        "is_saved": request.session.pop(SAVED, False),
    }


class AccountSettingsView(LearnerPage):
    """The page of its own. It also takes what a theme's page sends, and shows there what is wrong with that."""

    door = MonitoredDoor.ACCOUNT_SETTINGS

    http_method_names = ["get", "post", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the fields; to whom they are not offered, say that."""
        learner = Learner(request.user)
        if not is_offered(learner):
            context = {
                "is_offered": False,
                "standing": learner.standing,
                "is_saved": request.session.pop(SAVED, False),
                "form": AccountSettingsForm(),
            }
            return self.render("coaching_plugin/settings.html", context)
        return self._show(learner.standing)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Save the switch and the number, and come back; show what can't be taken, with what was typed."""
        standing = consent.standing(request.user)
        form = AccountSettingsForm(request.POST)
        is_readable = form.is_valid()
        withdraws = standing.is_consented and not form.cleaned_data.get("agree")
        throttle = LearnerRateThrottle()
        if withdraws:
            # Before everything else, so that nothing keeps a learner from it.
            outcome = consent.decline(request.user, self._evidence(form))
            monitoring.note_outcome(self.door, outcome)
            standing = outcome.consent
        elif not throttle.allow_request(request, self):
            # Each refusal is an event in the ledger.
            monitoring.note(self.door, Result.THROTTLED)
            form.add_error(None, _("You have tried very often. Wait a little, then try again."))
            response = self._show(standing, form, status=429)
            response.headers["Retry-After"] = str(math.ceil(throttle.wait() or 1))
            return response
        if is_readable:
            self._save(form, standing, withdraws)
        if form.errors:
            monitoring.note(self.door, Result.REFUSED)
            return self._show(consent.standing(request.user), form)
        request.session[SAVED] = True
        if request.POST.get("embedded"):
            return redirect(self.next_url)
        return redirect(with_next(reverse("coaching:account_settings"), self.next_url))

    def _save(self, form: AccountSettingsForm, standing: CoachingConsent, withdraws: bool) -> None:
        """Have the core give consent or change the number, and add to the form what it refuses."""
        user, number = self.request.user, form.cleaned_data["phone_number"]
        gives = form.cleaned_data["agree"] and not standing.is_consented
        changes_number = form.changes_number(lms.profile(user))
        if gives and not toggles.offers_account_settings() or changes_number and not toggles.is_enabled():
            # Whoever withdraws while coaching is off has done all that can be done then.
            if not withdraws:
                form.add_error(None, _("Coaching is not available to you at the moment."))
        elif gives:
            self._take_in(form, consent.give(user, number, None, self._evidence(form)))
        elif changes_number:
            self._take_in(form, consent.change_phone(user, number, self._evidence(form)))

    def _take_in(self, form: AccountSettingsForm, outcome: consent.Outcome) -> None:
        monitoring.note_outcome(self.door, outcome)
        form.add_refusals(outcome.refusals)

    def _evidence(self, form: AccountSettingsForm) -> consent.Evidence:
        shown = disclosures.named(form.cleaned_data.get("disclosure", ""))
        return consent.Evidence.of(self.request, Door.ACCOUNT_SETTINGS, shown, names_disclosure=True)

    def _show(
        self, standing: CoachingConsent, form: AccountSettingsForm | None = None, status: int = 200
    ) -> HttpResponse:
        context: dict[str, Any] = fields_context(self.request, standing, form)
        context |= {"is_offered": True, "embedded": self.request.POST.get("embedded", "")}
        return self.render("coaching_plugin/settings.html", context, status=status)
