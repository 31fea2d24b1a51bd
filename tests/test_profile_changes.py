"""A phone number that changes past us, by the account API, the admin or a script: the consent stays true to it."""

import json

import pytest
from common.djangoapps.student.models import UserProfile
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.urls import reverse

from coaching_plugin import consent
from coaching_plugin.models import CoachingConsent, ConsentEvent, Door
from tests import factories
from tests.factories import CANADIAN, NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.story import assert_told, events

pytestmark = pytest.mark.usefixtures("committed")

Status = CoachingConsent.Status

IP, USER_AGENT = "198.51.100.23", "Obscure Browser/47.11"
FROM = {"REMOTE_ADDR": IP, "HTTP_USER_AGENT": USER_AGENT}
TOLL_FREE = "+18002530000"


@pytest.fixture
def consented(learner):
    consent.give(learner, TYPED, None, evidence())
    learner.profile.refresh_from_db()
    return learner


def standing(learner):
    return CoachingConsent.objects.get(user=learner)


def since(learner, count):
    """Return the events after the first ``count``, the chain and its story being whole."""
    assert_told(learner)
    return events(learner)[count:]


def profile_of(learner):
    return UserProfile.objects.get(user=learner)


# By the learner, in the account API


@pytest.fixture
def account(consented, log_in):
    """Change the learner's own account as the account MFE does, and return the status of the answer."""
    client = log_in(consented)

    def patch(**changes):
        return client.patch(
            f"/api/user/v1/accounts/{consented.username}",
            json.dumps(changes),
            content_type="application/merge-patch+json",
            headers={"X-CSRFToken": client.cookies["csrftoken"].value},
            **FROM,
        ).status_code

    return patch


def test_another_number_of_the_learner_takes_the_consent_with_it(consented, account):
    assert account(phone_number=OTHER_TYPED) == 200
    row, (moved,) = standing(consented), since(consented, 1)
    assert (row.status, row.phone_number) == (Status.CONSENTED, OTHER_NUMBER)
    assert (moved.kind, moved.door, moved.actor_id) == ("phone_changed", Door.PROFILE, None)
    assert (moved.phone_number, moved.ip, moved.user_agent) == (OTHER_NUMBER, IP, USER_AGENT)


@pytest.mark.parametrize("typed", [TYPED, "415.555.2671", NUMBER, "1 415 555 2671"])
def test_the_same_number_written_otherwise_changes_nothing(consented, account, typed):
    assert account(phone_number=typed) == 200
    assert standing(consented).phone_number == NUMBER
    assert since(consented, 1) == []


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "phone_missing"),
        (None, "phone_missing"),
        ("abc", "phone_missing"),
        ("12", "phone_malformed"),
        ("(415) 155-2671", "phone_invalid"),
        (CANADIAN, "phone_region"),
        ("+4915112345678", "phone_region"),
        (TOLL_FREE, "phone_type"),
    ],
    ids=["empty", "none", "no digits", "too short", "no such number", "Canada", "Germany", "toll-free"],
)
def test_a_number_that_cannot_be_texted_withdraws_and_says_why(consented, account, typed, reason):
    assert account(phone_number=typed) == 200
    row, (withdrawn,) = standing(consented), since(consented, 1)
    assert row.status == Status.WITHDRAWN
    assert (withdrawn.kind, withdrawn.door, withdrawn.reason) == ("withdrawn", Door.PROFILE, reason)


def test_other_changes_of_the_account_are_none_of_our_business(consented, account):
    assert account(name="Lena Renamed", bio="I learn.") == 200
    assert profile_of(consented).name == "Lena Renamed"
    assert since(consented, 1) == []


def test_a_change_that_the_platform_refuses_changes_nothing(consented, account):
    assert account(phone_number=OTHER_TYPED, name="") == 400
    assert profile_of(consented).phone_number == NUMBER
    assert since(consented, 1) == []


@pytest.mark.parametrize("flag", ["coaching.enabled", "coaching.account_settings"])
def test_the_consent_stays_true_whatever_is_switched_off(consented, account, set_flag, flag):
    set_flag(flag, False)
    assert account(phone_number="") == 200
    assert standing(consented).status == Status.WITHDRAWN


@pytest.mark.parametrize("history", ["never asked", "asked", "declined", "withdrawn"])
def test_where_no_consent_stands_a_number_is_a_number(learner, log_in, history):
    if history == "asked":
        consent.ask(learner, evidence())
    elif history == "withdrawn":
        consent.give(learner, TYPED, None, evidence())
    if history in ("declined", "withdrawn"):
        consent.decline(learner, evidence())
    before = list(CoachingConsent.objects.values()), ConsentEvent.objects.count()
    profile = profile_of(learner)
    profile.phone_number = OTHER_NUMBER
    profile.save()
    assert (list(CoachingConsent.objects.values()), ConsentEvent.objects.count()) == before


# By somebody else


@pytest.fixture
def operator(db):
    return factories.user(is_staff=True, is_superuser=True)


def change_in_the_admin(client, learner, number):
    """Change the number in the form of a user, as the admin shows it."""
    path = reverse("admin:auth_user_change", args=[learner.pk])
    forms = client.get(path).context
    data = {}
    for form in (forms["adminform"].form, forms["inline_admin_formsets"][0].formset.forms[0]):
        data |= {form.add_prefix(name): form.initial.get(name) for name in form.fields}
    management = forms["inline_admin_formsets"][0].formset.management_form
    data |= {management.add_prefix(name): management.initial[name] for name in management.fields}
    joined = data.pop("date_joined")
    data |= {"date_joined_0": joined.strftime("%Y-%m-%d"), "date_joined_1": joined.strftime("%H:%M:%S")}
    data |= {"profile-0-phone_number": number, "groups": [], "user_permissions": []}
    data = {name: value for name, value in data.items() if value is not None and value is not False}
    data |= {"profile-0-id": learner.profile.pk, "profile-0-user": learner.pk}
    response = client.post(path, data)
    assert response.status_code == 302, response.context["errors"]


@pytest.mark.logs_personal_data("the platform tracks its own admin of users, which is no path of ours")
@pytest.mark.parametrize(
    ("number", "reason"),
    [(OTHER_NUMBER, "phone_changed_by_other"), (CANADIAN, "phone_region"), ("", "phone_missing")],
    ids=["another that can be texted", "one that cannot", "none"],
)
def test_what_an_operator_changes_withdraws(consented, operator, client, number, reason):
    client.force_login(operator)
    change_in_the_admin(client, consented, number)
    assert (profile_of(consented).phone_number or "") == number
    row, (withdrawn,) = standing(consented), since(consented, 1)
    assert row.status == Status.WITHDRAWN
    assert (withdrawn.kind, withdrawn.door, withdrawn.reason) == ("withdrawn", Door.PROFILE, reason)
    # Who it was is told; where they sat is not evidence of anything the learner did.
    assert (withdrawn.actor_id, withdrawn.ip, withdrawn.user_agent) == (operator.pk, None, "")


@pytest.mark.logs_personal_data("the platform tracks its own admin of users, which is no path of ours")
def test_an_operator_who_saves_a_user_without_touching_the_number_withdraws_nothing(consented, operator, client):
    client.force_login(operator)
    change_in_the_admin(client, consented, NUMBER)
    assert since(consented, 1) == []


def test_what_a_script_changes_withdraws(consented):
    profile = profile_of(consented)
    profile.phone_number = OTHER_NUMBER
    profile.save()
    row, (withdrawn,) = standing(consented), since(consented, 1)
    assert (row.status, withdrawn.reason) == (Status.WITHDRAWN, "phone_changed_by_other")
    assert withdrawn.actor_id is None


def test_saving_only_other_fields_changes_nothing(consented):
    profile = profile_of(consented)
    profile.phone_number = OTHER_NUMBER
    profile.save(update_fields=["name"])
    assert profile_of(consented).phone_number == NUMBER
    assert since(consented, 1) == []


def test_a_change_that_is_rolled_back_changes_nothing(consented):
    profile = profile_of(consented)
    profile.phone_number = OTHER_NUMBER
    with transaction.atomic():
        profile.save()
        transaction.set_rollback(True)
    assert since(consented, 1) == []
    # The same object once more, as it is: what was noted on it then is not taken for a change now.
    profile.phone_number = NUMBER
    profile.save()
    assert since(consented, 1) == []


def test_two_saves_in_one_transaction_are_judged_by_what_is_committed(consented):
    profile = profile_of(consented)
    with transaction.atomic():
        profile.phone_number = ""
        profile.save()
        profile.phone_number = NUMBER
        profile.save()
    assert since(consented, 1) == []


def test_a_new_profile_and_one_of_a_fixture_are_left_alone(consented, tmp_path):
    fixture = tmp_path / "profile.json"
    call_command("dumpdata", "student.userprofile", output=str(fixture), verbosity=0)
    fixture.write_text(fixture.read_text().replace(NUMBER, OTHER_NUMBER))
    call_command("loaddata", str(fixture), verbosity=0)
    assert profile_of(consented).phone_number == OTHER_NUMBER
    assert since(consented, 1) == []


# By ourselves


def test_our_own_writes_are_recorded_once(learner):
    consent.give(learner, TYPED, "Lena Renamed", evidence())
    consent.change_phone(learner, OTHER_TYPED, evidence(Door.ACCOUNT_SETTINGS))
    assert [event.kind for event in since(learner, 0)] == ["consented", "phone_changed"]
    assert profile_of(learner).phone_number == OTHER_NUMBER


# When we fail


@pytest.mark.parametrize("broken", ["coaching_plugin.lms.profile", "coaching_plugin.consent.follow_profile"])
def test_the_platform_saves_a_profile_whatever_fails_here(consented, account, monkeypatch, caplog, broken):
    def fail(*args, **kwargs):
        raise DatabaseError(NUMBER)

    monkeypatch.setattr(broken, fail)
    assert account(phone_number=OTHER_TYPED) == 200
    monkeypatch.undo()
    assert profile_of(consented).phone_number == OTHER_TYPED.replace("-", "")
    assert standing(consented).phone_number == NUMBER
    assert {record.levelname for record in caplog.records if record.name == "coaching_plugin.signals"} == {"ERROR"}


def test_what_it_costs_the_platform(learner, django_assert_num_queries):
    """One look at what was stored; nothing more where the number stays as it is."""
    profile = profile_of(learner)
    learner.profile  # noqa: B018
    profile.user  # noqa: B018
    with django_assert_num_queries(2):
        profile.save()
    with django_assert_num_queries(1):
        profile.save(update_fields=["name"])
