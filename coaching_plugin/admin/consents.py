"""Where learners stand, and the ledger of how they came there: lists, a page for each, and what operators do."""

from datetime import datetime

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from coaching_plugin.admin import find_form, learner_page, learners, operator_actions
from coaching_plugin.admin.date_range import DateRangeFilter
from coaching_plugin.admin.learners import Learner
from coaching_plugin.admin.operator_actions import ACTIONS, ASK_AGAIN, DO_NOT_ASK, WITHDRAW, OperatorAction, ReasonForm
from coaching_plugin.admin.read_only import ReadOnlyAdmin
from coaching_plugin.models import CoachingConsent, ConsentEvent

# Each is a transaction of its own, within one request. Django takes no form of a thousand fields.
MOST_AT_ONCE = 500


class OptedOutFilter(admin.SimpleListFilter):
    """Whether the learner told the coaching partner to stop."""

    title = _("opted out")
    parameter_name = "opted_out"

    def lookups(self, request, model_admin):
        """Return the two choices."""
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request, queryset):
        """Return those who did, or those who did not."""
        if self.value() in ("yes", "no"):
            return queryset.filter(opted_out_at__isnull=self.value() == "no")
        return queryset


@admin.register(CoachingConsent)
class CoachingConsentAdmin(ReadOnlyAdmin):
    """Where learners stand. Nobody is searched for by GET: people type e-mail addresses into any search box."""

    list_display = ["user_id", "status", "asked", "answered", "not_to_be_asked", "opted_out", "partner_id"]
    list_display_links = ["user_id", "partner_id"]
    list_filter = [
        "status",
        "do_not_ask",
        OptedOutFilter,
        ("asked_at", DateRangeFilter),
        ("answered_at", DateRangeFilter),
    ]
    ordering = ["-pk"]
    show_full_result_count = False
    actions = ["withdraw", "do_not_ask", "ask_again"]

    class Media:
        css = DateRangeFilter.css

    @admin.display(description=_("Asked"), ordering="asked_at")
    def asked(self, row):
        """Return when the learner was asked."""
        return _moment(row.asked_at)

    @admin.display(description=_("Answered"), ordering="answered_at")
    def answered(self, row):
        """Return when the learner answered."""
        return _moment(row.answered_at)

    @admin.display(description=_("Do not ask"), ordering="do_not_ask", empty_value="")
    def not_to_be_asked(self, row):
        """Return a word where an operator said so: Django's own sign for no looks like an error."""
        return _("Yes") if row.do_not_ask else None

    @admin.display(description=_("Opted out"), ordering="opted_out_at", empty_value="")
    def opted_out(self, row):
        """Return when the learner told the coaching partner to stop."""
        return _moment(row.opted_out_at)

    def get_urls(self):
        """Return, before Django's own, the addresses of the form, of each learner's page, and of what is done there."""
        wrap = self.admin_site.admin_view
        name = "coaching_plugin_coachingconsent"
        # Out of a transaction around the whole request: each learner's is as short as anywhere else.
        actions = [
            path(
                f"learner/<int:user_id>/{action.name}/",
                transaction.non_atomic_requests(wrap(self._act_view(action))),
                name=f"{name}_{action.name}",
            )
            for action in ACTIONS
        ]
        return [
            path("find/", wrap(self.find_view), name=f"{name}_find"),
            path(
                "learner/<int:user_id>/",
                transaction.non_atomic_requests(wrap(self.learner_view)),
                name=f"{name}_learner",
            ),
            *actions,
            *super().get_urls(),
        ]

    # Pages

    @transaction.non_atomic_requests
    def changelist_view(self, request, extra_context=None):
        """Show the list, or do something to those who are chosen in it."""
        return super().changelist_view(request, extra_context)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        """Show the learner's page: there is no other page of a record."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            return super().change_view(request, object_id, form_url, extra_context)
        if row.user_id is not None:
            return redirect("admin:coaching_plugin_coachingconsent_learner", row.user_id)
        return learner_page.show(request, self, Learner(None, row))

    def find_view(self, request):
        """Show the form by which a learner is found."""
        return find_form.find_learner(request, self)

    def learner_view(self, request, user_id):
        """Show the page of the learner who has an LMS user id, or had it."""
        return learner_page.show(request, self, self._learner(request, user_id))

    def _learner(self, request, user_id):
        # Who may not look must not find out who exists.
        if not self.has_view_permission(request):
            raise PermissionDenied
        learner = learners.with_id(user_id)
        if learner is None:
            raise Http404
        return learner

    # What operators do

    @admin.action(description=WITHDRAW.label, permissions=["change"])
    def withdraw(self, request, queryset):
        """Withdraw the consents of those who are chosen."""
        return self._act_on_chosen(request, WITHDRAW, queryset)

    @admin.action(description=DO_NOT_ASK.label, permissions=["change"])
    def do_not_ask(self, request, queryset):
        """Have those who are chosen never asked."""
        return self._act_on_chosen(request, DO_NOT_ASK, queryset)

    @admin.action(description=ASK_AGAIN.label, permissions=["change"])
    def ask_again(self, request, queryset):
        """Have those who are chosen asked once more."""
        return self._act_on_chosen(request, ASK_AGAIN, queryset)

    def _act_on_chosen(self, request, action, queryset):
        rows = list(queryset.select_related("user").order_by("pk")[: MOST_AT_ONCE + 1])
        if len(rows) > MOST_AT_ONCE:
            refused = _("Choose at most %(count)s learners at a time. Nothing was changed.") % {"count": MOST_AT_ONCE}
            self.message_user(request, refused, messages.ERROR)
            return None
        return self._act(request, action, rows, back=request.get_full_path(), is_of_list=True)

    def _act_view(self, action):
        def view(request, user_id):
            learner = self._learner(request, user_id)
            if not self.has_change_permission(request):
                raise PermissionDenied
            return self._act(request, action, [learner.consent], back=learner.url)

        return view

    def _act(self, request, action: OperatorAction, rows: list[CoachingConsent], back: str, is_of_list: bool = False):
        """Ask for the reason, and say what will happen to how many; once it is given, do it."""
        form = ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            tally = operator_actions.carry_out(action, rows, request.user, form.cleaned_data["reason"])
            operator_actions.report(request, action, tally)
            return redirect(back)
        forecast = operator_actions.forecast(action, rows)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": action.label,
            "subtitle": None,
            "action": action,
            "form": form,
            "rows": rows,
            # Who was chosen is then sent along with the reason.
            "is_of_list": is_of_list,
            "forecast": forecast,
            "outlook": operator_actions.outlook(action, forecast),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "back": back,
        }
        return TemplateResponse(request, "admin/coaching_plugin/reason_form.html", context)


def _moment(at: datetime | None) -> str | None:
    """Return a time short enough for a column, by the clock of the site; the seconds are on the learner's page."""
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M") if at else None


class _IndexedOrder(ChangeList):
    """A list that is sorted by nothing but ``sortable_by``, whatever an address says."""

    def get_ordering_field(self, field_name):
        """Return the field to sort by for a column, None where it is not to be sorted by."""
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None


@admin.register(ConsentEvent)
class ConsentEventAdmin(ReadOnlyAdmin):
    """The ledger of everybody, the newest first. A learner's own page has all of theirs, and says whether it holds."""

    list_display = ["occurred", "learner_id", "sequence", "kind", "reason", "door", "actor_id"]
    list_filter = ["kind", "door", ("occurred_at", DateRangeFilter)]
    # By what has an index: a whole ledger is not to be sorted for one page of it.
    sortable_by = ["occurred"]
    ordering = ["-pk"]
    show_full_result_count = False
    # What makes the digest hard to guess back from tells an operator nothing.
    exclude = ["salt"]

    class Media:
        css = DateRangeFilter.css

    def get_changelist(self, request, **kwargs):
        """Return the class of the list."""
        return _IndexedOrder

    @admin.display(description=_("When"), ordering="occurred_at")
    def occurred(self, event):
        """Return when it happened."""
        return _moment(event.occurred_at)
