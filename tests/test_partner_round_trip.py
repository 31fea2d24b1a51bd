"""The LMS and the sandbox's coaching partner, a process of its own: they agree, whatever went wrong between them."""

import io
from datetime import timedelta

import pytest
from common.djangoapps.student.models import UserProfile
from django.core.management import call_command
from django.utils import timezone
from openedx.core.djangoapps.user_api.accounts.signals import USER_RETIRE_LMS_CRITICAL
from partner import OPT_OUT_SECRET, WEBHOOK_SECRET
from partner.server import MISBEHAVIOURS
from waffle.models import Switch

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent, ConsentEvent, PartnerChannel, PartnerDelivery
from coaching_plugin.partner import roster
from tests import factories
from tests.factories import NUMBER, OTHER_NUMBER, evidence
from tests.partner_process import running_partner

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("committed", "coached", "flags")]


@pytest.fixture
def partner(live_server, settings, tmp_path):
    """The partner, which the LMS tells by its webhook, and which tells the LMS of opt-outs."""
    Switch.objects.create(name="coaching.partner_delivery", active=True)
    with running_partner(tmp_path / "partner.sqlite3", "--misbehave", lms=live_server.url) as process:
        address = process.url.replace("127.0.0.1", "localhost")
        settings.COACHING_PARTNER_CHANNELS = {
            "webhook": {
                "BACKEND": "coaching_plugin.partner.webhook.WebhookChannel",
                "OPTIONS": {"url": f"{address}/webhook", "secrets": [WEBHOOK_SECRET], "timeout": 1},
            }
        }
        settings.COACHING_PARTNER_OPT_OUT_SECRETS = [OPT_OUT_SECRET]
        yield process


def give(learner, number=NUMBER):
    outcome = consent.give(learner, phone_number=number, full_name=None, evidence=evidence())
    assert not outcome.is_refused
    return outcome.consent


def deliver(later=False):
    """Do what cron does; ``later``, when all that was put off is due."""
    if later:
        PartnerDelivery.objects.update(due_at=timezone.now() - timedelta(seconds=1), leased_until=None)
        PartnerChannel.objects.update(not_before=None)
    call_command("deliver_to_partner", stdout=io.StringIO())


def assert_agreed(partner):
    """Compare what the partner holds with how each learner stands in the LMS."""
    assert not PartnerDelivery.objects.exclude(status="sent").exists()
    told = {str(row.partner_id): row for row in CoachingConsent.objects.filter(changed_at__isnull=False)}
    held = partner.holds()
    assert held.keys() == told.keys()
    for partner_id, row in told.items():
        entry = roster.entry_of(row.partner_id).as_json()
        assert {name: held[partner_id].get(name) for name in entry} == entry
        assert entry["status"] == "consented" or "phone_number" not in held[partner_id]


@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_whatever_the_partner_does_in_the_end_it_holds_what_the_lms_says(partner, misbehaviour):
    stays, leaves, comes, moves = (factories.eligible_learner(name=f"Lena {number}") for number in range(4))
    for learner in (stays, leaves, moves):
        give(learner)
    deliver()
    assert_agreed(partner)

    partner.misbehave(misbehaviour, seconds=2)
    consent.withdraw(leaves, reason="learner", evidence=evidence())
    give(comes)
    consent.change_phone(moves, OTHER_NUMBER, evidence=evidence())
    consent.withdraw(comes, reason="learner", evidence=evidence())
    give(comes)
    deliver()
    assert CoachingConsent.objects.filter(status="consented").count() == 3, "their answers count, whatever became of it"
    deliver(later=True)
    partner.misbehave("none")
    deliver(later=True)
    assert_agreed(partner)


def test_a_partner_that_was_away_and_comes_back(partner, settings, tmp_path):
    learner = factories.eligible_learner()
    give(learner)
    partner.process.kill()
    partner.process.wait()
    consent.withdraw(learner, reason="learner", evidence=evidence())
    give(learner, OTHER_NUMBER)
    deliver(later=True)
    assert PartnerDelivery.objects.filter(status="waiting").exists()

    port = partner.url.rpartition(":")[2]
    with running_partner(tmp_path / "partner.sqlite3", "--port", port) as again:
        assert [held["phone_number"] for held in again.holds().values()] == [NUMBER]
        deliver(later=True)
        assert_agreed(again)


def test_stop_at_the_partner_withdraws_in_the_lms_and_comes_back_to_the_partner(partner):
    row = give(factories.eligible_learner())
    give(factories.eligible_learner(), OTHER_NUMBER)
    deliver()

    partner.stop(row.partner_id)
    assert [each["answer"] for each in partner.opt_outs()] == ["200, withdrawn"]
    row.refresh_from_db()
    assert (row.status, row.opted_out_at is None) == ("withdrawn", False)
    event = ConsentEvent.objects.get(consent=row, kind="opted_out")
    assert (event.door, event.reason) == ("partner", "stop")
    deliver()
    assert_agreed(partner)
    assert str(row.partner_id) not in [id for id, held in partner.holds().items() if held["status"] == "consented"]


def test_who_is_retired_is_gone_at_the_partner(partner, tmp_path):
    learner = factories.eligible_learner(name="Lena Zwetschge")
    row = give(learner)
    deliver()
    assert "Lena Zwetschge" in partner.page()

    USER_RETIRE_LMS_CRITICAL.send(sender=UserProfile, user=learner)
    deliver()
    assert partner.holds()[str(row.partner_id)]["status"] == "erased"
    assert b"Zwetschge" not in (tmp_path / "partner.sqlite3").read_bytes()
    assert_agreed(partner)
