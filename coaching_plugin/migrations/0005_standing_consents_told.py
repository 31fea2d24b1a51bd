"""Count as told who consented before there was a way to the partner; by itself, as it may be stopped and run again."""

from django.db import migrations
from django.db.models import F

# So many rows are locked at most, for as long as one statement takes.
BATCH = 500


def count_as_told(apps, schema_editor):
    """
    Who consented before is on the roster, and what they change later is told.

    What a learner changes meanwhile is left as it is, and what was done before this was stopped is not done again.
    """
    consents = apps.get_model("coaching_plugin", "CoachingConsent").objects.using(schema_editor.connection.alias)
    untold = consents.filter(status="consented", changed_at=None)
    last = 0
    while batch := list(untold.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        # By their keys: of a range, MySQL would also lock the rows that it only looks at.
        untold.filter(pk__in=batch).update(changed_at=F("answered_at"))
        last = batch[-1]


class Migration(migrations.Migration):
    # Each batch is committed at once. In the migration that adds the column it could not be run again: MySQL commits
    # each of its statements, and a column is added once.
    atomic = False

    dependencies = [("coaching_plugin", "0004_operators")]

    operations = [migrations.RunPython(count_as_told, migrations.RunPython.noop)]
