"""Account settings, rendered by the LMS: a page of our own, and a part of a theme's page (``/account/settings``)."""

import json

import pytest
from bs4 import BeautifulSoup
from common.djangoapps.student.models import UserProfile
from django.test import Client

from coaching_plugin import consent, disclosures
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door
from tests.consent_pages import COURSE, SETTINGS, with_next
from tests.factories import CANADIAN, NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.story import assert_told, events

pytestmark = pytest.mark.usefixtures("committed")

Status = CoachingConsent.Status
THEME = "/account/settings"
PLACES = [SETTINGS, THEME]
GERMAN, GERMAN_TYPED = "+4915112345678", "+49 1511 2345678"
LOCATION = "Location"


@pytest.fixture
def consented(learner):
    consent.give(learner, TYPED, None, evidence())
    return learner


def page_of(response):
    return BeautifulSoup(response.content, "html.parser")


def form_on(browser, place):
    """Return what the form on a page would send as it stands, or None where there is no form."""
    form = page_of(browser.get(place)).select_one(f"form[action='{SETTINGS}']")
    if form is None:
        return None
    fields = {field["name"]: field.get("value", "") for field in form.select("input:not([type=checkbox])")}
    fields |= {box["name"]: "on" for box in form.select("input[type=checkbox][checked]")}
    return fields


def save(browser, place, **changes):
    """Change fields of the form on a page, send it, and return the answer; None takes a field out, as a tick."""
    fields = {**form_on(browser, place), **changes}
    return browser.post(SETTINGS, {name: value for name, value in fields.items() if value is not None})


def standing(learner):
    return CoachingConsent.objects.get(user=learner)


def number_of(learner):
    return UserProfile.objects.get(user=learner).phone_number or ""


def errors_of(response):
    """Return the texts of the summary at the top, which has the focus and is announced."""
    assert response.status_code == 200
    summary = page_of(response).select_one("[role=alert]")
    assert summary.has_attr("autofocus")
    return [item.get_text(strip=True) for item in summary.select("li")]


# To whom the fields are shown


@pytest.mark.parametrize("place", PLACES)
def test_an_eligible_learner_sees_a_number_and_a_switch_with_the_words_beside_it(learner, browser, place):
    UserProfile.objects.filter(user=learner).update(phone_number=NUMBER)
    page = page_of(browser.get(place))
    assert page.select_one("#id_phone_number")["value"] == "+1 415-555-2671"
    assert not page.select_one("#id_agree").has_attr("checked")
    assert disclosures.current().text.split()[0] in page.select_one(".coaching-disclosure").get_text()
    assert not CoachingConsent.objects.exists(), "looking is neither asking nor answering"


@pytest.mark.parametrize("place", PLACES)
def test_who_consented_sees_the_switch_on(consented, browser, place):
    page = page_of(browser.get(place))
    assert page.select_one("#id_agree").has_attr("checked")
    assert "(415) 555-2671" in page.select_one("main").get_text()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("why", ["not eligible", "coaching.enabled", "coaching.account_settings"])
def test_others_see_no_fields(learner, browser, set_flag, place, why):
    if why == "not eligible":
        learner.courseenrollment_set.update(is_active=False)
    else:
        set_flag(why, False)
    response = browser.get(place)
    assert form_on(browser, place) is None
    assert ("Coaching is not available to you" in response.content.decode()) is (place == SETTINGS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("why", ["not eligible", "coaching.enabled", "coaching.account_settings"])
def test_who_consented_can_withdraw_whatever_became_of_the_rest(consented, browser, set_flag, place, why):
    if why == "not eligible":
        consented.courseenrollment_set.update(is_active=False)
    else:
        set_flag(why, False)
    response = save(browser, place, agree=None)
    assert response.status_code == 302
    assert standing(consented).status == Status.WITHDRAWN
    assert "Your settings are saved." in browser.get(response.headers[LOCATION]).content.decode()
    assert form_on(browser, place) is None, "and then there is nothing left to offer"


def test_nobody_who_is_logged_out_sees_them(coached, flags):
    assert Client().get(with_next(SETTINGS)).headers[LOCATION].startswith("/login?")
    assert Client().get(THEME).headers[LOCATION].startswith("/login?")


# Saving


@pytest.mark.parametrize("place", PLACES)
def test_the_switch_on_is_consent_to_the_words_shown(learner, browser, place):
    response = save(browser, place, phone_number=TYPED, agree="on")
    assert response.status_code == 302
    row, (event,) = standing(learner), events(learner)
    assert (row.status, row.phone_number, number_of(learner)) == (Status.CONSENTED, NUMBER, NUMBER)
    assert (event.kind, event.door) == ("consented", Door.ACCOUNT_SETTINGS)
    assert event.shown_sha256 == disclosures.current().sha256
    assert_told(learner)


@pytest.mark.parametrize("place", PLACES)
def test_what_is_saved_is_said_once_on_the_page_that_it_was_saved_on(learner, browser, place):
    response = save(browser, place, phone_number=TYPED)
    assert response.headers[LOCATION].partition("?")[0] == place
    assert "Your settings are saved." in browser.get(response.headers[LOCATION]).content.decode()
    assert "Your settings are saved." not in browser.get(response.headers[LOCATION]).content.decode()


def test_the_page_leads_on_to_where_it_was_opened_from(learner, browser):
    response = save(browser, with_next(SETTINGS, COURSE), phone_number=TYPED)
    assert page_of(browser.get(response.headers[LOCATION])).select_one("a.coaching-button")["href"] == COURSE


@pytest.mark.parametrize(("typed", "number"), [(GERMAN_TYPED, GERMAN), (CANADIAN, CANADIAN), (TYPED, NUMBER), ("", "")])
def test_without_consent_a_number_of_any_country_will_do_and_none_too(learner, browser, typed, number):
    UserProfile.objects.filter(user=learner).update(phone_number=OTHER_NUMBER)
    assert save(browser, SETTINGS, phone_number=typed).status_code == 302
    assert number_of(learner) == number
    assert not ConsentEvent.objects.filter(kind="consented").exists()


def test_the_form_as_it_stands_saves_nothing(consented, browser):
    before = events(consented)
    assert save(browser, SETTINGS).status_code == 302
    assert events(consented) == before


def test_a_bad_number_of_old_keeps_nobody_from_saving_the_rest(learner, browser):
    UserProfile.objects.filter(user=learner).update(phone_number="0049151")
    assert form_on(browser, SETTINGS)["phone_number"] == "0049151"
    assert save(browser, SETTINGS).status_code == 302
    assert number_of(learner) == "0049151"


def test_another_number_takes_the_consent_with_it(consented, browser):
    assert save(browser, SETTINGS, phone_number=OTHER_TYPED).status_code == 302
    assert standing(consented).phone_number == number_of(consented) == OTHER_NUMBER
    assert [event.kind for event in events(consented)] == ["consented", "phone_changed"]


def test_the_switch_off_and_the_number_gone_in_one_go(consented, browser):
    assert save(browser, SETTINGS, phone_number="", agree=None).status_code == 302
    assert standing(consented).status == Status.WITHDRAWN
    assert number_of(consented) == ""
    assert [event.kind for event in events(consented)] == ["consented", "withdrawn"]


# What can't be saved


@pytest.mark.parametrize("place", PLACES)
def test_while_consent_is_on_the_number_can_not_be_removed(consented, browser, place):
    response = save(browser, place, phone_number=" ")
    assert errors_of(response) == ["Your coach needs this number. To remove it, stop being coached first."]
    assert standing(consented).is_consented
    assert number_of(consented) == NUMBER


def test_the_api_says_the_same(consented, browser):
    response = browser.patch(
        f"/api/coaching/v1/users/{consented.id}/", json.dumps({"phone_number": ""}), content_type="application/json"
    )
    assert response.status_code == 400
    assert response.json() == {
        "phone_number": ["Your coach needs this number. To remove it, stop being coached first."]
    }


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("typed", [CANADIAN, GERMAN_TYPED, "12345", "(800) 253-0000", "415 call me"])
def test_a_number_that_cannot_be_texted_keeps_the_switch_off_and_is_still_there(learner, browser, place, typed):
    response = save(browser, place, phone_number=typed, agree="on")
    assert len(errors_of(response)) == 1
    page = page_of(response)
    assert page.select_one("#id_phone_number")["value"] == typed
    assert page.select_one("#id_phone_number")["aria-invalid"] == "true"
    assert page.select_one("#id_agree").has_attr("checked"), "the words are the same, and so is the tick"
    assert number_of(learner) == ""
    # Sent once more, mended, it goes back to where it came from.
    fields = {field["name"]: field.get("value", "on") for field in page.select("form[novalidate] input")}
    mended = browser.post(SETTINGS, {**fields, "phone_number": TYPED})
    assert mended.headers[LOCATION].partition("?")[0] == place


def test_who_leaves_is_gone_even_where_the_number_is_wrong(consented, browser):
    response = save(browser, SETTINGS, phone_number="12345", agree=None)
    assert standing(consented).status == Status.WITHDRAWN
    assert len(errors_of(response)) == 1
    assert "You are not signed up for coaching." in response.content.decode()
    assert page_of(response).select_one("#id_phone_number")["value"] == "12345"


def test_who_became_ineligible_meanwhile_is_told_so(learner, browser):
    fields = form_on(browser, SETTINGS)
    learner.courseenrollment_set.update(is_active=False)
    response = browser.post(SETTINGS, {**fields, "phone_number": TYPED, "agree": "on"})
    assert errors_of(response) == ["Coaching is not available to you at the moment."]
    assert page_of(response).select_one("#id_phone_number")["value"] == TYPED


@pytest.mark.parametrize("flag", ["coaching.enabled", "coaching.account_settings"])
def test_a_flag_that_went_off_meanwhile_is_told_so(learner, browser, set_flag, flag):
    fields = form_on(browser, SETTINGS)
    set_flag(flag, False)
    response = browser.post(SETTINGS, {**fields, "phone_number": TYPED, "agree": "on"})
    assert errors_of(response) == ["Coaching is not available to you at the moment."]
    assert not CoachingConsent.objects.exists()
    assert number_of(learner) == ""


def test_words_that_changed_meanwhile_are_shown_and_the_tick_is_gone(learner, browser, settings):
    fields = form_on(browser, SETTINGS)
    settings.COACHING_PARTNER_NAME = "Another Partner"
    response = browser.post(SETTINGS, {**fields, "phone_number": TYPED, "agree": "on"})
    assert errors_of(response) == [
        "The terms of coaching were not shown, or have changed. Read them again, then answer."
    ]
    page = page_of(response)
    assert "Another Partner" in page.select_one(".coaching-disclosure").get_text()
    assert not page.select_one("#id_agree").has_attr("checked")
    assert not CoachingConsent.objects.filter(status=Status.CONSENTED).exists()


def test_a_consent_withdrawn_in_another_window_is_not_given_again_unread(consented, browser):
    """The form of who has consented shows no terms, and so is no agreement to any."""
    fields = form_on(browser, SETTINGS)
    consent.decline(consented, evidence())
    response = browser.post(SETTINGS, fields)
    assert errors_of(response) == [
        "The terms of coaching were not shown, or have changed. Read them again, then answer."
    ]
    assert standing(consented).status == Status.WITHDRAWN


def test_twice_in_a_row_is_once(learner, browser):
    fields = {**form_on(browser, SETTINGS), "phone_number": TYPED, "agree": "on"}
    for _ in range(2):
        assert browser.post(SETTINGS, fields).status_code == 302
    assert [event.kind for event in events(learner)] == ["consented"]


# When something fails


@pytest.mark.parametrize("broken", ["consent.standing", "eligibility.explain", "disclosures.current", "lms.profile"])
def test_a_page_of_a_theme_comes_without_us_where_we_fail(learner, browser, monkeypatch, caplog, broken):
    def fail(*args, **kwargs):
        raise RuntimeError(NUMBER)

    monkeypatch.setattr(f"coaching_plugin.{broken}", fail)
    response = browser.get(THEME)
    assert response.status_code == 200
    assert "Account settings" in response.content.decode()
    assert form_on(browser, THEME) is None
    assert "account settings come without coaching" in caplog.text
