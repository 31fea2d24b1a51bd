"""Addresses of a course in the learning MFE."""

from django.conf import settings


def get_learning_mfe_home_url(course_key, url_fragment=None, params=None):
    """Return the address of a page of a course in the learning MFE."""
    url = f"{settings.LEARNING_MICROFRONTEND_URL}/course/{course_key}"
    if url_fragment:
        url += f"/{url_fragment}"
    if params:
        url += f"?{params.urlencode()}"
    return url
