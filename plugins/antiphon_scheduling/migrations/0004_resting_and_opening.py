from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0003_audit'), ('scheduling', '0003_channel_playlists')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Schedule',
            name='devices',
            field=fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads),
        ),
        ops.AddField(
            model_name='Schedule',
            name='floors',
            field=fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads),
        ),
        ops.AddField(
            model_name='Schedule',
            name='opening_zone_id',
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name='Schedule',
            name='rests_until',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddIndex(
            model_name='Schedule',
            index=Index(fields=['deleted_at', 'rests_until']),
        ),
        ops.AddField(
            model_name='ScheduleCalendar',
            name='fetched_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='ScheduleCalendar',
            name='problem',
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name='ScheduleCalendar',
            name='tried_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='ScheduleCalendar',
            name='url',
            field=fields.CharField(null=True, max_length=2000),
        ),
    ]
