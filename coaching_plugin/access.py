"""May this learner go on to this course, or is the question of coaching to be answered first?"""

import hashlib
import re
from urllib.parse import unquote, urlencode, urlsplit

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from opaque_keys.edx.keys import CourseKey

from coaching_plugin import answered, coached_courses, eligibility, lms, toggles
from coaching_plugin.eligibility import Verdict

# How long "not to be asked here" is remembered. Short: nothing tells us of an upgrade or a new role.
PASSED_SECONDS = 60
# Nobody comes back to the consent page that fast but by a redirect.
CIRCLE_SECONDS = 5
# What a browser, a proxy and the LMS carry without cutting.
MAXIMUM_URL_LENGTH = 2000

# Printable ASCII without the backslash, which browsers take for a slash. Browsers encode everything else.
_PLAIN_URL = re.compile(r"[!-\[\]-~]+")


def consent_redirect(user, course_key: CourseKey, next_url: str) -> str | None:
    """
    Return the path of the consent page where ``user`` must answer before entering a course run, else None.

    Cheapest first, since every course page of every learner comes here: a set in the process, the flags, one round
    trip to the cache, one query for the learner, one for the answer. ``next_url`` is where the learner goes on to.
    """
    if not coached_courses.is_coached(course_key) or not toggles.redirects_on_course_entry():
        return None
    if not user.is_authenticated or not user.is_active or user.is_staff:
        return None
    passed = _passed_key(user.id, course_key)
    if cache.get_many([answered.key(user.id), passed, _let_through_key(user.id)]):
        return None
    verdict = eligibility.explain(user, entering=course_key)
    if not _is_to_be_asked(verdict, course_key):
        if not _visit_may_change(verdict, course_key):
            cache.set(passed, True, PASSED_SECONDS)
        return None
    if answered.has_answered(user.id):
        return None
    return consent_page_path(next_url)


def let_through(user, seconds: int) -> None:
    """Have every course door pass this learner for so many seconds, since the question cannot be put to them."""
    cache.set(_let_through_key(user.id), True, seconds)


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


def _is_to_be_asked(verdict: Verdict, course_key: CourseKey) -> bool:
    """Return whether a learner is one to ask, on entering a run in which they are enrolled, in any mode."""
    run = verdict.run(course_key)
    return verdict.may_consent and run is not None and run.facts.is_active and not run.facts.has_course_role


def _visit_may_change(verdict: Verdict, course_key: CourseKey) -> bool:
    """Return whether the visit that is being let through is the activity that the learner lacks."""
    run = verdict.run(course_key)
    return not verdict.is_eligible and run is not None and run.lacks_only_activity


def _passed_key(user_id: int, course_key: CourseKey) -> str:
    # Hashed, since a course key may hold what memcached takes in no key.
    return f"coaching_plugin.passed.v1.{user_id}.{hashlib.sha256(str(course_key).encode()).hexdigest()[:32]}"


def _let_through_key(user_id: int) -> str:
    return f"coaching_plugin.let_through.v1.{user_id}"


def _own_hosts(request: HttpRequest) -> set[str]:
    mfe_urls = (getattr(settings, name) for name in dir(settings) if name.endswith("_MICROFRONTEND_URL"))
    mfe_hosts = {urlsplit(url).netloc for url in mfe_urls if isinstance(url, str)}
    return {request.get_host(), *getattr(settings, "LOGIN_REDIRECT_WHITELIST", []), *mfe_hosts}
