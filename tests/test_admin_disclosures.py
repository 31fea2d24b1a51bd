"""How operators write, preview and publish the disclosure, and that nothing they do changes what is published."""

import threading
from string import Template

import hypothesis
import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from coaching_plugin import consent, disclosure_versions, disclosures
from coaching_plugin.disclosures import ShownDisclosure
from coaching_plugin.models import Disclosure
from tests import factories
from tests.factories import TYPED, evidence
from tests.operators import operator
from tests.test_concurrency import meanwhile, somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db

ADMIN = "admin:coaching_plugin_disclosure_%s"
CHANGELIST, ADD, START = (reverse(ADMIN % name) for name in ("changelist", "add", "start"))
WORDS = "${site_name} and ${partner_name} want you, from ${minimum_age} on: ${privacy_url}"
REFUSED = "Nothing was changed: what is published is neither edited nor deleted. Start a new version instead."


def version_page(number):
    return reverse(ADMIN % "version", args=[number])


def publish_page(number):
    return reverse(ADMIN % "publish", args=[number])


def change_page(row):
    return reverse(ADMIN % "change", args=[row.pk])


def delete_page(row):
    return reverse(ADMIN % "delete", args=[row.pk])


def draft(version=2, language="en", body=WORDS):
    return Disclosure.objects.create(version=version, language=language, body=body)


def publish_quietly(version, *languages):
    for language in languages:
        Disclosure.objects.create(version=version, language=language, body=WORDS, published_at=timezone.now())


def form(version=2, language="en", body=WORDS):
    return {"version": version, "language": language, "body": body}


def digest(number):
    return disclosure_versions.version(number).digest


def table():
    return list(Disclosure.objects.order_by("pk").values())


def errors(response):
    assert response.status_code == 200
    return response.context["adminform"].form.errors


def said(response):
    return [(message.level_tag, str(message)) for message in response.context["messages"]]


def page_of(response):
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


# Drafts


def test_a_draft_is_added_edited_and_deleted():
    browser = operator()
    assert browser.get(ADD).context["adminform"].form["version"].value() == 2
    assert browser.post(ADD, form(body="First ${site_name} ${partner_name}\r\n\r\n${privacy_url}")).status_code == 302
    row = Disclosure.objects.get(version=2)
    assert row.body == "First ${site_name} ${partner_name}\n\n${privacy_url}"
    assert (row.published_at, row.sha256) == (None, Disclosure.digest(row.body))
    assert browser.post(change_page(row), form(language="ar")).status_code == 302
    row.refresh_from_db()
    assert (row.language, row.body, row.sha256) == ("ar", WORDS, Disclosure.digest(WORDS))
    assert disclosures.current("ar").disclosure.version == 1, "a draft is shown to nobody"
    assert browser.post(delete_page(row), {"post": "yes"}).status_code == 302
    assert not Disclosure.objects.filter(version=2).exists()


WRONG_WORDS = {
    "none": ("", "This field is required."),
    "blanks": (" \n ", "This field is required."),
    "an unknown name": (f"{WORDS}\n${{phone}}", "Line 2: ${phone} cannot be filled in"),
    "an unknown name without braces": (f"$sitename {WORDS}", "Line 1: ${sitename} cannot be filled in"),
    "a name in other letters": (f"{WORDS} ${{Site_Name}}", "Line 1: ${Site_Name} cannot be filled in"),
    "a dollar sign": (f"{WORDS} for $5", "Line 1: a dollar sign is written $$"),
    "a dollar sign at the end": (f"{WORDS}\n\nfor $", "Line 3: a dollar sign is written $$"),
    "an open brace": (f"{WORDS} ${{site_name", "Line 1: a dollar sign is written $$"),
    "braces with a blank": (f"{WORDS} ${{ site_name }}", "Line 1: a dollar sign is written $$"),
    "a tab": (f"{WORDS}\n\tx", "Line 2: the control character U+0009."),
    "an escape": (f"{WORDS}\x1b[0m", "Line 1: the control character U+001B."),
    "a lone line end": (f"{WORDS}\rx", "Line 1: the control character U+000D."),
    "a NUL": (f"{WORDS}\0", "Null characters are not allowed."),
    "no site": (WORDS.replace("${site_name}", "We"), "${site_name} is missing."),
    "no partner": (WORDS.replace("${partner_name}", "they"), "${partner_name} is missing."),
    "an escaped partner": (WORDS.replace("${partner_name}", "$${partner_name}"), "${partner_name} is missing."),
    "no address": (WORDS.replace("${privacy_url}", "/privacy"), "${privacy_url} is missing."),
    "very many": (WORDS + "x" * 20_000, "Ensure this value has at most 20000 characters"),
}


@pytest.mark.parametrize(("body", "problem"), WRONG_WORDS.values(), ids=list(WRONG_WORDS))
@pytest.mark.parametrize("page", ["add", "change"])
def test_words_that_learners_must_not_be_shown_are_refused(body, problem, page):
    address = change_page(draft()) if page == "change" else ADD
    before = table()
    browser = operator()
    response = browser.post(address, form(body=body))
    (found,) = errors(response).items()
    assert found[0] == "body"
    assert problem in " ".join(found[1])
    assert table() == before


def test_all_that_is_wrong_with_the_words_is_said_and_what_was_typed_stays():
    response = operator().post(ADD, form(body="Give us $5\n\nand ${your} ${name}"))
    assert [text.partition(":")[0] for text in errors(response)["body"]] == [
        "Line 1",
        "Line 3",
        "Line 3",
        *(f"${{{name}}} is missing." for name in disclosure_versions.REQUIRED),
    ]
    assert page_of(response).find("textarea").get_text().strip().startswith("Give us $5")


def test_a_dollar_sign_is_written_twice_and_names_may_go_without_braces():
    words = "$site_name takes $$5 for $partner_name: $privacy_url"
    assert operator().post(ADD, form(body=words)).status_code == 302
    shown = disclosures.as_shown(Disclosure.objects.get(version=2))
    assert shown.text.startswith("Sandbox Academy takes $5 for InsideTrack: http")


@hypothesis.settings(deadline=None)
@given(
    st.lists(st.sampled_from(["$", "{", "}", "$$", "\n", "\t", "x", "${minimum_age}"]) | st.text(max_size=3)).map(
        "".join
    )
)
@example("")
@example("$\u0131d ${s\u0131te_name}")
def test_whatever_is_written_is_refused_or_can_be_filled_in_to_the_last(more):
    body = f"{WORDS}{more}"
    if not disclosure_versions.problems_of(body):
        names = dict.fromkeys(disclosure_versions.PLACEHOLDERS, "name")
        assert ShownDisclosure(Disclosure(body=body), names).text == Template(body).substitute(names)


def test_what_can_be_filled_in_is_what_is_filled_in():
    assert set(disclosures.current().values) == set(disclosure_versions.PLACEHOLDERS)
    assert all(disclosure_versions.problems_of(row.body) == [] for row in Disclosure.objects.all()), "what is shipped"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("fr", "fr"),
        (" ES-419 ", "es-419"),
        ("AR", "ar"),
        ("pt-BR", "pt-BR"),
        ("zh-Hans-CN", "zh-Hans-CN"),
        ("fil", "fil"),
    ],
)
def test_a_language_is_one_of_the_site_or_a_code(typed, stored):
    assert operator().post(ADD, form(language=typed)).status_code == 302
    assert Disclosure.objects.get(version=2).language == stored


@pytest.mark.parametrize(
    "typed", ["es_419", "english", "e", "en-", "-", "en us", "../en", 'en"', "é", "en-\u0660", "x" * 36]
)
def test_what_is_no_language_is_refused(typed):
    assert errors(operator().post(ADD, form(language=typed))).keys() == {"language"}


@pytest.mark.parametrize("version", ["0", "-1", "3", "99999999999999999999", "x", ""])
def test_a_version_that_nobody_would_be_shown_or_that_leaps_is_refused(version):
    publish_quietly(1, "fr")
    response = operator().post(ADD, form(version=version))
    assert errors(response).keys() == {"version"}


def test_a_version_older_than_the_newest_is_refused():
    publish_quietly(2, "en")
    assert errors(operator().post(ADD, form(version=1, language="fr"))) == {
        "version": ["Take version 3, or 2 for a language that it lacks."]
    }


@pytest.mark.parametrize(("version", "language"), [(1, "en"), (2, "en"), (2, "EN"), (2, "pt-BR"), (2, "PT-br")])
def test_a_version_has_a_language_once(version, language):
    draft()
    draft(language="pt-BR")
    # Of the same letters, Django's own words.
    assert "already" in str(errors(operator().post(ADD, form(version=version, language=language))))


def test_a_draft_that_was_overtaken_can_still_be_edited_and_deleted():
    row = draft()
    publish_quietly(3, "en")
    browser = operator()
    assert browser.post(change_page(row), form(body=f"{WORDS} still")).status_code == 302
    row.refresh_from_db()
    assert row.body.endswith("still")
    assert browser.post(delete_page(row), {"post": "yes"}).status_code == 302
    assert not Disclosure.objects.filter(pk=row.pk).exists()


# What is published stays


@pytest.fixture
def published():
    return Disclosure.objects.get(version=1, language="en")


def test_what_is_published_is_shown_and_has_nothing_to_edit(published):
    page = page_of(operator().get(change_page(published)))
    assert published.sha256 in page.get_text()
    assert not page.select(
        "#disclosure_form textarea, #disclosure_form input[type=text], #disclosure_form [name=_save]"
    )
    assert not page.select(".deletelink")


def test_the_page_of_one_leads_to_its_preview(published):
    browser = operator()
    for row in (published, draft()):
        page = page_of(browser.get(change_page(row)))
        assert page.select_one(".object-tools a")["href"] == f"{version_page(row.version)}#en"


def test_to_edit_what_is_published_changes_nothing_and_is_told(published):
    """As for who had the draft open while somebody published it."""
    before = table()
    response = operator().post(change_page(published), form(version=1, body=f"{WORDS} other"), follow=True)
    assert said(response) == [("error", REFUSED)]
    assert table() == before


def test_to_delete_what_is_published_is_refused(published):
    browser = operator()
    assert browser.get(delete_page(published)).status_code == 403
    assert browser.post(delete_page(published), {"post": "yes"}).status_code == 403
    assert Disclosure.objects.filter(pk=published.pk).exists()


def delete_selected(browser, *rows, confirmed=True):
    data = {"action": "delete_selected", "_selected_action": [row.pk for row in rows]}
    return browser.post(CHANGELIST, {**data, **({"post": "yes"} if confirmed else {})}, follow=True)


@pytest.mark.parametrize("confirmed", [False, True])
def test_selected_drafts_are_not_deleted_with_something_published_among_them(published, confirmed):
    row = draft()
    assert said(delete_selected(operator(), published, row, confirmed=confirmed)) == [("error", REFUSED)]
    assert Disclosure.objects.filter(pk=row.pk).exists()


def test_selected_drafts_alone_are_deleted():
    rows = [draft(), draft(language="ar")]
    browser = operator()
    assert "Are you sure" in delete_selected(browser, *rows, confirmed=False).content.decode()
    assert said(delete_selected(browser, *rows)) == [("success", "Successfully deleted 2 disclosures.")]
    assert not Disclosure.objects.filter(version=2).exists()


@pytest.mark.parametrize("way", ["edit", "delete", "delete selected"])
def test_what_is_published_between_the_look_and_the_deed_is_no_crash(monkeypatch, way):
    """The last check is under the lock, in the core; whatever the admin looked at before."""
    row = draft()
    browser = operator()
    locking = disclosure_versions._refuse_published

    def meanwhile(rows):
        Disclosure.objects.filter(pk=row.pk).update(published_at=timezone.now())
        locking(rows)

    monkeypatch.setattr(disclosure_versions, "_refuse_published", meanwhile)
    if way == "edit":
        response = browser.post(change_page(row), form(body=f"{WORDS} other"), follow=True)
    elif way == "delete":
        response = browser.post(delete_page(row), {"post": "yes"}, follow=True)
    else:
        response = delete_selected(browser, row)
    assert said(response) == [("error", REFUSED)]
    assert Disclosure.objects.get(pk=row.pk).body == WORDS
    assert not LogEntry.objects.exists()


# A new version


def test_a_new_version_begins_with_the_words_of_the_newest_in_all_languages():
    before = table()
    response = operator().post(START, follow=True)
    assert response.redirect_chain == [(version_page(2), 302)]
    assert said(response)[0][0] == "success"
    rows = {row.language: row for row in Disclosure.objects.filter(version=2)}
    assert {code: row.body for code, row in rows.items()} == {
        row.language: row.body for row in Disclosure.objects.filter(version=1)
    }
    assert not any(row.published_at for row in rows.values())
    assert table()[:3] == before
    assert disclosures.current("en").disclosure.version == 1
    assert {entry.change_message for entry in LogEntry.objects.all()} == {"Copied from version 1."}


def test_a_new_version_leaves_drafts_behind():
    publish_quietly(2, "en")
    draft(2, "ar")
    operator().post(START)
    assert [row.language for row in Disclosure.objects.filter(version=3)] == ["en"]


def test_a_version_with_drafts_is_to_be_published_and_not_to_be_started():
    browser = operator()
    for is_started in (False, True):
        content = browser.get(CHANGELIST).content.decode()
        assert ("Start a new version" in content) == (not is_started)
        assert (publish_page(2) in content) == is_started
        assert version_page(1) in content
        if not is_started:
            draft()
    publish_quietly(3, "en")
    assert publish_page(2) not in browser.get(CHANGELIST).content.decode(), "nobody would be shown it"


def test_a_version_is_started_once():
    draft(language="fr")
    before = table()
    response = operator().post(START, follow=True)
    assert said(response) == [("error", "There are drafts of version 2 already.")]
    assert table() == before


def test_without_anything_published_there_is_nothing_to_start_from():
    connection.cursor().execute("DELETE FROM coaching_plugin_disclosure")
    browser = operator()
    assert said(browser.post(START, follow=True)) == [("error", "Nothing is published yet.")]
    assert "Start a new version" not in browser.get(CHANGELIST).content.decode()
    assert browser.post(ADD, form(version=1)).status_code == 302
    assert browser.post(publish_page(1), {"digest": digest(1)}).status_code == 302
    assert disclosures.current().disclosure.version == 1


# Preview


def test_a_version_is_shown_in_each_language_just_as_learners_see_it(browser):
    words = page_of(browser.get("/coaching/consent/")).select_one(".coaching-disclosure")
    page = page_of(operator().get(version_page(1)))
    shown = {block["lang"]: block for block in page.select(".coaching-disclosure")}
    assert {code: block["dir"] for code, block in shown.items()} == {"ar": "rtl", "en": "ltr", "es-419": "ltr"}
    assert shown["en"].decode_contents() == words.decode_contents()
    for code, block in shown.items():
        assert "".join(block.get_text().split()) == "".join(disclosures.current(code).text.split())
        assert page.find(id=code)
    assert "Learners are shown this version now." in page.get_text()


def test_a_draft_is_previewed_with_todays_names_and_its_problems(settings):
    settings.COACHING_PARTNER_NAME = "Bright <Co>"
    draft(body=f"{WORDS} for $5")
    row = draft(language="ar")
    page = page_of(operator().get(version_page(2)))
    assert "Sandbox Academy and Bright <Co> want you" in page.select_one("#en .coaching-disclosure").get_text()
    assert "a dollar sign is written $$" in page.select_one("#en .coaching-problems").get_text()
    assert not page.select("#ar .coaching-problems")
    assert "Nobody is shown this version: it is not published." in page.get_text()
    assert page.select_one(f'#ar a[href="{change_page(row)}"]')


def readers(number):
    rows = page_of(operator().get(version_page(number))).select(".coaching-readers tbody tr")
    return {row.th.get_text(): row.td.get_text() for row in rows}


def test_the_preview_says_which_language_is_shown_which_words(settings):
    settings.LANGUAGES = [("en", "English"), ("es-mx", "Español (México)"), ("ar", "العربية"), ("fr", "Français")]
    draft()
    draft(language="es-419")
    lacking = "Has no words of its own."
    assert readers(2) == {
        "English (en)": "en",
        "Español (México) (es-mx)": "es-419",
        "العربية (ar)": f"en{lacking}",
        "Français (fr)": f"en{lacking}",
    }


def test_what_is_shown_to_whom_is_what_learners_are_shown(settings):
    settings.LANGUAGES = [(code, code) for code in ("en", "en-gb", "es", "es-419", "ar", "fr", "pt-br", "he")]
    settings.LANGUAGE_CODE = "es"
    publish_quietly(2, "en", "es-419", "pt")
    shown = {reader.code: reader.disclosure for reader in disclosure_versions.version(2).readers}
    assert shown == {code: disclosures.current(code).disclosure for code, _ in settings.LANGUAGES}
    assert shown["fr"].language == "es-419"


def test_a_preview_is_looked_at_and_changes_nothing(django_assert_max_num_queries):
    draft()
    before = table()
    browser = operator()
    browser.get(version_page(2))
    with django_assert_max_num_queries(6):
        assert browser.get(version_page(2)).status_code == 200
    assert table() == before
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("number", ["3", "0", "999999999"])
@pytest.mark.parametrize("page", [version_page, publish_page])
def test_there_is_no_page_of_a_version_that_is_not_there(number, page):
    browser = operator()
    assert browser.get(page(number)).status_code == 404
    assert browser.post(publish_page(number), {"digest": ""}).status_code == 404


@pytest.mark.parametrize("number", ["1000000000", "x", "-1", "1/../2"])
def test_what_is_no_version_is_no_crash(number):
    response = operator().get(f"{CHANGELIST}version/{number}/", follow=True)
    assert response.redirect_chain[-1][0] == "/admin/"
    assert "doesn’t exist" in said(response)[0][1]


# Publishing


def publish(browser, number=2, **fields):
    return browser.post(publish_page(number), {"digest": digest(number), **fields}, follow=True)


def test_a_version_is_published_in_all_its_languages_meanwhile():
    draft()
    draft(language="ar")
    response = publish(operator())
    assert response.redirect_chain == [(version_page(2), 302)]
    assert said(response) == [("success", "Version 2 is published.")]
    rows = Disclosure.objects.filter(version=2)
    assert len({row.published_at for row in rows}) == 1
    assert None not in {row.published_at for row in rows}
    assert disclosures.current("ar").disclosure.version == 2
    assert disclosures.current("es").language == "en"
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Published."] * 2


def test_the_page_before_says_what_learners_will_see_and_what_it_means(settings):
    learner = factories.eligible_learner(phone_number=None)
    factories.coach_courses()
    factories.turn_on_flags()
    assert not consent.give(learner, TYPED, None, evidence()).is_refused
    draft(body=WORDS.replace("${minimum_age}", "13"))
    draft(language="eo")
    before = table()
    page = page_of(operator().get(publish_page(2)))
    text = " ".join(page.select_one("#content-main").get_text().split())
    assert "Publish version 2 of the disclosure?" in page.get_text()
    for part in (
        "They are never edited again, and never deleted.",
        "1 learner has consented. The consent stands, under the words that were shown for it.",
        "Who has the page open with the words before, and agrees, is shown the page again with the new ones.",
        "eo is not among the languages of this site.",
        "en: the words do not say ${minimum_age}.",
        "There are no words in Español (Latinoamérica): its readers are shown those in “en”.",
        "There are no words in العربية: its readers are shown those in “en”.",
        "Sandbox Academy and InsideTrack want you, from 13 on",
    ):
        assert part in text
    assert page.find("input", {"name": "digest"})["value"] == digest(2)
    assert table() == before


def test_who_consented_before_stays_consented_and_who_is_on_the_page_gets_it_again(browser, learner):
    other = factories.eligible_learner()
    assert not consent.give(other, TYPED, None, evidence()).is_refused
    old = disclosures.current("en")
    answer = {"full_name": "Lena Learner", "phone_number": TYPED, "agree": "on", "answer": "accept"}
    draft()
    publish(operator())
    assert consent.standing(other).is_consented
    assert consent.standing(other).disclosure.version == 1
    response = browser.post("/coaching/consent/", {**answer, "disclosure": old.sha256})
    assert response.status_code == 200
    page = page_of(response)
    assert page.select_one(".coaching-disclosure").get_text().startswith("Sandbox Academy and InsideTrack want you")
    assert not page.find(id="id_agree").has_attr("checked")
    assert not consent.standing(learner).is_consented
    response = browser.post("/coaching/consent/", {**answer, "disclosure": disclosures.current("en").sha256})
    assert response.status_code == 302
    assert consent.standing(learner).disclosure.version == 2


def test_a_language_can_be_added_to_what_is_published_and_takes_nothing_back(browser, learner):
    """A page in the words shown before is still taken: those words stand."""
    old = disclosures.current("fr")
    assert old.language == "en"
    operator_browser = operator()
    assert operator_browser.post(ADD, form(version=1, language="fr")).status_code == 302
    assert disclosures.current("fr") == old
    assert "is still taken" in operator_browser.get(publish_page(1)).content.decode()
    before = [row for row in table() if row["language"] != "fr"]
    assert said(publish(operator_browser, 1)) == [("success", "Version 1 is published.")]
    assert disclosures.current("fr").language == "fr"
    assert [row for row in table() if row["language"] != "fr"] == before
    answer = {"full_name": "Lena Learner", "phone_number": TYPED, "agree": "on", "answer": "accept"}
    assert browser.post("/coaching/consent/", {**answer, "disclosure": old.sha256}).status_code == 302
    assert consent.standing(learner).is_consented


NOT_PUBLISHED = {
    "without English": (["ar"], WORDS, "There are no English words (en)"),
    "with wrong words": (["en", "ar"], "Words for $5", "ar: Line 1: a dollar sign"),
}


@pytest.mark.parametrize(("languages", "body", "problem"), NOT_PUBLISHED.values(), ids=list(NOT_PUBLISHED))
def test_what_learners_must_not_be_shown_is_not_published(languages, body, problem):
    """Drafts may be stored by a script, past the form."""
    for language in languages:
        draft(language=language, body=body)
    browser = operator()
    page = page_of(browser.get(publish_page(2)))
    assert problem in page.select_one(".coaching-problems").get_text()
    assert not page.select(".submit-row input[type=submit]")
    before = table()
    assert problem in page_of(publish(browser)).select_one(".coaching-problems").get_text()
    assert table() == before


def test_an_older_version_is_not_published():
    draft()
    publish_quietly(3, "en")
    browser = operator()
    response = publish(browser)
    assert "Version 3 is published, and nobody is shown an older one." in response.content.decode()
    assert Disclosure.objects.filter(version=2, published_at=None).exists()
    assert "Nobody is shown this version: version 3 is newer." in browser.get(version_page(2)).content.decode()


def test_what_is_published_already_is_not_published_again():
    before = table()
    response = publish(operator(), 1)
    assert "There is nothing to publish: this version has no drafts." in response.content.decode()
    assert table() == before


@pytest.mark.parametrize("change", ["edited", "added", "deleted", "no digest"])
def test_words_that_the_operator_has_not_seen_are_not_published(change):
    draft()
    row = draft(language="ar")
    seen = digest(2) if change != "no digest" else ""
    if change == "edited":
        row.body = f"{WORDS} other"
        row.save()
    elif change == "added":
        draft(language="fr")
    elif change == "deleted":
        row.delete()
    before = table()
    browser = operator()
    page = page_of(browser.post(publish_page(2), {"digest": seen}))
    assert "The drafts have changed since this page was opened." in page.select_one(".coaching-problems").get_text()
    assert table() == before
    assert browser.post(publish_page(2), {"digest": page.find("input", {"name": "digest"})["value"]}).status_code == 302
    assert all(row.published_at for row in Disclosure.objects.filter(version=2))


def test_a_failure_between_two_languages_publishes_neither(monkeypatch):
    """On a platform without a transaction for each request, too."""
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", False)
    draft()
    draft(language="ar")
    saving = Disclosure.save

    def save(row, *args, **kwargs):
        if row.language == "en":
            raise RuntimeError
        saving(row, *args, **kwargs)

    monkeypatch.setattr(Disclosure, "save", save)
    browser = operator()
    browser.raise_request_exception = False
    assert publish(browser).status_code == 500
    assert not Disclosure.objects.filter(version=2, published_at__isnull=False).exists()


# The list


def test_the_list_shows_state_and_language_and_leads_to_previews():
    draft(language="fr")
    page = page_of(operator().get(CHANGELIST))
    rows = [[cell.get_text() for cell in row.select("th, td")][1:4] for row in page.select("#result_list tbody tr")]
    assert rows == [
        ["2 (fr)", "fr", "Draft"],
        ["1 (ar)", "العربية", "Published"],
        ["1 (en)", "English", "Published"],
        ["1 (es-419)", "Español (Latinoamérica)", "Published"],
    ]
    links = [link["href"] for link in page.select("#result_list .field-preview a")]
    assert links == [f"{version_page(2)}#fr", *(f"{version_page(1)}#{code}" for code in ("ar", "en", "es-419"))]


@pytest.mark.parametrize(("state", "count"), [("draft", 1), ("published", 3), ("", 4), ("nonsense", 3)])
def test_the_list_is_filtered_by_state(state, count):
    draft()
    assert operator().get(CHANGELIST, {"state": state} if state else {}).context["cl"].result_count == count


def test_the_list_costs_as_many_queries_whatever_it_holds(django_assert_max_num_queries):
    for version in range(2, 20):
        publish_quietly(version, "en", "ar", "fr")
    browser = operator()
    browser.get(CHANGELIST)
    with django_assert_max_num_queries(11):
        browser.get(CHANGELIST)


# Who may


PAGES = {
    "list": ("get", CHANGELIST),
    "add": ("get", ADD),
    "start": ("post", START),
    "preview": ("get", version_page(2)),
    "publish page": ("get", publish_page(2)),
    "publish": ("post", publish_page(2)),
}
MAY = {
    "view": ({"list", "preview"}, ["view_disclosure"]),
    "change": ({"list", "preview", "publish page", "publish"}, ["change_disclosure"]),
    "add": ({"add", "start"}, ["add_disclosure"]),
    "delete": (set(), ["delete_disclosure"]),
    "another": (set(), ["view_user"]),
}


@pytest.mark.parametrize(("allowed", "permissions"), MAY.values(), ids=list(MAY))
@pytest.mark.parametrize("name", PAGES)
def test_each_page_takes_its_permission(allowed, permissions, name):
    draft()
    method, url = PAGES[name]
    data = {"digest": digest(2)} if name == "publish" else {}
    before = table()
    status = getattr(operator(*permissions), method)(url, data).status_code
    if name in allowed:
        assert status in (200, 302)
        assert (table() != before) == (name == "publish")
    else:
        assert status == 403
        assert table() == before


@pytest.mark.parametrize("name", PAGES)
def test_who_is_not_staff_is_sent_to_log_in(name):
    draft()
    method, url = PAGES[name]
    before = table()
    no_staff = Client()
    no_staff.force_login(factories.user())
    for client in (Client(), no_staff):
        response = getattr(client, method)(url)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
    assert table() == before


def test_who_may_only_look_finds_no_buttons():
    draft()
    browser = operator("view_disclosure")
    for url in (CHANGELIST, version_page(2)):
        content = browser.get(url).content.decode()
        assert [text for text in ("Start a new", "Publish version", "Edit the draft") if text in content] == []


@pytest.mark.parametrize("name", ["start", "publish"])
def test_a_change_is_checked_for_forgery_and_takes_a_post(name):
    draft()
    _method, url = PAGES[name]
    browser = operator(enforce_csrf_checks=True)
    before = table()
    assert browser.post(url, {"digest": digest(2)}).status_code == 403
    assert browser.get(url).status_code == (405 if name == "start" else 200)
    assert table() == before


# Two at once


@pytest.fixture(params=["read committed", "repeatable read"])
def isolation(request, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict["OPTIONS"], "isolation_level", request.param)


on_real_locks = pytest.mark.skipif(connection.vendor != "mysql", reason="real locks are wanted")


@on_real_locks
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("attempt", range(5))
def test_two_operators_publish_at_once_and_one_of_them_is_told(attempt):
    for language in ("en", "ar", "es-419"):
        draft(language=language)
    browsers, seen = [operator()], digest(2)
    browsers.append(Client())
    browsers[1].force_login(User.objects.get(username="operator"))
    works = [lambda browser=browser: browser.post(publish_page(2), {"digest": seen}) for browser in browsers]
    responses = meanwhile(*works)
    assert sorted(response.status_code for response in responses) == [200, 302]
    (told,) = [response for response in responses if response.status_code == 200]
    assert "There is nothing to publish" in told.content.decode()
    assert len(set(Disclosure.objects.filter(version=2).values_list("published_at", flat=True))) == 1
    assert LogEntry.objects.count() == 3


@on_real_locks
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("attempt", range(5))
def test_a_draft_that_is_edited_while_it_is_published_is_either_of_both(attempt):
    row, seen = draft(), digest(2)
    publisher, editor = operator(), Client()
    editor.force_login(User.objects.get(username="operator"))
    meanwhile(
        lambda: publisher.post(publish_page(2), {"digest": seen}),
        lambda: editor.post(change_page(row), form(body=f"{WORDS} other")),
    )
    row.refresh_from_db()
    # Published as it was read, or edited and not published.
    assert (row.published_at is not None) == (row.body == WORDS)


@on_real_locks
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.usefixtures("isolation")
def test_who_publishes_waits_for_an_edit_on_its_way_and_is_told_of_it(monkeypatch):
    row, seen = draft(), digest(2)
    publisher, editor = operator(), Client()
    editor.force_login(User.objects.get(username="operator"))
    answers, saving = [], Disclosure.save

    def work():
        answers.append(publisher.post(publish_page(2), {"digest": seen}))
        connections["default"].close()

    thread = threading.Thread(target=work, daemon=True)

    def save(disclosure, *args, **kwargs):
        if thread.ident is None:
            thread.start()
            wait_until(lambda: answers or somebody_waits_for_a_lock())
        saving(disclosure, *args, **kwargs)

    monkeypatch.setattr(Disclosure, "save", save)
    meanwhile(lambda: editor.post(change_page(row), form(body=f"{WORDS} other")))
    thread.join(60)
    row.refresh_from_db()
    assert (row.published_at, row.body) == (None, f"{WORDS} other")
    assert "The drafts have changed since this page was opened." in answers[0].content.decode()


@on_real_locks
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("attempt", range(5))
def test_two_operators_start_a_version_at_once_and_it_is_started_once(attempt):
    browsers = [operator(), Client()]
    browsers[1].force_login(User.objects.get(username="operator"))
    responses = meanwhile(*(lambda browser=browser: browser.post(START) for browser in browsers))
    assert sorted(response["Location"] for response in responses) == [CHANGELIST, version_page(2)]
    assert Disclosure.objects.filter(version=2).count() == 3
