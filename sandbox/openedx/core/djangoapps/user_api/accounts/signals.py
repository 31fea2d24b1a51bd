"""Sent while a learner is retired. Receivers must be idempotent: a step may run again."""

from django.dispatch import Signal

# kwargs: email (the original), new_email (the retired one), user
USER_RETIRE_MAILINGS = Signal()
# kwargs: user; the profile is blank by now, the user name is still the old one
USER_RETIRE_LMS_CRITICAL = Signal()
# kwargs: user
USER_RETIRE_LMS_MISC = Signal()
