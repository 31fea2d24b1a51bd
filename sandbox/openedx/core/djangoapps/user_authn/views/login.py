"""Logging in and out."""

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt, csrf_protect, ensure_csrf_cookie
from django.views.decorators.http import require_POST

from openedx.core.djangoapps.user_authn.cookies import delete_logged_in_cookies, set_logged_in_cookies


class AuthFailedError(Exception):
    """Nobody is logged in; the code says why, the message says it to the person."""

    def __init__(self, error_code, message):
        super().__init__(message)
        self.error_code = error_code


def is_safe_login_or_logout_redirect(request, url):
    """Return whether an address is one of this site or of its MFEs."""
    hosts = {request.get_host(), *settings.LOGIN_REDIRECT_WHITELIST}
    return url_has_allowed_host_and_scheme(url, allowed_hosts=hosts, require_https=request.is_secure())


def safe_next(request):
    """Return where `next` leads, if that is this site or one of its MFEs, else the dashboard."""
    wanted = request.POST.get("next") or request.GET.get("next")
    return wanted if is_safe_login_or_logout_redirect(request, wanted) else reverse("dashboard")


def log_in(request, name, password):
    """Start a session for whoever has this e-mail address or user name, and return them; or raise AuthFailedError."""
    known = User.objects.filter(Q(email=name) | Q(username=name)).first()
    user = authenticate(request, username=known.username if known else name, password=password)
    if user is None:
        raise AuthFailedError("incorrect-email-or-password", _("Email or password is incorrect."))
    if not user.is_active:
        raise AuthFailedError("inactive-user", _("In order to sign in, you need to activate your account."))
    login(request, user)
    return user


@require_POST
@csrf_protect
@ensure_csrf_cookie
def login_session(request, api_version="v2"):
    """Log in with the form fields `email_or_username` (in version 1 `email`) and `password`."""
    name = request.POST.get("email_or_username" if api_version == "v2" else "email", "")
    try:
        user = log_in(request, name, request.POST.get("password", ""))
    except AuthFailedError as error:
        refusal = {"success": False, "value": str(error), "error_code": error.error_code, "email": name}
        return JsonResponse(refusal, status=400)
    return set_logged_in_cookies(request, JsonResponse({"success": True, "redirect_url": None}), user)


# A new token is all that this gives, and only to a session: asking for a CSRF token first would be of no use.
@csrf_exempt
@require_POST
def login_refresh(request):
    """Give a logged-in browser new JWT cookies."""
    if not request.user.is_authenticated:
        return JsonResponse("Unauthorized", status=401, safe=False)
    return set_logged_in_cookies(request, JsonResponse({"success": True, "user_id": request.user.id}), request.user)


def csrf_token(request):
    """Answer with a CSRF token, and set its cookie."""
    return JsonResponse({"csrfToken": get_token(request)})


class LoginPage(View):
    """The login page; its script uses the login API, without scripts it is a plain form."""

    def get(self, request):
        """Show the form."""
        if request.user.is_authenticated:
            return HttpResponseRedirect(safe_next(request))
        return self._form(request)

    def post(self, request):
        """Log in and go on, or show the form again."""
        name = request.POST.get("email_or_username", "")
        try:
            user = log_in(request, name, request.POST.get("password", ""))
        except AuthFailedError as error:
            return self._form(request, name, str(error), status=400)
        return set_logged_in_cookies(request, HttpResponseRedirect(safe_next(request)), user)

    def _form(self, request, name="", error="", status=200):
        context = {"next": safe_next(request), "name": name, "error": error}
        return render(request, "login.html", context, status=status)


def log_out(request):
    """End the session, and go where an MFE asks to go, or to the start page."""
    wanted = request.GET.get("redirect_url") or request.GET.get("next")
    logout(request)
    return delete_logged_in_cookies(
        HttpResponseRedirect(wanted if is_safe_login_or_logout_redirect(request, wanted) else "/")
    )


@require_POST
@csrf_protect
def password_reset(request):
    """Answer as if a message were on its way; the sandbox sends none."""
    return JsonResponse({"success": True, "value": ""})


@csrf_exempt
def event(request):
    """Take an analytics event of a browser, and forget it."""
    return HttpResponse(status=204)
