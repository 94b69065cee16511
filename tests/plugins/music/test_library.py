"""Finding, changing, hearing and deleting tracks, and whose they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.music.conftest import MUSIC, World
from tests.plugins.music.sounds import PNG, sound, tag_easily, tag_mp3

from antiphon.store import IntegrityError, in_transaction, open_database
from antiphon.store.purge import purge
from antiphon.tenancy.models import Client
from antiphon.types import Principal, Role
from antiphon_music.folders import make_folder
from antiphon_music.library import place_of
from antiphon_music.models import MusicFile
from antiphon_music.routes import matching
from antiphon_music.views import MusicQuery


async def _listed(world: World, query: str) -> list[str]:
    page = await world.bakery.json("GET", f"music?{query}")
    return [music["title"] for music in page["items"]]


async def test_lists_search_and_sort(world: World, tmp_path: Path) -> None:
    for hz, title, artist in (
        (300, "Für Elise", "Beethoven"),
        (400, "Ode to Joy", "Beethoven"),
        (500, "100% Love_Song", "Élodie"),
    ):
        file = tag_easily(sound(tmp_path / f"{hz}.ogg", 0.3, hz=hz), title=title, artist=artist)
        await world.bakery.upload(file)
    assert await _listed(world, "") == ["100% Love_Song", "Für Elise", "Ode to Joy"]
    assert await _listed(world, "search=FUR beet") == ["Für Elise"]
    assert await _listed(world, "search=elodie") == ["100% Love_Song"]
    assert await _listed(world, "search=100%25 e_s") == ["100% Love_Song"]
    assert await _listed(world, "search=o_e") == []  # no wildcards
    assert await _listed(world, "search=elise joy") == []
    assert await _listed(world, "artist=beethoven&ordering=-title") == ["Ode to Joy", "Für Elise"]
    assert await _listed(world, "ordering=created_at&limit=1&offset=1") == ["Ode to Joy"]
    for wrong in (
        "ordering=colour", "order=title", "limit=0", "limit=201", "folder_id=x", "deleted=perhaps",
    ):  # fmt: skip
        await world.bakery.json("GET", f"music?{wrong}", 422)


async def test_tags_are_changed(world: World, tmp_path: Path) -> None:
    _, music = await world.bakery.upload(sound(tmp_path / "a.mp3"))
    path = f"music/{music['id']}"
    body = {"title": "New", "artist": "  Some\tone ", "year": 1999, "order": 7, "genre": ""}
    changed = await world.bakery.json("PATCH", path, json=body)
    assert {key: changed[key] for key in body} == body | {"artist": "Some one"}
    assert await _listed(world, "search=someone") == []
    assert await _listed(world, "search=some one new") == ["New"]
    for wrong in (
        {"title": ""}, {"title": None}, {"year": 0}, {"order": -1}, {"artist": "x" * 301},
        {"duration_s": 1}, {"folder_id": music["id"]}, {"genre": "x" * 101},
    ):  # fmt: skip
        await world.bakery.json("PATCH", path, 422, json=wrong)


async def test_audio_is_sent_in_ranges(world: World, tmp_path: Path) -> None:
    file = sound(tmp_path / "a.mp3", 3)
    content = file.read_bytes()
    _, music = await world.bakery.upload(file)
    path = f"music/{music['id']}/audio"
    whole = await world.bakery.ask("GET", path)
    assert (whole.status, whole.content_type) == (200, "audio/mpeg")
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert await whole.read() == content
    for asked, first, last in (
        ("bytes=100-199", 100, 199),
        ("bytes=-50", len(content) - 50, len(content) - 1),
        (f"bytes={len(content) - 5}-", len(content) - 5, len(content) - 1),
    ):
        part = await world.bakery.ask("GET", path, headers={"Range": asked})
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
        assert await part.read() == content[first : last + 1]
    beyond = await world.bakery.ask("GET", path, headers={"Range": "bytes=99999999-"})
    assert beyond.status == 416
    # An <audio> element can not send a header.
    answer = await world.bakery.http.get(f"/api/v1/{path}?token={world.bakery.token}")
    assert answer.status == 200


async def test_deleted_tracks_are_gone_and_later_their_files_too(
    world: World, tmp_path: Path
) -> None:
    file = tag_mp3(sound(tmp_path / "a.mp3"), PNG)
    _, music = await world.bakery.upload(file)
    path = f"music/{music['id']}"
    await world.bakery.json("DELETE", path, 204)
    for gone in (path, f"{path}/audio", f"{path}/cover"):
        await world.bakery.json("GET", gone, 404)
    await world.bakery.json("DELETE", path, 404)
    assert await _listed(world, "") == []
    assert (await world.bakery.upload(file))[0] == 201  # not a duplicate of what is deleted
    assert len(world.files()) == 4
    now = datetime.now(UTC)
    assert await purge(world.media_dir, now - timedelta(days=1)) == 0
    assert await purge(world.media_dir, now + timedelta(days=1)) == 1
    assert len(world.files()) == 2
    assert await MusicFile.all().count() == 1


async def test_tracks_of_others_do_not_exist(world: World, tmp_path: Path) -> None:
    file = sound(tmp_path / "a.mp3")
    _, music = await world.bakery.upload(file)
    path = f"music/{music['id']}"
    for other in (path, f"{path}/audio", f"{path}/cover"):
        await world.gym.json("GET", other, 404)
    await world.gym.json("DELETE", path, 404)
    await world.gym.json("PATCH", path, 404, json={"title": "Mine"})
    assert (await world.gym.json("GET", "music"))["total"] == 0
    query = f"music?client_id={world.bakery.client_id}"
    assert (await world.gym.json("GET", query))["total"] == 0
    assert (await world.gym.upload(file))[0] == 201  # the same content is no conflict here
    folder = await world.bakery.json("POST", "folders", 201, json={"name": "Jazz"})
    _, problem = await world.gym.upload(sound(tmp_path / "b.mp3"), folder_id=folder["id"])
    assert problem["errors"][0]["field"] == "folder_id"
    assert (await world.admin.json("GET", "music"))["total"] == 2
    assert (await world.admin.json("GET", query))["total"] == 1
    # An admin's upload into a folder is its client's.
    _, body = await world.admin.upload(sound(tmp_path / "c.mp3", 2), folder_id=folder["id"])
    assert body["client_id"] == str(world.bakery.client_id)


async def test_music_does_not_go_into_folders_of_announcements(
    world: World, tmp_path: Path
) -> None:
    new = {"name": "Spots", "type": "announcements"}
    folder = await world.bakery.json("POST", "folders", 201, json=new)
    status, body = await world.bakery.upload(sound(tmp_path / "a.mp3"), folder_id=folder["id"])
    assert (status, body["errors"][0]["field"]) == (422, "folder_id")
    inner = {"name": "Music", "parent_id": folder["id"]}
    await world.bakery.json("POST", "folders", 422, json=inner)


async def test_the_tables_work_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    async with open_database(postgres_url, tmp_path, {"music": MUSIC}) as database:
        assert database.failed == {}
        client = await Client.create(name="Bakery")
        folder = await make_folder(client.id, ["Jazz", "Evening"])
        assert folder is not None
        values: dict[str, Any] = {
            "client_id": client.id, "folder_id": folder.id, "file": "f", "filename": "n",
            "file_size": 5 << 30, "title": "100% Élise", "duration_s": 1.0, "content_hash": "h",
            "search_text": "100% elise", "place": place_of(client.id, folder.id, "h"),
        }  # fmt: skip
        await MusicFile.create(**values)
        principal = Principal(role=Role.CLIENT, client_id=client.id)
        for search, count in (("100% ÉLISE", 1), ("1_0", 0)):
            assert await matching(principal, MusicQuery(search=search)).count() == count
        with pytest.raises(IntegrityError):
            await MusicFile.create(**values)


async def test_searches_on_postgresql_use_an_index(postgres_url: str, tmp_path: Path) -> None:
    async with (
        open_database(postgres_url, tmp_path, {"music": MUSIC}),
        in_transaction() as transaction,
    ):
        # As if there were many rows: the few that there are would be read one by one.
        await transaction.execute_query("SET LOCAL enable_seqscan = off")
        rows = MusicFile.filter(search_text__contains="lantern")
        plan = await rows.using_db(transaction).explain()
    assert "music_file_words" in str(plan)
