"""How often may one learner send us something? One share for all doors."""

import logging
from typing import Any

from rest_framework.throttling import UserRateThrottle

from coaching_plugin import conf
from coaching_plugin.faults import log_fault

log = logging.getLogger(__name__)


class LearnerRateThrottle(UserRateThrottle):
    """One learner's share of the API and of the consent page's submissions, as ``COACHING_API_THROTTLE`` says."""

    scope = "coaching"

    def get_rate(self) -> str:
        """Return the rate, read when used."""
        return conf.api_throttle()

    # Any: the request and view may be Django's own, since all that is asked of them is the user.
    def allow_request(self, request: Any, view: Any) -> bool:
        """Count the request; while the cache that counts is down, let it pass rather than fail."""
        try:
            return super().allow_request(request, view)
        except Exception as error:
            log_fault(log, error, "User %s is not throttled", request.user.id)
            return True
