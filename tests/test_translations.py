"""The catalogues of the plugin and of the sandbox: complete, compiled, used, and what the sources say today."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.utils import timezone, translation

from tests.factories import CANADIAN, TYPED
from tests.pseudo_translation import mark_translations, unmarked

ROOT = Path(__file__).parent.parent
LANGUAGES = ["ar", "es_419"]
CATALOGUES = list(itertools.product(["coaching_plugin", "sandbox"], LANGUAGES))

each_catalogue = pytest.mark.parametrize(("folder", "language"), CATALOGUES)


def catalogue(folder, language, suffix="po", root=ROOT):
    path = root / folder / "conf" / "locale" / language / "LC_MESSAGES" / f"django.{suffix}"
    return polib.pofile(str(path)) if suffix == "po" else polib.mofile(str(path))


def texts(entry):
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


def translations(entries):
    return {(entry.msgctxt, entry.msgid, entry.msgid_plural): texts(entry) for entry in entries}


def placeholders(text):
    return {part.split(")")[0] for part in text.split("%(")[1:]} | {part.split("}")[0] for part in text.split("{")[1:]}


def test_spanish_and_arabic_are_there():
    for folder in ("coaching_plugin", "sandbox"):
        assert sorted(path.name for path in (ROOT / folder / "conf" / "locale").iterdir()) == LANGUAGES


@each_catalogue
def test_every_text_is_translated_with_its_placeholders(folder, language):
    entries = catalogue(folder, language)
    assert entries
    for entry in entries:
        assert not entry.fuzzy, entry.msgid
        assert not entry.obsolete, entry.msgid
        for text in texts(entry):
            assert text.strip(), entry.msgid
            assert placeholders(text) == placeholders(entry.msgid), entry.msgid
            assert text.endswith(".") == entry.msgid.endswith("."), entry.msgid


@each_catalogue
def test_what_is_compiled_is_what_is_written(folder, language):
    assert translations(catalogue(folder, language, "mo")) == translations(catalogue(folder, language))


@pytest.mark.once
@pytest.mark.parametrize("folder", ["coaching_plugin", "sandbox"])
def test_what_is_written_is_what_the_sources_say(folder, tmp_path):
    """As ``make messages`` would find: nothing new, nothing changed, nothing left over."""
    if shutil.which("xgettext") is None:
        say = pytest.fail if os.environ.get("REQUIRE_GETTEXT") == "1" else pytest.skip
        say(
            "The catalogues were not compared with the sources: there is no GNU gettext here (apt-get install gettext)."
        )
    leave_out = shutil.ignore_patterns("__pycache__", "*.mo")
    shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=leave_out)
    languages = [f"--locale={language}" for language in LANGUAGES]
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", *languages, "--no-obsolete", "--no-location"],
        cwd=tmp_path / folder,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        check=True,
        capture_output=True,
    )
    for language in LANGUAGES:
        extracted = catalogue(folder, language, root=tmp_path)
        assert translations(extracted) == translations(catalogue(folder, language))


@pytest.mark.parametrize(
    ("language", "expected"), [("es-419", "¿Te gustaría tener un coach?"), ("ar", "هل يهمّك الحصول على مرشد؟")]
)
def test_django_finds_them(language, expected):
    with translation.override(language):
        assert translation.gettext("Would you like a coach?") == expected


# Plurals


COUNTRY, COUNTRIES = "It must be able to receive text messages. Country: %(names)s.", "Countries"


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11, 99, 100, 102])
@pytest.mark.parametrize(
    ("language", "one", "many"),
    [("en", "Country:", "Countries:"), ("es-419", "País:", "Países:"), ("ar", "البلد:", "البلدان:")],
)
def test_one_country_or_more(language, one, many, count):
    """In Arabic the word for two and for many is written the same; without a number before it there is no third."""
    with translation.override(language):
        hint = translation.ngettext(COUNTRY, COUNTRY.replace("Country", COUNTRIES), count)
    assert (one if count == 1 else many) in hint.split()


# What the API says


REFUSED = {
    "nothing": {},
    "no boolean": {"coaching_consent": "yes"},
    "no number": {"phone_number": ""},
    "no digits": {"phone_number": "call me"},
    "no such number": {"phone_number": "(415) 155-2671"},
    "an extension": {"phone_number": f"{TYPED} ext. 12"},
    "another country": {"phone_number": CANADIAN},
    "toll-free": {"phone_number": "(800) 253-0000"},
    "too long": {"phone_number": "4" * 100},
    "no name": {"full_name": " "},
    "a malformed name": {"full_name": "Lena <3"},
    "other words": {"disclosure": "x"},
}
BARRED = {
    "not eligible": lambda learner: learner.courseenrollment_set.update(is_active=False),
    "a child": lambda learner: type(learner.profile).objects.update(year_of_birth=timezone.now().year - 5),
    "not activated": lambda learner: type(learner).objects.update(is_active=False),
}


def expect_translated_refusal(browser, learner, payload):
    response = browser.patch(
        f"/api/coaching/v1/coaching_consent/{learner.id}/", payload, content_type="application/json"
    )
    assert response.status_code >= 400
    refusals = response.json()
    texts = [text for messages in refusals.values() for text in ([messages] if isinstance(messages, str) else messages)]
    assert texts
    assert unmarked(texts) == []


@pytest.mark.parametrize("payload", REFUSED.values(), ids=list(REFUSED))
def test_every_refusal_of_the_api_is_translated(browser, learner, payload, monkeypatch):
    mark_translations(monkeypatch)
    answer = {"coaching_consent": True, "phone_number": TYPED, **payload} if payload else {}
    expect_translated_refusal(browser, learner, answer)


@pytest.mark.parametrize("bar", BARRED.values(), ids=list(BARRED))
def test_every_bar_is_translated(browser, learner, bar, monkeypatch):
    bar(learner)
    mark_translations(monkeypatch)
    expect_translated_refusal(browser, learner, {"coaching_consent": True, "phone_number": TYPED})


@pytest.mark.parametrize("breaks", ["flag off", "failure", "somebody else", "throttled"])
def test_whatever_else_the_api_says_is_translated(browser, learner, breaks, set_flag, settings, monkeypatch):
    mark_translations(monkeypatch)
    if breaks == "flag off":
        set_flag("coaching.enabled", False)
    elif breaks == "failure":
        monkeypatch.setattr("coaching_plugin.consent.give", None)
    elif breaks == "throttled":
        settings.COACHING_API_THROTTLE = "0/minute"
    else:
        learner.id += 1
    expect_translated_refusal(browser, learner, {"coaching_consent": True, "phone_number": TYPED})
