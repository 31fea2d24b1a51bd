"""
Whatever learners, workers, the partner and clocks do, in whatever order: drained, the partner knows what the LMS knows.

Hypothesis goes through it at random. What a worker does is taken apart, so that others do something in between, and so
that it can die at each point, fail, or come back after its lease has ended.
"""

from collections import Counter
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from freezegun import freeze_time
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from coaching_plugin import consent, outbox
from coaching_plugin.models import CoachingConsent, Door, PartnerChannel, PartnerDelivery
from coaching_plugin.partner import channels, claims, delivery, roster
from tests import factories
from tests.factories import OTHER_TYPED, TYPED, evidence
from tests.loopback_partner import lms_state

pytestmark = pytest.mark.once

LEARNERS = 2
learners = st.integers(0, LEARNERS - 1)
workers = st.integers(0, 1)


class Receiver:
    """What a partner holds that drops a message it has seen, and a sequence not above what it holds."""

    def __init__(self):
        self.held, self.seen = {}, set()
        self.mood = "well"

    def take(self, delivery_id, entry):
        """Take a message, or raise; in a mood ``..., taken`` both."""
        if self.mood == "well" or self.mood.endswith("taken"):
            self._take(delivery_id, entry)
        if self.mood != "well":
            raise channels.DeliveryError("down", timedelta(minutes=5) if "later" in self.mood else None)

    def _take(self, delivery_id, entry):
        held = self.held.get(entry.partner_id)
        if delivery_id not in self.seen and (held is None or entry.sequence > held.sequence):
            self.held[entry.partner_id] = entry
        self.seen.add(delivery_id)


RECEIVER = Receiver()


class MachineMessages(channels.MessageChannel):
    """The way to the one receiver of an example."""

    seconds_per_message = 5

    def send(self, delivery_id, entry):
        RECEIVER.take(delivery_id, entry)


class MachineRoster(channels.RosterChannel):
    """A roster in memory; in a mood in which nothing is taken, it is not written."""

    interval = timedelta(minutes=15)
    written = {}

    def write(self, entries):
        whole = {str(entry.partner_id): (str(entry.status), entry.phone_number) for entry in entries}
        if RECEIVER.mood != "well":
            raise channels.DeliveryError("down")
        type(self).written = whole


CHANNELS = {
    "messages": {"BACKEND": f"{__name__}.MachineMessages"},
    "rosters": {"BACKEND": f"{__name__}.MachineRoster"},
}


class DeliveryMachine(RuleBasedStateMachine):
    """Some learners, two workers with what each has claimed, a partner, a clock and a switch."""

    @initialize(are_signed_up=st.booleans())
    def begin(self, are_signed_up):
        cache.clear()
        PartnerDelivery.objects.all().delete()
        PartnerChannel.objects.all().delete()
        # Who was told of in another example is nobody of whom this one's partner should know.
        CoachingConsent.objects.update(changed_at=None)
        RECEIVER.__init__()
        MachineRoster.written = {}
        self.clock = freeze_time(timezone.now(), tick=False)
        self.now = self.clock.start()
        self.learners = [factories.eligible_learner() for _ in range(LEARNERS)]
        self.claimed = [[], []]
        self.on_its_way = [None, None]
        factories.set_switch(True)
        for number in range(LEARNERS if are_signed_up else 0):
            self.give(number, TYPED)

    def teardown(self):
        """Let everybody go on and time pass: then the partner knows what the LMS knows."""
        try:
            RECEIVER.mood = "well"
            factories.set_switch(True)
            claims.try_again(PartnerDelivery.objects.all())
            for _ in range(10):
                self.now.tick(timedelta(days=1))
                delivery.drain()
            rows = PartnerDelivery.objects.values_list("status", "leased_until", "last_error")
            assert set(rows) <= {("sent", None, "")}, list(rows)
            assert told() == lms_state()
            consents = {name: state for name, state in lms_state().items() if state[0] == "consented"}
            assert MachineRoster.written == consents
        finally:
            self.clock.stop()

    # Learners

    @rule(number=learners, typed=st.sampled_from([TYPED, OTHER_TYPED]))
    def give(self, number, typed):
        assert not consent.give(self.learners[number], typed, None, evidence()).is_refused

    @rule(number=learners)
    def change_phone(self, number):
        consent.change_phone(self.learners[number], OTHER_TYPED, evidence())

    @rule(number=learners)
    def decline(self, number):
        consent.decline(self.learners[number], evidence())

    @rule(number=learners)
    def opt_out(self, number):
        consent.opt_out(self.learners[number], evidence(Door.PARTNER, disclosure=None), "stop")

    @rule(number=learners)
    def be_asked_again(self, number):
        consent.ask_again(self.learners[number], evidence(Door.ADMIN, disclosure=None), "asked")

    @rule(number=learners)
    def be_refused(self, number):
        """An event of which the partner hears nothing, but that counts."""
        consent.give(self.learners[number], "12", None, evidence())

    @rule(number=learners)
    def be_erased(self, number):
        consent.erase(self.learners[number], evidence(Door.RETIREMENT, disclosure=None))

    # Workers, a step at a time

    @rule(number=workers)
    def claim(self, number):
        """What it had before, it leaves: a worker that died is followed by one of the same name."""
        found = (claims.claim(pk, 5) for pk in claims.candidates("messages"))
        self.claimed[number] = [claim for claim in found if claim]
        self.on_its_way[number] = None
        assert len({claim.partner_id for claim in self.claimed[number]}) == len(self.claimed[number])

    @precondition(lambda self: any(self.claimed))
    @rule(number=workers)
    def read(self, number):
        """The entry is read, and not yet sent."""
        if self.claimed[number] and not self.on_its_way[number]:
            claim = self.claimed[number].pop()
            self.on_its_way[number] = claim, roster.entry_of(claim.partner_id)

    @precondition(lambda self: any(self.on_its_way))
    @rule(number=workers, dies=st.sampled_from([False, False, True]))
    def send(self, number, dies):
        if not self.on_its_way[number]:
            return
        claim, entry = self.on_its_way[number]
        self.on_its_way[number] = None
        try:
            RECEIVER.take(claim.delivery_id, entry)
        except channels.DeliveryError as error:
            if not dies:
                claims.mark_failed(claim, error.code)
        else:
            if not dies:
                claims.mark_sent(claim, entry.sequence)

    @rule()
    def send_and_die(self):
        """What chance seldom does: all that can be claimed is taken by the partner, and nothing of that is marked."""
        self.claim(0)
        while self.claimed[0]:
            self.read(0)
            self.send(0, dies=True)

    @rule(refresh=st.booleans())
    def drain(self, refresh):
        delivery.drain(refresh=refresh)

    # What happens around them

    @rule(mood=st.sampled_from(["well", "well", "down", "down, taken", "later", "later, taken"]))
    def change_mood(self, mood):
        RECEIVER.mood = mood

    @rule(seconds=st.sampled_from([1, 20, 60, 120, 600, 7200]))
    def pass_time(self, seconds):
        self.now.tick(timedelta(seconds=seconds))

    @rule(on=st.booleans())
    def switch(self, on):
        factories.set_switch(on)

    @rule()
    def try_again(self):
        claims.try_again(PartnerDelivery.objects.all())

    @rule(channel=st.sampled_from(list(CHANNELS)))
    def queue_all(self, channel):
        outbox.add_everybody(channel)

    # What always holds

    @invariant()
    def nobody_is_told_of_a_learner_twice_at_a_time(self):
        leased = PartnerDelivery.objects.filter(status="waiting", leased_until__gt=timezone.now(), channel="messages")
        assert max(Counter(leased.values_list("partner_id", flat=True)).values(), default=1) == 1

    @invariant()
    def what_is_marked_sent_the_partner_knows(self):
        for row in PartnerDelivery.objects.filter(status="sent", channel="messages"):
            assert RECEIVER.held[row.partner_id].sequence >= row.sequence

    @invariant()
    def of_who_never_agreed_nothing_is_known(self):
        assert set(told()) <= set(lms_state())


def told():
    """Return what the receiver holds, as the LMS would say it."""
    return {str(name): (str(entry.status), entry.phone_number or None) for name, entry in RECEIVER.held.items()}


def test_whatever_happens_the_partner_knows_in_the_end_what_the_lms_knows(committed, coached, flags, settings):
    settings.COACHING_PARTNER_CHANNELS = CHANNELS
    settings.COACHING_PARTNER_MAX_ATTEMPTS = 2
    # What waits is delivered by the workers of the machine alone, not by a task after each change.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coaching_plugin.tasks.publish_delivery", lambda: None)
        run_state_machine_as_test(
            DeliveryMachine,
            settings=hypothesis_settings(max_examples=50, stateful_step_count=30, deadline=None),
        )
