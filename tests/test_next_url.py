"""Where the consent page may lead on to, whatever anybody writes into ``next``."""

from urllib.parse import urljoin, urlsplit

from django.test import RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from coaching_plugin import access

OWN_HOSTS = {"testserver", "127.0.0.1:8000"}
REQUEST = RequestFactory().get("/coaching/consent/")

# Pieces that attackers put together, among any text at all.
PIECES = st.sampled_from(
    [
        "/",
        "//",
        "\\",
        "@",
        ":",
        "?",
        "#",
        ".",
        "%2f",
        "%5c",
        "%00",
        "\t",
        "\n",
        "\0",
        " ",
        "http:",
        "https:",
        "javascript:",
    ]
    + ["testserver", "127.0.0.1:8000", "evil.example.com", "coaching/consent/", "courses", "user:password@", "[::1]"]
)
WRITTEN = st.one_of(st.text(max_size=60), st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=8).map("".join))


def as_a_browser_reads(url):
    """Return the address that a browser goes to: it drops tabs and line ends, and takes a backslash for a slash."""
    stripped = url.strip("".join(map(chr, range(0x21))))
    plain = stripped.replace("\t", "").replace("\r", "").replace("\n", "").replace("\\", "/")
    return urlsplit(urljoin("http://testserver/coaching/consent/", plain))


@given(WRITTEN)
@settings(deadline=None, max_examples=500)
def test_no_text_leads_anywhere_but_home(written):
    url = access.safe_next_url(REQUEST, written)
    assert url in (written, "/dashboard")
    address = as_a_browser_reads(url)
    assert address.scheme in ("http", "https")
    assert address.netloc in OWN_HOSTS
    assert not address.path.startswith("/coaching/consent/")


@given(st.text(alphabet="abcABC0123456789/:+.-_~%&=?#!", max_size=80))
@settings(deadline=None)
def test_any_plain_path_of_the_lms_is_kept_whole(rest):
    path = f"/courses/{rest}"
    assert access.safe_next_url(REQUEST, path) == path
