"""The resources of the API. Ids are taken as any text, so that every refusal is JSON, of a malformed id too."""

from django.urls import path

from coaching_plugin.rest_api.v1 import opt_outs, roster, views

urlpatterns = [
    path("users/<str:user_id>/", views.UserView.as_view(), name="api-user"),
    path("coaching_consent/<str:user_id>/", views.CoachingConsentView.as_view(), name="api-consent"),
    path("dashboard_card/<str:user_id>/", views.DashboardCardView.as_view(), name="api-dashboard-card"),
    path("disclosure/", views.DisclosureView.as_view(), name="api-disclosure"),
    path("receipts/<str:user_id>/", views.ReceiptView.as_view(), name="api-receipt"),
    path("eligibility/<str:user_id>/", views.EligibilityView.as_view(), name="api-eligibility"),
    path("partner/opt-outs/", opt_outs.OptOutsView.as_view(), name="api-partner-opt-outs"),
    path("partner/roster/", roster.RosterView.as_view(), name="api-partner-roster"),
]
