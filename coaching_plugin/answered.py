"""Has this learner answered, and is it a yes? From the cache, where the answer is remembered, else from the table."""

from collections.abc import Callable

from django.core.cache import cache
from django.db import transaction

from coaching_plugin.models import CoachingConsent

REMEMBERED_SECONDS = 3600


def key(user_id: int) -> str:
    """Return the cache key under which an answer is remembered; the version changes with what is kept there."""
    return f"coaching_plugin.answered.v2.{user_id}"


def has_answered(user_id: int) -> bool:
    """Return whether the learner's asking is over, from the table, and remember it where it is."""
    row = CoachingConsent.objects.filter(user_id=user_id).only("status", "do_not_ask").first()
    if row is None or not row.has_answered:
        return False
    remember(user_id, row)
    return True


def is_known_to_have_consented(user_id: int) -> bool:
    """Return whether a standing consent is remembered; False says nothing, and asks for a look at the table."""
    return cache.get(key(user_id)) is True


def remember(user_id: int, consent: CoachingConsent) -> None:
    """Remember, once it is committed, an answer and whether it is a yes; forget one that no longer counts."""
    if not consent.has_answered:
        forget(user_id)
        return
    # Read now: the row may be changed once more before the commit, which then remembers that too.
    is_consented = consent.is_consented
    _after_commit(lambda: cache.set(key(user_id), is_consented, REMEMBERED_SECONDS))


def forget(user_id: int) -> None:
    """Forget, once it is committed, what was remembered of a learner."""
    _after_commit(lambda: cache.delete(key(user_id)))


def _after_commit(change: Callable[[], object]) -> None:
    """Change the cache once the transaction is committed; a cache that is down turns no answer into an error."""
    transaction.on_commit(change, robust=True)
