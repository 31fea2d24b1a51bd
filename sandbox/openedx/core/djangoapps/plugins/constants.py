"""The names under which plugins extend the platform."""


class ProjectType:
    """The projects of the platform; the sandbox is an LMS only."""

    LMS = "lms.djangoapp"


class SettingsType:
    """The moments at which plugin settings run."""

    COMMON = "common"
    PRODUCTION = "production"
