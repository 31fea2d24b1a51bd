"""The sandbox's tables against those of a running LMS."""

import json

import pytest
from django.apps import apps
from django.db import connection

from tests.fixtures_sandbox import DATA

TABLES = json.loads((DATA / "platform-tables.json").read_text())
MODELS = {model._meta.db_table: model for model in apps.get_models()}

# Types of the platform's database, and the fields that make them.
FAMILIES = {
    "int(11)": {"AutoField", "IntegerField"},
    "bigint(20)": {"BigAutoField", "BigIntegerField"},
    "bigint(20) unsigned": {"UnsignedBigIntAutoField", "AutoField"},
    "tinyint(1)": {"BooleanField"},
    "datetime(6)": {"DateTimeField"},
    "date": {"DateField"},
    "double": {"FloatField"},
    "longtext": {"TextField"},
}


def _columns_of_model(model):
    """Return name, type as the platform's database would call it, and nullability of each column."""
    for field in model._meta.local_concrete_fields:
        target = field.target_field if field.is_relation else field
        yield field.column, target, field.null


@pytest.mark.parametrize("table", TABLES)
def test_model_has_the_platforms_columns(table):
    wanted = {column["name"]: (column["type"], column["null"]) for column in TABLES[table]["columns"]}
    columns = {name: (field, null) for name, field, null in _columns_of_model(MODELS[table])}

    assert set(columns) == set(wanted)
    for name, (field, null) in columns.items():
        kind, nullable = wanted[name]
        assert null == nullable, name
        if kind.startswith("varchar"):
            assert kind == f"varchar({field.max_length})", name
        elif kind.startswith("decimal"):
            assert kind == f"decimal({field.max_digits},{field.decimal_places})", name
        else:
            assert {type(field).__name__, field.get_internal_type()} & FAMILIES[kind], name


def _indexes(table):
    """Return the indexes of a table in the database: their columns, and whether they are unique."""
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table).values()
    # A foreign key is a constraint, too, and may be listed with the index that carries it.
    return {
        (tuple(constraint["columns"]), constraint["unique"] or constraint["primary_key"])
        for constraint in constraints
        if constraint["index"] or constraint["unique"] or constraint["primary_key"]
    }


@pytest.mark.django_db
@pytest.mark.parametrize("table", TABLES)
def test_table_has_the_platforms_indexes(table):
    wanted = {(tuple(index["columns"]), index["unique"]) for index in TABLES[table]["indexes"]}
    found = _indexes(table)

    assert wanted <= found
    extra = found - wanted
    if connection.vendor != "mysql":
        # Only MySQL lets a foreign key use an index that begins with its column; elsewhere it gets one of its own.
        keys = {field.column for field in MODELS[table]._meta.local_concrete_fields if field.is_relation}
        extra -= {((column,), False) for column in keys}
    assert not extra


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "mysql", reason="types as the platform's database names them")
@pytest.mark.parametrize("table", TABLES)
def test_table_has_the_platforms_types(table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, column_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s",
            [table],
        )
        found = {name: (kind, nullable == "YES") for name, kind, nullable in cursor.fetchall()}

    assert found == {column["name"]: (column["type"], column["null"]) for column in TABLES[table]["columns"]}
