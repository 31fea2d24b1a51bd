"""Imported before anything of Django: sets it up in this process, for the database that ``DATABASE_URL`` names."""

import logging
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lms.envs.test")
django.setup()

from django.db import connection  # noqa: E402


def keep_connection():
    """Keep the connection from one request to the next: without one that lasts, pages would look slower."""
    connection.settings_dict["CONN_MAX_AGE"] = None


def write_log_nowhere():
    """Have log lines made, which takes its time, but not shown: a filter that redirects logs a traceback each time."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(open(os.devnull, "w"))  # noqa: SIM115
