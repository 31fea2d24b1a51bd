"""Coaching consent for Open edX, in a platform that Tutor runs."""
