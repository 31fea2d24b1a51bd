"""Connects the signal receivers of plugins."""

from django.apps import AppConfig
from edx_django_utils.plugins import connect_plugin_receivers

from openedx.core.djangoapps.plugins.constants import ProjectType


class PluginsConfig(AppConfig):
    """Connects what plugins declare, once all apps are loaded."""

    name = "openedx.core.djangoapps.plugins"

    def ready(self):
        connect_plugin_receivers(ProjectType.LMS)
