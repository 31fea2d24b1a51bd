"""The demo: its learners, its start page, its stand-in learning MFE."""

from django.apps import AppConfig


class SandboxDemoConfig(AppConfig):
    """What makes the sandbox LMS a demo; nothing here exists on the platform."""

    name = "sandbox_demo"
