"""The threat model does not rot: each of its lines names tests, and the tests are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "threat-model.rst").read_text(encoding="utf-8")
LINES = re.split(r"\n   \* - ", TEXT.split("\nNot ours\n")[0])[2:]
NAMED = re.findall(r"``(tests/[a-z_/]+\.py)::(\w+)``", TEXT)


def names_in(path):
    """Return the names of the tests of a file; one that is skipped holds nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {test.name for test in functions if "skip" not in "".join(map(ast.unparse, test.decorator_list))}


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_each_line_names_a_test(line):
    assert line.count("\n     - ") == 2, "threat, what holds it, tests"
    assert "``tests/" in line.rsplit("\n     - ", 1)[1]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_each_test_that_is_named_is_there(path, name):
    assert name in names_in(ROOT / path)


def test_the_document_was_read():
    """So that the tests above can fail."""
    assert len(LINES) >= 10
    assert len(NAMED) == TEXT.count(".py::") >= len(LINES)
