"""A pseudo-translation: it marks whatever comes out of a catalogue, so that a text that did not stands out."""

from django.utils.translation.trans_real import DjangoTranslation

OPEN, CLOSE = "⟦", "⟧"


def mark_translations(monkeypatch):
    """Have every catalogue, Django's and the libraries' included, put marks around what it returns."""

    def mark(method):
        return lambda *args: f"{OPEN}{method(*args)}{CLOSE}"

    for name in ("gettext", "ngettext"):
        monkeypatch.setattr(DjangoTranslation, name, mark(getattr(DjangoTranslation, name)))


def unmarked(texts):
    """Return what of these texts, which follow each other on a page, stands outside of all marks."""
    depth, outside = 0, []
    for text in texts:
        piece = ""
        for character in text:
            depth += character == OPEN
            piece += "" if depth else character
            depth -= character == CLOSE
        outside.append(piece.strip())
    assert depth == 0
    return [piece for piece in outside if piece]
