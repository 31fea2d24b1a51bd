"""Does a page that was built load anything from another host? Who reads how to run a site is nobody else's business."""

import re
from html.parser import HTMLParser
from pathlib import Path

from sphinx.errors import SphinxError

ELSEWHERE = re.compile(r"\s*(?:[a-z]+:)?//", re.IGNORECASE)
# In a style sheet; what a namespace is named by is loaded by nobody.
IN_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?((?:[a-z]+:)?//[^\"')\s]+)", re.IGNORECASE)
# What a browser fetches by itself; an ``a`` waits for a click.
FETCHED = {"src", "poster", "data", "action"}
FETCHED_BY_LINK = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}


class LoadsFromAnotherHost(SphinxError):
    """Raised where a page does."""

    category = "Another host"


class _Fetches(HTMLParser):
    """Collects what a page has a browser fetch from another host."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        addresses = [attributes[name] for name in FETCHED & attributes.keys()]
        addresses += attributes.get("srcset", "").split(",")
        if tag == "link" and FETCHED_BY_LINK & set(attributes.get("rel", "").split()):
            addresses.append(attributes.get("href", ""))
        self.found += [address for address in addresses if ELSEWHERE.match(address)]
        self.found += IN_CSS.findall(attributes.get("style", ""))

    def handle_data(self, data):
        if self.lasttag == "style":
            self.found += IN_CSS.findall(data)


def fetched_from_elsewhere(folder: Path) -> list[str]:
    """Return, of each page and style sheet of a folder, what it has a browser fetch from another host."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            page = _Fetches()
            page.feed(path.read_text(encoding="utf-8"))
            addresses = page.found
        elif path.suffix == ".css":
            addresses = IN_CSS.findall(path.read_text(encoding="utf-8"))
        else:
            continue
        found += [f"{path.relative_to(folder)}: {address}" for address in addresses]
    return found


def check(app, exception) -> None:
    """Look through what was built. Raises ``LoadsFromAnotherHost``."""
    if exception is None and app.builder.format == "html" and (found := fetched_from_elsewhere(Path(app.outdir))):
        raise LoadsFromAnotherHost("\n".join(found))


def setup(app):
    """Look at the end of each build."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
