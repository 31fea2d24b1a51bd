"""The JSON API of the plugin."""
