"""Whether the learner dashboard MFE stands in for the legacy dashboard."""

from functools import wraps

from django.conf import settings
from django.shortcuts import redirect


def learner_home_mfe_enabled():
    """Return whether there is one: here its address says so, on the platform a flag."""
    return bool(settings.LEARNER_HOME_MICROFRONTEND_URL)


def redirect_to_learner_home_mfe(dashboard):
    """Have the view of the legacy dashboard lead to the MFE, where that is enabled."""

    @wraps(dashboard)
    def view(request, *args, **kwargs):
        if learner_home_mfe_enabled():
            return redirect(settings.LEARNER_HOME_MICROFRONTEND_URL)
        return dashboard(request, *args, **kwargs)

    return view
