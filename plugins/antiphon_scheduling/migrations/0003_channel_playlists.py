from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from antiphon.store.base import WallTimeField
from antiphon.types import Band
from antiphon_scheduling.playlists.models import ItemType
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0001_initial'), ('scheduling', '0002_rules_and_records')]

    initial = False

    operations = [
        ops.CreateModel(
            name='ChannelPlaylist',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('deleted_at', fields.DatetimeField(null=True, db_index=True, auto_now=False, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('name', fields.CharField(max_length=200)),
                ('description', fields.TextField(default='', unique=False)),
                ('shuffle_music', fields.BooleanField(default=True)),
                ('title_gap_min', fields.IntField(default=60)),
                ('crossfade_s', fields.FloatField(default=0.0)),
                ('shuffle_announcements', fields.BooleanField(default=False)),
                ('default_announcement_interval_min', fields.IntField(null=True)),
                ('default_announcement_every_tracks', fields.IntField(null=True)),
                ('band', fields.CharEnumField(default=Band.SPOT, description='MUSIC: music\nSPOT: spot\nANNOUNCEMENT: announcement\nPAGE: page\nURGENT: urgent', enum_type=Band, max_length=20)),
                ('quiet_from', WallTimeField(null=True, generated=False, unique=False)),
                ('quiet_until', WallTimeField(null=True, generated=False, unique=False)),
                ('enabled', fields.BooleanField(default=True)),
                ('settled_until', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('turn', fields.IntField(default=0)),
                ('created_by', fields.ForeignKeyField('antiphon.User', source_field='created_by_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
            ],
            options={'table': 'channel_playlist', 'app': 'scheduling', 'indexes': [Index(fields=['client_id', 'name'])], 'pk_attr': 'id', 'table_description': 'Music and announcements that zones and floors play.'},
            bases=['SoftDeleteModel'],
        ),
        ops.CreateModel(
            name='ChannelAssignment',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('playlist', fields.ForeignKeyField('scheduling.ChannelPlaylist', source_field='playlist_id', db_constraint=True, to_field='id', related_name='assignments', on_delete=OnDelete.CASCADE)),
                ('floor', fields.ForeignKeyField('antiphon.Floor', source_field='floor_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('zone', fields.ForeignKeyField('antiphon.Zone', source_field='zone_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
            ],
            options={'table': 'channel_assignment', 'app': 'scheduling', 'pk_attr': 'id', 'table_description': 'That a playlist is for a floor, or for a zone.'},
            bases=['TimestampedModel'],
        ),
        ops.CreateModel(
            name='ChannelPlaylistItem',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('playlist', fields.ForeignKeyField('scheduling.ChannelPlaylist', source_field='playlist_id', db_constraint=True, to_field='id', related_name='items', on_delete=OnDelete.CASCADE)),
                ('item_type', fields.CharEnumField(description='MUSIC: music\nFOLDER: folder\nANNOUNCEMENT: announcement', enum_type=ItemType, max_length=20)),
                ('content_id', fields.UUIDField()),
                ('order', fields.IntField()),
                ('weight', fields.IntField(default=1)),
                ('interval_min', fields.IntField(null=True)),
                ('every_tracks', fields.IntField(null=True)),
                ('fixed_times', fields.JSONField(default=list, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
            ],
            options={'table': 'channel_playlist_item', 'app': 'scheduling', 'indexes': [Index(fields=['playlist_id', 'order'])], 'pk_attr': 'id', 'table_description': 'One entry. At most one of the three timings is set, and of announcements alone.'},
            bases=['TimestampedModel'],
        ),
    ]
