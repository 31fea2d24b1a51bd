"""Addresses of courses, for templates."""

from django import template
from openedx.features.course_experience.url_helpers import get_learning_mfe_home_url

register = template.Library()


@register.filter
def learning_mfe_url(course_key):
    """Return the address of a course's home in the learning MFE."""
    return get_learning_mfe_home_url(course_key, "home")
