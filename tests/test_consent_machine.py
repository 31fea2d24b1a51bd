"""
Whatever is done with a consent, in whatever order: the rules hold, the ledger tells it, and the chain verifies.

Hypothesis goes through changes and through what happens around them (eligibility, profile, account, words) at random.
Before each change the rules say which event it makes. Each example has a learner of its own, and everything is
committed, so that what follows a commit follows here too.
"""

from dataclasses import replace

import pytest
from common.djangoapps.student.models import UserProfile
from django.core.cache import cache
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from openedx.core.djangoapps.user_api.models import UserRetirementStatus

from coaching_plugin import answered, conf, consent, disclosures, phone, receipts
from coaching_plugin.models import CoachingConsent, ConsentEvent, Disclosure, Door
from coaching_plugin.rest_api.v1 import serializers
from tests import factories
from tests.factories import CANADIAN, NUMBER, OTHER_NUMBER, OTHER_TYPED, TYPED, evidence
from tests.story import assert_told

Status = CoachingConsent.Status

BRITISH, TOLL_FREE = "+447400123456", "+18002530000"
# What may be typed, or found in the profile, and what becomes of it.
TEXTABLE = {
    **dict.fromkeys([TYPED, NUMBER], NUMBER),
    **dict.fromkeys([OTHER_TYPED, OTHER_NUMBER, "\u202a+1 212 555 2368\u202c"], OTHER_NUMBER),
}
FOREIGN = {CANADIAN: CANADIAN, **dict.fromkeys(["+44 7400 123456", BRITISH], BRITISH)}
MACHINES = dict.fromkeys(["1-800-253-0000", TOLL_FREE], TOLL_FREE)
VALID = {**TEXTABLE, **FOREIGN, **MACHINES}
UNTEXTABLE = {**dict.fromkeys(FOREIGN, "phone_region"), **dict.fromkeys(MACHINES, "phone_type")}
WRONG = {
    "12": "phone_malformed",
    "call me": "phone_malformed",
    f"{TYPED} ext. 5": "phone_extension",
    "(415) 155-2671": "phone_invalid",
}
NOTHING = dict.fromkeys(["", "  "], "phone_missing")
NAMES = {" Lena Q. Learner ": "Lena Q. Learner", "Elena Garcia": "Elena Garcia", None: None}
WRONG_NAMES = {"": "name_missing", "Lena <b>": "name_malformed"}
# What keeps a learner from giving consent, by the order in which it is told, and how.
BARS = {
    "account": "account_inactive",
    "enrollment": "not_eligible",
    "retirement": "not_eligible",
    "age": "under_age",
}
MOMENTS = {
    "asked": "asked_at",
    **dict.fromkeys(["consented", "declined", "withdrawn"], "answered_at"),
    "opted_out": "opted_out_at",
}
BLANK = {"phone_number": "", "ip": None, "user_agent": "", "salt": ""}

numbers = st.sampled_from([*TEXTABLE, *TEXTABLE, *UNTEXTABLE, *WRONG, *NOTHING, None])
names = st.sampled_from([*NAMES, *NAMES, *WRONG_NAMES])


def on_page():
    return evidence(Door.PAGE)


def on_page_with_old_words():
    return evidence(Door.PAGE, disclosure=None)


def by_api():
    return evidence(Door.API, disclosure=None)


def by_api_with_words():
    return replace(evidence(Door.ACCOUNT_SETTINGS), names_disclosure=True)


def by_api_with_old_words():
    return replace(by_api(), names_disclosure=True)


OLD_WORDS = [on_page_with_old_words, by_api_with_old_words]
learners = st.sampled_from([on_page, by_api, by_api_with_words, *OLD_WORDS])
others = st.sampled_from([Door.ADMIN, Door.PARTNER]).map(lambda door: lambda: evidence(door, disclosure=None))


def number_code(number, codes):
    """Return the code with which a number is refused, in a list that is empty where it is not."""
    return [codes[number]] if number in codes else []


class ConsentMachine(RuleBasedStateMachine):
    """One learner, what the rules say of them, and all that can be done with their consent."""

    @initialize(number=st.sampled_from([None, TYPED, CANADIAN]), is_signed_up=st.booleans())
    def arrive(self, number, is_signed_up):
        cache.clear()
        self.learner = factories.eligible_learner(phone_number=number)
        self.bars = set()
        self.seen = []
        if is_signed_up:
            self.sign_up(OTHER_TYPED)

    # What is stored

    def row(self):
        return CoachingConsent.objects.filter(user=self.learner).values().first()

    def standing(self):
        return consent.standing(self.learner)

    def events(self):
        return list(ConsentEvent.objects.filter(learner_id=self.learner.id).order_by("sequence").values())

    def profile(self):
        return UserProfile.objects.values("name", "phone_number", "meta").get(user=self.learner)

    def personal_data_is_stored(self):
        return bool(self.standing().phone_number) or any(
            event["salt"] for event in self.events() if event["kind"] != "erased"
        )

    # One change

    def change(self, operation, *expected, number=None, name=None):
        """Do something twice, of which the rules say what it does: these events the first time, nothing the second."""
        before, profile, started = self.events(), self.profile(), timezone.now()
        outcome = operation(self.learner)
        events, row, now = self.events(), self.row(), self.profile()
        assert [event["kind"] for event in events[len(before) :]] == list(expected)
        assert all(row[MOMENTS[kind]] >= started for kind in expected if kind in MOMENTS)
        assert (now["phone_number"] or "") == ((profile["phone_number"] or "") if number is None else number)
        assert now["name"] == (name or profile["name"])
        again = operation(self.learner)
        assert (self.events(), self.row(), self.profile()) == (events, row, now)
        assert getattr(again, "refusals", None) == getattr(outcome, "refusals", None)
        return outcome

    def be_refused(self, operation, codes, proof):
        """Do what the rules refuse: nothing but its event is stored, and not even that the second time."""
        row = self.row()
        last = (self.events() or [None])[-1]
        is_repeated = last and (last["kind"], last["reason"], last["door"]) == ("refused", " ".join(codes), proof.door)
        outcome = self.change(operation, *([] if is_repeated else ["refused"]))
        assert [refusal.code for refusal in outcome.refusals] == codes
        head = ("last_sequence", "last_hash")
        if row:
            assert {**self.row(), **{name: row[name] for name in head}} == row
        assert self.events()[-1]["phone_number"] == ""

    # What learners do

    @rule(come=learners)
    def ask(self, come):
        proof, row = come(), self.standing()
        is_asked = row.asked_at is None and not row.has_answered
        self.change(lambda learner: consent.ask(learner, proof), *["asked"] * is_asked)

    @rule(come=learners, number=numbers, name=names, agreed=st.sampled_from([True, True, True, False]))
    def give(self, come, number, name, agreed):
        proof, row = come(), self.standing()
        typed = self.profile()["phone_number"] or "" if number is None else number
        bars = []
        if not row.is_consented:
            bars = [code for bar, code in BARS.items() if bar in self.bars][:1]
        terms = ["disclosure_missing"] * (come in OLD_WORDS and not row.is_consented)
        terms = terms or ["agreement_missing"] * (not agreed)
        wrong = [*terms, *number_code(typed, {**UNTEXTABLE, **WRONG, **NOTHING})]
        wrong += [WRONG_NAMES[name]] if name in WRONG_NAMES else []

        def operation(learner):
            return consent.give(learner, number, name, proof, agreed=agreed)

        if bars or wrong:
            self.be_refused(operation, bars or wrong, proof)
            return
        number = TEXTABLE[typed]
        event = ["phone_changed"] * (number != row.phone_number) if row.is_consented else ["consented"]
        outcome = self.change(operation, *event, number=number, name=NAMES[name])
        assert (outcome.consent.status, outcome.consent.phone_number) == (Status.CONSENTED, number)
        if event == ["consented"]:
            assert (outcome.consent.disclosure_id is None) == (proof.disclosure is None)

    @rule(number=st.sampled_from(list(TEXTABLE)))
    def sign_up(self, number):
        """Do all of it right, which chance seldom does."""
        self.give(on_page, number, None, agreed=True)

    @rule(come=learners)
    def decline(self, come):
        proof, status = come(), self.standing().status
        event = {Status.CONSENTED: ["withdrawn"], Status.UNDECIDED: ["declined"]}.get(status, [])
        outcome = self.change(lambda learner: consent.decline(learner, proof), *event)
        assert outcome.consent.status in (Status.DECLINED, Status.WITHDRAWN)

    @rule(come=learners, reason=st.sampled_from(["learner", "profile"]))
    def withdraw(self, come, reason):
        proof, was_consented = come(), self.standing().is_consented
        outcome = self.change(lambda learner: consent.withdraw(learner, proof, reason), *["withdrawn"] * was_consented)
        assert not outcome.consent.is_consented

    @rule(come=learners, number=numbers)
    def change_phone(self, come, number):
        proof, row = come(), self.standing()
        codes = {**UNTEXTABLE, **NOTHING, None: "phone_missing"} if row.is_consented else {}
        wrong = number_code(number, {**WRONG, **codes})

        def operation(learner):
            return consent.change_phone(learner, number, proof)

        if wrong:
            self.be_refused(operation, wrong, proof)
            return
        number = VALID.get(number, "")
        moves = row.is_consented and number != row.phone_number
        outcome = self.change(operation, *["phone_changed"] * moves, number=number)
        assert outcome.consent.phone_number == (number if row.is_consented else row.phone_number)

    # What others do

    @rule(come=others)
    def opt_out(self, come):
        proof, row = come(), self.standing()
        is_new = row.is_consented or row.opted_out_at is None
        outcome = self.change(lambda learner: consent.opt_out(learner, proof), *["opted_out"] * is_new)
        assert not outcome.consent.is_consented

    @rule(come=others)
    def do_not_ask(self, come):
        proof, is_new = come(), not self.standing().do_not_ask
        status = self.standing().status
        outcome = self.change(lambda learner: consent.do_not_ask(learner, proof, "asked"), *["do_not_ask"] * is_new)
        assert outcome.consent.has_answered
        assert outcome.consent.status == status

    @rule(come=others)
    def ask_again(self, come):
        proof, row = come(), self.standing()
        is_new = row.has_answered and not row.is_consented
        outcome = self.change(lambda learner: consent.ask_again(learner, proof, "asked"), *["ask_again"] * is_new)
        assert outcome.consent.has_answered == row.is_consented

    @rule()
    def dismiss_card(self):
        """Whatever the standing, it stays, and no event tells of it."""
        before = self.row()
        self.change(consent.dismiss_card)
        row = self.row()
        dismissed_at = row["card_dismissed_at"]
        assert dismissed_at
        if before:
            assert row == {**before, "card_dismissed_at": before["card_dismissed_at"] or dismissed_at}

    @rule()
    def erase(self):
        withdrawn = ["withdrawn"] * self.standing().is_consented
        erased = ["erased"] * self.personal_data_is_stored()
        proof = consent.Evidence(door=Door.RETIREMENT)
        self.change(lambda learner: consent.erase(learner, proof), *withdrawn, *erased)
        stored = repr([self.row(), self.events()])
        for personal in (NUMBER, OTHER_NUMBER, "192.0.2.7", "a browser"):
            assert personal not in stored
        assert not self.personal_data_is_stored()
        assert cache.get(answered.key(self.learner.id)) is None

    # What happens around them

    @rule(bars=st.sampled_from([set(), *({one} for one in BARS), {"enrollment", "age"}, {"account", "retirement"}]))
    def be_barred(self, bars):
        """Some of what keeps a learner from giving consent comes, and the rest goes."""
        self.learner.is_active = "account" not in bars
        self.learner.save()
        self.learner.courseenrollment_set.update(is_active="enrollment" not in bars)
        born = timezone.now().year - (9 if "age" in bars else 40)
        UserProfile.objects.filter(user=self.learner).update(year_of_birth=born)
        withdrawn = []
        if "retirement" not in bars:
            UserRetirementStatus.objects.filter(user=self.learner).delete()
        elif "retirement" not in self.bars:
            withdrawn = ["withdrawn"] * self.standing().is_consented
        self.bars = bars
        self.change(self.request_retirement if "retirement" in bars else lambda learner: None, *withdrawn)

    def request_retirement(self, learner):
        """Ask for the account to be deleted; asked already, the platform saves the request again."""
        request = UserRetirementStatus.objects.filter(user=learner).first()
        if request:
            request.save()
        else:
            UserRetirementStatus.create_retirement(learner)

    @rule(number=st.sampled_from([None, "", "12", *VALID.values()]))
    def change_profile(self, number):
        """The platform stores whatever it gets."""
        UserProfile.objects.filter(user=self.learner).update(phone_number=number)

    @rule(number=numbers, by_learner=st.booleans())
    def follow_profile(self, number, by_learner):
        """The number has changed past us, by the learner or by somebody else, and the consent comes after."""
        UserProfile.objects.filter(user=self.learner).update(phone_number=number)
        row, proof = self.standing(), evidence(Door.PROFILE, disclosure=None)

        def operation(learner):
            return consent.follow_profile(learner, proof, chosen_by_learner=by_learner)

        codes = {**UNTEXTABLE, **WRONG, **NOTHING, None: "phone_missing"}
        expected = []
        if row.is_consented and number in codes:
            expected = ["withdrawn"]
        elif row.is_consented and TEXTABLE[number] != row.phone_number:
            expected = ["phone_changed" if by_learner else "withdrawn"]
        self.change(operation, *expected)
        if expected:
            reason = codes.get(number) or ("" if by_learner else "phone_changed_by_other")
            assert self.events()[-1]["reason"] == reason

    @rule()
    def publish(self):
        version = Disclosure.objects.order_by("-version").values_list("version", flat=True)[0] + 1
        Disclosure.objects.create(version=version, language="en", body="Other words", published_at=timezone.now())
        assert disclosures.current().disclosure.version == version

    # What always holds

    @invariant()
    def the_ledger_tells_where_the_learner_stands(self):
        if self.row():
            assert_told(self.learner)
        else:
            assert self.events() == []

    @invariant()
    def the_receipt_tells_it_too(self):
        """Of whatever history: where the learner stands, the consent that stands or stood last, and its exact words."""
        receipt, row, events = receipts.of(self.learner), self.row(), self.events()
        if row is None:
            assert receipt is None
            return
        assert receipt.standing.status == row["status"]
        assert [entry.event.sequence for entry in receipt.history] == [event["sequence"] for event in events]
        assert all(entry.what for entry in receipt.history)
        agreement, kinds = receipt.agreement, [event["kind"] for event in events]
        assert (agreement is not None) == ("consented" in kinds)
        told = serializers.receipt_json(receipt)
        assert (told["status"], told["record"] is None) == (row["status"], agreement is None)
        if agreement is None:
            return
        assert (agreement.ended is None) == (row["status"] == Status.CONSENTED)
        assert bool(agreement.why_ended) == (agreement.ended is not None)
        if agreement.ended is None:
            assert agreement.phone_number == row["phone_number"]
        assert (agreement.words is None) == (agreement.given.disclosure is None)
        if agreement.words:
            assert agreement.words.are_exact
            words = told["record"]["pii_processing"]["privacy_notice"]
            assert Disclosure.digest(words["text"]) == agreement.given.shown_sha256 == words["sha256"]

    @invariant()
    def what_is_written_stays(self):
        events = self.events()
        erased = [place for place, event in enumerate(events) if event["kind"] == "erased"]
        for place, event in enumerate(self.seen):
            assert events[place] == ({**event, **BLANK} if erased and place < erased[-1] else event)
        self.seen = events

    @invariant()
    def consent_is_for_a_number_that_can_be_texted(self):
        row = self.standing()
        if row.is_consented:
            assert phone.textable(row.phone_number, conf.phone_regions()) == row.phone_number

    @invariant()
    def an_answer_or_an_operators_word_ends_the_asking(self):
        row = self.standing()
        is_over = row.do_not_ask or row.status != Status.UNDECIDED
        remembered = cache.get(answered.key(self.learner.id))
        assert remembered is None or (is_over and remembered is row.is_consented)
        assert answered.has_answered(self.learner.id) == row.has_answered == is_over

    @invariant()
    def times_are_in_order(self):
        row = self.standing()
        assert (row.answered_at is not None) == (row.status != Status.UNDECIDED)
        assert not (row.asked_at and row.answered_at) or row.asked_at <= row.answered_at
        times = [event["occurred_at"] for event in self.events()]
        assert times == sorted(times)


@pytest.mark.once
def test_any_sequence_of_changes_keeps_the_rules_and_the_ledger(committed, coached):
    run_state_machine_as_test(ConsentMachine, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))
