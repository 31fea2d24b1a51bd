"""The catalogues of the plugin and of the sandbox: complete, compiled, used, and what the sources say today."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.utils import translation

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
