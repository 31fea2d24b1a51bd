"""Groups of groups, and places in an order: what is counted from query sets by SQL that the ORM does not write."""

import re
from datetime import timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

# In these, a database holds a time span.
MICROSECOND = timedelta(microseconds=1)

# All that there are. A LIMIT keeps databases from merging a query into the one around it, where each mention of a
# column would evaluate its subquery again.
ALL = 2**63 - 1


def rows_of(sql: str, **sources: QuerySet) -> list[dict[str, Any]]:
    """
    Return the rows of a statement in which ``{name}`` stands for a query set, evaluated once for each of its rows.

    Empty where one of them is known to be empty without asking.
    """
    connection = connections[next(iter(sources.values())).db]
    parameters: list[Any] = []

    def written(name: re.Match) -> str:
        compiler = sources[name[1]].order_by()[:ALL].query.get_compiler(connection=connection)
        source, values = compiler.as_sql()
        parameters.extend(values)
        return f"({source})"

    try:
        statement = re.sub(r"\{(\w+)\}", written, sql)
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def count_if(condition: str) -> str:
    """Return an expression that counts the rows of which a condition holds."""
    return f"COUNT(CASE WHEN {condition} THEN 1 END)"
