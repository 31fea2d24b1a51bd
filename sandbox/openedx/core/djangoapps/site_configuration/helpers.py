"""Values of the current request's site."""

from crum import get_current_request
from edx_django_utils.cache import RequestCache

from openedx.core.djangoapps.site_configuration.models import SiteConfiguration


def get_current_site_configuration():
    """Return the configuration of the current request's site, or None; asked once a request."""
    site = getattr(get_current_request(), "site", None)
    if site is None:
        return None
    cache = RequestCache("site_configuration")
    cached = cache.get_cached_response(site.id)
    if cached.is_found:
        return cached.value
    configuration = SiteConfiguration.objects.filter(site_id=site.id, enabled=True).first()
    cache.set(site.id, configuration)
    return configuration


def get_value(val_name, default=None):
    """Return a value of the current site, or the default."""
    configuration = get_current_site_configuration()
    return configuration.get_value(val_name, default) if configuration else default
