"""The catalogues that the plugin ships: complete, compiled, and used."""

from pathlib import Path

import polib
import pytest
from django.utils import translation

import coaching_plugin

LOCALE = Path(coaching_plugin.__file__).parent / "conf" / "locale"
LANGUAGES = sorted(path.name for path in LOCALE.iterdir())


def catalogue(language, suffix):
    path = LOCALE / language / "LC_MESSAGES" / f"django.{suffix}"
    return polib.pofile(str(path)) if suffix == "po" else polib.mofile(str(path))


def texts(entry):
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


def placeholders(text):
    return {part.split(")")[0] for part in text.split("%(")[1:]}


def test_spanish_and_arabic_are_there():
    assert LANGUAGES == ["ar", "es_419"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_its_placeholders(language):
    for entry in catalogue(language, "po"):
        assert not entry.fuzzy, entry.msgid
        for text in texts(entry):
            assert text.strip(), entry.msgid
            assert placeholders(text) == placeholders(entry.msgid), entry.msgid


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language):
    written = {entry.msgid: texts(entry) for entry in catalogue(language, "po")}
    assert {entry.msgid: texts(entry) for entry in catalogue(language, "mo")} == written


def test_the_languages_translate_the_same_texts():
    arabic, spanish = ({entry.msgid for entry in catalogue(language, "po")} for language in LANGUAGES)
    assert arabic == spanish


@pytest.mark.parametrize(
    ("language", "expected"), [("es-419", "¿Te gustaría tener un coach?"), ("ar", "هل ترغب في مرشد؟")]
)
def test_django_finds_them(language, expected):
    with translation.override(language):
        assert translation.gettext("Would you like a coach?") == expected
