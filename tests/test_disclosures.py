"""The words that learners agree to: what they hold in each language, which are shown, and that they stay."""

import re
from string import Template

import pytest
from bs4 import BeautifulSoup
from crum import set_current_request
from django.conf import settings as django_settings
from django.contrib.sites.models import Site
from django.core.cache import cache
from django.db.models import QuerySet
from django.test import RequestFactory
from django.utils import timezone, translation
from edx_django_utils.cache import RequestCache
from openedx.core.djangoapps.site_configuration.models import SiteConfiguration

from coaching_plugin import disclosures
from coaching_plugin.models import AppendOnlyError, Disclosure

pytestmark = pytest.mark.django_db

LANGUAGES = ["en", "es-419", "ar"]
PLACEHOLDERS = {"site_name", "partner_name", "minimum_age", "privacy_url"}

# Every part that a disclosure must have, by a phrase in each language. ${...} is filled in as the learner sees it.
PARTS = {
    "who offers it, and with whom": {
        "en": "Sandbox Academy works with InsideTrack to offer you a coach",
        "es-419": "Sandbox Academy trabaja con InsideTrack para ofrecerte un coach",
        "ar": "تتعاون Sandbox Academy مع InsideTrack لتقدّم لك مرشدًا",
    },
    "that the partner is given something": {
        "en": "Sandbox Academy gives InsideTrack",
        "es-419": "Sandbox Academy le da a InsideTrack",
        "ar": "تعطي Sandbox Academy إلى InsideTrack",
    },
    "the name": {"en": "your name", "es-419": "tu nombre", "ar": "اسمك"},
    "the phone number": {"en": "your phone number", "es-419": "tu número de teléfono", "ar": "ورقم هاتفك"},
    "the e-mail address": {
        "en": "your e-mail address",
        "es-419": "tu dirección de correo electrónico",
        "ar": "وعنوان بريدك الإلكتروني",
    },
    "the programs": {
        "en": "the programs you study in",
        "es-419": "los programas en los que estudias",
        "ar": "والبرامج التي تدرس فيها",
    },
    "recurring texts and calls": {
        "en": "recurring text messages and calls",
        "es-419": "mensajes de texto y llamadas recurrentes",
        "ar": "رسائل نصية ومكالمات متكررة",
    },
    "that number": {
        "en": "at the mobile phone number you give here",
        "es-419": "en el número de teléfono móvil que indiques aquí",
        "ar": "على رقم الهاتف المحمول الذي تكتبه هنا",
    },
    "message and data rates": {
        "en": "Message and data rates may apply",
        "es-419": "Pueden aplicarse tarifas de mensajes y datos",
        "ar": "قد تُطبَّق رسوم الرسائل والبيانات",
    },
    "STOP": {"en": "Reply STOP", "es-419": "Responde STOP", "ar": "أرسل STOP"},
    "HELP": {"en": "or HELP to get help", "es-419": "o HELP para obtener ayuda", "ar": "أو HELP للحصول على المساعدة"},
    "no extra cost": {
        "en": "costs you nothing extra",
        "es-419": "no te cuesta nada adicional",
        "ar": "لا يكلّفك الإرشاد أي مبلغ إضافي",
    },
    "no condition of enrollment": {
        "en": "not a condition of enrollment",
        "es-419": "no es una condición para inscribirte",
        "ar": "ليست الموافقة شرطًا للتسجيل",
    },
    "nor of a purchase": {"en": "or of any purchase", "es-419": "ni para comprar nada", "ar": "أو لأي عملية شراء"},
    "the age": {"en": "at least 13 years old", "es-419": "al menos 13 años", "ar": "ألا يقل عمرك عن 13 عامًا"},
    "the privacy link": {
        "en": "How your data is handled: http://127.0.0.1:8000/privacy",
        "es-419": "Cómo se tratan tus datos: http://127.0.0.1:8000/privacy",
        "ar": "كيف نتعامل مع بياناتك: http://127.0.0.1:8000/privacy",
    },
}


def publish(version, *languages, body="In ${site_name}: words of version {version} in {language}."):
    for language in languages:
        words = body.replace("{version}", str(version)).replace("{language}", language)
        Disclosure.objects.create(version=version, language=language, body=words, published_at=timezone.now())


def paragraphs(text):
    return [paragraph for paragraph in text.split("\n\n") if paragraph.strip()]


def shown_version(language=None):
    shown = disclosures.current(language)
    return shown.disclosure.version, shown.language


# What was shipped


def test_it_is_shipped_in_three_languages():
    assert {(row.version, row.language) for row in Disclosure.objects.all()} == {(1, code) for code in LANGUAGES}
    assert all(row.published_at for row in Disclosure.objects.all())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_there_in_every_language(part, language):
    assert PARTS[part][language] in disclosures.current(language).text


def test_the_parts_are_looked_for_in_every_language():
    assert all(list(phrases) == LANGUAGES for phrases in PARTS.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_paragraphs_and_names(language):
    row = Disclosure.objects.get(version=1, language=language)
    assert len(paragraphs(row.body)) == 7
    assert set(Template(row.body).get_identifiers()) == PLACEHOLDERS
    english = Disclosure.objects.get(version=1, language="en")
    for ours, theirs in zip(paragraphs(row.body), paragraphs(english.body), strict=True):
        assert set(Template(ours).get_identifiers()) == set(Template(theirs).get_identifiers())


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_to_fill_in(language):
    text = disclosures.current(language).text
    assert not re.search(r"[${}]", text)
    assert not re.search(r"[^\S\n]{2}|[^\S\n]$", text, re.MULTILINE), "no stray blanks"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_stored_digest_is_the_bodys(language):
    row = Disclosure.objects.get(version=1, language=language)
    assert row.sha256 == Disclosure.digest(row.body)
    assert len(row.sha256) == 64


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_digest_shown_is_that_of_the_words_shown(language):
    shown = disclosures.current(language)
    assert shown.sha256 == Disclosure.digest(shown.text)
    assert shown.sha256 != shown.disclosure.sha256


# Which language


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("en", "en"),
        ("en-us", "en"),
        ("en-GB", "en"),
        ("es-419", "es-419"),
        ("ES-419", "es-419"),
        ("es", "es-419"),
        ("es-MX", "es-419"),
        ("es-es", "es-419"),
        ("ar", "ar"),
        ("ar-EG", "ar"),
        ("fr", "en"),
        ("esu", "en"),
        ("xx-nonsense", "en"),
        ("", "en"),
        ("-", "en"),
        ("\0", "en"),
        ("../../en", "en"),
    ],
)
def test_the_nearest_language_is_shown(wanted, shown):
    assert disclosures.current(wanted).language == shown


def test_the_active_language_is_the_default():
    for language in LANGUAGES:
        with translation.override(language):
            assert disclosures.current().language == language
    with translation.override(None):
        assert disclosures.current().language == "en"


def test_an_unknown_language_gets_the_sites_own(settings):
    settings.LANGUAGE_CODE = "es-mx"
    assert disclosures.current("fr").language == "es-419"
    settings.LANGUAGE_CODE = "ar"
    assert disclosures.current("fr").language == "ar"
    with translation.override(None):
        assert disclosures.current().language == "ar"
    settings.LANGUAGE_CODE = "de"
    assert disclosures.current("fr").language == "en"


def test_without_english_something_is_shown_still(settings):
    publish(2, "pt-br")
    assert shown_version("fr") == (2, "pt-br")


def test_the_letters_of_a_language_code_make_no_difference():
    publish(2, "en", "pt-BR", "pt-PT", "zh-Hans", "zh-Hant")
    assert disclosures.current("pt-pt").language == "pt-PT"
    assert disclosures.current("zh-hant").language == "zh-Hant"


def test_nothing_published_is_said_plainly():
    QuerySet(Disclosure).delete()  # behind the back of the model
    with pytest.raises(Disclosure.DoesNotExist):
        disclosures.current()
    assert disclosures.named("0" * 64) is None


# Which version


def test_a_new_version_is_shown_once_it_is_published():
    draft = Disclosure.objects.create(version=2, language="en", body="New words.")
    assert shown_version("en") == (1, "en")
    draft.published_at = timezone.now()
    draft.save()
    assert shown_version("en") == (2, "en")
    assert disclosures.current("en").text == "New words."


def test_a_language_that_the_new_version_lacks_falls_back_within_it():
    publish(2, "en", "es-419")
    assert shown_version("ar") == (2, "en")
    assert shown_version("es-mx") == (2, "es-419")


def test_a_language_still_in_draft_falls_back_to_what_is_published_of_the_version():
    publish(2, "en")
    Disclosure.objects.create(version=2, language="ar", body="مسودة")
    assert shown_version("ar") == (2, "en")


def test_the_highest_version_counts_however_late_another_was_published():
    publish(3, "en")
    publish(2, "en")
    assert shown_version("en") == (3, "en")


# By name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_shown_are_found_by_their_digest(language):
    shown = disclosures.current(language)
    assert disclosures.named(shown.sha256) == shown


@pytest.mark.parametrize("digest", ["", "0" * 64, "nonsense", "\0", "x" * 10_000], ids=range(5))
def test_any_other_digest_names_nothing(digest):
    assert disclosures.named(digest) is None


def test_the_digest_of_the_unfilled_words_names_nothing():
    assert disclosures.named(disclosures.current().disclosure.sha256) is None


def test_words_that_are_no_longer_shown_have_no_name(settings):
    before = disclosures.current("en").sha256
    settings.COACHING_PARTNER_NAME = "Another Partner"
    assert disclosures.named(before) is None
    settings.COACHING_PARTNER_NAME = "InsideTrack"
    assert disclosures.named(before)
    draft = Disclosure.objects.create(version=2, language="en", body="New words.")
    assert disclosures.named(before), "a draft changes nothing"
    assert disclosures.named(Disclosure.digest("New words.")) is None
    draft.published_at = timezone.now()
    draft.save()
    assert disclosures.named(before) is None
    assert disclosures.named(Disclosure.digest("New words."))


# What is published stays


@pytest.mark.parametrize("change", [{"body": "Other words."}, {"published_at": None}, {"version": 9}, {}], ids=repr)
def test_a_published_disclosure_is_never_edited(change):
    row = Disclosure.objects.get(version=1, language="en")
    for name, value in change.items():
        setattr(row, name, value)
    with pytest.raises(AppendOnlyError):
        row.save()
    assert Disclosure.objects.get(pk=row.pk).body != "Other words."


def test_a_published_disclosure_is_never_deleted():
    with pytest.raises(AppendOnlyError):
        Disclosure.objects.get(version=1, language="en").delete()
    assert Disclosure.objects.count() == len(LANGUAGES)


def test_nor_by_whoever_read_it_while_it_was_a_draft():
    stale = Disclosure.objects.create(version=2, language="en", body="Words.")
    publishing = Disclosure.objects.get(pk=stale.pk)
    publishing.published_at = timezone.now()
    publishing.save()
    stale.body = "Other words."
    with pytest.raises(AppendOnlyError):
        stale.save()
    with pytest.raises(AppendOnlyError):
        stale.delete()
    assert Disclosure.objects.get(pk=publishing.pk).body == "Words."


def test_a_draft_is_edited_and_deleted_and_its_digest_keeps_up():
    draft = Disclosure.objects.create(version=2, language="en", body="First words.")
    draft.body = "Better words."
    draft.save()
    draft.refresh_from_db()
    assert draft.sha256 == Disclosure.digest("Better words.")
    draft.delete()
    assert not Disclosure.objects.filter(version=2).exists()


def test_drafts_are_edited_and_deleted_together_where_none_of_them_is_published():
    drafts = Disclosure.objects.filter(version=2)
    for language in ("en", "ar"):
        Disclosure.objects.create(version=2, language=language, body="Words.")
    assert drafts.filter(language="en").update(published_at=timezone.now()) == 1
    for change in (lambda rows: rows.update(body="Other words."), lambda rows: rows.delete()):
        with pytest.raises(AppendOnlyError):
            change(drafts)
    assert drafts.filter(language="ar").delete()[0] == 1
    assert [disclosure.body for disclosure in drafts] == ["Words."]


# How it is shown


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("es-419", "ltr"), ("ar", "rtl")])
def test_the_direction_is_the_languages(language, direction):
    assert disclosures.current(language).direction == direction


@pytest.mark.parametrize(
    ("language", "direction"),
    [
        ("he", "rtl"),
        ("fa-ir", "rtl"),
        ("ur", "rtl"),
        ("pt-BR", "ltr"),
        ("zh-Hans", "ltr"),
        ("fil", "ltr"),
        ("am", "ltr"),
    ],
)
def test_the_direction_is_known_of_languages_that_others_may_write_it_in(language, direction):
    """Filipino and Amharic are languages of the platform that Django does not know."""
    publish(2, language)
    assert disclosures.current(language).direction == direction


def test_the_operators_names_are_filled_in(settings):
    settings.COACHING_PARTNER_NAME = "Bright & <Co> ${site_name}"
    settings.COACHING_MINIMUM_AGE = 16
    shown = disclosures.current("en")
    assert "works with Bright & <Co> ${site_name} to offer" in shown.text, "filled in once, as it is"
    assert "at least 16 years old" in shown.text
    assert shown.values["partner_name"] == "Bright & <Co> ${site_name}"


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("/privacy", "http://127.0.0.1:8000/privacy"),
        ("/tos/privacy?x=1#data", "http://127.0.0.1:8000/tos/privacy?x=1#data"),
        ("https://www.example.com/privacy", "https://www.example.com/privacy"),
        ("//www.example.com/privacy", "http://www.example.com/privacy"),
    ],
)
def test_the_privacy_link_is_a_full_address(settings, setting, shown):
    settings.COACHING_PRIVACY_URL = setting
    assert disclosures.current("en").text.rstrip().endswith(f"How your data is handled: {shown}")


@pytest.fixture
def named_site():
    """A site that gives itself a name of its own."""
    site = Site.objects.get(pk=django_settings.SITE_ID)
    SiteConfiguration.objects.update_or_create(
        site=site, defaults={"enabled": True, "site_values": {"platform_name": "Open <Campus>"}}
    )
    yield site
    cache.clear()


def test_the_sites_own_name_is_shown(named_site):
    request = RequestFactory().get("/")
    request.site = named_site
    set_current_request(request)
    try:
        RequestCache.clear_all_namespaces()
        assert disclosures.current("en").text.startswith("Open <Campus> works with InsideTrack")
    finally:
        set_current_request(None)
    RequestCache.clear_all_namespaces()
    assert disclosures.current("en").text.startswith("Sandbox Academy works with")


def test_the_sites_own_name_stands_on_the_page(named_site, browser):
    page = BeautifulSoup(browser.get("/coaching/consent/").content, "html.parser")
    words = page.select_one(".coaching-disclosure")
    assert words.get_text().strip().startswith("Open <Campus> works with InsideTrack")
    digest = page.find("input", {"name": "disclosure"})["value"]
    RequestCache.clear_all_namespaces()
    assert disclosures.named(digest) is None, "outside the site the words are others"
