from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0003_audit')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Device',
            name='muted',
            field=fields.BooleanField(default=False),
        ),
        ops.AddField(
            model_name='PlaybackState',
            name='muted',
            field=fields.BooleanField(default=False),
        ),
        ops.AddField(
            model_name='Zone',
            name='schedules_enabled',
            field=fields.BooleanField(default=True),
        ),
    ]
