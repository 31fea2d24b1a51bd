"""What operators see of the deliveries, what they may do, what the check says, and whom migrations count as told."""

from datetime import timedelta

import pytest
from django.core import checks as django_checks
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse
from django.utils import timezone

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent, PartnerChannel, PartnerDelivery
from coaching_plugin.partner import health
from tests.factories import TYPED, evidence
from tests.operators import operator
from tests.test_partner_delivery import assert_partner_knows, consented, key, rows, run

pytestmark = pytest.mark.usefixtures("committed", "coached", "flags")

DELIVERIES = reverse("admin:coaching_plugin_partnerdelivery_changelist")
CHANNELS = reverse("admin:coaching_plugin_partnerchannel_changelist")


def page(row):
    return reverse("admin:coaching_plugin_partnerdelivery_change", args=[row.pk])


def do(browser, action, chosen, changelist=DELIVERIES):
    return browser.post(changelist, {"action": action, "_selected_action": [row.pk for row in chosen]}, follow=True)


@pytest.fixture
def parked(partner, settings):
    """Two learners whose change was parked, and one whose waits for tomorrow; the partner is well again."""
    settings.COACHING_PARTNER_MAX_ATTEMPTS = 1
    partner.mood = "500"
    found = [consented() for _ in range(2)]
    settings.COACHING_PARTNER_MAX_ATTEMPTS = 20
    consented()
    PartnerDelivery.objects.filter(status="waiting").update(due_at=timezone.now() + timedelta(days=1))
    PartnerChannel.objects.update(not_before=None)
    partner.mood = "200"
    assert sorted(row.status for row in rows()) == ["parked", "parked", "waiting"]
    return found


def test_what_is_parked_is_seen_and_found(parked):
    browser = operator()
    shown = browser.get(DELIVERIES, {"status": "parked"}).content.decode()
    assert "http_500" in shown
    assert [key(learner) in shown for learner in parked] == [True, True]
    assert "2 partner deliveries" in shown
    found = browser.get(DELIVERIES, {"partner_id": key(parked[0])}).content.decode()
    assert [key(learner) in found for learner in parked] == [True, False]
    assert "0 partner deliveries" in browser.get(DELIVERIES, {"channel": "other"}).content.decode()


def test_try_again_delivers_what_was_parked_or_waits(partner, parked):
    response = do(operator(), "try_again", rows())
    assert "To be sent now: 3." in response.content.decode()
    assert_partner_knows(partner)


def test_try_again_takes_what_was_chosen_and_leaves_what_was_sent(partner, parked):
    browser = operator()
    chosen = rows(status="parked")[:1]
    do(browser, "try_again", chosen)
    assert set(partner.held) == {str(chosen[0].partner_id)}
    (sent,) = rows(status="sent")
    assert "To be sent now: 0." in do(browser, "try_again", chosen).content.decode()
    assert rows(status="sent") == [sent]
    assert len(partner.received) == 4


def test_tried_again_a_message_that_may_have_been_taken_hides_no_later_change(partner, settings, deliver):
    """Parked though the partner took it: under the same id, what has changed since is dropped, and must come after."""
    settings.COACHING_PARTNER_MAX_ATTEMPTS = 1
    partner.moods.append("500, taken")
    learner = consented()
    deliver(False)
    do(operator(), "try_again", rows(status="parked"))
    consent.decline(learner, evidence())
    deliver(True)
    run()
    assert [sequence for _, _, sequence in partner.received] == [1, 2, 2]
    assert_partner_knows(partner)


def test_who_may_only_look_may_not_try_again(partner, parked):
    browser = operator("view_partnerdelivery")
    shown = browser.get(DELIVERIES).content.decode()
    assert 'value="try_again"' not in shown
    assert key(parked[0]) in shown
    do(browser, "try_again", rows())
    assert partner.held == {}


def test_who_may_change_may_try_again_and_edits_nothing_all_the_same(partner, parked):
    browser = operator("change_partnerdelivery")
    (row, *_) = rows()
    shown = browser.get(page(row)).content.decode()
    assert str(row.partner_id) in shown
    assert 'name="_save"' not in shown
    assert "<input" not in shown.partition("<fieldset")[2].partition("</fieldset")[0]
    assert browser.post(page(row), {"status": "sent"}).status_code == 403
    do(browser, "try_again", rows())
    assert_partner_knows(partner)


def test_nothing_is_added_or_deleted(parked):
    browser = operator()
    (row, *_) = rows()
    assert browser.get(reverse("admin:coaching_plugin_partnerdelivery_add")).status_code == 403
    assert browser.get(reverse("admin:coaching_plugin_partnerdelivery_delete", args=[row.pk])).status_code == 403
    assert 'value="delete_selected"' not in browser.get(DELIVERIES).content.decode()
    do(browser, "delete_selected", rows())
    assert len(rows()) == 3


def test_who_has_no_permission_sees_nothing(parked):
    assert operator("view_user").get(DELIVERIES).status_code == 403


def test_a_channel_that_is_left_alone_can_be_tried_at_once(partner):
    partner.moods.append("503 3600")
    consented()
    PartnerDelivery.objects.update(due_at=timezone.now())
    browser = operator()
    shown = browser.get(CHANNELS).content.decode()
    assert "json" in shown
    response = do(browser, "try_again_now", PartnerChannel.objects.all(), CHANNELS)
    assert "To be tried now: json." in response.content.decode()
    assert_partner_knows(partner)
    assert not health.is_paused("json")


def test_who_may_only_look_at_channels_resumes_none(partner):
    partner.moods.append("503 3600")
    consented()
    do(operator("view_partnerchannel"), "try_again_now", PartnerChannel.objects.all(), CHANNELS)
    assert health.is_paused("json")


@pytest.mark.parametrize("changelist", [DELIVERIES, CHANNELS])
def test_a_page_with_many_rows_costs_no_more_queries(partner, deliver, django_assert_max_num_queries, changelist):
    deliver(False)
    consented()
    for _ in range(30):
        PartnerChannel.objects.create(name=f"channel-{PartnerChannel.objects.count()}")
        consented()
    browser = operator()
    browser.get(changelist)
    with django_assert_max_num_queries(8):
        browser.get(changelist)


# The system check


def found():
    return [message for message in django_checks.run_checks(tags=["coaching_plugin"]) if message.id.endswith("W006")]


JSON = "tests.loopback_partner.JsonChannel"
UNUSABLE = {
    "no such module": ({"BACKEND": "nowhere.Channel"}, "there is no class nowhere.Channel"),
    "no such class": ({"BACKEND": "tests.loopback_partner.Chanel"}, "there is no class"),
    "no channel": ({"BACKEND": "tests.loopback_partner.Partner"}, "is no MessageChannel and no RosterChannel"),
    "an option is missing": ({"BACKEND": JSON}, "its OPTIONS do not fit"),
    "an option is unknown": ({"BACKEND": JSON, "OPTIONS": {"url": "", "uri": "a secret"}}, "its OPTIONS do not fit"),
}


@pytest.mark.parametrize(("channel", "problem"), UNUSABLE.values(), ids=list(UNUSABLE))
def test_a_channel_that_cannot_be_made_is_warned_of(settings, django_assert_num_queries, channel, problem):
    good = {"BACKEND": JSON, "OPTIONS": {"url": "http://localhost:1/"}}
    settings.COACHING_PARTNER_CHANNELS = {"good": good, "bad": channel}
    with django_assert_num_queries(0):
        (message,) = found()
    assert "The channel bad of COACHING_PARTNER_CHANNELS is not usable" in message.msg
    assert problem in message.hint
    assert "a secret" not in message.hint


@pytest.mark.parametrize("value", ["json", {"Bad name": {"BACKEND": JSON}}, {"json": {}}, ["json"], 7])
def test_a_setting_that_is_no_dictionary_of_channels_is_warned_of(settings, value):
    settings.COACHING_PARTNER_CHANNELS = value
    (message,) = found()
    assert "COACHING_PARTNER_CHANNELS is not usable" in message.msg


@pytest.mark.parametrize("value", [{}, {"json": {"BACKEND": JSON, "OPTIONS": {"url": "http://localhost:1/"}}}])
def test_of_usable_channels_or_none_there_is_nothing_to_say(settings, value):
    settings.COACHING_PARTNER_CHANNELS = value
    assert found() == []


# The migration


@pytest.mark.once
def test_migrated_from_before_who_consented_is_told_of_when_they_withdraw(settings, partner):
    """The tables as they were, a consent in them, and the migration as `migrate` runs it."""
    learner = consented()
    partner.forget()
    kept = {
        name: getattr(consent.standing(learner), name) for name in ("user_id", "partner_id", "status", "answered_at")
    }
    PartnerDelivery.objects.all().delete()
    migrate_to("0002_first_disclosure")
    try:
        old = MigrationExecutor(connection).loader.project_state([("coaching_plugin", "0002_first_disclosure")]).apps
        assert old.get_model("coaching_plugin", "CoachingConsent").objects.filter(**kept).exists()
    finally:
        migrate_to()
    assert CoachingConsent.objects.get(**kept).changed_at == kept["answered_at"]
    assert rows() == [], "those of a time without a partner are on the roster, and in no outbox"
    consent.decline(learner, evidence())
    assert partner.held[key(learner)]["status"] == "withdrawn"
    assert not consent.give(learner, TYPED, None, evidence()).is_refused
    assert_partner_knows(partner)


def migrate_to(*name):
    call_command("migrate", "coaching_plugin", *name, verbosity=0)
