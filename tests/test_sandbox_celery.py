"""The sandbox has a Celery application as the platform has one, which runs tasks at once where there is no broker."""

from celery import current_app, shared_task
from lms.celery import APP


@shared_task
def add(one, other):
    return one + other


def test_tasks_are_the_applications_own_and_run_at_once():
    assert current_app._get_current_object() is APP
    assert add.app is APP
    assert add.delay(1, 2).get() == 3


def test_it_is_configured_by_djangos_settings(settings):
    assert APP.conf.task_always_eager is settings.CELERY_TASK_ALWAYS_EAGER is True
