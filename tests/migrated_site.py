"""A database of its own with accounts and our tables, which is migrated to and fro, step by step, with rows in it."""

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType

from django.contrib.auth.models import User
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from opaque_keys.edx.keys import CourseKey

APP = "coaching_plugin"
ALIAS = "migrated"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def of_us(keys):
    """Return, of the keys of migrations, the names of ours."""
    return [name for app, name in keys if app == APP]


LOADER = MigrationLoader(None)
LEAVES_OF_OTHERS = [LOADER.graph.leaf_nodes(app)[0] for app in ("auth", "contenttypes")]
# Ours, in the order in which they run.
NAMES = of_us(LOADER.graph.forwards_plan(LOADER.graph.leaf_nodes(APP)[0]))


@cache
def apps_after(name):
    """Return the models of all apps, as code knew them that was written for the state after a migration of ours."""
    return LOADER.project_state([*LEAVES_OF_OTHERS, (APP, name)]).apps


# What a row has to say that has no default. Of a model that is none here, ``fill`` fails.
ROWS = MappingProxyType(
    {
        "CoachedCourse": lambda number, made: {"course_key": CourseKey.from_string(f"course-v1:DemoX+MB{number}+2026")},
        "Disclosure": lambda number, made: {"version": 100 + number, "language": "en", "body": "words", "sha256": "0"},
        "CoachingConsent": lambda number, made: {
            "user_id": made["user"].pk,
            "status": "declined",
            "answered_at": NOON,
            "disclosure": made["Disclosure"],
        },
        "ConsentEvent": lambda number, made: {
            "consent": made["CoachingConsent"],
            "sequence": 1,
            "kind": "declined",
            "occurred_at": NOON,
            "door": "page",
            "personal_digest": "0",
            "hash": "0",
        },
        "PartnerChannel": lambda number, made: {"name": f"channel {number}"},
        "PartnerDelivery": lambda number, made: {
            "channel": "channel",
            "partner_id": made["CoachingConsent"].partner_id,
            "sequence": number,
        },
        "PartnerOptOut": lambda number, made: {"message_digest": f"{number:064}"},
        "EligibleCount": lambda number, made: {"day": NOON.date(), "scope": f"scope {number}", "learners": number},
    }
)


class Site:
    """What can be done with the database; made by ``migrated_site``."""

    def __init__(self, database):
        self.connection = database
        self._serial = 0

    def migrate(self, name):
        """Bring our tables to where they are after a migration, as ``migrate`` does; None: there are none."""
        MigrationExecutor(self.connection).migrate([*LEAVES_OF_OTHERS, (APP, name)])

    def forget_ours(self):
        """Drop our tables, in whatever state they are, and the accounts; what follows has a connection of its own."""
        self.connection.close()
        self.connection = connections[ALIAS] = self.connection.copy(alias=ALIAS)
        ours = [table for table in self.tables() if table.startswith(f"{APP}_")]
        with self.connection.constraint_checks_disabled():
            self.execute(*(f"DROP TABLE {self.connection.ops.quote_name(table)}" for table in ours))
        MigrationRecorder(self.connection).migration_qs.filter(app=APP).delete()
        # Nobody of ours is to be looked for.
        User.objects.using(ALIAS).all()._raw_delete(ALIAS)

    def applied(self):
        """Return the names of our migrations that are applied."""
        return of_us(MigrationRecorder(self.connection).applied_migrations())

    def steps(self, name):
        """
        Yield each operation of a migration with the statements that it would execute, as the database would get them.

        They are for the caller to execute, before the next is asked for. At the end the migration counts as applied.
        """
        migration = LOADER.get_migration(APP, name)
        state = LOADER.project_state(
            [*LEAVES_OF_OTHERS, *(parent.key for parent in LOADER.graph.node_map[APP, name].parents)]
        )
        for operation in migration.operations:
            before = state.clone()
            operation.state_forwards(APP, state)
            statements = []
            if operation.reduces_to_sql:
                with self.connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
                    operation.database_forwards(APP, editor, before, state)
                statements = [sql.removesuffix(";") for sql in editor.collected_sql if not sql.startswith("--")]
            yield operation, statements
            if not operation.reduces_to_sql:
                with self.connection.schema_editor(atomic=migration.atomic) as editor:
                    operation.database_forwards(APP, editor, before, state)
        MigrationRecorder(self.connection).record_applied(APP, name)

    def execute(self, *statements):
        """Execute statements, one after the other, and return the rows of the last."""
        with self.connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def models(self, name):
        """Return our models by their names, as code knew them in the state after a migration."""
        return {model.__name__: model for model in apps_after(name).get_app_config(APP).get_models()}

    def fill(self, name):
        """Have the code of that state add a row to each table of ours, and return the rows by model."""
        self._serial += 1
        made = {"user": User.objects.using(ALIAS).create(username=f"user{self._serial}")}
        models = self.models(name)
        # Those that others point at come first.
        for model in sorted(models, key=list(ROWS).index):
            made[model] = models[model].objects.using(ALIAS).create(**ROWS[model](self._serial, made))
        del made["user"]
        return made

    def held(self, name):
        """Return what our tables hold, as the code of that state sees it: by model, the rows as dictionaries."""
        return {
            model.__name__: list(model.objects.using(ALIAS).order_by("pk").values())
            for model in self.models(name).values()
        }

    def tables(self):
        """Return the names of all tables."""
        return set(self.connection.introspection.table_names())


@contextmanager
def migrated_site(folder):
    """Make the database, with accounts and none of our tables, and drop it at the end; SQLite's is in the folder."""
    database = connection.copy(alias=ALIAS)
    if connection.vendor == "sqlite":
        database.settings_dict["NAME"] = str(folder / "site.sqlite3")
        make = drop = ()
    else:
        name = connection.ops.quote_name(f"{connection.settings_dict['NAME']}_migrated")
        database.settings_dict["NAME"] = name.strip('`"')
        make, drop = (f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}"), (f"DROP DATABASE {name}",)
    _execute(make)
    connections[ALIAS] = database
    try:
        site = Site(database)
        site.migrate(None)
        yield site
    finally:
        connections[ALIAS].close()
        del connections[ALIAS]
        _execute(drop)


def _execute(statements):
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


@contextmanager
def another_connection(site):
    """Open a second connection to the database, for what somebody else does meanwhile."""
    other = site.connection.copy(alias="somebody else")
    connections[other.alias] = other
    try:
        yield other
    finally:
        other.close()
        del connections[other.alias]
