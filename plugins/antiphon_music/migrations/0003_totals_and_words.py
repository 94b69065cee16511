from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index

# The last is for those who see every client, as the only admin of a building does.
SQLITE = (
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
    "music_file_search_all", "music_file_by_title", "music_file_by_artist", "music_file_of_all",
    "music_file_words",
)


async def add_indexes(_, editor):
    dialect = editor.client.capabilities.dialect
    for statement in SQLITE if dialect == "sqlite" else POSTGRESQL:
        await editor.client.execute_query(statement)


async def drop_indexes(_, editor):
    for name in NAMES:
        await editor.client.execute_query(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    dependencies = [('music', '0002_quick_lists')]

    initial = False

    operations = [
        ops.AddIndex(
            model_name='MusicFile',
            index=Index(fields=['deleted_at', 'client_id', 'duration_s', 'file_size']),
        ),
        ops.RunPython(add_indexes, drop_indexes),
    ]
