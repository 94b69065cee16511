"""All tables: three migrations of before the first release in one.

It bears the name of the last of them, so a database that has had them all needs nothing.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops
from antiphon_music.models import FolderType
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index

# The last is for those who see every client, as the only admin of a building does.
SQLITE = (
    # Searched within, without a look at the rows. PostgreSQL's hold no texts of this length.
    "CREATE INDEX music_file_search ON music_file "
    "(client_id, deleted_at, title, id, search_text)",
    "CREATE INDEX music_file_by_album ON music_file (client_id, deleted_at, album, title, id)",
    "CREATE INDEX music_file_by_creation ON music_file "
    "(client_id, deleted_at, created_at, title, id)",
    "CREATE INDEX music_file_search_all ON music_file (deleted_at, title, id, search_text)",
)
# To PostgreSQL, a column that is NULL is not the same in all rows: it would sort them for each page.
# Its owner may not be allowed to add the extension, or have none to add: searches read more then.
POSTGRESQL = (
    "CREATE INDEX music_file_by_title ON music_file (client_id, title, id) "
    "WHERE deleted_at IS NULL",
    "CREATE INDEX music_file_by_artist ON music_file (client_id, artist, title, id) "
    "WHERE deleted_at IS NULL",
    "CREATE INDEX music_file_by_album ON music_file (client_id, album, title, id) "
    "WHERE deleted_at IS NULL",
    "CREATE INDEX music_file_by_creation ON music_file (client_id, created_at, title, id) "
    "WHERE deleted_at IS NULL",
    "CREATE INDEX music_file_of_all ON music_file (title, id) WHERE deleted_at IS NULL",
    "DO $$ BEGIN "
    "CREATE EXTENSION IF NOT EXISTS pg_trgm; "
    "CREATE INDEX music_file_words ON music_file USING gin (search_text gin_trgm_ops); "
    "EXCEPTION WHEN insufficient_privilege OR undefined_file OR undefined_object "
    "OR feature_not_supported THEN "
    "RAISE NOTICE 'Searches for music have no index: %', SQLERRM; "
    "END $$",
)
NAMES = (
    "music_file_by_album", "music_file_by_creation",
    "music_file_search", "music_file_search_all", "music_file_by_title", "music_file_by_artist",
    "music_file_of_all", "music_file_words",
)


async def add_indexes(_, editor):
    dialect = editor.client.capabilities.dialect
    for statement in SQLITE if dialect == "sqlite" else POSTGRESQL:
        await editor.client.execute_query(statement)


async def drop_indexes(_, editor):
    for name in NAMES:
        await editor.client.execute_query(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    dependencies = [('antiphon', '0006_unheard')]

    replaces = [('music', '0001_initial'), ('music', '0002_quick_lists')]

    initial = True

    operations = [
        ops.CreateModel(
            name='Folder',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('deleted_at', fields.DatetimeField(null=True, db_index=True, auto_now=False, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('name', fields.CharField(max_length=200)),
                ('description', fields.TextField(default='', unique=False)),
                ('type', fields.CharEnumField(default=FolderType.MUSIC, description='MUSIC: music\nANNOUNCEMENTS: announcements', enum_type=FolderType, max_length=20)),
                ('parent', fields.ForeignKeyField('music.Folder', source_field='parent_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('cover_image', fields.CharField(null=True, max_length=200)),
                ('is_system', fields.BooleanField(default=False)),
                ('created_by', fields.ForeignKeyField('antiphon.User', source_field='created_by_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('place', fields.CharField(null=True, unique=True, max_length=64)),
            ],
            options={'table': 'music_folder', 'app': 'music', 'indexes': [Index(fields=['client_id', 'parent_id', 'name'])], 'pk_attr': 'id', 'table_description': 'A place for music or announcements. Folders nest, names are unique within their parent.'},
            bases=['SoftDeleteModel'],
        ),
        ops.CreateModel(
            name='MusicFile',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('deleted_at', fields.DatetimeField(null=True, db_index=True, auto_now=False, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('folder', fields.ForeignKeyField('music.Folder', source_field='folder_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('file', fields.CharField(max_length=200)),
                ('filename', fields.CharField(max_length=255)),
                ('file_size', fields.BigIntField()),
                ('title', fields.CharField(max_length=300)),
                ('artist', fields.CharField(default='', max_length=300)),
                ('album', fields.CharField(default='', max_length=300)),
                ('genre', fields.CharField(default='', max_length=100)),
                ('year', fields.IntField(null=True)),
                ('composer', fields.CharField(default='', max_length=300)),
                ('isrc', fields.CharField(default='', max_length=20)),
                ('duration_s', fields.FloatField()),
                ('codec', fields.CharField(default='', max_length=40)),
                ('sample_rate', fields.IntField(default=0)),
                ('channels', fields.IntField(default=0)),
                ('cover_art', fields.CharField(null=True, max_length=200)),
                ('order', fields.IntField(default=0)),
                ('loudness_lufs', fields.FloatField(null=True)),
                ('true_peak_db', fields.FloatField(null=True)),
                ('measured_at', fields.DatetimeField(null=True, db_index=True, auto_now=False, auto_now_add=False)),
                ('measure_error', fields.TextField(null=True, unique=False)),
                ('content_hash', fields.CharField(max_length=64)),
                ('search_text', fields.TextField(default='', unique=False)),
                ('uploaded_by', fields.ForeignKeyField('antiphon.User', source_field='uploaded_by_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('place', fields.CharField(null=True, unique=True, max_length=64)),
            ],
            options={'table': 'music_file', 'app': 'music', 'indexes': [Index(fields=['client_id', 'folder_id', 'order']), Index(fields=['client_id', 'deleted_at', 'title', 'id']), Index(fields=['client_id', 'deleted_at', 'artist', 'title', 'id']), Index(fields=['deleted_at', 'client_id', 'duration_s', 'file_size'])], 'pk_attr': 'id', 'table_description': 'One track. `file` and `cover_art` are paths below the media directory.'},
            bases=['SoftDeleteModel'],
        ),
        ops.RunPython(add_indexes, drop_indexes),
    ]
