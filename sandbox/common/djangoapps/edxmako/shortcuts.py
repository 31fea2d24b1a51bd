"""Rendering Mako templates."""

from django.http import HttpResponse
from django.template.loader import render_to_string as django_render_to_string


def render_to_string(template_name, dictionary, request=None):
    """Render a Mako template for a request, the current one unless another is given."""
    return django_render_to_string(template_name, dictionary, request, using="mako")


def render_to_response(template_name, dictionary=None, request=None, **kwargs):
    """Answer with a Mako template."""
    return HttpResponse(render_to_string(template_name, dictionary or {}, request), **kwargs)
