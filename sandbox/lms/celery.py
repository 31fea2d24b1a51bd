"""The LMS's Celery app, as the platform has it: configured by the settings, and with the tasks of every app."""

from celery import Celery

APP = Celery("lms")
APP.config_from_object("django.conf:settings", namespace="CELERY")
APP.autodiscover_tasks()
