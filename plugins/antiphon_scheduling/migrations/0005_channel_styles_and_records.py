"""All tables: five migrations of before the first release in one.

It bears the name of the last of them, so a database that has had them all needs nothing.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from antiphon.store.base import WallTimeField
from antiphon.types import Band
from antiphon_scheduling.models import Outcome
from antiphon_scheduling.playlists.models import ItemType, Style
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [('antiphon', '0006_unheard')]

    replaces = [('scheduling', '0001_initial'), ('scheduling', '0002_rules_and_records'), ('scheduling', '0003_channel_playlists'), ('scheduling', '0004_resting_and_opening')]

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
                ('in_force_since', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('rules', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('devices', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('floors', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('opening_zone_id', fields.UUIDField(null=True)),
                ('rests_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'schedule', 'app': 'scheduling', 'indexes': [Index(fields=['client_id', 'name']), Index(fields=['deleted_at', 'rests_until'])], 'pk_attr': 'id', 'table_description': 'When to play which announcements, or which music, where.'},
            bases=['SoftDeleteModel'],
        ),
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
                ('fetched_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('problem', fields.TextField(null=True, unique=False)),
                ('tried_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('url', fields.CharField(null=True, max_length=2000)),
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
                ('default_music_interval_min', fields.IntField(null=True)),
                ('round_part', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('style', fields.CharEnumField(default=Style.OVER, description='OVER: over\nBETWEEN: between', enum_type=Style, max_length=20)),
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
                ('style', fields.CharEnumField(null=True, description='OVER: over\nBETWEEN: between', enum_type=Style, max_length=20)),
            ],
            options={'table': 'channel_playlist_item', 'app': 'scheduling', 'indexes': [Index(fields=['playlist_id', 'order'])], 'pk_attr': 'id', 'table_description': 'One entry. At most one of the three timings is set, and of announcements alone.'},
            bases=['TimestampedModel'],
        ),
        ops.CreateModel(
            name='ChannelRecord',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('playlist', fields.ForeignKeyField('scheduling.ChannelPlaylist', source_field='playlist_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('instant', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('outcome', fields.CharEnumField(description='FIRING: firing\nFIRED: fired\nSUPPRESSED: suppressed\nMISSED: missed', enum_type=Outcome, max_length=20)),
                ('announcement_id', fields.UUIDField(null=True)),
                ('rule', fields.CharField(max_length=200)),
                ('zones', fields.JSONField(default=list, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('blocks', fields.JSONField(default=list, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('call_id', fields.UUIDField(null=True)),
                ('reason', fields.TextField(null=True, unique=False)),
            ],
            options={'table': 'channel_record', 'app': 'scheduling', 'indexes': [Index(fields=['client_id', 'instant']), Index(fields=['outcome', 'instant'])], 'pk_attr': 'id', 'table_description': 'What became of one time of a playlist, and why.'},
            bases=['TimestampedModel'],
        ),
    ]
