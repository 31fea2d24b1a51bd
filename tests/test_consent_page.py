"""The consent page through HTTP: who sees it, what it holds, what an answer does, and where it leads."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.test import Client

from coaching_plugin import consent, disclosures, eligibility
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door
from tests import factories
from tests.consent_pages import ANSWERED, COURSE, DASHBOARD, PAGE, with_next
from tests.factories import CANADIAN, NUMBER, TYPED, evidence

pytestmark = pytest.mark.usefixtures("committed")

Status = CoachingConsent.Status


def soup(response):
    assert response.status_code == 200, response
    return BeautifulSoup(response.content, "html.parser")


def fields(page):
    """Return what a browser would send of the form as it stands."""
    inputs = page.select("form[method=post][action^='/coaching/'] input")
    return {
        element["name"]: element.get("value", "")
        for element in inputs
        if element.get("type") != "checkbox" or element.has_attr("checked")
    }


def answer(client, choice="accept", next_url=COURSE, **typed):
    """Open the page, type, and press a button, as a browser does."""
    page = soup(client.get(with_next(PAGE, next_url)))
    return client.post(PAGE, {**fields(page), "answer": choice, **typed})


def accept(client, next_url=COURSE, **typed):
    return answer(client, "accept", next_url, **{"phone_number": TYPED, "agree": "on", **typed})


def standing(learner):
    return consent.standing(learner)


# Who sees it


def test_anonymous_visitors_log_in_first_and_come_back_with_next_whole(learner):
    response = Client().get(with_next(PAGE))
    assert response.status_code == 302
    assert response.headers["Location"] == f"/login?{urlencode({'next': with_next(PAGE)}, safe='/')}"


def test_an_eligible_learner_sees_the_question(browser):
    page = soup(browser.get(with_next(PAGE)))
    assert page.h1.text == "Would you like a coach?"
    assert [heading.name for heading in page.select("main h1, main h2")] == ["h1", "h2", "h2", "h2"]


@pytest.mark.parametrize("state", ["consented", "not eligible", "a child", "flag off", "inactive"])
def test_anybody_else_goes_on(learner, set_flag, state):
    someone = learner
    if state == "consented":
        consent.give(learner, TYPED, None, evidence())
    elif state == "not eligible":
        someone = factories.user()
    elif state == "a child":
        someone = factories.eligible_learner(year_of_birth=2020)
    elif state == "inactive":
        someone = factories.eligible_learner(is_active=False)
    else:
        set_flag("coaching.enabled", False)
    client = Client()
    client.force_login(someone)
    assert client.get(with_next(PAGE)).headers["Location"] == COURSE
    assert not ConsentEvent.objects.filter(learner_id=someone.id, kind="asked").exists()


@pytest.mark.course_doors
def test_nobody_goes_in_a_circle_between_a_door_and_a_page_that_disagree(browser, learner, monkeypatch):
    """As two processes may for a minute after the coached course runs changed."""
    verdict = eligibility.explain(learner)
    redirects = 0
    url = COURSE
    while url and redirects < 10:
        with monkeypatch.context() as disagreeing:
            if url.startswith(PAGE):
                disagreeing.setattr("coaching_plugin.eligibility.explain", lambda user: replace(verdict, runs=()))
            url = browser.get(url).headers.get("Location")
        redirects += bool(url and "coaching" in url)
    assert redirects == 2, "the second time, the door lets the learner through"


def test_the_page_does_not_need_the_course_redirect_flag(browser, set_flag):
    set_flag("coaching.course_redirect", False)
    assert browser.get(with_next(PAGE)).status_code == 200


@pytest.mark.parametrize("no", ["decline", "withdraw", "opt_out"])
def test_after_a_no_the_form_is_there_again_and_says_so(browser, learner, no):
    if no != "decline":
        consent.give(learner, TYPED, None, evidence())
    (consent.opt_out if no == "opt_out" else consent.decline)(learner, evidence())
    page = soup(browser.get(with_next(PAGE)))
    assert ("text START" in page.main.text) is (no == "opt_out")
    assert ("You said no before" in page.main.text) is (no != "opt_out")


# What it holds


def test_every_field_has_a_label_and_says_what_it_is(browser):
    page = soup(browser.get(PAGE))
    for name, attributes in {
        "full_name": {"type": "text", "autocomplete": "name"},
        "phone_number": {"type": "tel", "autocomplete": "tel", "dir": "ltr"},
        "agree": {"type": "checkbox"},
    }.items():
        element = page.find("input", {"name": name})
        assert attributes.items() <= element.attrs.items()
        assert page.find("label", {"for": element["id"]}).text.strip()
    assert not page.find("input", {"name": "agree"}).has_attr("checked")
    assert [button.text for button in page.select("main button")] == ["Sign up", "No thanks"]


def test_every_reference_of_the_page_leads_to_something_on_it(browser):
    for page in (soup(browser.get(PAGE)), soup(browser.post(PAGE, {"answer": "accept"}))):
        ids = [element["id"] for element in page.select("[id]")]
        assert len(ids) == len(set(ids))
        for attribute in ("for", "aria-describedby", "aria-labelledby"):
            for element in page.select(f"[{attribute}]"):
                assert set(element[attribute].split()) <= set(ids)
        assert {link["href"][1:] for link in page.select("a[href^='#']")} <= set(ids)


def test_the_disclosure_is_shown_word_for_word_and_named(browser):
    page, shown = soup(browser.get(PAGE)), disclosures.current()
    assert page.select_one(".coaching-disclosure").get_text(" ", strip=True).split() == shown.text.split()
    assert page.find("input", {"name": "disclosure"})["value"] == shown.sha256
    assert page.select_one(".coaching-disclosure a")["href"] == "http://127.0.0.1:8000/privacy"


def test_the_profile_fills_in_what_it_knows(learner, browser):
    assert fields(soup(browser.get(PAGE)))["full_name"] == "Lena Learner"
    for stored, shown in ((NUMBER, TYPED), (CANADIAN, ""), ("12345", "")):
        learner.profile.phone_number = stored
        learner.profile.save()
        assert fields(soup(browser.get(PAGE)))["phone_number"] == shown


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "Countries: United States of America, Canada or Mexico."),
        ("es-419", "Países: Estados Unidos, Canadá o México."),
        ("ar", "البلدان: الولايات المتحدة الأمريكية، كندا أو المكسيك."),
    ],
)
def test_countries_are_listed_as_the_language_lists(browser, settings, language, expected):
    settings.COACHING_PHONE_REGIONS = ["US", "CA", "MX"]
    browser.cookies["openedx-language-preference"] = language
    assert expected in soup(browser.get(PAGE)).find(id="id_phone_number_hint").text
    listed = expected.partition(": ")[2]
    page = soup(answer(browser, "accept", phone_number="+442079460958", agree="on"))
    assert listed in page.find(id="id_phone_number_error").text


def test_a_managed_name_is_shown_and_not_asked(learner, browser, manage_name):
    manage_name(learner)
    page = soup(browser.get(PAGE))
    assert "Lena Learner" in page.main.text
    assert not page.find("input", {"name": "full_name"})
    assert accept(browser, full_name="Someone Else").status_code == 302
    learner.profile.refresh_from_db()
    assert learner.profile.name == "Lena Learner"


@pytest.mark.parametrize(
    ("language", "lang", "direction"), [("es-419", "es-419", "ltr"), ("ar", "ar", "rtl"), ("es-mx", "es-419", "ltr")]
)
def test_the_disclosure_carries_its_own_language(browser, learner, language, lang, direction, settings):
    settings.LANGUAGES = [*settings.LANGUAGES, ("es-mx", "Español (México)")]
    browser.cookies["openedx-language-preference"] = language
    element = soup(browser.get(PAGE)).select_one(".coaching-disclosure")
    assert (element["lang"], element["dir"]) == (lang, direction)
    accept(browser)
    assert ConsentEvent.objects.get(kind="consented").disclosure.language == lang


def test_the_default_disclosure_is_shown_where_a_language_is_missing(browser, settings):
    settings.LANGUAGES = [*settings.LANGUAGES, ("fa", "فارسی")]
    browser.cookies["openedx-language-preference"] = "fa"
    page = soup(browser.get(PAGE))
    assert page.html["dir"] == "rtl"
    element = page.select_one(".coaching-disclosure")
    assert (element["lang"], element["dir"]) == ("en", "ltr")


def test_nobody_caches_or_frames_it(browser):
    response = browser.get(PAGE)
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Frame-Options"] in ("DENY", "SAMEORIGIN")


# GET changes nothing but that the learner was asked


def test_seeing_the_question_is_recorded_once(browser, learner):
    for _ in range(3):
        browser.get(with_next(PAGE))
    assert [event.kind for event in ConsentEvent.objects.all()] == ["asked"]
    event = ConsentEvent.objects.get()
    assert (event.door, event.ip) == (Door.PAGE, "127.0.0.1")
    assert event.shown_sha256 == disclosures.current().sha256


def test_head_records_nothing(browser):
    assert browser.head(with_next(PAGE)).status_code == 200
    assert not CoachingConsent.objects.exists()


@pytest.mark.parametrize(
    "query",
    [
        "answer=accept",
        "answer=decline",
        pytest.param(
            f"phone_number={TYPED}&agree=on&answer=accept",
            marks=pytest.mark.logs_personal_data("the address is the test's, and nothing of ours makes such a one"),
            id="a number",
        ),
    ],
)
def test_get_takes_no_answer(browser, learner, query):
    browser.get(f"{PAGE}?{query}")
    assert standing(learner).status == Status.UNDECIDED


# POST answers


def test_signing_up_ends_in_a_confirmation_that_leads_on(browser, learner):
    response = accept(browser, full_name="Lena Q. Learner")
    assert response.status_code == 302
    assert response.headers["Location"] == with_next(ANSWERED)
    page = soup(browser.get(response.headers["Location"]))
    assert page.h1.text == "You are signed up for coaching"
    assert page.select_one("main bdi[dir=ltr]").text == TYPED
    assert page.select_one("a.coaching-button")["href"] == COURSE
    assert page.select_one("a.coaching-button").text == "Continue to your course"
    assert standing(learner).is_consented
    assert ConsentEvent.objects.get(kind="consented").user_agent == ""


def test_declining_needs_no_field_and_ends_in_a_confirmation_that_leads_on(browser, learner):
    response = answer(browser, "decline", phone_number="nonsense", full_name="")
    page = soup(browser.get(response.headers["Location"]))
    assert page.h1.text == "Your answer is saved"
    assert page.select_one("a.coaching-button")["href"] == COURSE
    assert standing(learner).status == Status.DECLINED


def test_the_confirmation_of_who_was_stopped_says_start(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    consent.opt_out(learner, evidence(Door.PARTNER))
    response = accept(browser)
    assert "text START" in soup(browser.get(response.headers["Location"])).main.text


def test_who_has_not_answered_has_nothing_to_confirm(browser):
    assert browser.get(with_next(ANSWERED)).headers["Location"] == with_next(PAGE)


def test_errors_are_summed_up_under_focus_and_keep_what_was_typed(browser, learner):
    response = answer(browser, "accept", phone_number="613 555 0123", full_name="Lena <3", agree="on")
    page = soup(response)
    summary = page.select_one("[role=alert]")
    assert summary.has_attr("autofocus")
    assert summary["tabindex"] == "-1"
    assert page.title.text.startswith("Error:")
    assert len(summary.select("li a")) == 2
    for name in ("phone_number", "full_name"):
        element = page.find("input", {"name": name})
        assert element["aria-invalid"] == "true"
        assert page.find(id=element["aria-describedby"].split()[0]).text.strip().startswith("Error:")
    assert page.find("input", {"name": "phone_number"})["value"] == "613 555 0123"
    assert page.find("input", {"name": "full_name"})["value"] == "Lena <3"
    assert page.find("input", {"name": "agree"}).has_attr("checked")
    assert page.find("input", {"name": "next"})["value"] == COURSE
    assert standing(learner).status == Status.UNDECIDED


def test_the_unticked_box_is_an_error_of_its_own(browser):
    page = soup(answer(browser, "accept", phone_number=TYPED))
    assert [link["href"] for link in page.select("[role=alert] a")] == ["#id_agree"]


def test_words_that_changed_while_the_page_lay_open_are_read_again(browser, learner, settings):
    form = fields(soup(browser.get(with_next(PAGE))))
    settings.COACHING_PARTNER_NAME = "Another Partner"
    page = soup(browser.post(PAGE, {**form, "phone_number": TYPED, "agree": "on", "answer": "accept"}))
    (link,) = page.select("[role=alert] a")
    assert "have changed" in link.text
    assert link["href"] == "#id_agree"
    assert "Another Partner" in page.select_one(".coaching-disclosure").text
    assert not page.find("input", {"name": "agree"}).has_attr("checked")
    assert fields(page)["disclosure"] == disclosures.current().sha256
    assert standing(learner).status == Status.UNDECIDED


def test_who_is_no_longer_eligible_is_told_and_may_go_on_or_still_say_no(browser, learner):
    form = fields(soup(browser.get(with_next(PAGE))))
    learner.courseenrollment_set.update(is_active=False)
    page = soup(browser.post(PAGE, {**form, "phone_number": TYPED, "agree": "on", "answer": "accept"}))
    assert "not available to you" in page.select_one("[role=alert]").text
    assert page.select_one("[role=alert] a")["href"] == COURSE
    assert browser.post(PAGE, {**form, "answer": "decline"}).status_code == 302
    assert standing(learner).status == Status.DECLINED


def test_with_the_flag_off_nothing_is_taken_but_a_withdrawal(browser, learner, set_flag):
    form = fields(soup(browser.get(PAGE)))
    set_flag("coaching.enabled", False)
    for choice in ("accept", "decline"):
        response = browser.post(PAGE, {**form, "phone_number": TYPED, "agree": "on", "answer": choice})
        assert response.headers["Location"] == DASHBOARD
        assert standing(learner).status == Status.UNDECIDED
    consent.give(learner, TYPED, None, evidence())
    browser.post(PAGE, {**form, "answer": "decline"})
    assert standing(learner).status == Status.WITHDRAWN


def test_an_anonymous_answer_leads_to_the_login_and_stores_nothing(learner):
    response = Client().post(PAGE, {"answer": "decline", "next": COURSE})
    assert response.headers["Location"].startswith("/login?next=")
    assert not CoachingConsent.objects.exists()


@pytest.mark.course_doors
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("broken", ["eligibility.explain", "disclosures.named", "lms.profile", "consent.standing"])
def test_whatever_fails_is_a_message_with_the_way_on_and_no_personal_data(browser, monkeypatch, caplog, broken, method):
    form = fields(soup(browser.get(with_next(PAGE))))

    def fail(*args, **kwargs):
        raise RuntimeError(NUMBER)

    monkeypatch.setattr(f"coaching_plugin.{broken}", fail)
    if method == "get":
        response = browser.get(with_next(PAGE))
    else:
        response = browser.post(PAGE, {**form, "phone_number": TYPED, "agree": "on", "answer": "accept"})
    if (method, broken) == ("get", "disclosures.named"):
        return  # a page that is only looked at names nothing
    assert response.status_code == 503
    page = BeautifulSoup(response.content, "html.parser")
    assert page.select_one("a.coaching-button")["href"] == COURSE
    assert NUMBER not in response.content.decode()
    assert not any(NUMBER in record.getMessage() + str(record.exc_text) for record in caplog.records)
    monkeypatch.undo()
    assert "coaching" not in browser.get(COURSE).headers.get("Location", ""), "the way on is no circle"
    assert not CoachingConsent.objects.exclude(status=Status.UNDECIDED).exists()


@pytest.mark.parametrize(("refusal", "status"), [(Http404, 404), (PermissionDenied, 403), (SuspiciousOperation, 400)])
def test_what_the_platform_refuses_stays_its_refusal(browser, monkeypatch, refusal, status):
    def refuse(*args):
        raise refusal

    monkeypatch.setattr("coaching_plugin.lms.profile", refuse)
    assert browser.get(PAGE).status_code == status
