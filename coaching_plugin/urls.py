"""Where the plugin answers."""

from django.urls import include, path

from coaching_plugin import account_settings, views

app_name = "coaching"

urlpatterns = [
    path("coaching/consent/", views.ConsentView.as_view(), name="consent"),
    path("coaching/consent/answered/", views.AnsweredView.as_view(), name="answered"),
    path("coaching/settings/", account_settings.AccountSettingsView.as_view(), name="account_settings"),
    path("api/coaching/v1/", include("coaching_plugin.rest_api.v1.urls")),
]
