"""The crowd of the demo: made once, with ledgers that hold, and nothing that its partner hears of."""

import io

import phonenumbers
import pytest
from django.core.management import call_command

from coaching_plugin import coached_courses
from coaching_plugin.models import CoachingConsent, ConsentEvent, EligibleCount, PartnerDelivery
from coaching_plugin.partner import roster
from coaching_plugin.reports import Scope, snapshot
from tests.fixtures_sandbox import seed

pytestmark = pytest.mark.once


def stored():
    return [list(model.objects.order_by("pk").values()) for model in (CoachingConsent, ConsentEvent, EligibleCount)]


@pytest.fixture
def crowd(db):
    seed()
    call_command("seed_crowd", stdout=io.StringIO())
    coached_courses.forget()


def test_it_is_made_once(crowd):
    before = stored()
    call_command("seed_crowd", stdout=io.StringIO())
    assert stored() == before


def test_its_ledgers_hold(crowd):
    out = io.StringIO()
    call_command("verify_consent_ledger", stdout=out)
    assert "Intact" in out.getvalue()


def test_each_has_a_number_of_their_own_that_there_could_be(crowd):
    numbers = [row.phone_number for row in CoachingConsent.objects.exclude(phone_number="")]
    assert len(set(numbers)) == len(numbers) > 100
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers)
    assert {phonenumbers.region_code_for_number(phonenumbers.parse(number)) for number in numbers} == {"US"}


def test_the_partner_hears_of_none_of_them(crowd):
    assert not PartnerDelivery.objects.exists()
    assert len(list(roster.entries())) == 1, "whoever consented in the demo itself"


def test_the_report_on_it_is_worth_looking_at(crowd):
    tables = snapshot.get(Scope())["tables"]
    shown = {name: [row for row in rows if not row.get("withheld")] for name, rows in tables.items()}
    assert {row["level"] for row in shown["funnel"]} == {"all", "program", "course"}
    assert len([row for row in shown["weeks"] if row["asked"]]) > 12
    assert len([row for row in shown["weeks"] if row["eligible"]]) > 12
    assert len(shown["persistence"]) >= 9
    assert shown["refusals"]
    assert any(row["met_error"] for row in shown["first_ten"])
