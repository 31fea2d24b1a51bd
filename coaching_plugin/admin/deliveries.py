"""What the coaching partner must hear of, and how each way to it is doing."""

from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _

from coaching_plugin import outbox
from coaching_plugin.admin.read_only import ReadOnlyAdmin
from coaching_plugin.models import PartnerChannel, PartnerDelivery
from coaching_plugin.partner import claims, health


@admin.register(PartnerDelivery)
class PartnerDeliveryAdmin(ReadOnlyAdmin):
    """What the coaching partner must hear of, and what became of it."""

    list_display = ["partner_id", "sequence", "channel", "status", "attempts", "last_error", "due_at", "sent_at"]
    list_filter = ["status", "channel"]
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
