"""The coached course runs, as operators enter and synchronize them."""

from django import forms
from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _
from opaque_keys import InvalidKeyError
from opaque_keys.edx.locator import CourseLocator

from coaching_plugin import coached_courses
from coaching_plugin.models import CoachedCourse


class CoachedCourseForm(forms.ModelForm):
    """Takes the key as text: the model's own field breaks on what is no key."""

    course_key = forms.CharField(label=_("Course key"), max_length=255)

    class Meta:
        model = CoachedCourse
        fields = ["course_key", "program_title", "program_uuid", "active"]

    def clean_course_key(self) -> CourseLocator:
        """Return the key. Raises ``ValidationError`` where it is not that of a course run."""
        try:
            return CourseLocator.from_string(self.cleaned_data["course_key"])
        except InvalidKeyError:
            raise forms.ValidationError(_("This is not the key of a course run.")) from None


@admin.register(CoachedCourse)
class CoachedCourseAdmin(admin.ModelAdmin):
    """The coached course runs. What an operator saves is the operator's word from then on."""

    list_display = ["course_key", "program_title", "source", "active"]
    list_filter = ["source", "active"]
    search_fields = ["course_key", "program_title"]
    form = CoachedCourseForm
    actions = ["sync_with_catalog"]

    def save_model(self, request, obj, form, change):
        """Store the row as the operator's, which the catalog never overrules."""
        obj.source = CoachedCourse.Source.OPERATOR
        super().save_model(request, obj, form, change)

    @admin.action(description=_("Synchronize with the catalog"))
    def sync_with_catalog(self, request, queryset):
        """Do what the command does; the selection does not matter."""
        try:
            outcome = coached_courses.sync_with_catalog()
        except coached_courses.CatalogError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            counts = ", ".join(f"{count} {what}" for what, count in sorted(outcome.items()))
            self.message_user(request, _("Synchronized: %(counts)s.") % {"counts": counts or "0"}, messages.SUCCESS)
