"""The documentation does not rot: what README and docs/ name is there, what is there is named, and defaults agree."""

import ast
import pkgutil
import re
from pathlib import Path

import pytest
import yaml
from django.apps import apps
from django.contrib import admin
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve
from django.utils.text import capfirst
from edx_toggles.toggles import WaffleFlag, WaffleSwitch

from coaching_plugin import conf, toggles

# The same on every platform and database.
pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent


def read(path):
    """Return the text of a page; what Markdown marks as code, in the marks of reStructuredText."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"``\1``", text) if path.suffix == ".md" else text


PAGES = {
    path.relative_to(ROOT).as_posix(): read(path)
    for path in sorted(ROOT.glob("docs/**/*"))
    if path.suffix in (".rst", ".md") and "_build" not in path.parts
}
TEXTS = PAGES | {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.rst", "tutor/README.rst")}
README, OPERATING, PRIVACY = TEXTS["README.rst"], TEXTS["docs/operating.rst"], TEXTS["docs/privacy.rst"]

# Of the platform, or of what it stands on; that the sandbox has them or not says nothing.
COMMANDS_OF_THE_PLATFORM = {
    "cache_programs", "check", "collectstatic", "create_dot_application", "migrate", "sqlmigrate", "waffle_flag",
    "waffle_switch",
}  # fmt: skip
# Of the account MFE of 2023, of Tutor's images, and what stands for them all.
OTHER_SETTINGS = {"COACHING_ENABLED", "COACHING_PIP_REQUIREMENT", "COACHING_NPM_PACKAGE", "COACHING_"}
# Emphasised, and no part of the admin: the demo's pages and course, the account MFE's menu, a panel of the report.
ELSEWHERE = {"Account", "First ten", "Statistics Fundamentals I", "What the coaching partner sees"}
# What is made, and is in no checkout.
MADE = {"docs/_build/html/index.html", "frontend/dist", "frontend/dist/"}

OURS = apps.get_app_config("coaching_plugin")
MODELS = {model.__name__: model for model in OURS.get_models()}
OUR_COMMANDS = sorted(name for name, app in get_commands().items() if app == "coaching_plugin")


def found(pattern, texts=TEXTS):
    """Return what a pattern finds in texts, each with the name of its text, once."""
    return sorted({(name, match) for name, text in texts.items() for match in re.findall(pattern, text)})


def each(pairs):
    """Name the cases by text and finding."""
    pairs = list(pairs)
    assert pairs, "nothing was found, and so nothing would be tested"
    return [pytest.param(*pair, id=f"{pair[0]}-{pair[1]}") for pair in pairs]


def tables(text):
    """Return the rows of each list table, without its header: lists of cells, each in one line."""
    rows = []
    for table in text.split(".. list-table::\n")[1:]:
        body = re.match(r"(?:   .*\n|\n)+", table + "\n")[0]
        cells = [re.split(r"\n     - ?", row) for row in re.split(r"\n   \* - ?", body)[2:]]
        rows.append([[" ".join(cell.split()) for cell in row] for row in cells])
    return rows


def table_after(heading, text=README):
    """Return the rows of the first table under a heading."""
    return tables(re.split(rf"^{heading}\n[-=~]+\n", text, flags=re.MULTILINE)[1])[0]


def permissions():
    """Return the names of all permissions that there are on our tables."""
    return {
        codename
        for model in MODELS.values()
        for codename in [
            *(f"{action}_{model._meta.model_name}" for action in model._meta.default_permissions),
            *(codename for codename, _ in model._meta.permissions),
        ]
    }


def options_of(command):
    return set(
        load_command_class("coaching_plugin", command).create_parser("manage.py", command)._option_string_actions
    )


# Flags and settings


def flags():
    return {toggle.name for toggle in vars(toggles).values() if isinstance(toggle, WaffleFlag | WaffleSwitch)}


def test_the_readme_has_every_setting_with_its_default():
    rows = table_after("Settings")
    assert {name.strip("`"): ast.literal_eval(default.strip("`")) for name, default, _ in rows} == conf.DEFAULTS


def test_the_readme_has_every_flag():
    assert {re.findall(r"``(\S+)``", name)[0] for name, _ in table_after("Flags")} == flags()


@pytest.mark.parametrize("directive", ["featuretoggles", "settings"])
def test_the_page_of_flags_and_settings_is_made_from_the_annotations(directive):
    assert f"\n.. {directive}::\n" in TEXTS["docs/settings.rst"]


@pytest.mark.parametrize(("text", "name"), each(found(r"\bCOACHING_[A-Z_]*")))
def test_a_setting_that_is_named_is_there(text, name):
    assert name in conf.DEFAULTS or name in OTHER_SETTINGS


def custom_attributes():
    """Return the names of what monitoring is told, as the annotations have them."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "coaching_plugin").rglob("*.py"))
    return set(re.findall(r"custom_attribute_name: (\S+)", code))


@pytest.mark.parametrize(("text", "name"), each(found(r"(?<![\w/.])coaching(?:\.[a-z_]+)+(?![\w/(])")))
def test_a_flag_or_an_attribute_that_is_named_is_there(text, name):
    assert name in flags() | custom_attributes()


def test_all_that_monitoring_is_told_is_told_of():
    assert custom_attributes() <= set(re.findall(r"``([\w.]+)``", PAGES["docs/monitoring.rst"]))


# Commands


@pytest.mark.parametrize(("text", "name"), each(found(r"manage\.py lms ([a-z_]+)")))
def test_a_command_that_is_named_is_there(text, name):
    assert name in OUR_COMMANDS or name in COMMANDS_OF_THE_PLATFORM


@pytest.mark.parametrize(("text", "line"), each(found(r"manage\.py lms (\w+ [^\n`#]*--[^\n`#]+)")))
def test_an_option_that_is_named_is_there(text, line):
    command, _, arguments = line.partition(" ")
    if command in OUR_COMMANDS:
        assert set(re.findall(r"--[a-z-]+", arguments)) <= options_of(command)


@pytest.mark.parametrize("name", OUR_COMMANDS)
def test_every_command_is_in_the_operating_guide(name):
    assert f"manage.py lms {name}" in OPERATING


# Permissions, warnings, the admin


@pytest.mark.parametrize(
    ("text", "name"), each(found(r"(?:coaching_plugin\.|``)((?:add|change|delete|export|view)_\w+)``"))
)
def test_a_permission_that_is_named_is_there(text, name):
    assert name in permissions()


def test_every_permission_of_our_own_is_in_the_operating_guide():
    for codename in (codename for model in MODELS.values() for codename, _ in model._meta.permissions):
        assert f"``{codename}``" in OPERATING


def test_who_may_look_at_each_page_of_the_admin_is_in_the_operating_guide():
    registered = [model for model in MODELS.values() if admin.site.is_registered(model)]
    assert registered
    for model in registered:
        assert f"``view_{model._meta.model_name}``" in OPERATING


@pytest.mark.parametrize("text", ["README.rst", "docs/install.rst"])
def test_every_warning_is_told_of_and_no_other(text):
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "coaching_plugin").rglob("*.py"))
    pattern = r"coaching_plugin\.[WE]\d{3}"
    assert set(re.findall(pattern, TEXTS[text])) == set(re.findall(pattern, code)) != set()


def names_in_the_admin():
    """Return what an operator reads in the admin: names of pages, actions, columns, and what a row may be."""
    names = {OURS.verbose_name, "Django-Waffle"}
    for model in MODELS.values():
        names |= {str(model._meta.verbose_name_plural)}
        for field in model._meta.fields:
            names |= {str(field.verbose_name), *(str(label) for _, label in field.choices or [])}
        model_admin = admin.site._registry.get(model)
        for action in (model_admin.actions or []) if model_admin else []:
            names.add(str(getattr(model_admin, action).short_description))
    return {capfirst(name) for name in names}


def texts_of_the_admin():
    """Return the sources of our pages in the admin, where the texts of their buttons and forms stand."""
    package = ROOT / "coaching_plugin"
    sources = [*(package / "admin").glob("*.py"), *(package / "templates" / "admin").rglob("*.html")]
    return "".join(source.read_text(encoding="utf-8") for source in sources)


@pytest.mark.parametrize(
    ("text", "name"),
    each(
        (name, words)
        for name, words in found(r"(?<!\*)\*([A-Z][\w -]+[a-z])\*(?!\*)")
        if name in ("README.rst", "docs/operating.rst", "docs/settings.rst")
    ),
)
def test_what_is_named_as_it_stands_in_the_admin_stands_there(text, name):
    quoted = (f'"{name}"', f"'{name}'")
    assert name in names_in_the_admin() | ELSEWHERE or any(text in texts_of_the_admin() for text in quoted)


# The code, the files, the addresses


NO_NAME_IN_THE_CODE = re.compile(r"coaching_plugin\.(?:[WE]\d{3}|(?:add|change|delete|export|view)_\w+)")


@pytest.mark.parametrize(
    ("text", "name"),
    each(pair for pair in found(r"\bcoaching_plugin(?:\.\w+)+(?![\w/])") if not NO_NAME_IN_THE_CODE.fullmatch(pair[1])),
)
def test_a_name_in_the_code_is_there(text, name):
    assert pkgutil.resolve_name(name)


@pytest.mark.parametrize(
    ("text", "path"),
    each(found(r"``((?:docs|tests|tutor|frontend|benchmarks|sandbox|coaching_plugin|\.ci)/[\w./-]*\w/?)")),
)
def test_a_file_that_is_named_is_there(text, path):
    assert path in MADE or any((folder / path).exists() for folder in (ROOT, ROOT / "coaching_plugin" / "static"))


def is_served(path):
    try:
        return bool(resolve(path))
    except Resolver404:
        return False


@pytest.mark.parametrize(("text", "path"), each(found(r"(?<![\w.])(/(?:api/)?coaching/[a-z/0-9_-]*/)(?=[`?\s])")))
def test_an_address_that_is_named_is_there(text, path):
    # The root of the API is a place for resources, and none itself.
    assert is_served(path) or path == "/api/coaching/v1/"


# The API


def described():
    """Return method and path of each resource that the description has."""
    paths = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))["paths"]
    return {
        (method.upper(), path) for path, item in paths.items() for method in item if method in ("get", "patch", "post")
    }


def test_the_page_of_the_api_has_every_resource():
    assert {(method, path.strip("`")) for method, path, _ in tables(TEXTS["docs/api.rst"])[0]} == described()


def test_the_readme_has_every_resource():
    named = set()
    for what, _ in table_after("The API"):
        methods, path = re.fullmatch(r"``([A-Z, ]+) (\S+)``", what).groups()
        named |= {(method, f"/{path}".replace("{id}", "{user_id}")) for method in methods.split(", ")}
    named |= {(method, f"/{path}") for method, path in re.findall(r"``(GET|POST) /api/coaching/v1/(\S+)``", README)}
    assert named == described()


# Privacy


@pytest.mark.parametrize("name", MODELS)
def test_every_field_of_every_table_is_told_of(name):
    section = re.split(rf"^``{name}``\n~+\n", PRIVACY, flags=re.MULTILINE)
    assert len(section) == 2, "one section"
    (rows, *_) = tables(section[1])
    named = [re.findall(r"``(\w+)``", row[0])[-1] for row in rows]
    assert named == [field.name for field in MODELS[name]._meta.concrete_fields]
    assert all(len(row) == 3 and row[1] and row[2] for row in rows), "each with what it is, and how long"


@pytest.mark.parametrize("name", MODELS)
def test_what_the_model_calls_personal_is_told_of_as_personal(name):
    """A model with ``.. pii:`` in its docstring has a field in bold, and one without has none."""
    section = re.split(rf"^``{name}``\n~+\n", PRIVACY, flags=re.MULTILINE)[1]
    bold = [row[0] for row in tables(section)[0] if row[0].startswith("**")]
    assert bool(bold) == (".. pii:" in MODELS[name].__doc__)
