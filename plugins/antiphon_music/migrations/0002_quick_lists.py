from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index


async def add_search_index(_, editor):
    """SQLite searches within this index alone, without a look at the rows.

    Not on PostgreSQL, whose indexes do not hold texts of this length.
    """
    if editor.client.capabilities.dialect == "sqlite":
        await editor.client.execute_query(
            "CREATE INDEX music_file_search ON music_file "
            "(client_id, deleted_at, title, id, search_text)"
        )


async def drop_search_index(_, editor):
    await editor.client.execute_query("DROP INDEX IF EXISTS music_file_search")


class Migration(migrations.Migration):
    dependencies = [('music', '0001_initial')]

    initial = False

    operations = [
        ops.RemoveIndex(
            model_name='MusicFile',
            name=None,
            fields=['client_id', 'title'],
        ),
        ops.RemoveIndex(
            model_name='MusicFile',
            name=None,
            fields=['client_id', 'artist'],
        ),
        ops.AddIndex(
            model_name='MusicFile',
            index=Index(fields=['client_id', 'deleted_at', 'title', 'id']),
        ),
        ops.AddIndex(
            model_name='MusicFile',
            index=Index(fields=['client_id', 'deleted_at', 'artist', 'title', 'id']),
        ),
        ops.RunPython(add_search_index, drop_search_index),
    ]
