"""The documentation builds without a warning, says the defaults that are so, and loads nothing from another host."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from coaching_plugin import conf
from tests.test_docs import flags

# The same on every platform and database.
pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
NEEDED = ("code_annotations", "myst_parser", "sphinx_book_theme")
if not all(map(importlib.util.find_spec, NEEDED)) and os.environ.get("REQUIRE_DOCS") != "1":
    pytest.skip("The documentation was not built: Sphinx is not here (make docs).", allow_module_level=True)


def build(source, target):
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    return subprocess.run(
        [*command, "-d", str(target / "doctrees"), str(source), str(target / "html")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the folder of the pages."""
    target = tmp_path_factory.mktemp("docs")
    done = build(ROOT / "docs", target)
    assert (done.returncode, done.stderr) == (0, "")
    return target / "html"


@pytest.fixture
def small(tmp_path):
    """Return a function that builds a page with the configuration of ours, and nothing else of ours."""
    source = tmp_path / "docs"
    source.mkdir()
    for name in ("conf.py", "_extensions", "_static"):
        copy = shutil.copytree if (ROOT / "docs" / name).is_dir() else shutil.copy
        copy(ROOT / "docs" / name, source / name)
    # Where conf.py looks for the version and for the annotations.
    (tmp_path / "setup.py").write_text((ROOT / "setup.py").read_text())

    def of(text, markdown=None):
        if markdown:
            (source / "another.md").write_text(f"# Another page\n\n{markdown}\n")
            text += "\n\n.. toctree::\n\n   another"
        (source / "index.rst").write_text(f"Page\n====\n\n{text}\n")
        return build(source, tmp_path)

    return of


def sections(built, prefix):
    """Return the sections of the page of flags and settings, by their titles."""
    page = BeautifulSoup((built / "settings.html").read_text(encoding="utf-8"), "html.parser")
    found = page.find_all("section", id=lambda value: value and value.startswith(prefix))
    return {section.find(["h2", "h3"]).find(string=True): section for section in found}


def test_the_page_has_each_setting_with_its_default(built):
    said = {name: section.find("code").text for name, section in sections(built, "setting-").items()}
    assert {name: ast.literal_eval(default) for name, default in said.items()} == conf.DEFAULTS


def test_the_page_has_each_flag_with_its_default(built):
    said = {name: section.find("code").text for name, section in sections(built, "featuretoggle-").items()}
    assert said == dict.fromkeys(flags(), "False")


def test_a_source_is_named_and_linked_at_no_host(built):
    for section in [*sections(built, "setting-").values(), *sections(built, "featuretoggle-").values()]:
        assert [link["href"] for link in section.find_all("a") if not link["href"].startswith("#")] == []


def test_every_page_that_is_written_is_built(built):
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*") if path.suffix in (".rst", ".md")]
    written = {page.with_suffix("") for page in pages if page.parts[0] != "_build"}
    assert Path("performance") in written
    assert all((built / f"{name}.html").is_file() for name in written)


def test_what_is_loaded_from_another_host_fails_the_build(small):
    fetched = [
        '<script src="https://script.example.com/x.js"></script>',
        '<img alt="" src="//image.example.com/x.png">',
        '<img alt="" srcset="x.png 1x, https://larger-image.example.com/x.png 2x">',
        '<link rel="stylesheet" href="http://style.example.com/x.css">',
        "<style>body { background: url(https://background.example.com/x.png) }</style>",
        "<p style=\"background: url('https://attribute.example.com/x.png')\">",
        '<iframe src="HTTPS://frame.example.com/1"></iframe>',
    ]
    done = small("\n\n".join(f".. raw:: html\n\n   {html}" for html in fetched))
    assert done.returncode != 0
    for html in fetched:
        (host,) = re.findall(r"//([a-z-]+\.example\.com)", html)
        assert host in done.stderr


def test_so_does_what_a_page_in_markdown_loads(small):
    done = small("", markdown="![None](https://image.example.com/x.png)")
    assert done.returncode != 0
    assert "image.example.com" in done.stderr


def test_a_link_to_another_host_is_none(small):
    done = small("`Elsewhere <https://www.example.com/>`_")
    assert (done.returncode, done.stderr) == (0, "")


def test_every_warning_is_shown_and_fails_the_build(small):
    done = small(":ref:`nowhere`\n\n:doc:`nobody`\n\n*open\n\n.. image:: none.png\n   :alt: None\n\n:py:func:`nothing`")
    assert done.returncode != 0
    for what in ("nowhere", "nobody", "Inline emphasis", "none.png", "nothing"):
        assert what in done.stderr


def test_also_those_of_a_page_in_markdown(small):
    done = small("", markdown="[There](nowhere.md), {doc}`nobody`, ![None](none.png)\n\n#### A level left out")
    assert done.returncode != 0
    for what in ("nowhere.md", "nobody", "none.png", "H1 to H4"):
        assert what in done.stderr
