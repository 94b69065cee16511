"""All tables: three migrations of before the first release in one.

It bears the name of the last of them, so a database that has had them all needs nothing.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from antiphon.types import Band, CallStyle
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [('antiphon', '0006_unheard')]

    replaces = [('announcements', '0001_initial'), ('announcements', '0002_style')]

    initial = True

    operations = [
        ops.CreateModel(
            name='Announcement',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('deleted_at', fields.DatetimeField(null=True, db_index=True, auto_now=False, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('folder_id', fields.UUIDField(null=True)),
                ('title', fields.CharField(max_length=200)),
                ('file', fields.CharField(max_length=60)),
                ('file_size', fields.BigIntField()),
                ('duration_s', fields.FloatField()),
                ('is_tts', fields.BooleanField(default=False)),
                ('tts_text', fields.TextField(null=True, unique=False)),
                ('tts_voice', fields.CharField(null=True, max_length=100)),
                ('tts_provider', fields.CharField(null=True, max_length=50)),
                ('is_recording', fields.BooleanField(default=False)),
                ('enabled', fields.BooleanField(default=True)),
                ('category', fields.CharField(default='', max_length=100)),
                ('band', fields.CharEnumField(default=Band.ANNOUNCEMENT, description='MUSIC: music\nSPOT: spot\nANNOUNCEMENT: announcement\nPAGE: page\nURGENT: urgent', enum_type=Band, max_length=20)),
                ('chime', fields.BooleanField(null=True)),
                ('loudness_lufs', fields.FloatField(null=True)),
                ('true_peak_db', fields.FloatField(null=True)),
                ('content_hash', fields.CharField(max_length=64)),
                ('valid_from', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('valid_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('search_text', fields.TextField(default='', unique=False)),
                ('created_by', fields.ForeignKeyField('antiphon.User', source_field='created_by_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('chime_after', fields.BooleanField(null=True)),
                ('style', fields.CharEnumField(null=True, description='OVER: over\nPAUSE: pause\nBETWEEN: between', enum_type=CallStyle, max_length=20)),
            ],
            options={'table': 'announcement', 'app': 'announcements', 'indexes': [Index(fields=['client_id', 'title'])], 'pk_attr': 'id', 'table_description': 'A stored clip: spoken from a text, recorded or uploaded.'},
            bases=['SoftDeleteModel'],
        ),
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
