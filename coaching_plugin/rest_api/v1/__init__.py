"""Version 1 of the API, under ``/api/coaching/v1/``."""
