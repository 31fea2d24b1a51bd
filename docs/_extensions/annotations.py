"""The directives of code-annotations that list flags and settings, in the words of this project alone."""

import json
import re

from code_annotations.contrib.sphinx.extensions import featuretoggles, settings
from docutils import nodes


class FeatureToggles(featuretoggles.FeatureToggles):
    """``featuretoggles``: a section for each flag and switch."""

    def iter_nodes(self):
        """Yield the sections."""
        yield from map(_in_plain_words, super().iter_nodes())


class Settings(settings.Settings):
    """``settings``: a section for each setting."""

    def iter_nodes(self):
        """Yield the sections."""
        yield from map(_in_plain_words, super().iter_nodes())


def _in_plain_words(section: nodes.section) -> nodes.section:
    """Name the source where it would be linked at a host, and write values as they are written in Python."""
    for reference in list(section.findall(nodes.reference)):
        reference.replace_self(nodes.literal(text=f"coaching_plugin/{reference.astext()}"))
    for literal in list(section.findall(nodes.literal)):
        # A default that is no number is quoted, lists and quoted texts too.
        quoted = literal.astext()
        if quoted.startswith('"') and _is_json(quoted[1:-1]):
            literal.replace_self(nodes.literal(text=quoted[1:-1]))
    for paragraph in list(section.findall(nodes.paragraph)):
        text = paragraph.astext()
        if text.startswith("Use Cases: "):
            section.remove(paragraph)
        elif text.startswith("Desc: "):
            paragraph.replace_self(nodes.paragraph(text=text.removeprefix("Desc: ")))
        elif kind := re.fullmatch(r"Implementation: \['(\w+)'\]", text):
            paragraph.replace_self(nodes.paragraph("", "Implementation: ", nodes.literal(text=kind[1])))
    return section


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def setup(app):
    """Declare the directives, and the configuration of those that they are made of."""
    featuretoggles.setup(app)
    settings.setup(app)
    app.add_directive("featuretoggles", FeatureToggles, override=True)
    app.add_directive("settings", Settings, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
