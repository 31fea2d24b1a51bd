"""How the plugin registers itself with the LMS."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoachingPluginConfig(AppConfig):
    """Registration of settings, URLs, receivers and the dashboard's card with the LMS (OEP-42 style plugin app)."""

    name = "coaching_plugin"
    verbose_name = _("Coaching consent")
    default_auto_field = "django.db.models.BigAutoField"

    plugin_app = {
        "url_config": {
            "lms.djangoapp": {"namespace": "coaching", "regex": r"", "relative_path": "urls"},
        },
        "settings_config": {
            "lms.djangoapp": {
                "common": {"relative_path": "settings.common"},
                "production": {"relative_path": "settings.production"},
            },
        },
        "view_context_config": {
            "lms.djangoapp": {"course_dashboard": "coaching_plugin.dashboard.plugin_context"},
        },
        "signals_config": {
            "lms.djangoapp": {
                "relative_path": "signals",
                "receivers": [
                    {
                        "receiver_func_name": "redirect_to_consent",
                        "signal_path": "coaching_plugin.signals.course_access_requested",
                    },
                    {
                        "receiver_func_name": "deliver_soon",
                        "signal_path": "coaching_plugin.outbox.deliveries_waiting",
                    },
                    {
                        "receiver_func_name": "erase_retired_learner",
                        "signal_path": "openedx.core.djangoapps.user_api.accounts.signals.USER_RETIRE_LMS_CRITICAL",
                    },
                    {
                        "receiver_func_name": "withdraw_on_retirement_request",
                        "signal_path": "django.db.models.signals.post_save",
                        "sender_path": "openedx.core.djangoapps.user_api.models.UserRetirementStatus",
                    },
                    {
                        "receiver_func_name": "notice_phone_change",
                        "signal_path": "django.db.models.signals.pre_save",
                        "sender_path": "common.djangoapps.student.models.UserProfile",
                    },
                    {
                        "receiver_func_name": "follow_phone_change",
                        "signal_path": "django.db.models.signals.post_save",
                        "sender_path": "common.djangoapps.student.models.UserProfile",
                    },
                ],
            },
        },
    }

    def ready(self):
        """Register the system checks, and have this process notice its own changes of the coached course runs."""
        from django.db.models.signals import post_delete, post_save

        from coaching_plugin import checks, coached_courses  # noqa: F401
        from coaching_plugin.models import CoachedCourse

        for signal in (post_save, post_delete):
            signal.connect(coached_courses.forget, sender=CoachedCourse, dispatch_uid="coaching_plugin.forget_keys")
