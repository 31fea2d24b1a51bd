"""Settings of the same LMS as ``lms_with_plugin`` on which nobody has installed the plugin: the platform finds none."""

from edx_django_utils.plugins.registry import DjangoAppRegistry

_all_plugins = DjangoAppRegistry.get_available_plugins


def _other_plugins(namespace=None):
    return {
        name: app for name, app in _all_plugins(namespace).items() if not app.__module__.startswith("coaching_plugin")
    }


# Before the sandbox's settings ask what is installed; its URLs, receivers and contexts ask in the same place.
DjangoAppRegistry.get_available_plugins = staticmethod(_other_plugins)

from benchmarks.lms_with_plugin import *  # noqa: E402, F403
