"""The arrows between modules: one module imports the platform, and the core imports no door."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "coaching_plugin"
MODULES = sorted(PACKAGE.rglob("*.py"))

PLATFORM = {"common", "completion", "lms", "openedx", "xmodule"}
CORE = {
    "access", "answered", "audit", "coached_courses", "cohorts", "conf", "consent", "course_csv", "course_runs",
    "dashboard_card", "decisions", "disclosure_versions", "disclosures", "eligibility", "enrollments", "evidence",
    "faults", "ledger", "lms", "models", "monitoring", "outbox", "phone", "preview", "receipts", "refusals", "reports",
    "retention", "support", "throttling", "toggles",
}  # fmt: skip
DOORS = {
    "account_settings", "admin", "checks", "course_doors", "dashboard", "forms", "management", "middleware",
    "partner", "pipeline", "report_page", "report_tables", "rest_api", "setup_check", "signals", "tasks",
    "templatetags", "urls", "views",
}  # fmt: skip
SAYS_NOTHING = {"base", "common_utils", "helpers", "lib", "misc", "tools", "util", "utils"}


def name_of(path):
    """Return the dotted name of a module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    """Yield the absolute dotted name of everything that a module imports, at its top or within a function."""
    package = path.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "import_string"}:
            yield from (argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant))


def side_of(path):
    """Return the module or package at the top to which a module belongs."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def each(paths):
    """Name the cases by their modules."""
    return [pytest.param(path, id=name_of(path)) for path in paths]


@pytest.mark.parametrize("path", each(path for path in MODULES if path != PACKAGE / "lms.py"))
def test_only_lms_imports_the_platform(path):
    assert [name for name in imports_of(path) if name.split(".")[0] in PLATFORM] == []


def test_lms_imports_the_platform_within_functions():
    """An import at the top of the module would pull the platform's models in before the apps are ready."""
    tree = ast.parse((PACKAGE / "lms.py").read_text(encoding="utf-8"))
    at_the_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name for node in at_the_top]
    assert [name for name in names if name.split(".")[0] in PLATFORM] == []
    assert any(name.split(".")[0] in PLATFORM for name in imports_of(PACKAGE / "lms.py"))


@pytest.mark.parametrize("path", each(path for path in MODULES if side_of(path) in CORE))
def test_the_core_imports_no_door(path):
    own = [name.split(".")[1:] for name in imports_of(path) if name.startswith("coaching_plugin.")]
    assert [name for name in own if name and name[0] in DOORS] == []


def test_every_module_is_core_or_door():
    """A new module has to be put on one side."""
    at_the_top = {path.stem for path in MODULES if path.parent == PACKAGE}
    packages = {path.parent.name for path in MODULES if path.parent.parent == PACKAGE and path.name == "__init__.py"}
    assert at_the_top | packages <= CORE | DOORS | {"__init__", "apps", "migrations", "settings"}
    assert at_the_top | packages >= CORE


# Generated migrations are named by what they do, and an empty __init__.py has nothing to say.
SPEAKING = [path for path in MODULES if path.parent.name != "migrations" and path.read_text(encoding="utf-8").strip()]


@pytest.mark.parametrize("path", each(SPEAKING))
def test_a_module_says_first_what_it_is_for(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first_line = docstring.partition("\n")[0]
    assert first_line[:1].isupper() or first_line.startswith("``")
    assert first_line.endswith((".", "?"))


@pytest.mark.parametrize("path", each(MODULES))
def test_no_module_is_named_for_what_did_not_fit_elsewhere(path):
    assert path.stem not in SAYS_NOTHING
