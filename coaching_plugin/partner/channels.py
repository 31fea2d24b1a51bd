"""The one interface of every way to the partner, and which ways the operator has chosen."""

import abc
import logging
from collections.abc import Iterable
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from coaching_plugin import conf
from coaching_plugin.partner.roster import Entry

log = logging.getLogger(__name__)


class DeliveryError(Exception):
    """
    Raised by a channel whose partner did not take what was sent; it is tried again.

    Args:
        code: why, in a word that may be logged and stored: nothing of what was sent or answered.
        retry_after: how long the partner asks to be left alone, if it does.
    """

    def __init__(self, code: str, retry_after: timedelta | None = None):
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after


class _Checkable:
    """What both kinds of channels may offer to an operator who asks whether all is set up."""

    def check(self) -> str:
        """
        Try the way to the partner, sending nothing of any learner, and return in words what answered.

        Empty, as here: it cannot be tried. Takes seconds at most. Raises ``DeliveryError``.
        """
        return ""


class MessageChannel(_Checkable, abc.ABC):
    """A way by which the partner is sent one message a change. ``OPTIONS`` come to it as keyword arguments."""

    # The longest that one message may take; what a worker has claimed is its own for longer than that.
    seconds_per_message: float = 30

    @abc.abstractmethod
    def send(self, delivery_id: str, entry: Entry) -> None:
        """Send how a learner stands now; the id is the same at every attempt. Raises ``DeliveryError``."""


class RosterChannel(_Checkable, abc.ABC):
    """A way by which the partner is given the whole roster anew. ``OPTIONS`` come to it as keyword arguments."""

    # The roster is not written more often than that, however much changes.
    interval = timedelta(minutes=15)

    @abc.abstractmethod
    def write(self, entries: Iterable[Entry]) -> None:
        """Put a new roster in place of the last one, whole or not at all. Raises ``DeliveryError``."""


Channel = MessageChannel | RosterChannel


def configured() -> dict[str, Channel]:
    """Return the channels of the setting by name; one that cannot be made is logged, and what it has to send waits."""
    channels = {}
    for name in conf.partner_channels():
        try:
            channels[name] = make(name)
        except ImproperlyConfigured as error:
            log.error("The partner channel %s is not usable: %s", name, error)
    return channels


def make(name: str) -> Channel:
    """Return the channel of a name. Raises ``ImproperlyConfigured`` where its class or its options are wrong."""
    channel = conf.partner_channels()[name]
    try:
        backend = import_string(channel["BACKEND"])
    except ImportError:
        # A library that is missing says so itself, by ImproperlyConfigured.
        raise ImproperlyConfigured(f"there is no class {channel['BACKEND']}") from None
    if not (isinstance(backend, type) and issubclass(backend, (MessageChannel, RosterChannel))):
        raise ImproperlyConfigured(f"{channel['BACKEND']} is no MessageChannel and no RosterChannel")
    try:
        return backend(**channel.get("OPTIONS", {}))
    except TypeError as error:
        # Python's own words: which option is missing or unknown, never what one holds.
        raise ImproperlyConfigured(f"its OPTIONS do not fit: {error}") from None
