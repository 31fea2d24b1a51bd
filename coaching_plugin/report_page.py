"""The page of the report, for staff who may see it, and its tables as CSV."""

import csv
import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import lms, report_tables
from coaching_plugin.faults import log_fault
from coaching_plugin.partner import csv_format
from coaching_plugin.reports import Scope, UnknownScope, snapshot
from coaching_plugin.reports.small_groups import SMALLEST
from coaching_plugin.reports.weeks import WEEKS
from coaching_plugin.views import CLIENT_ERRORS

log = logging.getLogger(__name__)

PERMISSION = "coaching_plugin.view_report"
MAY_SEE_LEARNERS = "coaching_plugin.view_coachingconsent"


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(csrf_protect, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class ReportView(View):
    """The report. GET shows it, or one table of it as CSV; POST has it counted anew. Coaching may be off."""

    http_method_names = ["get", "post", "head", "options"]

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponseBase:
        """Send anonymous visitors to the login, let in who may see it, and say so where the report fails."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not (request.user.is_staff and request.user.has_perm(PERMISSION)):
            raise PermissionDenied
        try:
            return super().dispatch(request, *args, **kwargs)
        except UnknownScope:
            message = _("There is no such program or course run among those that are coached.")
            return self._say(_("Nothing to report on"), message, 404)
        except CLIENT_ERRORS:
            raise
        except Exception as error:
            log_fault(log, error, "User %s: the coaching report failed", request.user.id)
            message = _("The report could not be counted. Nothing was changed; the log of the LMS says more.")
            return self._say(_("Something went wrong on our side"), message, 503)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the report of what the query names, or give one of its tables."""
        scope = scope_of(request)
        report = snapshot.get(scope)
        table, form = request.GET.get("table", ""), request.GET.get("format", "")
        if not (form or table):
            return self._show(scope, report)
        if form != "csv" or table not in report["tables"]:
            raise Http404(_("There is no such table, or not in this format."))
        return _as_csv(table, report)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Count anew, but not twice within minutes."""
        scope = scope_of(request)
        if snapshot.count_anew(scope):
            return redirect(address(request, scope))
        note = _("This was counted less than five minutes ago. Wait a little, then try again.")
        return self._show(scope, snapshot.get(scope), note, 429)

    def _show(self, scope: Scope, report: dict[str, Any], note: str = "", status: int = 200) -> HttpResponse:
        tables = report["tables"]
        first_ten = report_tables.first_ten(tables["first_ten"])
        for row in first_ten:
            row["admin_url"] = reverse("admin:coaching_plugin_coachingconsent_learner", args=[row["user_id"]])
        standing = tables["funnel"][0] if tables["funnel"] else None
        context = {
            "report": report,
            "scope": scope,
            "scope_name": _name(scope, report),
            "note": note,
            "computed_at": date_format(_utc(report["computed_at"]), "DATETIME_FORMAT"),
            "computed_at_iso": report["computed_at"],
            "tables": {name: report_tables.written(name, tables[name]) for name in report_tables.TABLES},
            "charts": report_tables.charts(report),
            "goal": report_tables.percent(report["goal"]),
            "rate": report_tables.percent(standing["rate"]) if standing and standing["rate"] is not None else "",
            "reaches_goal": standing and standing["rate"] is not None and standing["rate"] >= report["goal"],
            "median": report_tables.duration(report["median"]) if report["median"] is not None else "",
            "first_ten": first_ten,
            "without_error": sum(row["answered"] and not row["met_error"] for row in first_ten),
            "may_see_learners": self.request.user.has_perm(MAY_SEE_LEARNERS),
            "smallest": SMALLEST,
            "weeks": WEEKS,
            "csv": {name: "?" + urlencode({**_query(scope), "table": name, "format": "csv"}) for name in tables},
        }
        return self._render("coaching_plugin/report.html", context, status)

    def _say(self, title: str, message: str, status: int) -> HttpResponse:
        return self._render("coaching_plugin/report_message.html", {"title": title, "message": message}, status)

    def _render(self, template: str, context: dict[str, Any], status: int) -> HttpResponse:
        response = render(self.request, template, {"site_name": lms.site_name(), **context}, status=status)
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def scope_of(request: HttpRequest) -> Scope:
    """Return the scope that a request names. Raises ``UnknownScope`` for what names none."""
    values = request.POST if request.method == "POST" else request.GET
    program, course = values.get("program", ""), values.get("course", "")
    if program and course:
        raise UnknownScope("Either a program or a course run.")
    try:
        # A plus sign that nobody encoded has become a blank, of which a course key has none.
        return Scope(
            UUID(program) if program else None, CourseKey.from_string(course.replace(" ", "+")) if course else None
        )
    except (ValueError, InvalidKeyError):
        raise UnknownScope("Malformed.") from None


def address(request: HttpRequest, scope: Scope) -> str:
    """Return the address of the report on a scope."""
    query = urlencode(_query(scope))
    return f"{request.path}?{query}" if query else request.path


def _query(scope: Scope) -> dict[str, str]:
    if scope.is_everybody:
        return {}
    return {"course" if scope.course_key else "program": scope.name}


def _name(scope: Scope, report: dict[str, Any]) -> str:
    if scope.is_everybody:
        return _("All learners")
    return dict(report["programs"]).get(scope.name) or scope.name


def _utc(moment: str) -> datetime:
    # Without a zone, since the platform's own would be applied where it is written.
    return datetime.fromisoformat(moment).astimezone(UTC).replace(tzinfo=None)


def _as_csv(name: str, report: dict[str, Any]) -> HttpResponse:
    header, rows = report_tables.csv_rows(name, report["tables"][name])
    response = HttpResponse(content_type=f"{csv_format.MEDIA_TYPE}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="coaching-{name}-{report["computed_at"][:10]}.csv"'
    writer = csv.writer(response, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([csv_format.defused(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return response
