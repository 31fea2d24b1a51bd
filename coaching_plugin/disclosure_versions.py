"""How new words come about: the drafts of a version, what is wrong with them, and that they are published together."""

import re
import unicodedata
from dataclasses import dataclass
from string import Template

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from coaching_plugin import disclosures
from coaching_plugin.models import AppendOnlyError, Disclosure

# What ``disclosures.as_shown`` fills in.
PLACEHOLDERS = ("site_name", "partner_name", "minimum_age", "privacy_url")
# Words without these do not tell who asks, who coaches, or what becomes of the data.
REQUIRED = ("site_name", "partner_name", "privacy_url")
MAX_LENGTH = 20_000


class VersionRefused(Exception):
    """Raised where a version cannot be started or published; ``problems`` are for the operator's eyes."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} problems")


@dataclass(frozen=True)
class Reader:
    """A language of the site, and the disclosure that who reads it is shown."""

    code: str
    name: str
    disclosure: Disclosure

    @property
    def has_own_words(self) -> bool:
        """Whether the disclosure is in the reader's language, of whatever country."""
        return _base(self.code) == _base(self.disclosure.language)


@dataclass(frozen=True)
class Version:
    """A version of the disclosure in all its languages, whether they are published or drafts."""

    number: int
    disclosures: tuple[Disclosure, ...]
    # The newest version that is published; 0 where none is.
    newest: int

    @property
    def drafts(self) -> list[Disclosure]:
        """What is to be published."""
        return [disclosure for disclosure in self.disclosures if disclosure.published_at is None]

    @property
    def is_current(self) -> bool:
        """Whether learners are shown it now, its drafts excepted."""
        return self.number == self.newest

    @property
    def is_superseded(self) -> bool:
        """Whether a newer one is published, so that nobody is shown it."""
        return self.number < self.newest

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all drafts: the name by which an operator says what is to be published."""
        return Disclosure.digest("\n".join(f"{draft.language} {draft.sha256}" for draft in self.drafts))

    @cached_property
    def readers(self) -> list[Reader]:
        """Each language of the site, with what is shown to its readers once all drafts are published."""
        found = ((code, name, disclosures.serving(code, self.disclosures)) for code, name in settings.LANGUAGES)
        return [Reader(*reader) for reader in found]

    @cached_property
    def problems(self) -> list[str]:
        """What keeps it from being published, in the active language."""
        if not self.drafts:
            return [_("There is nothing to publish: this version has no drafts.")]
        if self.is_superseded:
            return [_("Version %(newest)s is published, and nobody is shown an older one.") % {"newest": self.newest}]
        found = []
        if disclosures.FALLBACK_LANGUAGE not in {disclosure.language.lower() for disclosure in self.disclosures}:
            found.append(_("There are no English words (en), which are shown where a language is missing."))
        for draft in self.drafts:
            found += [f"{draft.language}: {problem}" for problem in problems_of(draft.body)]
        return found

    @cached_property
    def warnings(self) -> list[str]:
        """What an operator should know before it is published, in the active language."""
        found = [
            _("%(language)s is not among the languages of this site.") % {"language": draft.language}
            for draft in self.drafts
            if draft.language.lower() not in {code.lower() for code, _name in settings.LANGUAGES}
        ]
        return found + [
            _("%(language)s: the words do not say ${minimum_age}.") % {"language": draft.language}
            for draft in self.drafts
            if "minimum_age" not in _placeholders(draft.body)
        ]


def version(number: int) -> Version:
    """Return a version, its languages in order. Raises ``Disclosure.DoesNotExist`` where there is none."""
    return _of(list(Disclosure.objects.all()), number)


def newest() -> int:
    """Return the newest version that is published; 0 where none is."""
    return _newest(list(Disclosure.objects.only("version", "published_at")))


def unpublished(since: int) -> list[int]:
    """Return the versions that have drafts, from the version ``since`` on."""
    drafts = Disclosure.objects.filter(published_at__isnull=True, version__gte=since)
    return sorted(set(drafts.values_list("version", flat=True)))


def start_next() -> Version:
    """
    Copy the newest published version, in all its languages, as drafts of the next.

    Raises ``VersionRefused`` where nothing is published, or the next version has drafts already.
    """
    with transaction.atomic():
        rows = _locked()
        last = _newest(rows)
        if not last:
            raise VersionRefused(_("Nothing is published yet."))
        if any(row.version == last + 1 for row in rows):
            raise VersionRefused(_("There are drafts of version %(version)s already.") % {"version": last + 1})
        for row in rows:
            if row.version == last and row.published_at:
                Disclosure.objects.create(version=last + 1, language=row.language, body=row.body)
        return version(last + 1)


def publish(number: int, digest: str) -> list[Disclosure]:
    """
    Publish all drafts of a version together, and return them.

    Args:
        digest: ``Version.digest`` of what the operator has seen.

    Raises ``VersionRefused`` with all that is wrong, or where the drafts have changed since, and
    ``Disclosure.DoesNotExist`` where there is no such version.
    """
    with transaction.atomic():
        candidate = _of(_locked(), number)
        if candidate.problems:
            raise VersionRefused(*candidate.problems)
        if candidate.digest != digest:
            raise VersionRefused(_("The drafts have changed since this page was opened. Read them once more."))
        drafts, now = candidate.drafts, timezone.now()
        for draft in drafts:
            draft.published_at = now
            draft.save()
        return drafts


def store_draft(draft: Disclosure) -> None:
    """Store a draft. Raises ``AppendOnlyError`` where it was published meanwhile."""
    with transaction.atomic():
        _refuse_published(Disclosure.objects.filter(pk=draft.pk))
        draft.save()


def delete_drafts(drafts: QuerySet[Disclosure]) -> None:
    """Delete drafts. Raises ``AppendOnlyError`` where one of them is published; none is deleted then."""
    with transaction.atomic():
        _refuse_published(drafts)
        drafts.delete()


def language_of(text: str) -> str:
    """Return a language code that was typed, spelled as the site spells it. Raises ``ValueError`` for what is none."""
    code = text.strip()
    known = {known.lower(): known for known, _name in settings.LANGUAGES}
    if code.lower() in known:
        return known[code.lower()]
    if not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", code, re.IGNORECASE | re.ASCII):
        raise ValueError(_("This is no language code, such as en, es-419 or ar."))
    return code


def problems_of(body: str) -> list[str]:
    """Return, in the active language, what keeps words from being shown to learners."""
    if not body.strip():
        return [_("There are no words.")]
    problems = []
    names = ", ".join(f"${{{name}}}" for name in PLACEHOLDERS)
    for number, line in enumerate(body.split("\n"), 1):
        for code in dict.fromkeys(f"U+{ord(character):04X}" for character in line if _is_control(character)):
            problems.append(_("Line %(line)s: the control character %(code)s.") % {"line": number, "code": code})
        for match in Template.pattern.finditer(line):
            if match["invalid"] is not None:
                text = _("Line %(line)s: a dollar sign is written $$, or begins one of %(names)s.")
                problems.append(text % {"line": number, "names": names})
        for name in sorted(_placeholders(line).difference(PLACEHOLDERS)):
            text = _("Line %(line)s: %(name)s cannot be filled in, but only %(names)s.")
            problems.append(text % {"line": number, "name": f"${{{name}}}", "names": names})
    missing = [name for name in REQUIRED if name not in _placeholders(body)]
    return problems + [_("%(name)s is missing.") % {"name": f"${{{name}}}"} for name in missing]


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def _placeholders(text: str) -> set[str]:
    matches = Template.pattern.finditer(text)
    return {name for match in matches if (name := match["named"] or match["braced"])}


def _base(language: str) -> str:
    return language.lower().partition("-")[0]


def _locked() -> list[Disclosure]:
    """Return all disclosures, locked, as they are now: at REPEATABLE READ, others read what was there before."""
    return list(Disclosure.objects.order_by("pk").select_for_update())


def _newest(rows: list[Disclosure]) -> int:
    return max((row.version for row in rows if row.published_at), default=0)


def _of(rows: list[Disclosure], number: int) -> Version:
    found = sorted((row for row in rows if row.version == number), key=lambda row: row.language)
    if not found:
        raise Disclosure.DoesNotExist(f"There is no version {number}.")
    return Version(number, tuple(found), _newest(rows))


def _refuse_published(rows: QuerySet[Disclosure]) -> None:
    """Lock rows, so that nobody publishes them meanwhile. Raises ``AppendOnlyError`` where one is published already."""
    if any(row.published_at for row in rows.select_for_update()):
        raise AppendOnlyError("A published disclosure is neither edited nor deleted; write a new version.")
