"""The disclosures, as operators write, preview and publish them: what is published is only shown."""

from collections.abc import Callable

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, re_path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coaching_plugin import disclosure_versions, disclosures
from coaching_plugin.disclosure_versions import Version, VersionRefused
from coaching_plugin.models import AppendOnlyError, CoachingConsent, Disclosure

NAME = "coaching_plugin_disclosure_%s"
CHANGELIST = f"admin:{NAME % 'changelist'}"


class DisclosureForm(forms.ModelForm):
    """A draft. Whatever learners must not be shown is an error here, before it can be published."""

    class Meta:
        model = Disclosure
        fields = ["version", "language", "body"]

    body = forms.CharField(
        label=gettext_lazy("Body"),
        max_length=disclosure_versions.MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 25, "cols": 80, "dir": "auto", "class": "vLargeTextField"}),
        help_text=gettext_lazy(
            "Plain text, its paragraphs divided by blank lines. ${site_name}, ${partner_name}, ${minimum_age} and "
            "${privacy_url} are filled in; a dollar sign itself is written $$."
        ),
    )

    def clean_version(self) -> int:
        """Return the version. Raises ``ValidationError`` for one that learners would never be shown, or that leaps."""
        number, newest = self.cleaned_data["version"], disclosure_versions.newest()
        if number not in (newest or 1, newest + 1) and number != self.instance.version:
            text = _("Take version %(next)s, or %(newest)s for a language that it lacks.")
            raise forms.ValidationError(text, params={"next": newest + 1, "newest": newest or 1})
        return number

    def clean_language(self) -> str:
        """Return the language, as the site spells it. Raises ``ValidationError`` for what is no language code."""
        try:
            return disclosure_versions.language_of(self.cleaned_data["language"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def clean_body(self) -> str:
        """Return the words, with the line ends of a text file. Raises ``ValidationError`` for all that is wrong."""
        body = self.cleaned_data["body"].replace("\r\n", "\n")
        if problems := disclosure_versions.problems_of(body):
            raise forms.ValidationError(list(problems))
        return body

    def clean(self):
        """Refuse a language that the version has already, in whatever letters."""
        super().clean()
        if {"version", "language"} <= self.cleaned_data.keys():
            same = Disclosure.objects.filter(
                version=self.cleaned_data["version"], language__iexact=self.cleaned_data["language"]
            )
            if same.exclude(pk=self.instance.pk).exists():
                self.add_error("language", _("This version has this language already."))


class StateFilter(admin.SimpleListFilter):
    """Drafts, or what is published."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        """Return the two states."""
        return [("draft", _("Draft")), ("published", _("Published"))]

    def queryset(self, request, queryset):
        """Return those in the chosen state."""
        return queryset.filter(published_at__isnull=self.value() == "draft") if self.value() else queryset


@admin.register(Disclosure)
class DisclosureAdmin(admin.ModelAdmin):
    """The disclosures by version and language. Drafts are edited; whole versions are started and published."""

    form = DisclosureForm
    list_display = ["__str__", "language_name", "state", "published_at", "preview"]
    list_filter = [StateFilter, "language"]
    fields = ["version", "language", "body", "sha256", "published_at"]
    readonly_fields = ["sha256", "published_at"]
    actions = ["delete_selected"]

    # What may be done with one

    def has_change_permission(self, request, obj=None):
        """Refuse for what is published, whose page then shows it."""
        return not (obj and obj.published_at) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        """Refuse for what is published."""
        return not (obj and obj.published_at) and super().has_delete_permission(request, obj)

    def get_changeform_initial_data(self, request):
        """Begin with the next version."""
        return {"version": disclosure_versions.newest() + 1, **super().get_changeform_initial_data(request)}

    def save_model(self, request, obj, form, change):
        """Store a draft."""
        disclosure_versions.store_draft(obj)

    def delete_model(self, request, obj):
        """Delete a draft."""
        disclosure_versions.delete_drafts(Disclosure.objects.filter(pk=obj.pk))

    def delete_queryset(self, request, queryset):
        """Delete drafts."""
        disclosure_versions.delete_drafts(queryset)

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """Show or store one; where somebody has published it since the page was opened, say so."""
        stored = self.get_object(request, unquote(object_id)) if request.method == "POST" and object_id else None
        if stored and stored.published_at and self.has_change_permission(request):
            return self._refuse(request)
        return self._unless_published(request, super().changeform_view, object_id, form_url, extra_context)

    def delete_view(self, request, object_id, extra_context=None):
        """Delete a draft, once the operator has said so twice."""
        return self._unless_published(request, super().delete_view, object_id, extra_context)

    @admin.action(description=delete_selected.short_description, permissions=["delete"])  # type: ignore[attr-defined]
    def delete_selected(self, request, queryset):
        """Delete the selected drafts; nothing, where something published is among them."""
        if queryset.filter(published_at__isnull=False).exists():
            return self._refuse(request)
        return self._unless_published(request, lambda request: delete_selected(self, request, queryset))

    # The list

    def changelist_view(self, request, extra_context=None):
        """Show the list with the buttons that the operator may press."""
        newest = disclosure_versions.newest()
        unpublished = disclosure_versions.unpublished(since=newest)
        buttons = {
            "newest": newest,
            "unpublished": unpublished if self.has_change_permission(request) else [],
            "may_start": newest and newest + 1 not in unpublished and self.has_add_permission(request),
        }
        return super().changelist_view(request, {**(extra_context or {}), **buttons})

    @admin.display(description=gettext_lazy("Language"), ordering="language")
    def language_name(self, disclosure: Disclosure) -> str:
        """Return the name of the language, where the site has one."""
        names = {code.lower(): str(name) for code, name in settings.LANGUAGES}
        return names.get(disclosure.language.lower(), disclosure.language)

    @admin.display(description=gettext_lazy("State"))
    def state(self, disclosure: Disclosure) -> str:
        """Return whether it can still be edited."""
        return _("Published") if disclosure.published_at else _("Draft")

    @admin.display(description=gettext_lazy("Preview"))
    def preview(self, disclosure: Disclosure) -> str:
        """Return a link to the words as learners see them."""
        url = reverse(f"admin:{NAME % 'version'}", args=[disclosure.version])
        # A label of its own for each link, for who hears one after another.
        return format_html('<a href="{}#{}">{}</a>', url, disclosure.language, _("Preview %s") % disclosure)

    # Versions

    def get_urls(self):
        """Add the pages and buttons of versions."""
        view = self.admin_site.admin_view
        return [
            path("start/", view(self.start_view), name=NAME % "start"),
            re_path(r"^version/([0-9]{1,9})/$", view(self.version_view), name=NAME % "version"),
            re_path(r"^version/([0-9]{1,9})/publish/$", view(self.publish_view), name=NAME % "publish"),
            *super().get_urls(),
        ]

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Copy the newest published version as drafts of the next, and show it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_add_permission(request):
            raise PermissionDenied
        try:
            with transaction.atomic():
                version = disclosure_versions.start_next()
                for draft in version.drafts:
                    self.log_addition(request, draft, _("Copied from version %s.") % (version.number - 1))
        except VersionRefused as refusal:
            self.message_user(request, " ".join(refusal.problems), messages.ERROR)
        else:
            text = _("Version %s is started, with the words of the version before. Edit its drafts, then publish it.")
            self.message_user(request, text % version.number, messages.SUCCESS)
            return redirect(f"admin:{NAME % 'version'}", version.number)
        return redirect(CHANGELIST)

    def version_view(self, request: HttpRequest, number: str) -> HttpResponse:
        """Show a version in each of its languages, as learners see it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = self._version(number)
        return self._show(request, version, "version.html", title=_("Disclosure, version %s") % version.number)

    def publish_view(self, request: HttpRequest, number: str) -> HttpResponse:
        """Say what it means to publish a version; publish it where the operator says so."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        refused: tuple[str, ...] = ()
        if request.method == "POST":
            try:
                with transaction.atomic():
                    for published in disclosure_versions.publish(int(number), request.POST.get("digest", "")):
                        self.log_change(request, published, _("Published."))
            except VersionRefused as refusal:
                refused = refusal.problems
            except Disclosure.DoesNotExist:
                raise Http404 from None
            else:
                self.message_user(request, _("Version %s is published.") % int(number), messages.SUCCESS)
                return redirect(f"admin:{NAME % 'version'}", int(number))
        version = self._version(number)
        return self._show(
            request,
            version,
            "publish.html",
            title=_("Publish version %s of the disclosure?") % version.number,
            problems=list(dict.fromkeys([*refused, *version.problems])),
            consents=CoachingConsent.objects.filter(status=CoachingConsent.Status.CONSENTED).count(),
        )

    def _show(self, request: HttpRequest, version: Version, template: str, **context) -> HttpResponse:
        texts = [
            {
                "disclosure": disclosure,
                "shown": disclosures.as_shown(disclosure),
                "language": self.language_name(disclosure),
                "problems": [] if disclosure.published_at else disclosure_versions.problems_of(disclosure.body),
                "may_edit": self.has_change_permission(request, disclosure),
                "readers": [reader for reader in version.readers if reader.disclosure == disclosure],
            }
            for disclosure in version.disclosures
        ]
        context = {
            **self.admin_site.each_context(request),
            "subtitle": None,
            "opts": self.opts,
            "version": version,
            "texts": texts,
            "may_publish": self.has_change_permission(request),
            **context,
        }
        return TemplateResponse(request, f"admin/coaching_plugin/disclosure/{template}", context)

    def _version(self, number: str) -> Version:
        try:
            return disclosure_versions.version(int(number))
        except Disclosure.DoesNotExist:
            raise Http404 from None

    # What is published stays

    def _unless_published(self, request: HttpRequest, view: Callable, *args) -> HttpResponse:
        """Call a view; where something was published in the meantime, take all back and say so."""
        try:
            with transaction.atomic():
                return view(request, *args)
        except AppendOnlyError:
            return self._refuse(request)

    def _refuse(self, request: HttpRequest) -> HttpResponse:
        text = _("Nothing was changed: what is published is neither edited nor deleted. Start a new version instead.")
        self.message_user(request, text, messages.ERROR)
        return redirect(CHANGELIST)
