"""Mako as one of Django's template engines: the legacy pages of the platform are written in it."""

from crum import get_current_request
from django.conf import settings
from django.template import TemplateDoesNotExist
from django.template.backends.base import BaseEngine
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from mako.exceptions import TopLevelLookupException
from mako.lookup import TemplateLookup


class Mako(BaseEngine):
    """Finds templates in its folders, the first of them first; nothing is escaped but where a template says so."""

    def __init__(self, params):
        options = params.pop("OPTIONS")
        super().__init__(params)
        self._processors = options["context_processors"]
        self._lookup = TemplateLookup(
            directories=[str(folder) for folder in self.dirs], input_encoding="utf-8", default_filters=["decode.utf8"]
        )

    @cached_property
    def context_processors(self):
        return [import_string(path) for path in self._processors]

    def get_template(self, template_name):
        try:
            return Template(self._lookup.get_template(template_name), self.context_processors)
        except TopLevelLookupException:
            raise TemplateDoesNotExist(template_name, backend=self) from None


class Template:
    """A Mako template that is rendered as Django's are."""

    def __init__(self, template, context_processors):
        self._template = template
        self._processors = context_processors

    def render(self, context=None, request=None):
        request = request or get_current_request()
        known = {"settings": settings}
        for process in self._processors if request else ():
            known.update(process(request))

        def django_template(name, **more):
            """Render a Django template that is part of this page."""
            return render_to_string(name, {**(context or {}), **more}, request, using="django")

        return self._template.render_unicode(**{**known, "django_template": django_template, **(context or {})})
