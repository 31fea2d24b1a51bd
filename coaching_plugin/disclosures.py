"""Which words a learner agrees to: the current disclosure in the learner's language, as it is shown."""

from collections.abc import Collection
from dataclasses import dataclass
from string import Template

from django.conf import settings
from django.utils import translation

from coaching_plugin import conf, lms
from coaching_plugin.models import Disclosure

# The language in which every version of the disclosure exists: the data migration ships it.
FALLBACK_LANGUAGE = "en"


@dataclass(frozen=True)
class ShownDisclosure:
    """A disclosure as a learner reads it: the published words with the site's names filled in."""

    disclosure: Disclosure
    values: dict[str, str]

    @property
    def text(self) -> str:
        """The exact words, as plain text in paragraphs."""
        return Template(self.disclosure.body).safe_substitute(self.values)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the exact words: the name by which a client says what it showed."""
        return Disclosure.digest(self.text)

    @property
    def language(self) -> str:
        """The language code of the words."""
        return self.disclosure.language

    @property
    def direction(self) -> str:
        """The direction in which the words are written: ``ltr`` or ``rtl``."""
        # Not ``get_language_info``, which knows only the languages that Django itself is translated into.
        return "rtl" if self.language.lower().partition("-")[0] in settings.LANGUAGES_BIDI else "ltr"


def current(language: str | None = None) -> ShownDisclosure:
    """
    Return the newest published disclosure in ``language`` (the active one by default).

    Where that version lacks the language, its nearest is shown: the same language elsewhere, the site's own, English.
    Raises ``Disclosure.DoesNotExist`` where nothing is published.
    """
    published = _newest_version()
    if not published:
        raise Disclosure.DoesNotExist("No disclosure is published.")
    return as_shown(serving(language or translation.get_language() or settings.LANGUAGE_CODE, published))


def serving(language: str, version: Collection[Disclosure]) -> Disclosure:
    """Return which of the disclosures of a version a reader of ``language`` is shown: the nearest."""
    available = {disclosure.language.lower(): disclosure for disclosure in version}
    for candidate in (*_nearest(language, available), *_nearest(settings.LANGUAGE_CODE, available), FALLBACK_LANGUAGE):
        if candidate in available:
            return available[candidate]
    return next(iter(available.values()))


def as_shown(disclosure: Disclosure) -> ShownDisclosure:
    """Return a disclosure, a draft too, as a learner would read it now: with today's names."""
    return ShownDisclosure(
        disclosure,
        {
            "site_name": lms.site_name(),
            "partner_name": conf.partner_name(),
            "minimum_age": str(conf.minimum_age()),
            "privacy_url": lms.absolute_url(conf.privacy_url()),
        },
    )


def named(sha256: str) -> ShownDisclosure | None:
    """Return the current disclosure, in whatever language, whose words as shown have this SHA-256; else None."""
    shown = (as_shown(row) for row in _newest_version())
    return next((candidate for candidate in shown if candidate.sha256 == sha256), None)


def _newest_version() -> list[Disclosure]:
    published = Disclosure.objects.filter(published_at__isnull=False)
    newest = published.order_by("-version").values("version")[:1]
    return list(published.filter(version=newest))


def _nearest(wanted: str, available: dict[str, Disclosure]) -> list[str]:
    """Return the languages that serve a reader of ``wanted``, best first: es-MX is served by es-mx, es, es-419."""
    wanted = wanted.lower()
    base = wanted.partition("-")[0]
    return [wanted, base, *sorted(language for language in available if language.partition("-")[0] == base)]
