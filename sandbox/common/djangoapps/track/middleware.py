"""Logs every request with its parameters, as the platform's tracking does."""

import json
import logging
import re

from django.conf import settings

log = logging.getLogger("tracking")

CENSORED = {"password", "newpassword", "new_password", "oldpassword", "old_password", "new_password1", "new_password2"}
EVENT_LENGTH = 512


class TrackMiddleware:
    """Writes path, GET and POST parameters of a request to the log `tracking`, unless its path is to be ignored."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if not any(re.match(pattern, request.path_info) for pattern in settings.TRACKING_IGNORE_URL_PATTERNS):
            event = json.dumps({"GET": _censored(request.GET), "POST": _censored(request.POST)})
            log.info(json.dumps({"event_type": request.path_info, "event": event[:EVENT_LENGTH]}))
        return self.get_response(request)


def _censored(parameters):
    """Return parameters as lists of values, without passwords."""
    return {name: "*" * 8 if name in CENSORED else values for name, values in parameters.lists()}
