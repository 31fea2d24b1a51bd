"""The states of our pages: what a learner may meet there, and how a fresh learner comes to each."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import pytest
from common.djangoapps.student.models import UserProfile
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from openedx.features.enterprise_support.utils import NAME_MANAGED
from playwright.sync_api import Page

from coaching_plugin import consent, disclosures
from coaching_plugin.models import Disclosure, Door
from tests.factories import CANADIAN, MB101, NUMBER, OTHER_TYPED, TYPED, evidence

COURSE = f"/courses/{MB101}/courseware/"
PAGE = "/coaching/consent/"
SETTINGS_PAGE, THEME_PAGE = "/coaching/settings/", "/account/settings"
RECEIPT_PAGE = "/coaching/receipt/"

# Who meets the states in each language: user name and full name.
LEARNERS = {"en": ("elena", "Elena Garcia"), "es-419": ("lucia", "Lucía Fernández"), "ar": ("layla", "ليلى حداد")}
LANGUAGES = list(LEARNERS)
# Longer than a line anywhere, and with a part that has no place to break.
LONG_AGENT = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) " + "Chrome/131.0.0.0" * 8
WIDTHS = (320, 1280)


@dataclass
class Visit:
    """A learner who is logged in, in a window of their own; what is patched lasts as long as the visit."""

    learner: User
    language: str
    page: Page
    patch: pytest.MonkeyPatch

    def open(self, next_url=COURSE, page=PAGE):
        self.page.goto(f"{page}?{urlencode({'next': next_url})}")

    def sign_up(self, full_name=None, phone_number=TYPED, agree=True):
        if full_name is not None:
            self.page.fill("#id_full_name", full_name)
        self.page.fill("#id_phone_number", phone_number)
        self.page.set_checked("#id_agree", agree)
        self.press("accept")

    def save(self, phone_number, agree=None):
        """Fill in the form of account settings and send it; the box stays as it is unless ``agree`` says otherwise."""
        self.page.fill("#id_phone_number", phone_number)
        if agree is not None:
            self.page.set_checked("#id_agree", agree)
        with self.page.expect_navigation():
            self.page.click("form[action$='/settings/'] button")

    def press(self, answer):
        with self.page.expect_navigation():
            self.page.click(f"main button[value={answer}]")

    def publish(self, *languages):
        """Publish the next version of the disclosure, in some languages only."""
        version = Disclosure.objects.order_by("-version").first().version + 1
        for row in Disclosure.objects.filter(version=1, language__in=languages):
            Disclosure.objects.create(
                version=version, language=row.language, body=row.body, published_at=timezone.now()
            )


@dataclass(frozen=True)
class State:
    """How a visit reaches a state, and what it then finds wrong."""

    reach: Callable[[Visit], None]
    # The fields with an error, in the order of the page; "" stands for what is about no field.
    wrong: tuple[str, ...] = ()
    # What was typed and must still be there.
    typed: dict = field(default_factory=dict)


# The question


def first_visit(visit):
    visit.open()


def number_known(visit):
    UserProfile.objects.filter(user=visit.learner).update(phone_number=NUMBER)
    visit.open()


def name_managed(visit):
    visit.learner.profile.set_meta({NAME_MANAGED: True})
    visit.learner.profile.save()
    visit.open()


def several_countries(visit):
    visit.patch.setattr(settings, "COACHING_PHONE_REGIONS", ["US", "CA", "MX"])
    visit.open()


def disclosure_in_another_language(visit):
    visit.publish("ar" if visit.language == "en" else "en")
    visit.open()


def declined_before(visit):
    said_no(visit)
    visit.open()


def withdrawn_before(visit):
    signed_up(visit)
    client = Client()
    client.force_login(visit.learner)
    response = client.patch(
        f"/api/coaching/v1/users/{visit.learner.id}/", {"coaching_consent": False}, content_type="application/json"
    )
    assert response.status_code == 200
    visit.open()


def stopped_before(visit):
    signed_up(visit)
    consent.opt_out(visit.learner, evidence(Door.PARTNER))
    visit.open()


# What may be wrong with an answer


def refused(*wrong, **typed):
    """Return the state after an attempt to sign up in which these fields are wrong."""

    def sign_up(visit):
        visit.open()
        visit.sign_up(**typed)

    return State(sign_up, wrong, typed)


def terms_changed(visit):
    visit.open()
    visit.publish(visit.language)
    visit.patch.setattr(settings, "COACHING_PARTNER_NAME", "Another Partner")
    visit.sign_up()


def no_longer_eligible(visit):
    visit.open()
    visit.learner.courseenrollment_set.update(is_active=False)
    visit.sign_up()


def tried_too_often(visit):
    visit.patch.setattr(settings, "COACHING_API_THROTTLE", "1/hour")
    visit.open()
    visit.sign_up(phone_number="12345")
    visit.sign_up()


# What follows an answer


def signed_up(visit):
    visit.open()
    visit.sign_up()


def signed_up_after_stop(visit):
    stopped_before(visit)
    visit.sign_up()


def signed_up_without_a_course(visit):
    visit.open(next_url="")
    visit.sign_up()


def said_no(visit):
    visit.open()
    visit.press("decline")


def page_fails(visit):
    def fail(*args, **kwargs):
        raise RuntimeError

    visit.patch.setattr("coaching_plugin.consent.standing", fail)
    visit.open()


# Account settings


def open_settings(visit):
    visit.open(page=SETTINGS_PAGE)


def settings_saved(visit):
    open_settings(visit)
    visit.save(TYPED, agree=True)


def settings_number_refused(visit):
    open_settings(visit)
    visit.save(CANADIAN, agree=True)


def settings_number_needed(visit):
    settings_saved(visit)
    visit.save("")


def settings_of_nobody(visit):
    visit.learner.courseenrollment_set.update(is_active=False)
    open_settings(visit)


def settings_on_a_page_of_a_theme(visit):
    visit.page.goto(THEME_PAGE)
    visit.save(TYPED)


# The receipt


def open_receipt(visit):
    visit.open(page=RECEIPT_PAGE)


def receipt(visit):
    """Of a learner who went through much, with a browser that tells much of itself."""
    shown = disclosures.current(visit.language)
    consent.ask(visit.learner, evidence(disclosure=shown))
    proof = replace(evidence(disclosure=shown), ip="2001:db8:85a3:1234:5678:8a2e:370:7334", user_agent=LONG_AGENT)
    consent.give(visit.learner, CANADIAN, None, proof)
    consent.give(visit.learner, OTHER_TYPED, None, proof)
    consent.change_phone(visit.learner, TYPED, proof)
    open_receipt(visit)


def receipt_withdrawn(visit):
    signed_up(visit)
    consent.opt_out(visit.learner, evidence(Door.PARTNER, disclosure=None), "stop")
    consent.do_not_ask(visit.learner, evidence(Door.ADMIN, disclosure=None, actor_id=1), "asked by telephone")
    visit.patch.setattr(settings, "COACHING_EVIDENCE_RETENTION_DAYS", 730)
    open_receipt(visit)


def receipt_declined(visit):
    said_no(visit)
    open_receipt(visit)


def receipt_erased(visit):
    consent.give(visit.learner, TYPED, None, evidence(Door.API, disclosure=None))
    consent.erase(visit.learner, consent.Evidence(door=Door.RETIREMENT))
    open_receipt(visit)


QUESTIONS = {
    "first-visit": State(first_visit),
    "number-known": State(number_known),
    "name-managed": State(name_managed),
    "several-countries": State(several_countries),
    "disclosure-in-another-language": State(disclosure_in_another_language),
    "declined-before": State(declined_before),
    "withdrawn-before": State(withdrawn_before),
    "stopped-before": State(stopped_before),
}
ERRORS = {
    "name-missing": refused("full_name", full_name=" "),
    "name-malformed": refused("full_name", full_name="Lena <3"),
    "phone-missing": refused("phone_number", phone_number=""),
    "phone-malformed": refused("phone_number", phone_number="415 call me"),
    "phone-extension": refused("phone_number", phone_number="(415) 555-2671 ext. 12"),
    "phone-invalid": refused("phone_number", phone_number="(415) 155-2671"),
    "phone-region": refused("phone_number", phone_number=CANADIAN),
    "phone-type": refused("phone_number", phone_number="(800) 253-0000"),
    "box-not-ticked": refused("agree", agree=False),
    "everything-wrong": refused("full_name", "phone_number", "agree", full_name="", phone_number="12345", agree=False),
    "terms-changed": State(terms_changed, ("agree",), {"agree": False}),
    "no-longer-eligible": State(no_longer_eligible, ("",)),
    "tried-too-often": State(tried_too_often, ("",), {"phone_number": TYPED}),
}
ENDINGS = {
    "signed-up": State(signed_up),
    "signed-up-after-stop": State(signed_up_after_stop),
    "signed-up-without-a-course": State(signed_up_without_a_course),
    "said-no": State(said_no),
    "page-fails": State(page_fails),
}
SETTINGS = {
    "settings": State(open_settings),
    "settings-saved": State(settings_saved),
    "settings-number-refused": State(settings_number_refused, ("phone_number",), {"phone_number": CANADIAN}),
    "settings-number-needed": State(settings_number_needed, ("phone_number",), {"phone_number": ""}),
    "settings-not-available": State(settings_of_nobody),
    "settings-on-a-page-of-a-theme": State(settings_on_a_page_of_a_theme),
}
RECEIPTS = {
    "receipt": State(receipt),
    "receipt-withdrawn": State(receipt_withdrawn),
    "receipt-declined": State(receipt_declined),
    "receipt-erased": State(receipt_erased),
    "receipt-of-nobody": State(open_receipt),
}
STATES = QUESTIONS | ERRORS | ENDINGS | SETTINGS | RECEIPTS
