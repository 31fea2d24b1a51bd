"""Are our tables there, as this version needs them, and does the cache keep what it is given?"""

import secrets
from collections.abc import Iterator

from django.core.cache import cache
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor

from coaching_plugin.models import CoachingConsent
from coaching_plugin.setup_check.finding import Finding, Level

APP = "coaching_plugin"


def check_migrations() -> Iterator[Finding]:
    """Tell which migrations of our tables are missing."""
    executor = MigrationExecutor(connections[router.db_for_write(CoachingConsent)])
    ours = [node for node in executor.loader.graph.leaf_nodes() if node[0] == APP]
    missing = [migration.name for migration, _ in executor.migration_plan(ours) if migration.app_label == APP]
    if missing:
        yield Finding(Level.ERROR, f"Migrations are not applied: {', '.join(missing)}.", f"manage.py lms migrate {APP}")
    else:
        yield Finding(Level.OK, f"All migrations are applied, up to {ours[0][1]}.")


def check_cache() -> Iterator[Finding]:
    """Tell whether the cache works."""
    key = f"{APP}.setup_check.{secrets.token_hex(8)}"
    cache.set(key, True, 60)
    is_kept = cache.get(key) is True
    cache.delete(key)
    if is_kept:
        yield Finding(Level.OK, "The cache keeps what it is given.")
    else:
        yield Finding(
            Level.WARNING,
            "The cache keeps nothing, so that every course page of a learner asks the database.",
            'Look at CACHES["default"].',
        )
