"""Makes the sites that are measured."""

# Of what a site holds: one more whenever the same seed and size no longer give the same rows.
VERSION = 1
