"""``partner/roster/``: whom the partner may coach, page by page, and what has changed since it last looked."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from edx_rest_framework_extensions.permissions import NotJwtRestrictedApplication
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from coaching_plugin.partner import csv_format, roster
from coaching_plugin.rest_api.v1.views import CoachingAPIView
from coaching_plugin.throttling import LearnerRateThrottle

# A change is dated when it is made, and seen by others when it is committed: what was dated before ``as_of`` and is
# not to be seen yet would be missed. A transaction waits for a lock 50 seconds (MariaDB's default) and dies with its
# request; clocks of several hosts differ by less. What is told twice for it, a receiver knows by its sequence.
COMMITTED_WITHIN = timedelta(minutes=5)


class MayExportRoster(BasePermission):
    """Allows those whom an operator gave the permission."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the caller has ``coaching_plugin.export_roster``."""
        return request.user.has_perm("coaching_plugin.export_roster")


class RosterRateThrottle(LearnerRateThrottle):
    """A service account's own share: a program that goes round in circles is stopped, a walk of 300,000 is not."""

    scope = "coaching_roster"

    def get_rate(self) -> str:
        """Return the rate; a setting for learners does not bear on it."""
        return "300/minute"


class CSVRenderer(BaseRenderer):
    """The entries of a page as CSV; what else is on a page stands in headers."""

    media_type = csv_format.MEDIA_TYPE
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type=None, renderer_context=None) -> str:
        """Return the header line and a line for each entry."""
        return "".join(csv_format.lines(data["results"]))


class RosterPagination(CursorPagination):
    """
    Pages in the order of the rows, or of their last change; each says as of when the whole walk was begun.

    ``as_of`` goes from page to page: what changes meanwhile on a page already read is told to who asks for what has
    changed since then.
    """

    page_size = 100
    max_page_size = 1000
    # Offsets count rows of one moment only, of which there may be many: those after a lower limit would be left out.
    offset_cutoff = 1_000_000_000

    def __init__(self, changed_since: datetime | None, as_of: datetime):
        self.ordering = ("pk",) if changed_since is None else ("changed_at", "pk")
        self.as_of = as_of

    def paginate_queryset(self, queryset, request, view=None) -> list[Any]:
        """Return the rows of the page that is asked for."""
        page: list[Any] = super().paginate_queryset(queryset, request, view) or []
        self.base_url = replace_query_param(request.build_absolute_uri(), "as_of", _written(self.as_of))
        return page

    def get_page_size(self, request: Request) -> int:
        """Return how many entries are asked for. Raises ``ValidationError`` for what is no such number."""
        asked = request.query_params.get("page_size", str(self.page_size))
        if not re.fullmatch(r"[1-9][0-9]*", asked):
            raise exceptions.ValidationError(_("Send page_size as a whole number, 1 or more."))
        return min(int(asked[:10]), self.max_page_size)

    def get_ordering(self, request, queryset, view):
        """Return the columns to order by."""
        return self.ordering

    def decode_cursor(self, request):
        """Return the cursor of the request. Raises ``NotFound`` for one that is none, or is of another order."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not self._is_position(str(cursor.position)):
            raise exceptions.NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response(self, data):
        """Return the answer: the links and the moment in the body, and in headers for who reads CSV."""
        links = {"next": self.get_next_link(), "prev": self.get_previous_link()}
        headers = {"Coaching-As-Of": _written(self.as_of)}
        if given := [f'<{url}>; rel="{relation}"' for relation, url in links.items() if url]:
            headers["Link"] = ", ".join(given)
        body = {"as_of": _written(self.as_of), "next": links["next"], "previous": links["prev"], "results": data}
        return Response(body, headers=headers)

    def _is_position(self, text: str) -> bool:
        if self.ordering == ("pk",):
            return text.isascii() and text.isdecimal() and len(text) < 19
        return _moment(text) is not None


class RosterView(CoachingAPIView):
    """
    ``partner/roster/``: an entry for everyone who agrees now; with ``changed_since``, also for those who left.

    It depends on no flag, since a flag is on for a learner, and on no switch, since that one is about sending.
    """

    # No token of a restricted application: those are issued to act for their users, and this is about all learners.
    permission_classes = (IsAuthenticated, NotJwtRestrictedApplication, MayExportRoster)
    throttle_classes = (RosterRateThrottle,)
    renderer_classes = (JSONRenderer, CSVRenderer)

    def get_format_suffix(self, **kwargs) -> str | None:
        """Return the format that is asked for by ``?format=``, which the platform turns off for other APIs."""
        return self.request.query_params.get("format")

    def get_renderers(self) -> list[BaseRenderer]:
        """Return the formats that may be asked for; what the resource is itself is told in JSON."""
        return super().get_renderers() if self.request.method in ("GET", "HEAD") else [JSONRenderer()]

    def get(self, request: Request) -> Response:
        """Return a page of the roster, or of what has changed on it."""
        changed_since = _asked_moment(request.query_params, "changed_since")
        # Before the page is read, or what is committed meanwhile would fall between the two.
        newest = timezone.now() - COMMITTED_WITHIN
        begun = _asked_moment(request.query_params, "as_of")
        paginator = RosterPagination(changed_since, as_of=min(begun or newest, newest))
        rows = roster.on_roster() if changed_since is None else roster.ever_told().filter(changed_at__gte=changed_since)
        entries = roster.entries_of(paginator.paginate_queryset(rows, request, view=self))
        return paginator.get_paginated_response([entry.as_json() for entry in entries])

    def handle_exception(self, error: Exception) -> Response:
        """Answer in JSON, whatever was asked for: a refusal is no roster."""
        response = super().handle_exception(error)
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return response


def _asked_moment(query: Mapping[str, str], name: str) -> datetime | None:
    """Return the moment under a name of the query, if there is one. Raises ``ValidationError`` for what is none."""
    if name not in query:
        return None
    moment = _moment(query[name])
    if moment is None:
        raise exceptions.ValidationError(
            _("Send %(name)s as an ISO 8601 date and time with its offset, such as 2026-11-27T09:30:00Z.")
            % {"name": name}
        )
    return moment


def _moment(text: str) -> datetime | None:
    """Return the moment of a text in ISO 8601 with an offset, in UTC; None for any other."""
    try:
        moment = parse_datetime(text)
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _written(moment: datetime) -> str:
    """Return a moment in ISO 8601 with a Z, since a plus sign in an address is a blank."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
