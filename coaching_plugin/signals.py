"""What a course door asks, and what answers it; and what happens here when a learner is retired."""

import logging

from django.dispatch import Signal
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import access, consent
from coaching_plugin.faults import log_fault
from coaching_plugin.models import Door

log = logging.getLogger(__name__)

# Sent at every course door with ``user``, ``course_key`` (CourseKey) and ``next_url``. A receiver returns the URL to
# which the learner must go before the course, or None. Other plugins may listen too.
course_access_requested = Signal()


def first_redirect(user, course_key: CourseKey, next_url: str) -> str | None:
    """
    Ask every receiver of ``course_access_requested`` and return the first URL, or None where the way is free.

    A receiver that fails is logged and passed over: nothing here may stand between a learner and a course.
    """
    responses = course_access_requested.send_robust(sender=None, user=user, course_key=course_key, next_url=next_url)
    for receiver, response in responses:
        if isinstance(response, Exception):
            name = getattr(receiver, "__qualname__", type(receiver).__name__)
            log_fault(log, response, "User %s, course %s: receiver %s failed", user.id, course_key, name)
    return next((url for _, url in responses if url and not isinstance(url, Exception)), None)


def redirect_to_consent(sender, user, course_key, next_url, **kwargs) -> str | None:
    """Send a learner who is to be asked to the consent page; where anything fails, the course opens."""
    try:
        return access.consent_redirect(user, course_key, next_url)
    except Exception as error:
        log_fault(
            log, error, "User %s enters course %s unasked, since coaching could not be decided", user.id, course_key
        )
        return None


def erase_retired_learner(sender, user, **kwargs) -> None:
    """Erase a retired learner's personal data; raises on failure, so that no retirement pretends."""
    consent.erase(user, consent.Evidence(door=Door.RETIREMENT))


def withdraw_on_retirement_request(sender, instance, **kwargs) -> None:
    """
    Withdraw a learner's consent as soon as the learner asks for the account to be deleted.

    A failure is logged and does not keep anybody from that: the next step of the retirement, which saves again, tries
    again, and the erasure at its end withdraws too, and must succeed.
    """
    try:
        consent.withdraw(instance.user, consent.Evidence(door=Door.RETIREMENT), reason="retirement_requested")
    except Exception as error:
        log_fault(log, error, "User %s asked for retirement, and withdrawing failed", instance.user_id)
