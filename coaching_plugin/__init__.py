"""Ask eligible learners once whether they want a coach, and keep a provable record of the answer."""

__version__ = "0.1.0"
