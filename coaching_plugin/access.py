"""May this learner go on to this course, or is the question of coaching to be answered first?"""

import re
from urllib.parse import unquote, urlencode, urlsplit

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import decisions, lms, monitoring
from coaching_plugin.decisions import PASSED_SECONDS, Decision, Learner
from coaching_plugin.monitoring import MonitoredDoor

# Nobody comes back to the consent page that fast but by a redirect.
CIRCLE_SECONDS = 5
# What a browser, a proxy and the LMS carry without cutting.
MAXIMUM_URL_LENGTH = 2000

# Printable ASCII without the backslash, which browsers take for a slash. Browsers encode everything else.
_PLAIN_URL = re.compile(r"[!-\[\]-~]+")


def consent_redirect(
    user, course_key: CourseKey, next_url: str, door: MonitoredDoor = MonitoredDoor.COURSE_PAGE
) -> str | None:
    """
    Return the path of the consent page where ``user`` must answer before entering a course run, else None.

    ``next_url`` is where the learner goes on to, ``door`` the one at which they stand.
    """
    decision = decisions.course_door(Learner(user), course_key)
    monitoring.note(door, decision)
    return consent_page_path(next_url) if decision is Decision.ASK else None


def let_through(user, seconds: int) -> None:
    """Have every course door pass this learner for so many seconds, since the question cannot be put to them."""
    decisions.let_through(user.id, seconds)


def note_sent_on(user) -> None:
    """
    Note that the consent page had nothing to ask this learner; twice within seconds, they are going in a circle.

    That happens while one process knows of a change of the coached course runs, and another does not yet.
    """
    if not cache.add(f"coaching_plugin.sent_on.v1.{user.id}", True, CIRCLE_SECONDS):
        let_through(user, PASSED_SECONDS)


def consent_page_path(next_url: str) -> str:
    """Return the path of the consent page that leads on to ``next_url``."""
    return f"{reverse('coaching:consent')}?{urlencode({'next': next_url})}"


def safe_next_url(request: HttpRequest, url: str | None) -> str:
    """
    Return ``url`` where the site itself could have sent the learner there, else the dashboard.

    The request's own host counts, the operator's ``LOGIN_REDIRECT_WHITELIST`` and the hosts of the site's MFEs.
    """
    return url if url and is_own_url(request, url) else lms.dashboard_url()


def is_own_url(request: HttpRequest, url: str) -> bool:
    """Return whether ``url`` is a path or full address of the LMS or its MFEs, other than the consent page itself."""
    if len(url) > MAXIMUM_URL_LENGTH or not _PLAIN_URL.fullmatch(url):
        return False
    if url.startswith("//") or not url.startswith(("/", "http://", "https://")):
        return False
    if not url_has_allowed_host_and_scheme(url, allowed_hosts=_own_hosts(request), require_https=request.is_secure()):
        return False
    path = unquote(urlsplit(url).path)
    # Browsers resolve dots before they ask, so that no page of the site has any in its address. The consent page
    # answers to encoded letters too, and without its last slash.
    return not {".", ".."} & set(path.split("/")) and not f"{path}/".startswith(reverse("coaching:consent"))


def _own_hosts(request: HttpRequest) -> set[str]:
    mfe_urls = (getattr(settings, name) for name in dir(settings) if name.endswith("_MICROFRONTEND_URL"))
    mfe_hosts = {urlsplit(url).netloc for url in mfe_urls if isinstance(url, str)}
    return {request.get_host(), *getattr(settings, "LOGIN_REDIRECT_WHITELIST", []), *mfe_hosts}
