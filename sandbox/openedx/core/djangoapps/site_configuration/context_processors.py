"""What every template of the sandbox knows of its site."""

from django.conf import settings
from django.utils.functional import SimpleLazyObject

from openedx.core.djangoapps.site_configuration import helpers


def platform_name(request):
    """Give templates the site's name."""
    return {"platform_name": SimpleLazyObject(lambda: helpers.get_value("platform_name", settings.PLATFORM_NAME))}
