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
    dependencies = [('announcements', '0002_style'), ('antiphon', '0003_audit')]

    initial = False

    operations = [
        ops.CreateModel(
            name='AnnouncementTemplate',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('deleted_at', fields.DatetimeField(null=True, db_index=True, auto_now=False, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('folder_id', fields.UUIDField(null=True)),
                ('name', fields.CharField(max_length=200)),
                ('text', fields.TextField(unique=False)),
                ('defaults', fields.JSONField(default=dict, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('language', fields.CharField(default='en', max_length=35)),
                ('category', fields.CharField(default='', max_length=100)),
                ('voice', fields.CharField(null=True, max_length=100)),
                ('band', fields.CharEnumField(default=Band.ANNOUNCEMENT, description='MUSIC: music\nSPOT: spot\nANNOUNCEMENT: announcement\nPAGE: page\nURGENT: urgent', enum_type=Band, max_length=20)),
                ('chime', fields.BooleanField(null=True)),
                ('search_text', fields.TextField(default='', unique=False)),
                ('created_by', fields.ForeignKeyField('antiphon.User', source_field='created_by_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
            ],
            options={'table': 'announcement_template', 'app': 'announcements', 'indexes': [Index(fields=['client_id', 'name'])], 'pk_attr': 'id', 'table_description': 'A script with placeholders to make announcements from. `defaults` are values for them.'},
            bases=['SoftDeleteModel'],
        ),
    ]
