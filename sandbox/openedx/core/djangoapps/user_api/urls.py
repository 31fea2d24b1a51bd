"""URLs of the account API."""

from django.urls import path

from openedx.core.djangoapps.user_api.accounts import views

urlpatterns = [
    path("v1/accounts/deactivate_logout/", views.DeactivateLogoutView.as_view(), name="deactivate_logout"),
    path("v1/accounts/retire_misc/", views.AccountRetireMiscView.as_view(), name="accounts_retire_misc"),
    path("v1/accounts/retire/", views.AccountRetireView.as_view(), name="accounts_retire"),
    path("v1/accounts/<str:username>", views.AccountView.as_view(), name="accounts_api"),
    path("v1/preferences/<str:username>", views.PreferencesView.as_view(), name="preferences_api"),
]
