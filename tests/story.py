"""What a learner's events tell together: each can follow those before it, and the row stands where the last left it."""

from coaching_plugin import audit
from coaching_plugin.models import CoachingConsent, ConsentEvent


def events(learner):
    return list(ConsentEvent.objects.filter(learner_id=learner.id).order_by("sequence"))


def kinds(learner):
    return [event.kind for event in events(learner)]


def assert_told(learner):
    """Hold a learner's row against the chain, which verifies, and return the row."""
    row = CoachingConsent.objects.get(user=learner)
    assert audit.of(row) == audit.Verdict(broken=None, differing=()), kinds(learner)
    story = events(learner)
    assert [event.sequence for event in story] == list(range(1, len(story) + 1))
    assert (row.last_sequence, row.last_hash) == (len(story), story[-1].hash if story else "")
    return row
