"""Under what key a learner's language is kept among the preferences."""

LANGUAGE_KEY = "pref-lang"
