"""How the documentation is built: ``make docs``, which takes any warning for a failure."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "platform-plugin-coaching"
author = "The contributors of platform-plugin-coaching"
copyright = "2026, its contributors; AGPL-3.0"
release = re.search(r'version="([^"]+)"', (ROOT / "setup.py").read_text(encoding="utf-8"))[1]
language = "en"
# Quotation marks are those of commands and of code more often than not.
smartquotes = False

# Pages are reStructuredText, or Markdown (myst_parser), whose headings down to the second level can be linked to.
extensions = ["annotations", "myst_parser", "own_host"]
myst_heading_anchors = 2
exclude_patterns = ["_build", "requirements.txt"]
# Nothing is asked of another site while this is built: no intersphinx.

# Where ``annotations`` looks for what is documented in comments.
featuretoggles_source_path = settings_source_path = str(ROOT / "coaching_plugin")

html_theme = "sphinx_book_theme"
html_title = f"Coaching for Open edX {release}"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],
    "show_navbar_depth": 1,
    "show_toc_level": 2,
}
