"""The coached course runs, as operators enter, import, download and synchronize them."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from opaque_keys import InvalidKeyError
from opaque_keys.edx.locator import CourseLocator

from coaching_plugin import coached_courses, course_csv, course_runs
from coaching_plugin.models import CoachedCourse

CHANGELIST = "admin:coaching_plugin_coachedcourse_changelist"
SHOWN_PROBLEMS = 50


class CoachedCourseForm(forms.ModelForm):
    """Takes the key as text: the model's own field breaks on what is no key."""

    course_key = forms.CharField(label=gettext_lazy("Course key"), max_length=course_runs.MAX_LENGTH)

    class Meta:
        model = CoachedCourse
        fields = ["course_key", "program_title", "program_uuid", "active"]

    def clean_course_key(self) -> CourseLocator:
        """Return the key. Raises ``ValidationError`` where the LMS has no such course run, unless it is as stored."""
        try:
            key = course_runs.key_of(self.cleaned_data["course_key"])
        except InvalidKeyError:
            raise forms.ValidationError(_("This is not the key of a course run.")) from None
        # A run that is gone from the LMS can still be switched off.
        if key != self.instance.course_key and key not in course_runs.names([key]):
            raise forms.ValidationError(_("The LMS knows no course run with this key."))
        return key


class CourseImportForm(forms.Form):
    """Takes a CSV, of a size that one request can bear."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"), widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"})
    )

    def clean_file(self) -> bytes:
        """Return what the file holds. Raises ``ValidationError`` where that is too much."""
        file = self.cleaned_data["file"]
        if file.size > course_csv.MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 MB."))
        return file.read()


@admin.register(CoachedCourse)
class CoachedCourseAdmin(admin.ModelAdmin):
    """The coached course runs. What an operator saves is the operator's word from then on."""

    list_display = ["course_key", "run_name", "program_title", "source", "active"]
    list_filter = ["source", "active"]
    search_fields = ["course_key", "program_title"]
    form = CoachedCourseForm

    def get_urls(self):
        """Add the pages and buttons of the list."""
        view, name = self.admin_site.admin_view, "coaching_plugin_coachedcourse_%s"
        return [
            path("import/", view(self.import_view), name=name % "import"),
            path("export/", view(self.export_view), name=name % "export"),
            path("sync/", view(self.sync_view), name=name % "sync"),
            *super().get_urls(),
        ]

    def get_changelist_instance(self, request):
        """Look up the names of the runs of the page, all at once."""
        changelist = super().get_changelist_instance(request)
        changelist.result_list = list(changelist.result_list)
        names = course_runs.names([row.course_key for row in changelist.result_list])
        for row in changelist.result_list:
            row.name_in_lms = names.get(row.course_key)
        return changelist

    def changelist_view(self, request, extra_context=None):
        """Show the list with the buttons that the operator may press."""
        buttons = {"may_import": self._may_import(request), "may_synchronize": self.has_change_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **buttons})

    @admin.display(description=gettext_lazy("Course run"))
    def run_name(self, row) -> str:
        """Return the name of the run, or that the LMS has none such."""
        return _("Unknown to the LMS") if row.name_in_lms is None else row.name_in_lms or "-"

    def save_model(self, request, obj, form, change):
        """Store the row as the operator's, which the catalog never overrules."""
        obj.source = CoachedCourse.Source.OPERATOR
        super().save_model(request, obj, form, change)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Take a CSV: store all of it, or show what is wrong with it."""
        if not self._may_import(request):
            raise PermissionDenied
        is_sent = request.method == "POST"
        form = CourseImportForm(request.POST, request.FILES) if is_sent else CourseImportForm()
        problems: list[course_csv.Problem] = []
        if form.is_valid():
            try:
                with transaction.atomic():
                    outcome = course_csv.import_csv(form.cleaned_data["file"])
                    self._log_import(request, outcome)
            except course_csv.ImportRefused as refusal:
                problems = refusal.problems
            else:
                counts = {"added": len(outcome.added), "updated": len(outcome.updated), "unchanged": outcome.unchanged}
                text = _("Imported: %(added)s added, %(updated)s updated, %(unchanged)s unchanged.") % counts
                self.message_user(request, text, messages.SUCCESS)
                return redirect(CHANGELIST)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import coached course runs"),
            "subtitle": None,
            "opts": self.opts,
            "form": form,
            "problems": problems[:SHOWN_PROBLEMS],
            "more_problems": max(len(problems) - SHOWN_PROBLEMS, 0),
        }
        return TemplateResponse(request, "admin/coaching_plugin/coachedcourse/import.html", context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Give all rows as a CSV, which the import takes."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        # With the mark by which spreadsheets know UTF-8.
        content = course_csv.export_csv().encode("utf-8-sig")
        headers = {"Content-Disposition": 'attachment; filename="coached-course-runs.csv"'}
        return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)

    def sync_view(self, request: HttpRequest) -> HttpResponse:
        """Do what the command ``sync_coached_courses`` does."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        try:
            outcome = coached_courses.sync_with_catalog()
        except coached_courses.CatalogError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            counts = ", ".join(f"{count} {what}" for what, count in sorted(outcome.items()))
            self.message_user(request, _("Synchronized: %(counts)s.") % {"counts": counts or "0"}, messages.SUCCESS)
        return redirect(CHANGELIST)

    def _may_import(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def _log_import(self, request: HttpRequest, outcome: course_csv.Outcome) -> None:
        """Write the history of the rows, in one statement."""
        entry = {
            "user_id": request.user.pk,
            "content_type_id": ContentType.objects.get_for_model(CoachedCourse).pk,
            "change_message": _("Imported from a CSV."),
        }
        LogEntry.objects.bulk_create(
            LogEntry(object_id=str(row.pk), object_repr=str(row)[:200], action_flag=flag, **entry)
            for flag, rows in ((ADDITION, outcome.added), (CHANGE, outcome.updated))
            for row in rows
        )
