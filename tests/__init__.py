"""
The tests: a file for each module of the plugin (``test_phone``), and for each question that goes through several.

The learner's path: ``test_round_trip``, ``in_browser/``. What it withstands: ``test_hostile_next``, ``test_csrf``,
``test_other_learners``, ``test_*_hostile``, ``test_faults``, ``test_crashes``, ``test_concurrency``,
``test_consent_machine``. Whether the sandbox is like the platform: ``test_sandbox_*``.

What they stand on: ``factories`` makes people and what the platform records of them, ``browser`` goes through pages as
a person does, ``consent_pages`` knows all ways to ours, ``cost`` counts queries and round trips, ``story`` reads what
events tell together, and ``watch`` looks over every test for personal data that leaves the process.
"""
