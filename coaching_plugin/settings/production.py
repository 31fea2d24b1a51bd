"""Merging once more what an operator's configuration file may have replaced whole; no defaults here."""

from coaching_plugin.settings.common import merge_shared_settings


def plugin_settings(settings):
    """Merge our part into the shared settings again; an operator's ``COACHING_*`` values stay as they are."""
    merge_shared_settings(settings)
