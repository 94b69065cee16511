from tortoise import migrations
from tortoise.exceptions import OperationalError
from tortoise.migrations import operations as ops

# SQLite's index of three letters in a row names rows by numbers that stay; those of a table whose
# key is no number may change with VACUUM, so the tracks get numbers of their own.
INDEX = (
    "CREATE VIRTUAL TABLE music_word USING fts5 "
    "(search_text, content='', columnsize=0, detail='none', tokenize='trigram')"
)
FILL = (
    "CREATE TABLE music_number "
    "(number INTEGER PRIMARY KEY, music_id CHAR(36) NOT NULL UNIQUE)",
    "INSERT INTO music_number (music_id) SELECT id FROM music_file",
    "INSERT INTO music_word (rowid, search_text) SELECT number, search_text "
    "FROM music_number JOIN music_file ON music_file.id = music_id ORDER BY number",
)
_FORGET = (
    "INSERT INTO music_word (music_word, rowid, search_text) "
    "SELECT 'delete', number, old.search_text FROM music_number WHERE music_id = old.id; "
)
_REMEMBER = (
    "INSERT INTO music_word (rowid, search_text) "
    "SELECT number, new.search_text FROM music_number WHERE music_id = new.id; "
)
# A later migration that makes `music_file` anew has to make these anew too: they go with it.
TRIGGERS = (
    "CREATE TRIGGER music_word_added AFTER INSERT ON music_file BEGIN "
    f"INSERT INTO music_number (music_id) VALUES (new.id); {_REMEMBER}END",
    "CREATE TRIGGER music_word_changed AFTER UPDATE OF search_text ON music_file "
    f"WHEN new.search_text <> old.search_text BEGIN {_FORGET}{_REMEMBER}END",
    "CREATE TRIGGER music_word_gone AFTER DELETE ON music_file BEGIN "
    f"{_FORGET}DELETE FROM music_number WHERE music_id = old.id; END",
)
DROP = (
    "DROP TRIGGER IF EXISTS music_word_added",
    "DROP TRIGGER IF EXISTS music_word_changed",
    "DROP TRIGGER IF EXISTS music_word_gone",
    "DROP TABLE IF EXISTS music_word",
    "DROP TABLE IF EXISTS music_number",
)


async def add_words(_, editor):
    """PostgreSQL has such an index already."""
    if editor.client.capabilities.dialect != "sqlite":
        return
    try:
        await editor.client.execute_query(INDEX)
    except OperationalError as error:
        if "no such module" in str(error) or "no such tokenizer" in str(error):
            return  # an SQLite before 3.34, or one built without it: searches read more then
        raise
    for statement in (*FILL, *TRIGGERS):
        await editor.client.execute_query(statement)


async def drop_words(_, editor):
    if editor.client.capabilities.dialect == "sqlite":
        for statement in DROP:
            await editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [('music', '0003_totals_and_words')]

    initial = False

    operations = [ops.RunPython(add_words, drop_words)]
