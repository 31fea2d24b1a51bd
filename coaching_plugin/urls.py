"""Where the plugin answers."""

from django.urls import include, path

from coaching_plugin import account_settings, dashboard, report_page, views

app_name = "coaching"

urlpatterns = [
    path("coaching/consent/", views.ConsentView.as_view(), name="consent"),
    path("coaching/consent/answered/", views.AnsweredView.as_view(), name="answered"),
    path("coaching/receipt/", views.ReceiptView.as_view(), name="receipt"),
    path("coaching/report/", report_page.ReportView.as_view(), name="report"),
    path("coaching/settings/", account_settings.AccountSettingsView.as_view(), name="account_settings"),
    path("coaching/dashboard_card/dismiss/", dashboard.DismissCardView.as_view(), name="dismiss-card"),
    path("api/coaching/v1/", include("coaching_plugin.rest_api.v1.urls")),
]
