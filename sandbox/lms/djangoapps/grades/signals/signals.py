"""Signals of grading."""

from django.dispatch import Signal

# Sent on the platform when a learner's score on a problem changes; edx-completion listens to it.
PROBLEM_WEIGHTED_SCORE_CHANGED = Signal()
