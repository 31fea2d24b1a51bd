"""The card on the legacy dashboard, through its real view: once, in every theme, and never at the dashboard's cost."""

import re

import pytest
from bs4 import BeautifulSoup
from crum import set_current_request
from django.core.cache import cache
from django.db import DatabaseError
from django.test import Client
from openedx_filters import PipelineStep
from openedx_filters.learning.filters import DashboardRenderStarted
from web_fragments.fragment import Fragment

from coaching_plugin import answered, coached_courses, consent, dashboard
from coaching_plugin.models import CoachedCourse, CoachingConsent, Door
from coaching_plugin.settings.common import MAKO_TEMPLATES
from tests import factories
from tests.consent_pages import DISMISS
from tests.cost import counted
from tests.factories import TYPED, evidence
from tests.pseudo_translation import mark_translations, unmarked

pytestmark = pytest.mark.usefixtures("committed")

DASHBOARD = "/dashboard"
FILTER = DashboardRenderStarted.filter_type
OURS = "coaching_plugin.dashboard.AddDashboardCard"
# What a database says of a value.
SECRET = "Key (phone_number)=(+14155552671) of lena@example.com"


def open_dashboard(client):
    response = client.get(DASHBOARD)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def html(client):
    """Return the dashboard but for its CSRF tokens, which are other ones each time."""
    return re.sub(r'(name="csrfmiddlewaretoken" value=)"\w+"', r"\1", client.get(DASHBOARD).content.decode())


def to_be_placed(page):
    """Return the cards that a script is to place; what is in a template is a document of its own."""
    templates = page.find_all("template", id="coaching-card-template")
    inside = "".join(template.decode_contents() for template in templates)
    return BeautifulSoup(inside, "html.parser").select("section.coaching-card")


def printed(page):
    """Return the cards that are there without a script."""
    return [card for card in page.select("section.coaching-card") if not card.find_parent("template")]


@pytest.fixture
def without_plugin(monkeypatch, settings):
    """Have the dashboard rendered as on a site that does not have the plugin, for as long as a test wants."""

    def take_out():
        settings.OPEN_EDX_FILTERS_CONFIG = {}
        monkeypatch.setattr(
            "common.djangoapps.student.views.dashboard.get_plugins_view_context", lambda *args: {"plugins": {}}
        )

    return take_out


# On a stock theme


def test_the_card_waits_beside_the_stock_dashboard_for_its_script(browser, learner):
    page = open_dashboard(browser)
    (card,) = to_be_placed(page)
    assert printed(page) == []
    assert card.h2.text == "Would you like a coach?"
    assert card.find(id=card["aria-labelledby"]) is card.h2
    assert card.a["href"] == "/coaching/consent/?next=%2Fdashboard"
    assert browser.get(card.a["href"]).status_code == 200
    assert [script["src"] for script in page.select("script[src*=coaching]")] == [
        "/static/coaching_plugin/dashboard_card.js"
    ]
    assert len(page.select("link[href='/static/coaching_plugin/dashboard_card.css']")) == 1
    for resource in page.select("link[href*=coaching], script[src*=coaching]"):
        assert browser.get(resource.get("href") or resource["src"]).status_code == 200
    assert card.form["action"] == DISMISS
    assert card.form["data-api-url"] == f"/api/coaching/v1/dashboard_card/{learner.id}/"


def test_the_rest_of_the_dashboard_is_what_it_was(browser, without_plugin):
    with_card = open_dashboard(browser)
    for ours in with_card.select("template, [href*=dashboard_card], [src*=dashboard_card]"):
        ours.decompose()
    without_plugin()
    stock = open_dashboard(browser)
    for page in (with_card, stock):
        for token in page.select("[name=csrfmiddlewaretoken]"):
            token.decompose()
    assert with_card.prettify().split() == stock.prettify().split()


@pytest.mark.parametrize("state", ["card off", "coaching off", "dismissed", "not eligible", "nothing coached"])
def test_where_there_is_no_card_the_dashboard_is_as_without_the_plugin(
    browser, learner, set_flag, without_plugin, state
):
    if state == "dismissed":
        consent.dismiss_card(learner)
    elif state == "not eligible":
        learner.courseenrollment_set.update(mode="audit")
    elif state == "nothing coached":
        CoachedCourse.objects.all().delete()
    else:
        set_flag("coaching.dashboard_card" if state == "card off" else "coaching.enabled", False)
    with_plugin = html(browser)
    assert "coaching-card" not in with_plugin
    without_plugin()
    assert with_plugin == html(browser)


def test_after_a_no_the_card_says_so(browser, learner):
    assert "You said no before" not in browser.get(DASHBOARD).content.decode()
    consent.decline(learner, evidence())
    assert "You said no before. You can still sign up." in browser.get(DASHBOARD).content.decode()


def test_signing_up_takes_it_away_and_withdrawing_brings_it_back(browser, learner):
    consent.give(learner, TYPED, None, evidence())
    assert not to_be_placed(open_dashboard(browser))
    consent.decline(learner, evidence())
    assert to_be_placed(open_dashboard(browser))


def test_every_text_of_the_card_is_translated(browser, learner, monkeypatch):
    consent.decline(learner, evidence())
    mark_translations(monkeypatch)
    (card,) = to_be_placed(open_dashboard(browser))
    told = [value for name, value in card.select_one("[role=status]").attrs.items() if name.startswith("data-")]
    assert len(told) == 3
    assert unmarked([*card.strings, *told]) == []


def test_names_are_shown_as_text(browser, settings):
    settings.PLATFORM_NAME = "A \"'><script>alert(1)</script>${7 * 2}{{ 7|add:7 }} site"
    page = open_dashboard(browser)
    (card,) = to_be_placed(page)
    assert settings.PLATFORM_NAME in card.get_text()
    assert not card.select("script")
    assert not [script for script in page.select("script") if "alert" in script.get_text()]


# In themes


def test_a_theme_that_prints_the_card_shows_it_without_a_script(browser, use_theme):
    use_theme("prints_the_card")
    page = open_dashboard(browser)
    (card,) = printed(page)
    assert card.find_parent(class_="side-container")
    assert card.h2.text == "Would you like a coach?"
    assert page.head.select("link[href*=dashboard_card]")


def test_what_the_theme_puts_where_our_script_goes_stays(browser, use_theme):
    use_theme("prints_the_card")
    page = open_dashboard(browser)
    assert len(page.select("script[src$='of=the-theme']")) == 1
    assert page.title.text.strip() == "Themed | Sandbox Academy"
    assert page.body["class"] == ["themed"]


def test_a_theme_without_a_card_to_print_is_as_it_was(browser, learner, use_theme):
    use_theme("prints_the_card")
    consent.dismiss_card(learner)
    page = open_dashboard(browser)
    assert page.h1.text == "Themed"
    assert "coaching" not in str(page.main)


def test_a_theme_without_blocks_shows_no_card_and_stays_whole(browser, use_theme):
    use_theme("bare")
    page = open_dashboard(browser)
    assert page.h1.text == "A theme with no blocks at all"
    assert not page.select("[class*=coaching], template")


# Beside the steps of other plugins


class AnotherDashboard(PipelineStep):
    """What another plugin may do: render a template of its own."""

    def run_filter(self, context, template_name, **kwargs):
        return {"template_name": "another_dashboard.html"}


class EmptyContext(PipelineStep):
    """What another plugin may do to the context."""

    def run_filter(self, context, template_name, **kwargs):
        return {"context": {name: value for name, value in context.items() if name != "plugins"}}


class GoElsewhere(PipelineStep):
    """What another plugin may do instead."""

    def run_filter(self, context, template_name, **kwargs):
        raise DashboardRenderStarted.RedirectToPage("Not today.", redirect_to="/courses/")


def use_steps(settings, *steps):
    paths = [step if isinstance(step, str) else f"{__name__}.{step.__name__}" for step in steps]
    settings.OPEN_EDX_FILTERS_CONFIG = {FILTER: {"fail_silently": False, "pipeline": paths}}


def test_a_dashboard_that_another_step_chose_stays_and_has_the_card(browser, settings, use_theme):
    use_theme("bare")
    use_steps(settings, AnotherDashboard, OURS)
    page = open_dashboard(browser)
    assert page.h1.text == "Another plugin's dashboard"
    assert page.select("script[src$='of=another']")
    assert len(to_be_placed(page)) == 1


def test_a_step_that_chooses_another_dashboard_after_ours_has_its_way(browser, settings, use_theme):
    use_theme("bare")
    use_steps(settings, OURS, AnotherDashboard)
    page = open_dashboard(browser)
    assert page.h1.text == "Another plugin's dashboard"
    assert not page.select("[class*=coaching], template")


def test_our_step_twice_is_one_card(browser, settings):
    use_steps(settings, OURS, OURS)
    assert len(to_be_placed(open_dashboard(browser))) == 1


def test_a_context_without_plugins_is_left_alone(browser, settings, caplog):
    use_steps(settings, EmptyContext, OURS)
    assert not open_dashboard(browser).select("template")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_step_that_takes_the_plugins_out_after_ours_does_not_break_the_page(browser, settings):
    use_steps(settings, OURS, EmptyContext)
    assert len(to_be_placed(open_dashboard(browser))) == 1


@pytest.mark.parametrize("left", [{"context": None}, {"context": {"plugins": None}}, {"template_name": None}], ids=str)
def test_what_another_step_left_in_disorder_is_logged_and_left(learner, rf, caplog, left):
    given = {"context": {"plugins": {"coaching_plugin": {"dashboard_card": Fragment()}}}, "template_name": "x.html"}
    step = dashboard.AddDashboardCard(filter_type=FILTER, running_pipeline=[OURS])
    assert step.run_filter(**{**given, **left}) == {}
    assert "The coaching card is left to the theme" in caplog.text


def test_a_step_that_leads_elsewhere_leads_there(browser, settings, monkeypatch):
    use_steps(settings, OURS, GoElsewhere)
    assert browser.get(DASHBOARD).headers["Location"] == "/courses/"


# Dismissing without a script


def test_the_button_dismisses_and_leads_back(browser, learner):
    response = browser.post(DISMISS)
    assert (response.status_code, response.headers["Location"]) == (302, DASHBOARD)
    assert CoachingConsent.objects.get(user=learner).card_dismissed_at
    assert not to_be_placed(open_dashboard(browser))


def test_the_form_of_the_card_is_what_dismisses(learner, use_theme):
    use_theme("prints_the_card")
    client = Client(enforce_csrf_checks=True)
    client.force_login(learner)
    (card,) = printed(open_dashboard(client))
    assert card.form["method"] == "post"
    fields = {field["name"]: field["value"] for field in card.form.select("input")}
    assert client.post(card.form["action"], fields).status_code == 302
    assert not printed(open_dashboard(client))


@pytest.mark.parametrize("flag", ["coaching.enabled", "coaching.dashboard_card"])
def test_with_a_flag_off_nothing_is_dismissed(browser, learner, set_flag, flag):
    set_flag(flag, False)
    assert browser.post(DISMISS).headers["Location"] == DASHBOARD
    assert not CoachingConsent.objects.exists()


def test_who_was_logged_out_is_led_to_the_dashboard_by_way_of_the_login(browser):
    response = Client().post(DISMISS)
    assert response.headers["Location"] == f"/login?next={DISMISS}%3Fnext%3D%252Fdashboard"


def test_a_link_dismisses_nothing(browser):
    assert browser.get(DISMISS).headers["Location"] == DASHBOARD
    assert not CoachingConsent.objects.exists()


def test_a_dismissal_that_is_not_stored_is_not_told_as_done(browser, monkeypatch):
    def fail(user):
        raise DatabaseError(SECRET)

    monkeypatch.setattr(consent, "dismiss_card", fail)
    response = browser.post(DISMISS)
    assert response.status_code == 503
    assert "Nothing was saved." in response.content.decode()
    monkeypatch.undo()
    assert to_be_placed(open_dashboard(browser))


# Failures


FAILING = {
    "the coached runs": "coaching_plugin.coached_courses.keys",
    "the flags": "coaching_plugin.toggles.shows_dashboard_card",
    "the cache": "coaching_plugin.answered.is_known_to_have_consented",
    "the row": "coaching_plugin.consent.standing",
    "eligibility": "coaching_plugin.eligibility.explain",
    "the site's name": "coaching_plugin.lms.site_name",
    "the card's template": "coaching_plugin.dashboard.get_template",
    "its static files": "coaching_plugin.dashboard.static",
    "the CSRF token": "coaching_plugin.dashboard.get_token",
}


@pytest.mark.parametrize("what", FAILING)
def test_a_failure_leaves_the_dashboard_as_it_was(browser, learner, monkeypatch, without_plugin, caplog, what):
    def fail(*args, **kwargs):
        raise DatabaseError(SECRET)

    with monkeypatch.context() as broken:
        broken.setattr(FAILING[what], fail)
        with_fault = html(browser)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    said = record.getMessage()
    assert said.startswith(f"User {learner.id}: the dashboard shows no coaching card, since it failed: DatabaseError\n")
    # Not the digits alone: an id may have them.
    assert not [part for part in ("Key (", "+1415", "5552671", "lena") if part in said]
    without_plugin()
    assert with_fault == html(browser)


def test_tables_that_are_not_there_yet_leave_the_dashboard_as_it_was(browser, monkeypatch, without_plugin, caplog):
    monkeypatch.setattr(CoachingConsent._meta, "db_table", "not_there_yet")
    with_fault = html(browser)
    assert "the dashboard shows no coaching card" in caplog.text
    without_plugin()
    assert with_fault == html(browser)


@pytest.mark.parametrize("breaks", ["folder missing", "template broken", "no such engine"])
def test_where_our_template_is_not_found_the_theme_is_left_to_itself(
    browser, settings, tmp_path, without_plugin, caplog, breaks
):
    django_engine, mako = settings.TEMPLATES
    folders = [folder for folder in mako["DIRS"] if folder != MAKO_TEMPLATES]
    if breaks == "template broken":
        (tmp_path / "coaching_plugin").mkdir()
        (tmp_path / "coaching_plugin" / "dashboard.html").write_text("<%block name='js_extra'>")
        folders.insert(0, tmp_path)
    settings.TEMPLATES = [django_engine, {**mako, "DIRS": folders}]
    if breaks == "no such engine":
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(dashboard, "engines", {})
            with_fault = html(browser)
    else:
        with_fault = html(browser)
    assert "The coaching card is left to the theme" in caplog.text
    without_plugin()
    assert with_fault == html(browser)


def test_outside_a_request_there_is_no_card(learner):
    set_current_request(None)
    assert dashboard.plugin_context({"user": learner}) == {}


def test_a_theme_gets_a_web_fragment_under_a_name_of_ours(learner, rf):
    request = rf.get(DASHBOARD)
    request.user = learner
    set_current_request(request)
    try:
        (fragment,) = dashboard.plugin_context({}).values()
    finally:
        set_current_request(None)
    assert isinstance(fragment, Fragment)


# Cost: what the plugin adds to the whole request


def prepared(state, learner, set_flag):
    if state == "consented":
        consent.give(learner, TYPED, None, evidence())
    elif state == "consented, no longer eligible":
        consent.give(learner, TYPED, None, evidence())
        learner.courseenrollment_set.update(is_active=False)
    elif state == "declined":
        consent.decline(learner, evidence())
    elif state == "dismissed":
        consent.dismiss_card(learner)
    elif state == "not to be asked":
        consent.do_not_ask(learner, evidence(Door.ADMIN), reason="x")
    elif state == "not eligible":
        learner.courseenrollment_set.update(mode="audit")
    elif state == "nothing coached":
        CoachedCourse.objects.all().delete()
    elif state == "card off":
        set_flag("coaching.dashboard_card", False)
    elif state == "coaching off":
        set_flag("coaching.enabled", False)


# Queries added to the first dashboard of a learner, whom the cache does not know, and to every one that follows.
ADDED = {
    "coaching off": (0, 0),
    "card off": (0, 0),
    "nothing coached": (0, 0),
    "never asked": (2, 2),
    "declined": (2, 2),
    "not eligible": (2, 2),
    "dismissed": (1, 1),
    "not to be asked": (1, 1),
    "consented": (1, 0),
    "consented, no longer eligible": (1, 0),
}


def queries(client):
    with counted() as spent:
        assert client.get(DASHBOARD).status_code == 200
    return spent.queries


@pytest.mark.parametrize("state", ADDED)
def test_what_the_card_adds_to_the_dashboard(browser, learner, set_flag, without_plugin, state):
    prepared(state, learner, set_flag)
    queries(browser)  # the process knows the coached runs, the flags and the site then
    cache.delete(answered.key(learner.id))
    first, warm, warm_again = queries(browser), queries(browser), queries(browser)
    assert warm == warm_again
    without_plugin()
    stock = queries(browser)
    assert (first - stock, warm - stock) == ADDED[state]


def test_a_cold_process_reads_the_coached_runs_and_the_flags_once(browser, learner, without_plugin):
    queries(browser)
    cache.clear()
    coached_courses._keys.forget()
    cold, warm = queries(browser), queries(browser)
    assert cold - warm == 3


def test_more_courses_cost_the_dashboards_card_nothing(browser, learner):
    queries(browser)
    before = queries(browser)
    for key in (factories.MB102, factories.LIST1):
        factories.enroll(learner, key)
    assert queries(browser) == before
