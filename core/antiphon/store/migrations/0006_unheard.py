from tortoise import migrations
from tortoise.migrations import operations as ops
from antiphon.playback.models import PlayEventStatus
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0005_calls')]

    initial = False

    operations = [
        ops.AlterField(
            model_name='PlayEvent',
            name='call_id',
            field=fields.UUIDField(null=True, db_index=True),
        ),
        ops.AlterField(
            model_name='PlayEvent',
            name='status',
            field=fields.CharEnumField(default=PlayEventStatus.PENDING, description='PENDING: pending\nDELIVERED: delivered\nPLAYING: playing\nCOMPLETED: completed\nFAILED: failed\nUNHEARD: unheard', enum_type=PlayEventStatus, max_length=20),
        ),
        ops.AddField(
            model_name='PlayEvent',
            name='schedule_id',
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name='PlayEvent',
            name='due_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='PlayEvent',
            name='times_due',
            field=fields.IntField(default=1),
        ),
        ops.AddIndex(
            model_name='PlayEvent',
            index=Index(fields=['schedule_id', 'created_at']),
        ),
        ops.AddField(
            model_name='PlaybackState',
            name='commanded_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
