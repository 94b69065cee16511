from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0004_mute')]

    initial = False

    operations = [
        ops.CreateModel(
            name='OpenCall',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('request', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('principal', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('zones', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('title', fields.CharField(default='', max_length=300)),
                ('arrival', fields.BigIntField()),
                ('accepted_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'open_call', 'app': 'antiphon', 'pk_attr': 'id', 'table_description': 'A call that is not over in all its zones, with what it takes to go on after a restart.'},
            bases=['TimestampedModel'],
        ),
        ops.AddField(
            model_name='PlayEvent',
            name='times_heard',
            field=fields.IntField(default=0),
        ),
    ]
