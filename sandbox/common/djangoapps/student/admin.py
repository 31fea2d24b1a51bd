"""Users in the admin, with their profiles on the same page."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import User

from common.djangoapps.student.models import UserProfile


class UserProfileInline(admin.StackedInline):
    """The profile of a user."""

    model = UserProfile
    can_delete = False


class UserAdmin(BaseUserAdmin):
    """A user, and the profile."""

    inlines = (UserProfileInline,)


admin.site.unregister(User)
admin.site.register(User, UserAdmin)
