from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from antiphon_scheduling.models import Outcome
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0001_initial'), ('scheduling', '0001_initial')]

    initial = False

    operations = [
        ops.CreateModel(
            name='ScheduleCalendar',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('name', fields.CharField(max_length=200)),
                ('country', fields.CharField(null=True, max_length=10)),
                ('subdivision', fields.CharField(null=True, max_length=50)),
                ('days', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
            ],
            options={'table': 'schedule_calendar', 'app': 'scheduling', 'indexes': [Index(fields=['client_id', 'name'])], 'pk_attr': 'id', 'table_description': "Days that schedules keep to or leave out: a country's holidays, or `days` of a file."},
            bases=['TimestampedModel'],
        ),
        ops.CreateModel(
            name='ScheduleRecord',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('schedule', fields.ForeignKeyField('scheduling.Schedule', source_field='schedule_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('instant', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('outcome', fields.CharEnumField(description='FIRING: firing\nFIRED: fired\nSUPPRESSED: suppressed\nMISSED: missed', enum_type=Outcome, max_length=20)),
                ('announcement_id', fields.UUIDField(null=True)),
                ('music', fields.CharField(null=True, max_length=10)),
                ('zones', fields.JSONField(default=list, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('blocks', fields.JSONField(default=list, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('deferred_from', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('by_hand', fields.BooleanField(default=False)),
                ('call_id', fields.UUIDField(null=True)),
                ('reason', fields.TextField(null=True, unique=False)),
            ],
            options={'table': 'schedule_record', 'app': 'scheduling', 'unique_together': (('schedule_id', 'instant'),), 'indexes': [Index(fields=['client_id', 'instant']), Index(fields=['outcome', 'instant'])], 'pk_attr': 'id', 'table_description': 'What became of one time of a schedule, and why.'},
            bases=['TimestampedModel'],
        ),
        ops.AlterModelOptions(
            name='Schedule',
            options={'table': 'schedule', 'app': 'scheduling', 'indexes': [Index(fields=['client_id', 'name'])], 'pk_attr': 'id', 'table_description': 'When to play which announcements, or which music, where.'},
        ),
        ops.AddField(
            model_name='Schedule',
            name='in_force_since',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='Schedule',
            name='rules',
            field=fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads),
        ),
    ]
