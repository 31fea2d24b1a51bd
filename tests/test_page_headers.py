"""What a browser is told of our pages and answers: not to frame, keep or tell on them; and no script of ours runs."""

import re
from pathlib import Path

import pytest
from django.test import Client

import coaching_plugin
from coaching_plugin import consent
from tests.consent_pages import SHOWN, VISITS, go, page_of, prepare
from tests.factories import TYPED, evidence
from tests.test_rest_api import EVERY_PATH, consent_form, send, users

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("committed")]

PACKAGE = Path(coaching_plugin.__file__).parent


@pytest.fixture
def visited(learner, monkeypatch, set_flag):
    """Return the answer to a visit to one of our pages."""

    def visit(name):
        client = prepare(VISITS[name].state, learner, monkeypatch, set_flag)
        return go(client, VISITS[name])

    return visit


@pytest.mark.parametrize("name", VISITS)
def test_every_answer_is_framed_as_the_lms_lets_its_own_pages_be(visited, settings, name):
    """The platform's middleware says it, by the site's own setting, and no view of ours is exempt."""
    for option in ("DENY", "SAMEORIGIN"):
        settings.X_FRAME_OPTIONS = option
        assert Client().get("/login").headers["X-Frame-Options"] == option
        assert visited(name).headers["X-Frame-Options"] == option


@pytest.mark.parametrize("name", VISITS)
def test_no_page_is_kept_by_anybody(visited, name):
    kept = visited(name).headers["Cache-Control"]
    assert {"no-store", "private", "no-cache"} <= set(re.split(r",\s*", kept))


@pytest.mark.parametrize("name", SHOWN)
def test_no_other_site_is_told_where_the_learner_goes_on_to(visited, name):
    """The address of the page holds it, and a page is left by links to the site's privacy policy, for one."""
    assert visited(name).headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_is_html_in_utf_8(visited, name):
    assert visited(name).headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("name", SHOWN)
def test_no_page_holds_a_script_or_a_style_so_that_the_strictest_policy_lets_it_be(visited, name):
    page = page_of(visited(name))
    assert not page.main.select("script, style, iframe, object, embed, link, img")
    for element in page.main.find_all(True):
        assert not [attribute for attribute in element.attrs if attribute == "style" or attribute.startswith("on")]
    assert [link["href"] for link in page.select("head link[href*=coaching]")] == [
        "/static/coaching_plugin/consent.css"
    ]


def test_no_template_holds_code_or_marks_anything_as_safe():
    templates = list(PACKAGE.rglob("*.html"))
    assert templates
    for path in templates:
        text = path.read_text(encoding="utf-8")
        found = re.search(r"\|\s*safe|autoescape|<script(?![^>]*\ssrc=)|javascript:|\son[a-z]+=|\sstyle=", text)
        assert found is None, path.name


@pytest.mark.parametrize("path", EVERY_PATH)
@pytest.mark.parametrize("method", ["GET", "PATCH", "OPTIONS"])
def test_no_answer_of_the_api_is_kept_by_anybody(learner, path, method):
    client = Client()
    client.force_login(learner)
    consent.give(learner, TYPED, None, evidence())
    for response in (
        send(client, method, path(learner), {"coaching_consent": False} if method == "PATCH" else None),
        send(client, method, path(learner.id + 1)),
        send(Client(), method, path(learner)),
    ):
        assert "no-store" in response.headers["Cache-Control"]
        assert "private" in response.headers["Cache-Control"]
        assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", [users, consent_form])
def test_an_answer_of_the_api_is_never_read_as_html(learner, path):
    client = Client()
    client.force_login(learner)
    response = send(
        client, "PATCH", path(learner), {"coaching_consent": True, "full_name": "<script>alert(1)</script>"}
    )
    assert response.headers["Content-Type"] == "application/json"
    assert "<script" not in response.content.decode()
