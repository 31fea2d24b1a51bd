"""Screenshots of every state of our pages, in each language, narrow and wide.

``UPDATE_SCREENSHOTS=1`` writes them to ``docs/images/``. Otherwise a few are taken, and thrown away, to know that it
works; the other tests look at the same states more closely than a picture does.
"""

import io
import os
from pathlib import Path

import pytest

from tests.in_browser.card_states import CARD_STATES
from tests.in_browser.states import LANGUAGES, STATES, WIDTHS

pytestmark = pytest.mark.once

IMAGES = Path(__file__).parents[2] / "docs" / "images"
UPDATES = os.environ.get("UPDATE_SCREENSHOTS") == "1"
# The page has few colors; the rest are the edges of its letters.
COLORS = 16

# A few of each kind of page are enough to know that it works.
TAKEN = (
    [*STATES, *CARD_STATES]
    if UPDATES
    else ["first-visit", "everything-wrong", "settings-saved", next(iter(CARD_STATES))]
)


def few_colors(png):
    """Return the image with a palette of its most frequent colors, which takes a fifth of the bytes."""
    # Imported here, as only those who update the images need it.
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    frequent = sorted(image.getcolors(image.width * image.height), reverse=True)[:COLORS]
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for _, color in frequent for channel in color])
    reduced = io.BytesIO()
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(reduced, "PNG", optimize=True)
    return reduced.getvalue()


@pytest.mark.parametrize("state", TAKEN)
def test_screenshot(visit, state, tmp_path):
    for language in LANGUAGES if UPDATES else LANGUAGES[-1:]:
        with visit(state, language) as visited:
            for width in WIDTHS:
                visited.page.set_viewport_size({"width": width, "height": 720})
                png = visited.page.screenshot(full_page=True)
                folder, image = (IMAGES, few_colors(png)) if UPDATES else (tmp_path, png)
                path = folder / f"{state}-{language}-{width}.png"
                path.write_bytes(image)
                assert path.stat().st_size < 300_000
