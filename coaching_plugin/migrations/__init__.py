"""Changes of the plugin's tables."""
