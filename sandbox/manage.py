#!/usr/bin/env python
"""Runs a command of the sandbox LMS; takes `lms` as its first word, as the platform's own manage.py does."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lms.envs.sandbox")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.INSTALLED_APPS  # noqa: B018
    except ImproperlyConfigured as error:
        sys.exit(f"The settings cannot be used. {error}")
    if sys.argv[1:2] == ["lms"]:
        del sys.argv[1]
    execute_from_command_line(sys.argv)
