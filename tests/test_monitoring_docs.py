"""docs/monitoring.rst names every log line of the package and every attribute with its values, and no others."""

import ast
import re
from pathlib import Path

import pytest

from coaching_plugin.decisions import Decision
from coaching_plugin.monitoring import MonitoredDoor, Result

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "coaching_plugin"
GUIDE = (ROOT / "docs" / "monitoring.rst").read_text(encoding="utf-8")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def calls_in(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def logger_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def logged(path):
    """Yield the level and the message of each call that logs, as far as it is a literal."""
    for call in calls_in(path):
        name = ast.unparse(call.func)
        if name == "log_fault":
            yield "ERROR", call.args[2]
        elif name.startswith(("log.", "logger.", "logging.")) and name.split(".")[1] in LEVELS:
            yield name.split(".")[1].upper(), call.args[0]


def lines_in_source():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        # What writes for all others has no line of its own.
        if path.name != "faults.py":
            for level, message in logged(path):
                assert isinstance(message, ast.Constant), f"{path}: {ast.unparse(message)} has no words of its own"
                found.append((level, logger_of(path), re.sub(r"%[sdr]", "<>", message.value)))
    return found


def lines_in_guide():
    entries = re.findall(r"^``(.+)``\n   ([A-Z]+), ``([\w.]+)``\.", GUIDE, re.MULTILINE)
    return [(level, logger, re.sub(r"<[a-z]+>", "<>", text)) for text, level, logger in entries]


def test_every_log_line_is_in_the_guide_and_the_other_way_round():
    in_source, in_guide = lines_in_source(), lines_in_guide()
    assert len(in_source) > 25
    assert sorted(in_source) == sorted(in_guide)


def test_every_logger_is_named_after_its_module():
    """So that an operator may turn one up, and alert on it."""
    for path in PACKAGE.rglob("*.py"):
        loggers = [call for call in calls_in(path) if ast.unparse(call.func).endswith("getLogger")]
        assert [ast.unparse(call) for call in loggers] in ([], ["logging.getLogger(__name__)"])


@pytest.mark.parametrize("line", lines_in_source(), ids=lambda line: re.sub(r"\W+", "-", line[2]).strip("-"))
def test_a_log_line_is_words_enough_to_be_found(line):
    assert len(re.sub(r"<>|\W", "", line[2])) >= 12


def first_column(heading):
    """Return the codes in the first column of the tables whose first column has a heading."""
    tables = GUIDE.split(".. list-table::")[1:]
    chosen = [table for table in tables if re.search(r"\* - (.+)\n", table)[1] == heading]
    rows = [row for table in chosen for row in re.findall(r"^   \* - (.+)$", table, re.MULTILINE)[1:]]
    return [code for row in rows for code in re.findall(r"``([\w.]+)``", row)]


def test_every_attribute_is_in_the_guide_and_annotated():
    source = (PACKAGE / "monitoring.py").read_text(encoding="utf-8")
    set_there = [call.args[0].value for call in calls_in(PACKAGE / "monitoring.py") if ast.unparse(call.func) == "_set"]
    annotated = re.findall(r"# \.\. custom_attribute_name: (.+)\n +# \.\. custom_attribute_description: \S", source)
    assert len(set(set_there)) == len(set_there) >= 7
    assert sorted(first_column("Attribute")) == sorted(set_there) == sorted(annotated)
    others = [path for path in PACKAGE.rglob("*.py") if "custom_attribute" in path.read_text(encoding="utf-8")]
    assert others == [PACKAGE / "monitoring.py"]


def test_every_door_is_in_the_guide_and_in_the_annotation():
    assert first_column("``coaching.door``") == [door.value for door in MonitoredDoor]
    source = (PACKAGE / "monitoring.py").read_text(encoding="utf-8")
    annotation = source.partition("custom_attribute_name: coaching.door")[2].partition("_set(")[0]
    assert all(door.value in annotation for door in MonitoredDoor)


def test_every_verdict_is_in_the_guide_once():
    values = first_column("``coaching.verdict``")
    assert len(values) == len(set(values))
    assert set(values) == {code.value for code in (*Decision, *Result)}
