"""One e-mail address, one account: an index that the platform, too, adds to Django's own table."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("student", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL("CREATE UNIQUE INDEX email ON auth_user (email)", migrations.RunSQL.noop),
    ]
