"""What one site of an installation sets for itself."""

from django.contrib.sites.models import Site
from django.db import models


class SiteConfiguration(models.Model):
    """The values that a site lays over the settings."""

    site = models.OneToOneField(Site, related_name="configuration", on_delete=models.CASCADE)
    enabled = models.BooleanField(default=False)
    site_values = models.JSONField(blank=True, default=dict)

    def get_value(self, name, default=None):
        """Return a value of this site, or the default where it has none or is switched off."""
        return self.site_values.get(name, default) if self.enabled else default
