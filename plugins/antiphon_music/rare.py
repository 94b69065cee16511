"""Finds the few tracks that words stand in, without a look at all the others."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tortoise.exceptions import OperationalError

from antiphon_music.models import MusicFile

# With more of them, a list finds its page soon and passes over few; with fewer it reads them all.
FEW = 200
_LETTERS = 3

_FIND = (
    "SELECT music_id FROM music_word JOIN music_number ON number = music_word.rowid "
    "WHERE music_word MATCH ? LIMIT ?"
)


async def few_with(words: Sequence[str]) -> list[UUID] | None:
    """The tracks that all `words` may stand in, of every client, deleted ones too.

    None where that can not be told, or there are more than `FEW`. A track that is not among them
    has not got the words; one that is may have their letters in other places.
    """
    connection = MusicFile._meta.db
    parts = sorted({part for word in words for part in _parts(word)})
    if not parts or connection.capabilities.dialect != "sqlite":
        return None  # PostgreSQL goes by its own index
    sought = " AND ".join('"{}"'.format(part.replace('"', '""')) for part in parts)
    try:
        rows = await connection.execute_query_dict(_FIND, [sought, FEW + 1])
    except OperationalError:
        return None  # an SQLite that can not make the index
    return [UUID(row["music_id"]) for row in rows] if len(rows) <= FEW else None


def _parts(word: str) -> list[str]:
    return [word[at : at + _LETTERS] for at in range(len(word) - _LETTERS + 1)]
