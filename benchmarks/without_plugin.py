"""Imported before settings that look for plugins: the platform then finds every plugin that is installed, but ours."""

from edx_django_utils.plugins.registry import DjangoAppRegistry

_all_plugins = DjangoAppRegistry.get_available_plugins


def _other_plugins(namespace=None):
    return {
        name: app for name, app in _all_plugins(namespace).items() if not app.__module__.startswith("coaching_plugin")
    }


# Settings ask there what is installed, and so do URLs, receivers and contexts.
DjangoAppRegistry.get_available_plugins = staticmethod(_other_plugins)
