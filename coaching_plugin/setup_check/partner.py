"""Is the coaching partner reached, told of what changes, and able to tell of a STOP?"""

from collections.abc import Iterator
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from coaching_plugin import conf, toggles
from coaching_plugin.models import PartnerChannel, PartnerDelivery
from coaching_plugin.partner import channels
from coaching_plugin.partner.channels import DeliveryError
from coaching_plugin.setup_check.finding import Finding, Level

WAITS_TOO_LONG = timedelta(hours=1)
Status = PartnerDelivery.Status


def check_channels() -> Iterator[Finding]:
    """Tell whether each channel can be made, and reaches the partner."""
    names = conf.partner_channels()
    if not names:
        yield Finding(Level.NOTE, "There is no way to the partner: COACHING_PARTNER_CHANNELS names none.")
    for name in names:
        yield _channel(name)


def check_switch() -> Iterator[Finding]:
    """Tell whether the partner is told of changes."""
    name = toggles.PARTNER_DELIVERY.name
    if toggles.delivers_to_partner():
        yield Finding(Level.OK, f"The switch {name} is on.")
    else:
        yield Finding(
            Level.NOTE,
            f"The switch {name} is off: what the partner must hear of waits.",
            f"manage.py lms waffle_switch --create {name} on",
        )


def check_opt_out_secrets() -> Iterator[Finding]:
    """Tell whether the partner can report an opt-out."""
    number = len(conf.opt_out_secrets())
    if number:
        yield Finding(Level.OK, f"The partner can report opt-outs: there are {number} secret(s).")
    else:
        yield Finding(
            Level.WARNING if conf.partner_channels() else Level.NOTE,
            "The partner can report no opt-out (STOP): COACHING_PARTNER_OPT_OUT_SECRETS is empty.",
        )


def check_deliveries() -> Iterator[Finding]:
    """Tell what has waited for the partner for too long."""
    known = list(conf.partner_channels())
    waiting = PartnerDelivery.objects.filter(status=Status.WAITING)
    late = waiting.filter(channel__in=known, created_at__lt=timezone.now() - WAITS_TOO_LONG).count()
    parked = PartnerDelivery.objects.filter(status=Status.PARKED).count()
    gone = waiting.exclude(channel__in=known).order_by("channel").values_list("channel", flat=True).distinct()
    if late and toggles.delivers_to_partner():
        yield Finding(
            Level.WARNING,
            f"{late} change(s) have waited for the partner for over an hour.",
            "Is a Celery worker running, and deliver_to_partner in cron?",
        )
    elif late:
        yield Finding(Level.NOTE, f"{late} change(s) wait for the partner, since the switch is off.")
    if parked:
        yield Finding(
            Level.WARNING,
            f"{parked} change(s) are parked: the partner has refused them too often.",
            "Partner deliveries in the admin say why, and have them tried again.",
        )
    if gone:
        names = ", ".join(gone)
        yield Finding(
            Level.WARNING, f"Changes wait for channels that COACHING_PARTNER_CHANNELS does not name: {names}."
        )
    if not (late or parked or gone):
        yield Finding(Level.OK, "No change has waited for the partner for over an hour, and none is parked.")


def check_pauses() -> Iterator[Finding]:
    """Tell which channels are left alone for a while after failures."""
    paused = PartnerChannel.objects.filter(not_before__gt=timezone.now(), name__in=list(conf.partner_channels()))
    # One that writes a roster now and then waits after each success, too.
    for name, failures, not_before in paused.filter(failures__gt=0).values_list("name", "failures", "not_before"):
        yield Finding(
            Level.WARNING,
            f"Channel {name} is paused till {not_before:%Y-%m-%d %H:%M} UTC after {failures} failure(s) in a row.",
        )


def _channel(name: str) -> Finding:
    try:
        words = channels.make(name).check()
    except ImproperlyConfigured as error:
        return Finding(Level.ERROR, f"Channel {name} cannot be made: {error}.")
    except DeliveryError as error:
        return Finding(
            Level.ERROR,
            f"Channel {name} does not reach the partner: {error.code}.",
            "Compare its OPTIONS with what the partner told you. Till then its changes wait, and none is lost.",
        )
    except Exception as error:
        return Finding(Level.ERROR, f"Channel {name} could not be tried ({type(error).__name__}).")
    if not words:
        return Finding(Level.NOTE, f"Channel {name} can be made; whether it reaches the partner it cannot tell.")
    return Finding(Level.OK, f"Channel {name}: {words}.")
