"""How a change reached us, and what of the request proves it."""

import ipaddress
from dataclasses import dataclass, field

from django.http import HttpRequest
from edx_django_utils.ip import get_safest_client_ip

from coaching_plugin import conf
from coaching_plugin.disclosures import ShownDisclosure
from coaching_plugin.models import Door

USER_AGENT_LENGTH = 512


@dataclass(frozen=True)
class Evidence:
    """How a change reached us, and what of the request proves it; what is personal of it is in no ``repr``."""

    door: Door
    disclosure: ShownDisclosure | None = None
    # Whether the client says that it showed one. If that is none of those in force, the words changed meanwhile.
    names_disclosure: bool = False
    ip: str | None = field(default=None, repr=False)
    user_agent: str = field(default="", repr=False)
    # LMS user id of who acted, where it was not the learner.
    actor_id: int | None = None

    @property
    def shows_terms(self) -> bool:
        """Whether words in force were shown, or the client is one that need not say so."""
        return self.disclosure is not None or not (self.names_disclosure or conf.require_disclosure())

    @classmethod
    def of(
        cls,
        request: HttpRequest,
        door: Door,
        disclosure: ShownDisclosure | None = None,
        names_disclosure: bool = False,
    ) -> "Evidence":
        """Return the evidence that a request gives; the IP is the safest of those it claims, never a raw header."""
        return cls(
            door=door,
            disclosure=disclosure,
            names_disclosure=names_disclosure,
            ip=_plain_ip(get_safest_client_ip(request)),
            user_agent=request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:USER_AGENT_LENGTH],
        )


def _plain_ip(claimed: str) -> str | None:
    """Return an IP address in the one form that the database gives back too; None for what is none."""
    try:
        address = ipaddress.ip_address(claimed.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
