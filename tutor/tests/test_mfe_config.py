"""Where the MFEs show coaching: the configuration that they are built with, read by a parser of JavaScript."""

import pytest
import tree_sitter_javascript
from conftest import needs_mfe
from tree_sitter import Language, Parser

pytestmark = needs_mfe

JAVASCRIPT = Language(tree_sitter_javascript.language())
ENV_CONFIG = "plugins/mfe/build/mfe/env.config.jsx"
SLOTS = {
    "account": ("org.openedx.frontend.account.additional_profile_fields.v1", "CoachingProfileFields"),
    "learner-dashboard": ("org.openedx.frontend.learner_dashboard.widget_sidebar.v1", "CoachingDashboardCard"),
}


def parse(text):
    tree = Parser(JAVASCRIPT).parse(text.encode())
    assert not tree.root_node.has_error, text
    return tree.root_node


def all_of(node, kind):
    if node.type == kind:
        yield node
    for child in node.children:
        yield from all_of(child, kind)


def text_of(node):
    return node.text.decode()


def imported(root):
    """Return the names imported from each package at the top of the file."""
    return {
        text_of(statement.child_by_field_name("source")).strip("'\""): {
            text_of(name) for name in all_of(statement, "import_specifier")
        }
        for statement in root.children
        if statement.type == "import_statement"
    }


def insertions(root):
    """Yield, for each call of addPlugins: the condition it stands under, the slot, and each plugin as a dictionary."""
    for call in all_of(root, "call_expression"):
        if text_of(call.child_by_field_name("function")) != "addPlugins":
            continue
        block = call
        while block is not None and block.type != "if_statement":
            block = block.parent
        condition = text_of(block.child_by_field_name("condition")) if block else None
        _config, slot, plugins = call.child_by_field_name("arguments").named_children
        for plugin in plugins.named_children:
            pairs = {
                text_of(pair.child_by_field_name("key")): text_of(pair.child_by_field_name("value"))
                for pair in all_of(plugin, "pair")
            }
            yield condition, text_of(slot).strip("'"), pairs


def test_the_components_are_imported_once_for_all_mfes(project):
    found = imported(parse(project.text(ENV_CONFIG)))
    assert found["frontend-plugin-coaching"] == {"CoachingDashboardCard", "CoachingProfileFields"}


def test_each_component_fills_its_slot_in_its_own_mfe_alone(project):
    found = [entry for entry in insertions(parse(project.text(ENV_CONFIG))) if "oaching" in str(entry)]
    assert {condition: (slot, pairs["RenderWidget"]) for condition, slot, pairs in found} == {
        f"(process.env.APP_ID == '{mfe}')": filled for mfe, filled in SLOTS.items()
    }
    assert len(found) == len(SLOTS)


def test_each_is_a_plugin_that_the_framework_takes(project):
    found = [pairs for *_, pairs in insertions(parse(project.text(ENV_CONFIG))) if "oaching" in str(pairs)]
    for pairs in found:
        assert pairs.keys() == {"op", "widget", "id", "type", "priority", "RenderWidget"}
        assert (pairs["op"], pairs["type"]) == ("PLUGIN_OPERATIONS.Insert", "DIRECT_PLUGIN")
    priorities = {pairs["RenderWidget"]: int(pairs["priority"]) for pairs in found}
    # A slot's own content has 50: the fields come after the platform's, the card before the advertisement.
    assert priorities["CoachingDashboardCard"] < 50 < priorities["CoachingProfileFields"]
    assert len({pairs["id"] for pairs in found}) == len(SLOTS)


OTHER_PLUGIN = """
from tutormfe.hooks import PLUGIN_SLOTS

PLUGIN_SLOTS.add_item((
    "learner-dashboard",
    "org.openedx.frontend.learner_dashboard.widget_sidebar.v1",
    "{op: PLUGIN_OPERATIONS.Insert, widget: {id: 'other', type: DIRECT_PLUGIN, priority: 9, RenderWidget: () => <p/>}}",
))
"""


def test_another_plugin_in_the_same_slot_stays(new_project):
    project = new_project().write_plugin("other.py", OTHER_PLUGIN).enable("mfe", "coaching", "other")
    slot, _ = SLOTS["learner-dashboard"]
    found = [pairs["id"] for _, name, pairs in insertions(parse(project.text(ENV_CONFIG))) if name == slot]
    assert sorted(found) == ["'coaching_dashboard_card'", "'other'"]


def test_the_parser_notices_what_is_no_javascript(project):
    with pytest.raises(AssertionError):
        parse(project.text(ENV_CONFIG).replace("RenderWidget: CoachingProfileFields", "RenderWidget: }"))


# Tutor 22 builds some MFEs together, on frontend-base. What a plugin imports for the others goes there too, once any
# plugin asks for its compatibility layer.

COMPATIBLE = """
from tutormfe.hooks import FRONTEND_APPS, FRONTEND_COMPAT_PLUGINS

@FRONTEND_APPS.add()
def with_its_dashboard(apps):
    apps["learner-dashboard"]["enabled"] = True
    return apps

FRONTEND_COMPAT_PLUGINS.add_item("coaching")
"""
SITE = "plugins/mfe/build/mfe/site"


@pytest.fixture(scope="module")
def has_a_site(project):
    if not project.file(SITE).is_dir():
        pytest.skip("this Tutor has no frontend-base site")


@pytest.mark.usefixtures("has_a_site")
def test_the_site_is_left_alone_where_nothing_goes_through_its_compatibility_layer(project):
    assert not any(name.startswith(SITE) for name in project.mentions())
    site = project.text("plugins/mfe/build/mfe/Dockerfile").partition("site (common)")[2]
    assert site
    assert "coaching" not in site


@pytest.mark.usefixtures("has_a_site")
def test_an_operator_can_send_us_through_the_compatibility_layer(new_project):
    project = new_project().write_plugin("compatible.py", COMPATIBLE).enable("mfe", "coaching", "compatible")
    root = parse(project.text(f"{SITE}/src/env.config.learner-dashboard.jsx"))
    assert "CoachingDashboardCard" in imported(root)["frontend-plugin-coaching"]
    ((_, slot, pairs),) = insertions(root)
    assert (slot, pairs["RenderWidget"]) == SLOTS["learner-dashboard"]
    site = project.text("plugins/mfe/build/mfe/Dockerfile").partition("site (common)")[2]
    own, ours = site.find("npm install --no-audit"), site.find("'frontend-plugin-coaching@^0.1.0'")
    assert 0 < own < ours < site.find("COPY --from=site-src / .")
