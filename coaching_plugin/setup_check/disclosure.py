"""In which languages is the current disclosure published?"""

from collections.abc import Iterator

from django.conf import settings

from coaching_plugin import disclosures
from coaching_plugin.models import Disclosure
from coaching_plugin.setup_check.finding import Finding, Level

SHOWN = 8


def check_disclosure() -> Iterator[Finding]:
    """Tell which languages of the site have the disclosure."""
    rows = Disclosure.objects.filter(published_at__isnull=False)
    published: dict[int, list[str]] = {}
    for version, language in rows.order_by("language").values_list("version", "language"):
        published.setdefault(version, []).append(language)
    if not published:
        yield Finding(
            Level.ERROR, "No disclosure is published, so that nobody can be asked.", "Publish one in the admin."
        )
        return
    version = max(published)
    languages = published[version]
    yield Finding(Level.OK, f"Version {version} of the disclosure is published in {', '.join(languages)}.")
    without = [code for code, _name in settings.LANGUAGES if not _serves(languages, code)]
    if without:
        shown = disclosures.current(settings.LANGUAGE_CODE).language
        yield Finding(
            Level.WARNING if settings.LANGUAGE_CODE in without else Level.NOTE,
            f"{len(without)} of the site's {len(settings.LANGUAGES)} languages are without it, and show it in {shown}: "
            f"{', '.join(without[:SHOWN])}{' ...' if len(without) > SHOWN else ''}.",
        )


def _serves(languages: list[str], code: str) -> bool:
    """Return whether a reader of a language finds the disclosure in it, be it as it is written elsewhere."""
    return code.lower().partition("-")[0] in {language.lower().partition("-")[0] for language in languages}
