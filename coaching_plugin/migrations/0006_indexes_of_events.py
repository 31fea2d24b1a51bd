from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('coaching_plugin', '0005_standing_consents_told'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='consentevent',
            index=models.Index(fields=['learner_id'], name='coaching_event_learner'),
        ),
        migrations.AddIndex(
            model_name='consentevent',
            index=models.Index(fields=['door'], name='coaching_event_door'),
        ),
    ]
