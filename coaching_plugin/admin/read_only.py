"""What the admin shows and nobody edits there."""

from django.contrib import admin


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
