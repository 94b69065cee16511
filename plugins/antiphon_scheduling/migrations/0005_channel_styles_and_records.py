from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from antiphon_scheduling.models import Outcome
from antiphon_scheduling.playlists.models import Style
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0001_initial'), ('scheduling', '0004_resting_and_opening')]

    initial = False

    operations = [
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
        ops.AddField(
            model_name='ChannelPlaylist',
            name='default_music_interval_min',
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name='ChannelPlaylist',
            name='round_part',
            field=fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads),
        ),
        ops.AddField(
            model_name='ChannelPlaylist',
            name='style',
            field=fields.CharEnumField(default=Style.OVER, description='OVER: over\nBETWEEN: between', enum_type=Style, max_length=20),
        ),
        ops.AddField(
            model_name='ChannelPlaylistItem',
            name='style',
            field=fields.CharEnumField(null=True, description='OVER: over\nBETWEEN: between', enum_type=Style, max_length=20),
        ),
    ]
