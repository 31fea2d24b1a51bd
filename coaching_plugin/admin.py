"""What operators see and enter in the Django admin."""

from django import forms
from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _
from opaque_keys import InvalidKeyError
from opaque_keys.edx.locator import CourseLocator

from coaching_plugin import coached_courses, outbox
from coaching_plugin.models import CoachedCourse, PartnerChannel, PartnerDelivery
from coaching_plugin.partner import claims, health


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


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows what the plugin alone writes; who may change it may use the actions."""

    def has_add_permission(self, request):
        """Refuse."""
        return False

    def has_change_permission(self, request, obj=None):
        """Refuse for one row, whose page then shows it; the list has actions for those with the permission."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request, obj=None):
        """Refuse."""
        return False


@admin.register(PartnerDelivery)
class PartnerDeliveryAdmin(ReadOnlyAdmin):
    """What the coaching partner must hear of, and what became of it."""

    list_display = ["partner_id", "sequence", "channel", "status", "attempts", "last_error", "due_at", "sent_at"]
    list_filter = ["status", "channel"]
    search_fields = ["partner_id"]
    ordering = ["-pk"]
    # Counting all that was ever sent, beside what is looked for, takes long.
    show_full_result_count = False
    actions = ["try_again"]

    @admin.action(description=_("Try again"), permissions=["change"])
    def try_again(self, request, queryset):
        """Have what was parked, or waits for a later time, sent now."""
        count = claims.try_again(queryset)
        outbox.announce()
        self.message_user(request, _("To be sent now: %(count)s.") % {"count": count}, messages.SUCCESS)


@admin.register(PartnerChannel)
class PartnerChannelAdmin(ReadOnlyAdmin):
    """How each way to the coaching partner is doing, of those that failed once or are given a roster."""

    list_display = ["name", "failures", "not_before", "leased_until"]
    ordering = ["name"]
    actions = ["try_again_now"]

    @admin.action(description=_("Try again now"), permissions=["change"])
    def try_again_now(self, request, queryset):
        """End the pause of channels, and have what waits for them sent."""
        names = list(queryset.values_list("name", flat=True))
        for name in names:
            health.resume(name)
        outbox.announce()
        self.message_user(request, _("To be tried now: %(names)s.") % {"names": ", ".join(names)}, messages.SUCCESS)
