"""What operators see and enter in the Django admin: a module for each thing that is shown."""

from coaching_plugin.admin import coached_courses, consents, deliveries, disclosures  # noqa: F401
