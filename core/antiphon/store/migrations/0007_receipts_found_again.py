from tortoise import migrations
from tortoise.migrations import operations as ops

# SQLite changes a column by making its table anew, and a migration of before 0006 was put together
# from six lost these on the way. A database that was made later has them.
LOST = (
    'CREATE INDEX IF NOT EXISTS "idx_play_event_call_id_9eeedd" ON "play_event" ("call_id")',
    'CREATE INDEX IF NOT EXISTS "idx_play_event_client__7cf1a1" '
    'ON "play_event" ("client_id", "created_at")',
    'CREATE INDEX IF NOT EXISTS "idx_play_event_zone_id_964f8b" '
    'ON "play_event" ("zone_id", "created_at")',
)


async def add_indexes(_, editor):
    if editor.client.capabilities.dialect == "sqlite":
        for statement in LOST:
            await editor.client.execute_query(statement)


async def leave_indexes(_, editor):
    pass


class Migration(migrations.Migration):
    dependencies = [('antiphon', '0006_unheard')]

    initial = False

    operations = [ops.RunPython(add_indexes, leave_indexes)]
