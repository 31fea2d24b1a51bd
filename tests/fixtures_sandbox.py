"""Logging in to the sandbox as the platform lets people in, and what its tests look at."""

import io
import json
from pathlib import Path

from django.core.management import call_command
from django.test import Client

DATA = Path(__file__).parent / "data"


def sample(name):
    """Return a real answer of a running LMS."""
    return json.loads((DATA / "samples" / f"{name}.json").read_text())


def seed():
    """Fill the sandbox as `make demo` does."""
    call_command("seed_demo", stdout=io.StringIO())


def log_in(username, password="edx", client=None):
    """Log in through the login API and return the answer, whose `client` has the cookies."""
    client = client or Client(enforce_csrf_checks=True)
    token = client.get("/csrf/api/v1/token").json()["csrfToken"]
    return client.post(
        "/api/user/v2/account/login_session/",
        {"email_or_username": username, "password": password},
        headers={"X-CSRFToken": token},
    )


def logged_in(username):
    """Return a client in which this person is logged in; it checks CSRF tokens."""
    response = log_in(username)
    assert response.status_code == 200, response.content
    return response.client
