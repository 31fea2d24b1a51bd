"""Where the consent page may lead on to, whatever anybody writes into ``next``."""

import re
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
from ada_url import URL
from django.test import RequestFactory
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coaching_plugin import access
from coaching_plugin.models import CoachingConsent
from tests.browser import SITE, Browser
from tests.consent_pages import (
    ANSWERED,
    COURSE,
    DASHBOARD,
    LEADING,
    LOGIN,
    PAGE,
    VISITS,
    go,
    leads_to_our_pages,
    page_of,
    prepare,
    way_on,
    with_next,
)
from tests.factories import MB101

OWN_ORIGINS = {"http://testserver", "http://127.0.0.1:8000"}
REQUEST = RequestFactory().get(PAGE)

# The table. None of these is followed: the way leads to the dashboard.
HOSTILE = {
    # Addresses of others, as they are and as browsers mend them
    "another host": "https://evil.example.com/",
    "in capitals": "HTTPS://EVIL.EXAMPLE.COM/",
    "two slashes": "//evil.example.com/",
    "three slashes": "///evil.example.com/",
    "four slashes": "////evil.example.com/",
    "slash, backslash": "/\\evil.example.com/",
    "backslash, slash": "\\/evil.example.com/",
    "two backslashes": "\\\\evil.example.com/",
    "slash, backslash, slash": "/\\/evil.example.com/",
    "backslashes after the scheme": "https:\\\\evil.example.com/",
    "no slash after the scheme": "https:evil.example.com",
    "one slash after the scheme": "https:/evil.example.com",
    "three slashes after the scheme": "https:///evil.example.com",
    "six slashes after the scheme": "https://////evil.example.com",
    # Schemes
    "javascript": "javascript:alert(1)",
    "javascript in capitals": "JaVaScRiPt:alert(1)",
    "javascript with a line end inside": "java\nscript:alert(1)",
    "javascript after a control character": "\x01javascript:alert(1)",
    "javascript that looks like our host": "javascript://testserver/%0aalert(1)",
    "data": "data:text/html,<script>alert(1)</script>",
    "vbscript": "vbscript:msgbox(1)",
    "file": "file:///etc/passwd",
    "blob": "blob:http://testserver/x",
    "ftp": "ftp://testserver/",
    "web socket": "ws://testserver/",
    "mail": "mailto:somebody@evil.example.com",
    "no scheme before the colon": "://evil.example.com/",
    # User information
    "our host as a user": "http://testserver@evil.example.com/",
    "our host and port as a user": "http://testserver:80@evil.example.com/",
    "our host before a backslash": "http://testserver\\@evil.example.com/",
    "our host before an encoded slash": "http://testserver%2f@evil.example.com/",
    "our host before an encoded @": "http://testserver%40evil.example.com/",
    "another host as a user of ours": "http://evil.example.com@testserver/",
    "two @": "http://testserver@testserver@evil.example.com/",
    "a password": "http://user:password@testserver/",
    "nobody": "http://@evil.example.com/",
    # Hosts that look like ours
    "begins with ours": "http://testserver.evil.example.com/",
    "begins with ours, no dot": "http://testserverevil.example.com/",
    "ends with ours": "http://eviltestserver/",
    "a subdomain of ours": "http://evil.testserver/",
    "ours in the path": "http://evil.example.com/http://testserver/",
    "ours in the query": "http://evil.example.com/?http://testserver/",
    "ours in the fragment": "http://evil.example.com/#http://testserver/",
    "a dot after ours": "http://testserver./",
    "another port": "http://testserver:8080/",
    "an empty port": "http://testserver:/",
    "no port": "http://127.0.0.1/",
    "a short address": "http://127.1:8000/",
    "an address as one number": "http://2130706433:8000/",
    "an address in hexadecimal": "http://0x7f000001:8000/",
    "the same machine": "http://localhost:8000/",
    "IPv6": "http://[::1]:8000/",
    "IPv6 that does not end": "http://[::1/",
    "wide letters": "http://ｔｅｓｔｓｅｒｖｅｒ/",
    "wide dots": "http://testserver。evil。example。com/",
    "a slash that is none": "http://testserver\u2044.evil.example.com/",
    "a host that browsers refuse": "http://testserver<.evil.example.com/",
    "no host": "http://",
    # Encoded once and twice
    "encoded slashes": "%2f%2fevil.example.com/",
    "encoded backslashes": "%5c%5cevil.example.com/",
    "encoded scheme": "https%3a%2f%2fevil.example.com/",
    "encoded slashes after the scheme": "https:%2f%2fevil.example.com/",
    "encoded letter of the scheme": "%68ttps://evil.example.com/",
    "encoded tab": "%09//evil.example.com/",
    "encoded twice": "%252f%252fevil.example.com/",
    # Characters that browsers drop, or that end a line
    "space before": " https://evil.example.com/",
    "tab before": "\thttps://evil.example.com/",
    "line end before": "\r\nhttps://evil.example.com/",
    "null before": "\0//evil.example.com/",
    "delete before": "\x7f//evil.example.com/",
    "no-break space before": "\u00a0//evil.example.com/",
    "byte order mark before": "\ufeff//evil.example.com/",
    "tab between slashes": "/\t/evil.example.com/",
    "line feed between slashes": "/\n/evil.example.com/",
    "carriage return between slashes": "/\r/evil.example.com/",
    "null between slashes": "/\0/evil.example.com/",
    "line separator between slashes": "/\u2028/evil.example.com/",
    "nothing visible between slashes": "/\u200b/evil.example.com/",
    "the other direction": "/\u202emoc.elpmaxe.live//:sptth",
    "a header": "/courses\r\nLocation: https://evil.example.com/",
    "a space inside": "/courses /",
    # Neither path nor address
    "a host alone": "evil.example.com",
    "a relative path": "dashboard",
    "one directory up": "../courses",
    "a query": "?next=https://evil.example.com/",
    "a fragment": "#//evil.example.com/",
    "a tag": '"><script>alert(1)</script>',
    "nothing": "",
    "a dot": ".",
    "slashes behind a dot": "/.//evil.example.com/",
    "slashes behind two dots": "/courses/..//evil.example.com/",
    # Very long
    "a long path": "/" + "a" * 5_000,
    "a long address of ours": "http://testserver/?" + "a=b&" * 2_500,
    "a long way to another host": "//" + "a" * 10_000 + "@evil.example.com/",
    "many slashes": "/" * 5_000 + "evil.example.com",
    # The page itself, by all its names
    "the page": PAGE,
    "the page that leads to itself": with_next(PAGE, PAGE),
    "the confirmation": ANSWERED,
    "the page's full address": f"http://testserver{PAGE}",
    "the page without its last slash": "/coaching/consent",
    "the page behind a dot": "/coaching/./consent/",
    "the page behind two dots": "/courses/../coaching/consent/",
    "the page behind an encoded dot": "/coaching/%2e/consent/",
    "the page behind encoded dots": "/courses/%2E%2e/coaching/consent/",
    "the page behind dots after an encoded slash": "/a%2fb/../coaching/consent/",
    "the page behind dots after two slashes": "/coaching//../consent/",
    "the page with an encoded letter": "/coaching/%63onsent/",
    "the page with an encoded slash": "/coaching%2fconsent/",
    "the page with a fragment": f"{PAGE}#main",
}

# These look hostile, and are paths of our own host to every browser. They are followed.
HARMLESS = {
    "an encoded slash": "/%2f/evil.example.com/",
    "an encoded backslash": "/%5cevil.example.com/",
    "an encoded tab": "/%09/evil.example.com/",
    "an encoded null": "/%00",
    "an encoded header": "/%0d%0aLocation:%20https://evil.example.com/",
    "slashes inside": "/courses//evil.example.com/",
    "an @": "/@evil.example.com/",
    "a scheme in the path": "/javascript:alert(1)",
    "another host in the query": "/courses/?next=https://evil.example.com/",
    "another host in the fragment": "/courses/#//evil.example.com/",
    "an @ in the query of our host": "http://testserver?@evil.example.com/",
    "an @ in the fragment of our host": "http://testserver#@evil.example.com/",
    "a tag": '/"><script>alert(1)</script>',
    "an attribute": "/'onmouseover='alert(1)",
    "an entity": "/&#47;evil.example.com/",
    "a name that begins as the page's": "/coaching/consenting/",
}

# The site's own places, kept to the letter.
OWN = {
    "a course": COURSE,
    "the start page": "/",
    "a plus and an encoded one": f"/courses/{MB101}/progress?x=%2B&y=a+b&z=%26%3D",
    "letters beyond ASCII, encoded": "/courses/?q=%C3%A9%D8%B9%F0%9F%8E%93",
    "a fragment": f"/courses/{MB101}/progress#part",
    "a full address": f"http://testserver/courses/{MB101}/progress?x=%2B&y=a+b#part",
    "the learning MFE": f"http://127.0.0.1:8000/learning/course/{MB101}/home?x=a+b&y=%2B",
    "a host that the operator lists": "https://partner.example.org/after?x=%2B",
    "a listed host over http": "http://partner.example.org/after",
    "as long as it may be": "/" + "a" * (access.MAXIMUM_URL_LENGTH - 1),
}


# What a browser makes of an answer


def as_a_browser_reads(url):
    """Return the address that a browser goes to from the consent page, by the standard that all of them follow."""
    return URL(url, base=f"http://testserver{PAGE}")


def places(response):
    """Yield every place that an answer names: its redirect, links, forms, and what these carry as their own next."""
    found = [response.headers["Location"]] if "Location" in response.headers else []
    for element in page_of(response).find_all(True):
        assert element.name != "base"
        assert "http-equiv" not in element.attrs
        found += [element[name] for name in ("href", "src", "action", "formaction", "data") if name in element.attrs]
        if element.get("name") == "next":
            found.append(element["value"])
    while found:
        place = found.pop()
        yield place
        if leads_to_our_pages(place):
            found += parse_qs(urlsplit(place).query).get("next", [])


def is_ours(place):
    # The icon of the sandbox's theme, which is none.
    return place == "data:," or as_a_browser_reads(place).origin in OWN_ORIGINS


def follow(client, response):
    """Yield an answer and those that its redirects lead to, as far as our pages and the login."""
    yield response
    while response.status_code == 302 and leads_to_our_pages(response.headers["Location"]):
        response = client.get(response.headers["Location"])
        yield response


def answers(client, visit, next_url):
    """Return the answers to a visit with this ``next``: in the form where there is one, else in the query."""
    place = "query" if visit.method == "get" else "body"
    return list(follow(client, go(client, visit, **{place: next_url})))


# The table, by every way


@pytest.fixture
def visitor(learner, monkeypatch, set_flag, settings):
    """A client in the state that a visit is about; no share of requests runs out."""
    settings.COACHING_API_THROTTLE = "100000/minute"
    settings.LOGIN_REDIRECT_WHITELIST = ["partner.example.org"]
    return lambda visit: prepare(visit.state, learner, monkeypatch, set_flag)


@pytest.mark.once
@pytest.mark.parametrize("name", LEADING)
def test_nothing_hostile_leads_anywhere_but_home(visitor, name):
    visit, led_to = VISITS[name], {}
    client = visitor(visit)
    for hostile, next_url in HOSTILE.items():
        for response in answers(client, visit, next_url):
            if way_on(response) != DASHBOARD or not all(map(is_ours, places(response))):
                led_to[hostile] = way_on(response)
    assert led_to == {}


@pytest.mark.once
@pytest.mark.parametrize("name", LEADING)
def test_what_only_looks_hostile_stays_on_our_host(visitor, name):
    visit, led_to = VISITS[name], {}
    client = visitor(visit)
    for harmless, next_url in HARMLESS.items():
        for response in answers(client, visit, next_url):
            stays = as_a_browser_reads(way_on(response)).href == as_a_browser_reads(next_url).href
            if not stays or not all(map(is_ours, places(response))):
                led_to[harmless] = way_on(response)
    assert led_to == {}


@pytest.mark.once
@pytest.mark.parametrize("name", LEADING)
def test_the_sites_own_places_are_kept_to_the_letter(visitor, name):
    visit = VISITS[name]
    client = visitor(visit)
    for next_url in OWN.values():
        assert {way_on(response) for response in answers(client, visit, next_url)} == {next_url}


def test_the_table_is_as_hostile_as_it_says():
    """So that the tests above can fail: a browser would leave us, or the page would lead to itself."""
    harmless = {name for name, url in HOSTILE.items() if stays_with_us(url)}
    assert len(HOSTILE) - len(harmless) >= 40
    assert all(map(is_ours, HARMLESS.values()))


def stays_with_us(url):
    try:
        address = as_a_browser_reads(url)
    except ValueError:
        return True
    return address.origin in OWN_ORIGINS and not address.pathname.startswith("/coaching/")


# In both places at once, and twice in one


@pytest.mark.parametrize("name", [name for name in LEADING if VISITS[name].method == "post"])
def test_the_form_counts_before_the_query_and_neither_makes_the_other_good(visitor, name):
    visit, evil = VISITS[name], HOSTILE["another host"]
    client = visitor(visit)
    assert way_on(go(client, visit, query=COURSE, body=evil)) == DASHBOARD
    assert way_on(go(client, visit, query=evil, body=COURSE)) == COURSE
    assert way_on(go(client, visit, query=COURSE)) == COURSE
    assert way_on(go(client, visit, query=evil)) == DASHBOARD
    assert way_on(go(client, visit, query=evil, body="")) == DASHBOARD


@pytest.mark.parametrize("first", [COURSE, "https://evil.example.com/"], ids=["good first", "hostile first"])
def test_of_two_in_one_query_the_last_is_judged_and_followed(browser, first):
    second = "https://evil.example.com/" if first == COURSE else COURSE
    response = browser.get(f"{PAGE}?{urlencode([('next', first), ('next', second)])}")
    assert way_on(response) == (COURSE if second == COURSE else DASHBOARD)
    assert all(map(is_ours, places(response)))


def test_it_has_one_name_only(browser):
    for name in ("Next", "next_url", "redirect_to", "redirect", "return_to", "next[]", "url", "continue", "target"):
        response = browser.get(PAGE, {name: COURSE})
        assert way_on(response) == DASHBOARD


# Through the login


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("path", [PAGE, ANSWERED], ids=["the question", "the confirmation"])
def test_after_the_login_too_it_leads_nowhere_but_home(learner, path):
    """The browser fails wherever it is led away from the site."""
    for hostile in (
        "another host",
        "slash, backslash",
        "our host as a user",
        "encoded twice",
        "the page",
        "javascript",
    ):
        browser = Browser().open(f"{SITE}{with_next(path, HOSTILE[hostile])}")
        assert browser.path == LOGIN
        browser.log_in(learner.username)
        assert browser.path == PAGE
        assert way_on(browser.response) == DASHBOARD
        browser.press("No thanks")
        assert browser.follow(browser.page.select_one("main a.coaching-button")).path == DASHBOARD
        CoachingConsent.objects.update(status=CoachingConsent.Status.UNDECIDED)


# Scheme and host of the request


@pytest.mark.parametrize("name", ["the question", "errors", "signing up", "nothing to confirm", "the question fails"])
def test_over_https_a_plain_http_address_is_no_way_on(visitor, name):
    visit = VISITS[name]
    client = visitor(visit)
    assert way_on(go(client, visit, query="http://testserver/courses/", secure=True)) == DASHBOARD
    client = visitor(visit)
    assert way_on(go(client, visit, query="https://testserver/courses/", secure=True)) == "https://testserver/courses/"


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_HOST", "HTTP_X_HOST", "HTTP_FORWARDED", "HTTP_ORIGIN"])
def test_a_header_makes_no_host_ours(browser, header):
    response = browser.get(with_next(PAGE, "http://evil.example.com/"), **{header: "evil.example.com"})
    assert way_on(response) == DASHBOARD
    assert "evil" not in response.content.decode()


@pytest.mark.parametrize("visit", [VISITS["the question"], VISITS["logged out"], VISITS["no thanks"]])
def test_a_host_that_is_not_the_sites_is_refused(visitor, visit):
    client = visitor(visit)
    send = getattr(client, visit.method)
    for host in ("evil.example.com", "testserver.evil.example.com", "testserver@evil.example.com", "a b"):
        response = send(with_next(visit.path, f"http://{host}/"), HTTP_HOST=host)
        assert response.status_code == 400
        assert "Location" not in response.headers


def test_what_a_browser_or_a_proxy_may_cut_is_not_kept():
    longest = "/" + "x" * (access.MAXIMUM_URL_LENGTH - 1)
    assert access.safe_next_url(REQUEST, longest) == longest
    assert access.safe_next_url(REQUEST, longest + "x") == "/dashboard"


def test_the_operators_list_names_other_hosts(settings):
    settings.LOGIN_REDIRECT_WHITELIST = ["partner.example.org"]
    other = "https://partner.example.org/after"
    assert access.safe_next_url(REQUEST, other) == other


def test_a_site_without_a_list_of_other_hosts_keeps_its_own(settings):
    del settings.LOGIN_REDIRECT_WHITELIST
    for own in ("http://testserver/courses/", f"{settings.LEARNING_MICROFRONTEND_URL}/course/x"):
        assert access.safe_next_url(REQUEST, own) == own
    assert access.safe_next_url(REQUEST, "http://other.example.com/courses/") == "/dashboard"


# Through the page that a browser says it comes from


@pytest.mark.course_doors
@pytest.mark.parametrize("hostile", [name for name, url in HOSTILE.items() if "evil.example.com" in url])
def test_no_referer_at_a_course_door_leads_away(browser, hostile):
    """Named in full, it is where the learning MFE is come back to."""
    referer = HOSTILE[hostile].replace("evil.example.com", f"evil.example.com/learning/course/{MB101}")
    referer = referer.encode().decode("latin-1")
    response = browser.get(f"/api/course_home/course_metadata/{MB101}", HTTP_REFERER=referer)
    path = response.json()["course_access"]["developer_message"]
    (next_url,) = parse_qs(urlsplit(path).query)["next"]
    assert next_url == f"http://127.0.0.1:8000/learning/course/{MB101}/home"
    assert way_on(browser.get(path)) == next_url


# Anything at all

# Pieces that attackers put together, among any text at all.
PIECES = st.sampled_from(
    ["/", "//", "\\", "@", ":", "?", "#", ".", "..", "%2e", "%2f", "%5c", "%63", "%00", "\t", "\n", "\0", " "]
    + ["http:", "https:", "javascript:", "testserver", "127.0.0.1:8000", "evil.example.com", "user:password@", "[::1]"]
    + ["coaching/consent/", "coaching", "consent", "courses"]
)
DOTS = re.compile(r"/\.\.?(/|$)")
WRITTEN = st.one_of(st.text(max_size=60), st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=8).map("".join))


@given(WRITTEN)
@settings(deadline=None, max_examples=500)
def test_no_text_leads_anywhere_but_home(written):
    url = access.safe_next_url(REQUEST, written)
    assert url in (written, DASHBOARD)
    address = as_a_browser_reads(url)
    assert address.origin in OWN_ORIGINS
    assert (address.username, address.password) == ("", "")
    assert not f"{unquote(address.pathname)}/".startswith(PAGE)


@given(st.text(alphabet="abcABC0123456789/:+.-_~%&=?#!", max_size=80))
@settings(deadline=None)
def test_any_plain_path_of_the_lms_is_kept_whole(rest):
    path = f"/courses/{rest}"
    assume(not DOTS.search(unquote(urlsplit(path).path)))
    assert access.safe_next_url(REQUEST, path) == path
