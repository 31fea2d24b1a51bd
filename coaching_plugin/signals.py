"""What a course door asks, and what answers it; and what happens here when the platform changes a learner's account."""

import logging

from crum import get_current_request, get_current_user
from django.db import transaction
from django.dispatch import Signal
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import access, consent, lms, monitoring, tasks, toggles
from coaching_plugin.faults import log_fault
from coaching_plugin.models import Door
from coaching_plugin.monitoring import MonitoredDoor, Result

log = logging.getLogger(__name__)

# Sent at every course door with ``user``, ``course_key`` (CourseKey), ``next_url`` and ``door`` (MonitoredDoor). A
# receiver returns the URL to which the learner must go before the course, or None. Other plugins may listen too.
course_access_requested = Signal()


def first_redirect(user, course_key: CourseKey, next_url: str, door: MonitoredDoor) -> str | None:
    """
    Ask every receiver of ``course_access_requested`` and return the first URL, or None where the way is free.

    A receiver that fails is logged and passed over: nothing here may stand between a learner and a course.
    """
    responses = course_access_requested.send_robust(
        sender=None, user=user, course_key=course_key, next_url=next_url, door=door
    )
    for receiver, response in responses:
        if isinstance(response, Exception):
            name = getattr(receiver, "__qualname__", type(receiver).__name__)
            log_fault(log, response, "User %s, course %s: receiver %s failed", user.id, course_key, name)
    return next((url for _, url in responses if url and not isinstance(url, Exception)), None)


def redirect_to_consent(sender, user, course_key, next_url, door=MonitoredDoor.COURSE_PAGE, **kwargs) -> str | None:
    """Send a learner who is to be asked to the consent page; where anything fails, the course opens."""
    try:
        return access.consent_redirect(user, course_key, next_url, door)
    except Exception as error:
        log_fault(
            log, error, "User %s enters course %s unasked, since coaching could not be decided", user.id, course_key
        )
        monitoring.note(door, Result.FAILED)
        return None


def erase_retired_learner(sender, user, **kwargs) -> None:
    """Erase a retired learner's personal data; logs a failure and raises it, so that no retirement pretends."""
    try:
        consent.erase(user, consent.Evidence(door=Door.RETIREMENT))
    except Exception as error:
        log_fault(log, error, "User %s is retired, and erasing failed: the retirement stops here", user.id)
        raise


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


def notice_phone_change(sender, instance, raw=False, update_fields=None, **kwargs) -> None:
    """Before a profile is saved: note on it whether that changes the phone number. Only this tells what it was."""
    instance.changes_coaching_phone = False
    if raw or instance.pk is None or (update_fields is not None and "phone_number" not in update_fields):
        return
    try:
        stored = lms.profile(instance.user).phone_number
        instance.changes_coaching_phone = stored != (instance.phone_number or "")
    except Exception as error:
        # Then it is looked at: where nothing changed, nothing will follow.
        instance.changes_coaching_phone = True
        log_fault(log, error, "User %s: it is unknown whether the phone number changes", instance.user_id)


def follow_phone_change(sender, instance, **kwargs) -> None:
    """
    Once a profile with another phone number is committed, have a standing consent follow it.

    After the commit, and in a transaction of its own: nothing here may keep the platform from saving a profile, and
    the locks are then taken in the order in which everybody takes them, the consent before the profile.
    """
    if not getattr(instance, "changes_coaching_phone", False):
        return
    instance.changes_coaching_phone = False
    request, actor, learner = get_current_request(), get_current_user(), instance.user
    by_learner = actor is not None and actor.pk == learner.pk
    if by_learner and request is not None:
        evidence = consent.Evidence.of(request, Door.PROFILE)
    else:
        # An operator's address and browser prove nothing of the learner.
        evidence = consent.Evidence(door=Door.PROFILE, actor_id=actor.pk if actor is not None else None)

    def follow() -> None:
        try:
            consent.follow_profile(learner, evidence, chosen_by_learner=by_learner)
        except Exception as error:
            log_fault(log, error, "User %s: the consent does not follow the changed phone number", learner.id)

    transaction.on_commit(follow, robust=True)


def deliver_soon(sender, **kwargs) -> None:
    """
    Have a worker deliver what waits for the partner, while the switch is on.

    A broker that is gone costs nothing but a log line: what waits is delivered by the next task, or by the command.
    """
    try:
        if toggles.delivers_to_partner():
            tasks.publish_delivery()
    except Exception as error:
        log_fault(log, error, "No worker was told that something waits for the partner; the command delivers it")
