"""What many tests need: a clean cache, coached course runs, flags that are on, learners."""

import gc
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.db.backends.base.creation import BaseDatabaseCreation
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone, translation
from edx_django_utils.cache import RequestCache
from oauth2_provider.models import AccessToken, Application
from openedx.features.enterprise_support.utils import NAME_MANAGED

from coaching_plugin import coached_courses, conf
from tests import factories
from tests.loopback_partner import Partner
from tests.watch import watching


def pytest_collection_finish():
    """Have the collector of garbage leave alone what stays, and look less often: that was a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def _watch_of_the_suite():
    with watching() as watch:
        yield watch


@pytest.fixture(autouse=True)
def watch(_watch_of_the_suite, request):
    """
    Fail a test in which something personal is logged, sent on or put in an address; unless its marker says so.

    And one that comes to a course door without saying so, which the second pass of ``make test`` would leave out.
    """
    _watch_of_the_suite.forget()
    yield _watch_of_the_suite
    found = _watch_of_the_suite.found()
    if request.node.get_closest_marker("logs_personal_data"):
        assert found, "there is nothing that the marker has to allow"
    else:
        assert found == []
    if _watch_of_the_suite.saw_course_door:
        marks = {mark.name for mark in request.node.iter_markers()}
        assert marks & {"course_doors", "once"}, "the other kind of platform is to see it too: mark it course_doors"


@pytest.fixture(autouse=True)
def _nothing_remembered(watch):
    """Start each test as a new process would: nothing cached, known, complained about or chosen."""
    cache.clear()
    RequestCache.clear_all_namespaces()
    translation.deactivate()
    timezone.deactivate()
    coached_courses._keys.forget()
    conf._complain.cache_clear()
    yield
    cache.clear()
    coached_courses._keys.forget()


def stored_by_migrations():
    """Return what migrations have stored: by table, the statement that puts a row back, and the rows."""
    quoted, stored = connection.ops.quote_name, {}
    with connection.cursor() as cursor:
        for name in set(connection.introspection.table_names(cursor)) - {MigrationRecorder.Migration._meta.db_table}:
            cursor.execute(f"SELECT * FROM {quoted(name)}")
            columns = ", ".join(quoted(column) for column, *_ in cursor.description)
            values = ", ".join(["%s"] * len(cursor.description))
            if rows := cursor.fetchall():
                stored[quoted(name)] = f"INSERT INTO {quoted(name)} ({columns}) VALUES ({values})", rows
    return stored


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """For tests that commit, have what migrations stored put back at once: row by row costs more than most of them."""
    with django_db_blocker.unblock():
        stored = stored_by_migrations()

    def put_back(creation, data):
        with transaction.atomic(), connection.constraint_checks_disabled(), connection.cursor() as cursor:
            for table, (insert, rows) in stored.items():
                # The first of these tests finds them there.
                cursor.execute(f"DELETE FROM {table}")
                cursor.executemany(insert, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseCreation, "deserialize_db_from_string", put_back)
        yield


@pytest.fixture
def committed(transactional_db, django_db_serialized_rollback):
    """Have what the test stores committed, so that ``on_commit`` runs; what migrations stored is there."""


@pytest.fixture
def coached(db):
    """Two coached course runs of a program, and one that an operator listed."""
    factories.coach_courses()


@pytest.fixture
def flags(db):
    """All flags on, as rows, the way an operator turns them on."""
    factories.turn_on_flags()


@pytest.fixture
def set_flag(db):
    """Return what turns one flag on or off."""
    return factories.set_flag


@pytest.fixture
def learner(coached, flags):
    """An eligible learner: verified in MB101, active yesterday, never asked."""
    return factories.eligible_learner()


@pytest.fixture
def browser(learner):
    """A browser in which the learner is logged in; it checks CSRF tokens."""
    client = Client()
    client.force_login(learner)
    return client


@pytest.fixture
def manage_name():
    """Have an enterprise manage a learner's name."""

    def manage(learner):
        learner.profile.set_meta({NAME_MANAGED: True})
        learner.profile.save()

    return manage


@pytest.fixture
def log_in(db):
    """Log a user in as people do: a CSRF token, then the login API, which sets session and JWT cookies."""

    def log_in_as(user, password="edx"):
        client = Client(enforce_csrf_checks=True)
        token = client.get("/csrf/api/v1/token").json()["csrfToken"]
        response = client.post(
            "/api/user/v2/account/login_session/",
            {"email_or_username": user.username, "password": password},
            HTTP_X_CSRFTOKEN=token,
        )
        assert response.status_code == 200, response.content
        return client

    return log_in_as


@pytest.fixture
def bearer_token(db):
    """Return an OAuth2 access token of a user, as a mobile app has one."""

    def token_of(user):
        application = Application.objects.get_or_create(
            name="mobile", client_type="public", authorization_grant_type="password", user=user
        )[0]
        return AccessToken.objects.get_or_create(
            user=user,
            application=application,
            token=f"token-of-{user.pk}",
            defaults={"expires": timezone.now() + timedelta(hours=1), "scope": "read write"},
        )[0].token

    return token_of


@pytest.fixture
def deliver():
    """Turn delivery to the partner on or off, as a row, the way an operator does."""
    return factories.set_switch


@pytest.fixture
def partner(committed, deliver, settings):
    """A partner that takes JSON over a channel of that name; the switch is on."""
    partner = Partner()
    settings.COACHING_PARTNER_CHANNELS = {
        "json": {"BACKEND": "tests.loopback_partner.JsonChannel", "OPTIONS": {"url": partner.url}}
    }
    deliver(True)
    yield partner
    partner.stop()


@pytest.fixture
def use_theme(settings):
    """Return what puts the Mako templates of a theme in ``tests/themes`` before those of the sandbox."""

    def use(name):
        others = [engine for engine in settings.TEMPLATES if engine["NAME"] != "mako"]
        (mako,) = [engine for engine in settings.TEMPLATES if engine["NAME"] == "mako"]
        folder = Path(__file__).parent / "themes" / name
        settings.TEMPLATES = [*others, {**mako, "DIRS": [folder, *mako["DIRS"]]}]

    return use
