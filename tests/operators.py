"""People of the staff, with some permissions or all, and what they see."""

from bs4 import BeautifulSoup
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

CONSENTS = reverse("admin:coaching_plugin_coachingconsent_changelist")
EVENTS = reverse("admin:coaching_plugin_consentevent_changelist")
FIND = reverse("admin:coaching_plugin_coachingconsent_find")


def operator(*permissions, username="operator", **client):
    """Return the browser of somebody of the staff with some permissions; of a superuser, where none is named."""
    account = User.objects.create_user(username, is_staff=True, is_superuser=not permissions)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client(**client)
    browser.force_login(account)
    browser.account = account
    return browser


def page_of(learner):
    """Return the address of a learner's page."""
    return reverse("admin:coaching_plugin_coachingconsent_learner", args=[learner.pk])


def action_on(learner, name):
    """Return the address at which something is done to one learner."""
    return reverse(f"admin:coaching_plugin_coachingconsent_{name}", args=[learner.pk])


def text(response):
    """Return what a page says, in one line."""
    assert response.status_code == 200, response
    return " ".join(soup(response).select_one("#container").get_text(" ").split())


def soup(response):
    """Return a page as a tree."""
    return BeautifulSoup(response.content, "html.parser")
