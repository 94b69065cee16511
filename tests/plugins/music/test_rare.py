"""The index that says in which few tracks words stand: kept in step, and never wrong."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.conftest import Migrated
from tests.plugins.music.conftest import MUSIC

import antiphon_music.migrations
from antiphon.store import Tables, in_transaction, open_database
from antiphon.tenancy.models import Client
from antiphon.types import Principal, Role
from antiphon_music.models import MusicFile
from antiphon_music.rare import FEW, few_with
from antiphon_music.routes import matching
from antiphon_music.text import search_text, search_words
from antiphon_music.views import MusicQuery


@pytest.fixture
async def client(tmp_path: Path, migrated: Migrated) -> AsyncIterator[Client]:
    migrated(tmp_path)
    async with open_database("", tmp_path, {"music": MUSIC}):
        yield await Client.create(name="Bakery")


async def _add(client: Client, *titles: str) -> list[MusicFile]:
    tracks = [
        MusicFile(
            id=uuid4(), client_id=client.id, file="f", filename="n", file_size=1, title=title,
            duration_s=1.0, content_hash="h", search_text=search_text(title),
        )
        for title in titles
    ]  # fmt: skip
    await MusicFile.bulk_create(tracks)
    kept = await MusicFile.in_bulk([track.id for track in tracks], "id")
    return [kept[track.id] for track in tracks]


async def _few(text: str) -> set[UUID]:
    found = await few_with(search_words(text))
    assert found is not None
    return set(found)


async def test_it_follows_what_is_written(client: Client) -> None:
    one, two = await _add(client, "Blue Lantern", "Green Lantern")
    assert await _few("lantern") == {one.id, two.id}
    assert await _few("LANT blue") == {one.id}
    one.search_text = "red lamp"
    await one.save()
    assert await _few("lantern") == {two.id}
    assert await _few("red lam") == {one.id}
    two.deleted_at = two.created_at  # it may be asked for among the deleted ones
    await two.save()
    assert await _few("lantern") == {two.id}
    await two.delete()
    assert await _few("lantern") == set()
    await client.delete()  # and its tracks with it
    assert await _few("lamp") == set()


async def test_it_is_silent_where_it_does_not_help(client: Client) -> None:
    await _add(client, *(f"Song {number}" for number in range(FEW + 1)))
    assert await few_with(search_words("song")) is None
    assert len(await _few("song 200")) == 1
    assert await few_with(search_words("so ng")) is None
    assert await few_with([]) is None
    assert len(await _few("20 song 200")) == 1


async def test_what_it_leaves_out_would_not_be_found(client: Client) -> None:
    """Whatever the words are made of: signs of its own language, wide ones, odd case."""
    pick = random.Random(5)  # the same words each time
    alphabet = "aab\"'*^():-%_\\ İßſKé东京🎵㎒"

    def text(most: int) -> str:
        return "".join(pick.choices(alphabet, k=pick.randint(1, most)))

    await _add(client, *(text(30) for _ in range(FEW)))
    principal = Principal(role=Role.CLIENT, client_id=client.id)
    looked_up = 0
    for _ in range(300):
        search = text(6)
        plain = {row.id for row in await matching(principal, MusicQuery(search=search))}
        few = await few_with(search_words(search))
        if few is not None:
            looked_up += 1
            assert plain <= set(few), search
    assert looked_up > 50


async def test_rows_keep_their_words_when_the_file_is_packed(client: Client) -> None:
    tracks = await _add(client, *(f"Song {number:03}" for number in range(100)))
    for track in tracks[:90]:
        await track.delete()
    await MusicFile._meta.db.execute_query("VACUUM")
    assert await _few("song 095") == {tracks[95].id}


async def test_a_library_of_the_version_before_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "old" / "before_the_words"
    shutil.copytree(Path(str(antiphon_music.migrations.__file__)).parent, package)
    (package / "0004_words.py").unlink()
    monkeypatch.syspath_prepend(str(package.parent))
    async with open_database("", tmp_path, {"music": Tables(MUSIC.modules, package.name)}):
        tracks = await _add(await Client.create(name="Bakery"), "Blue Lantern", "Green")
        assert await few_with(["lantern"]) is None  # as where SQLite can not make the index
    async with open_database("", tmp_path, {"music": MUSIC}) as database:
        assert database.failed == {}
        assert await _few("lantern") == {tracks[0].id}


async def test_a_change_that_is_taken_back_is_no_change(client: Client) -> None:
    async with in_transaction() as transaction:
        await _add(client, "Blue Lantern")
        await transaction.rollback()
    assert await _few("lantern") == set()
