"""The LMS; whoever imports any of it has its Celery app."""

from .celery import APP as CELERY_APP  # noqa: F401
