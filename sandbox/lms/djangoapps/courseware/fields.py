"""A primary key that plain Django has not got."""

from django.db.models import AutoField


class UnsignedBigIntAutoField(AutoField):
    """An unsigned 64-bit key on MySQL, the ordinary automatic key elsewhere."""

    def db_type(self, connection):
        if connection.vendor == "mysql":
            return "bigint UNSIGNED AUTO_INCREMENT"
        # SQLite numbers rows by itself for this type alone.
        return "integer"

    def rel_db_type(self, connection):
        return "bigint UNSIGNED" if connection.vendor == "mysql" else "integer"
