"""Every way to our pages, in every state of a learner: what is asked for, and where the answer leads on to."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from bs4 import BeautifulSoup
from django.test import Client

from coaching_plugin import consent, disclosures
from coaching_plugin.models import Door
from tests.factories import MB101, TYPED, evidence

COURSE = f"/courses/{MB101}/courseware/?a=1&b=%2B"
PAGE = "/coaching/consent/"
ANSWERED = "/coaching/consent/answered/"
SETTINGS = "/coaching/settings/"
RECEIPT = "/coaching/receipt/"
DISMISS = "/coaching/dashboard_card/dismiss/"
DASHBOARD = "/dashboard"
LOGIN = "/login"


def with_next(path, next_url=COURSE):
    return f"{path}?{urlencode({'next': next_url})}"


@dataclass(frozen=True)
class Visit:
    """A request to one of our pages by a learner in some state, and the status of the answer."""

    state: str
    method: str
    path: str
    status: int
    typed: dict = field(default_factory=dict)


ACCEPT = {"answer": "accept", "phone_number": TYPED, "full_name": "Lena Learner", "agree": "on"}
DECLINE = {"answer": "decline"}
# In account settings
SIGN_UP = {"phone_number": TYPED, "agree": "on"}
LEAVE = {"phone_number": ""}
WRONG = {**ACCEPT, "phone_number": "613 555 0123", "full_name": "Lena <3"}

VISITS = {
    "the question": Visit("undecided", "get", PAGE, 200),
    "the question after STOP": Visit("stopped", "get", PAGE, 200),
    "the question after a no": Visit("withdrawn", "get", PAGE, 200),
    "the question with a managed name": Visit("managed", "get", PAGE, 200),
    "errors": Visit("undecided", "post", PAGE, 200, WRONG),
    "too often": Visit("throttled", "post", PAGE, 429, ACCEPT),
    "signing up": Visit("undecided", "post", PAGE, 302, ACCEPT),
    "no thanks": Visit("undecided", "post", PAGE, 302, DECLINE),
    "signed up": Visit("consented", "get", ANSWERED, 200),
    "declined": Visit("declined", "get", ANSWERED, 200),
    "nothing to ask": Visit("consented", "get", PAGE, 302),
    "nobody to ask": Visit("not eligible", "get", PAGE, 302),
    "nothing to confirm": Visit("undecided", "get", ANSWERED, 302),
    "coaching is off": Visit("off", "get", PAGE, 302),
    "an answer while coaching is off": Visit("off", "post", PAGE, 302, DECLINE),
    "the question fails": Visit("broken", "get", PAGE, 503),
    "an answer fails": Visit("broken", "post", PAGE, 503, ACCEPT),
    "the confirmation fails": Visit("broken", "get", ANSWERED, 503),
    "settings": Visit("undecided", "get", SETTINGS, 200),
    "settings after STOP": Visit("stopped", "get", SETTINGS, 200),
    "settings of who consented": Visit("consented", "get", SETTINGS, 200),
    "no settings": Visit("not eligible", "get", SETTINGS, 200),
    "settings while coaching is off": Visit("off", "get", SETTINGS, 200),
    "saving": Visit("undecided", "post", SETTINGS, 302, SIGN_UP),
    "saving what can't be": Visit("undecided", "post", SETTINGS, 200, {**SIGN_UP, "phone_number": "613 555 0123"}),
    "saving too often": Visit("throttled", "post", SETTINGS, 429, SIGN_UP),
    "settings fail": Visit("broken", "get", SETTINGS, 503),
    "saving fails": Visit("broken", "post", SETTINGS, 503, SIGN_UP),
    "settings logged out": Visit("anonymous", "get", SETTINGS, 302),
    "the receipt": Visit("consented", "get", RECEIPT, 200),
    "the receipt of who withdrew": Visit("withdrawn", "get", RECEIPT, 200),
    "the receipt after STOP": Visit("stopped", "get", RECEIPT, 200),
    "the receipt of who declined": Visit("declined", "get", RECEIPT, 200),
    "the receipt of an erased learner": Visit("erased", "get", RECEIPT, 200),
    "the receipt of words not shown by us": Visit("consented elsewhere", "get", RECEIPT, 200),
    "no receipt": Visit("undecided", "get", RECEIPT, 200),
    "the receipt while coaching is off": Visit("off", "get", RECEIPT, 200),
    "the receipt fails": Visit("broken", "get", RECEIPT, 503),
    "the receipt logged out": Visit("anonymous", "get", RECEIPT, 302),
    "dismissing the card": Visit("undecided", "post", DISMISS, 302),
    "dismissing the card while coaching is off": Visit("off", "post", DISMISS, 302),
    "dismissing the card fails": Visit("broken", "post", DISMISS, 503),
    "dismissing the card logged out": Visit("anonymous", "post", DISMISS, 302),
    "a link to dismiss the card": Visit("undecided", "get", DISMISS, 302),
    "logged out": Visit("anonymous", "get", PAGE, 302),
    "an answer logged out": Visit("anonymous", "post", PAGE, 302, ACCEPT),
    "the confirmation logged out": Visit("anonymous", "get", ANSWERED, 302),
}
# Those that show a page, and those that lead on in a way of their own: the rest differ in words alone.
SHOWN = [name for name, visit in VISITS.items() if visit.status != 302]
LEADING = [
    name
    for name, visit in VISITS.items()
    if visit.state not in ("stopped", "withdrawn", "managed", "erased", "consented elsewhere")
]
STATES_WITH_A_RECEIPT = ("consented", "withdrawn", "stopped", "declined", "erased", "consented elsewhere")


def prepare(state, learner, monkeypatch, set_flag):
    """Bring a learner into a state, and return a client that visits as this learner."""
    client = Client()
    if state != "anonymous":
        client.force_login(learner)
    if state in ("consented", "stopped", "withdrawn", "erased"):
        consent.give(learner, TYPED, None, evidence())
    elif state == "consented elsewhere":
        consent.give(learner, TYPED, None, evidence(Door.API, disclosure=None))
    if state == "stopped":
        consent.opt_out(learner, evidence(Door.PARTNER))
    elif state in ("declined", "withdrawn"):
        consent.decline(learner, evidence())
    elif state == "erased":
        consent.erase(learner, evidence(Door.RETIREMENT, disclosure=None))
    elif state == "managed":
        monkeypatch.setattr("coaching_plugin.lms.is_name_managed", lambda user: True)
    elif state == "not eligible":
        learner.courseenrollment_set.update(is_active=False)
    elif state == "off":
        set_flag("coaching.enabled", False)
    elif state == "throttled":
        monkeypatch.setattr("coaching_plugin.conf.api_throttle", lambda: "0/minute")
    elif state == "broken":
        monkeypatch.setattr("coaching_plugin.consent.standing", _fail)
        monkeypatch.setattr("coaching_plugin.consent.dismiss_card", _fail)
    return client


def _fail(*args, **kwargs):
    raise RuntimeError


def go(client, visit, query=None, body=None, **headers):
    """Make a visit with ``next`` in the query string, in the body of a form, or in both."""
    path = visit.path if query is None else with_next(visit.path, query)
    if visit.method == "get":
        response = client.get(path, **headers)
    else:
        typed = {"disclosure": disclosures.current().sha256, **visit.typed}
        response = client.post(path, typed if body is None else {**typed, "next": body}, **headers)
    assert response.status_code == visit.status, response
    return response


def page_of(response):
    """Return the page of an answer, parsed once."""
    if not hasattr(response, "page"):
        response.page = BeautifulSoup(response.content, "html.parser")
    return response.page


def way_on(response):
    """Return where an answer leads on to in the end: by its redirect, its form or its link."""
    if response.status_code == 302:
        url = response.headers["Location"]
    else:
        field = page_of(response).select_one("main form input[name=next]")
        url = field["value"] if field else page_of(response).select_one("main a.coaching-button")["href"]
    while leads_to_our_pages(url):
        (url,) = parse_qs(urlsplit(url).query)["next"]
    return url


def leads_to_our_pages(url):
    """Return whether an address is one of our pages, or the login that leads to them: these lead on to their next."""
    return urlsplit(url).path in (PAGE, ANSWERED, SETTINGS, RECEIPT, DISMISS, LOGIN)
