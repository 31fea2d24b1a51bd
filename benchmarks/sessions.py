"""Learners who are logged in: sessions made in the database, since logging in would write to their accounts."""

from collections.abc import Iterable
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

PREFIX = "coachingbench"


def log_in(users: Iterable[User]) -> dict[int, str]:
    """Make a session for each and return their keys, by the user's id; those of an earlier benchmark are gone."""
    log_out_all()
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    until = timezone.now() + timedelta(days=1)
    sessions = {user.pk: _session(store, user, until) for user in users}
    Session.objects.bulk_create(sessions.values(), batch_size=500)
    return {user_id: session.session_key for user_id, session in sessions.items()}


def log_out_all() -> None:
    """End every session that a benchmark has made."""
    Session.objects.filter(session_key__startswith=PREFIX).delete()


def _session(store, user, until):
    content = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    return Session(session_key=f"{PREFIX}{user.pk:019}", session_data=store.encode(content), expire_date=until)
