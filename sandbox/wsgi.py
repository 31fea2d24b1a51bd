"""The WSGI application of the sandbox LMS, for gunicorn: `gunicorn --chdir sandbox wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lms.envs.sandbox")

application = get_wsgi_application()
