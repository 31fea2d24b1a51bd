"""What operators see and enter in the Django admin."""

from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _

from coaching_plugin import coached_courses
from coaching_plugin.models import CoachedCourse


@admin.register(CoachedCourse)
class CoachedCourseAdmin(admin.ModelAdmin):
    """The coached course runs. What an operator saves is the operator's word from then on."""

    list_display = ["course_key", "program_title", "source", "active"]
    list_filter = ["source", "active"]
    search_fields = ["course_key", "program_title"]
    fields = ["course_key", "program_title", "program_uuid", "active"]
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
