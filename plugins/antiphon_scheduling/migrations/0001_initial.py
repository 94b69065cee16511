from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from antiphon.types import Band
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0001_initial')]

    initial = True

    operations = [
        ops.CreateModel(
            name='Schedule',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('deleted_at', fields.DatetimeField(null=True, db_index=True, auto_now=False, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('name', fields.CharField(max_length=200)),
                ('kind', fields.CharField(max_length=20)),
                ('config', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('zones', fields.JSONField(default=list, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('band', fields.CharEnumField(null=True, description='MUSIC: music\nSPOT: spot\nANNOUNCEMENT: announcement\nPAGE: page\nURGENT: urgent', enum_type=Band, max_length=20)),
                ('chime', fields.BooleanField(null=True)),
                ('enabled', fields.BooleanField(default=True)),
                ('settled_until', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('fired_count', fields.IntField(default=0)),
                ('last_executed_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_by', fields.ForeignKeyField('antiphon.User', source_field='created_by_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
            ],
            options={'table': 'schedule', 'app': 'scheduling', 'indexes': [Index(fields=['client_id', 'name'])], 'pk_attr': 'id', 'table_description': 'When to play which announcements where.'},
            bases=['SoftDeleteModel'],
        ),
    ]
