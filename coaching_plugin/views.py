"""The pages of a learner: the question of coaching and its answer, and the receipt of what was answered."""

import contextlib
import logging
import math

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from coaching_plugin import access, conf, consent, decisions, disclosures, lms, monitoring, phone, receipts, toggles
from coaching_plugin.decisions import Decision, Learner
from coaching_plugin.faults import log_fault
from coaching_plugin.forms import ConsentForm
from coaching_plugin.models import Door
from coaching_plugin.monitoring import MonitoredDoor, Result
from coaching_plugin.throttling import LearnerRateThrottle

log = logging.getLogger(__name__)

# What Django answers with a 4xx of its own.
CLIENT_ERRORS = (BadRequest, Http404, MultiPartParserError, PermissionDenied, SuspiciousOperation)

# How long a learner on whom the page failed is not sent to it again.
FAILURE_SECONDS = 3600


@method_decorator(transaction.non_atomic_requests, name="dispatch")  # consent.py opens its own, shorter ones
@method_decorator(sensitive_post_parameters(), name="dispatch")
@method_decorator(csrf_protect, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class LearnerPage(View):
    """A page of a learner who is logged in, that leads on to ``next`` whatever happens."""

    door: MonitoredDoor

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponseBase:
        """Send anonymous visitors to the login and back; where the page breaks, say so and leave the way on open."""
        self.next_url = lms.dashboard_url()
        try:
            self.next_url = access.safe_next_url(request, request.POST.get("next") or request.GET.get("next"))
            if not request.user.is_authenticated:
                return redirect_to_login(with_next(request.path, self.next_url))
            return super().dispatch(request, *args, **kwargs)
        except CLIENT_ERRORS:
            raise
        except Exception as error:
            log_fault(log, error, "User %s: the page %s failed", request.user.id, request.path)
            monitoring.note(self.door, Result.FAILED)
            # Or a course door would send the learner straight back here. Without a cache the doors stand open anyway.
            with contextlib.suppress(Exception):
                access.let_through(request.user, FAILURE_SECONDS)
            return self.render("coaching_plugin/unavailable.html", status=503)

    def render(self, template: str, context: dict | None = None, status: int = 200) -> HttpResponse:
        """Render a template in the site's theme, with the way on."""
        base = {
            "next_url": self.next_url,
            "next_is_dashboard": self.next_url == lms.dashboard_url(),
            "site_name": lms.site_name(),
            "partner_name": conf.partner_name(),
        }
        response = render(self.request, template, {**base, **(context or {})}, status=status)
        # The address says where the learner goes on to, which is no other site's business.
        response.headers["Referrer-Policy"] = "same-origin"
        return response


class ConsentView(LearnerPage):
    """The question. GET shows it, POST answers it."""

    door = MonitoredDoor.CONSENT_PAGE

    http_method_names = ["get", "post", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form to an eligible learner who has not consented; send anybody else on."""
        learner = Learner(request.user)
        decision = decisions.consent_page(learner)
        monitoring.note(self.door, decision)
        if decision in (Decision.NOT_ELIGIBLE, Decision.UNDER_AGE):
            access.note_sent_on(request.user)
        if decision is not Decision.ASK:
            return redirect(self.next_url)
        shown = disclosures.current()
        if request.method == "GET":
            consent.ask(request.user, consent.Evidence.of(request, Door.PAGE, shown))
        return self._show(ConsentForm.prefilled(lms.profile(request.user), shown), shown, learner.standing)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Record the answer and go to its confirmation; show the form again where it can't be taken."""
        standing = consent.standing(request.user)
        declines = request.POST.get("answer") == "decline"
        # While coaching is off nobody is asked, and yet nobody is kept from withdrawing.
        if not toggles.is_enabled() and not (declines and standing.is_consented):
            return redirect(self.next_url)
        form = ConsentForm(request.POST)
        is_readable = form.is_valid()
        shown = disclosures.named(form.cleaned_data.get("disclosure", ""))
        evidence = consent.Evidence.of(request, Door.PAGE, shown, names_disclosure=True)
        throttle = LearnerRateThrottle()
        if declines:
            monitoring.note_outcome(self.door, consent.decline(request.user, evidence))
        elif not throttle.allow_request(request, self):
            # Each refusal is an event in the ledger. Saying no stays free: it is one only after a yes.
            return self._show_throttled(form, shown or disclosures.current(), standing, throttle.wait())
        elif is_readable:
            outcome = consent.give(
                request.user,
                form.cleaned_data["phone_number"],
                form.cleaned_data["full_name"],
                evidence,
                agreed=form.cleaned_data["agree"],
            )
            monitoring.note_outcome(self.door, outcome)
            form.add_refusals(outcome.refusals)
        else:
            monitoring.note(self.door, Result.REFUSED)
        if not declines and form.errors:
            return self._show(form, shown or disclosures.current(), standing)
        return redirect(with_next(reverse("coaching:answered"), self.next_url))

    def _show_throttled(
        self, form: ConsentForm, shown: disclosures.ShownDisclosure, standing, wait: float | None
    ) -> HttpResponse:
        """Show the form with the request to wait so many seconds; till then the learner may go on unasked."""
        seconds = math.ceil(wait or 1)
        access.let_through(self.request.user, min(seconds, FAILURE_SECONDS))
        monitoring.note(self.door, Result.THROTTLED)
        form.add_error(None, _("You have tried very often. Wait a little, then try again."))
        response = self._show(form, shown, standing, status=429)
        response.headers["Retry-After"] = str(seconds)
        return response

    def _show(self, form: ConsentForm, shown: disclosures.ShownDisclosure, standing, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "disclosure": shown,
            # A tick that was for other words is not for these.
            "agreed": form["agree"].value() and form["disclosure"].value() == shown.sha256,
            "standing": standing,
            "name_is_managed": lms.is_name_managed(self.request.user),
            "profile_name": lms.profile(self.request.user).name,
            "regions": conf.phone_regions(),
            "country_names": lms.country_names(conf.phone_regions()),
        }
        return self.render("coaching_plugin/consent.html", context, status=status)


class AnsweredView(LearnerPage):
    """The confirmation: what was recorded, and the way on to the course."""

    door = MonitoredDoor.CONSENT_PAGE

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what the learner answered; who has not answered has nothing to confirm."""
        standing = consent.standing(request.user)
        if standing.status == standing.Status.UNDECIDED:
            return redirect(access.consent_page_path(self.next_url))
        context = {
            "standing": standing,
            "phone_number": phone.national_format(standing.phone_number),
            "consent_url": access.consent_page_path(self.next_url),
            "settings_url": with_next(reverse("coaching:account_settings"), self.next_url),
        }
        return self.render("coaching_plugin/answered.html", context)


class ReceiptView(LearnerPage):
    """The receipt, to read and to print. Coaching may be off: what is held is the learner's to see all the same."""

    door = MonitoredDoor.RECEIPT

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what the learner agreed to and what is held about them, or that nothing is."""
        receipt = receipts.of(request.user)
        agreement = receipt.agreement if receipt else None
        context = {
            "receipt": receipt,
            "phone_number": phone.national_format(agreement.phone_number) if agreement else "",
            "shared_data": receipts.shared_data(),
            "withdrawal": receipts.withdrawal(),
            "erasure": receipts.erasure(),
            "retention": receipts.retention(),
            "settings_url": with_next(reverse("coaching:account_settings"), self.next_url),
            "account_settings_url": lms.account_settings_url(),
        }
        return self.render("coaching_plugin/receipt.html", context)


def with_next(path: str, next_url: str) -> str:
    """Return the address of one of our pages that leads on to ``next_url``."""
    return f"{path}?{urlencode({'next': next_url})}"
