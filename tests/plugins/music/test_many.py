"""Many tracks at once: all of them or none; and pictures of tracks and folders."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import FormData
from PIL import Image
from tests.fakes.picture import jpeg, png_bomb
from tests.plugins.music.conftest import Shop, World
from tests.plugins.music.sounds import PNG, sound, tag_mp3

from antiphon_music.models import MusicFile


async def _tracks(shop: Shop, folder: Path, count: int = 3, **fields: str) -> list[str]:
    made = []
    for number in range(count):
        name = folder / f"{number}.wav"
        _, body = await shop.upload(sound(name, 0.2, hz=300 + 100 * number), **fields)
        made.append(body["id"])
    return made


async def _listed(shop: Shop, query: str) -> list[str]:
    page = await shop.json("GET", f"music?{query}")
    return [item["id"] for item in page["items"]]


async def test_many_are_moved_behind_what_is_there(world: World, tmp_path: Path) -> None:
    shop = world.bakery
    folder = await shop.json("POST", "folders", 201, json={"name": "Jazz"})
    there = await _tracks(shop, tmp_path, 1, folder_id=folder["id"])
    first, second, third = await _tracks(shop, tmp_path)
    body = {"music_ids": [third, second, third], "folder_id": folder["id"]}
    assert await shop.json("POST", "music/move", json=body) == {"count": 2}
    assert await _listed(shop, f"folder_id={folder['id']}") == [*there, third, second]
    # The first one is in there already, under another id: then none is moved.
    _, fourth = await shop.upload(sound(tmp_path / "4.wav", 0.2, hz=900))
    body = {"music_ids": [fourth["id"], first], "folder_id": folder["id"]}
    refused = await shop.json("POST", "music/move", 409, json=body)
    assert there[0] in refused["detail"]
    assert len(await _listed(shop, f"folder_id={folder['id']}")) == 3
    body = {"music_ids": [second, third], "folder_id": None}
    await shop.json("POST", "music/move", json=body)
    assert (await _listed(shop, "folder_id=root"))[-2:] == [second, third]


async def test_many_are_deleted_and_can_be_restored(world: World, tmp_path: Path) -> None:
    shop = world.bakery
    tracks = await _tracks(shop, tmp_path)
    assert await shop.json("POST", "music/delete", json={"music_ids": tracks[:2]}) == {"count": 2}
    assert await _listed(shop, "") == [tracks[2]]
    await shop.json("POST", f"music/{tracks[0]}/restore")
    assert sorted(await _listed(shop, "")) == sorted([tracks[0], tracks[2]])


async def test_one_wrong_track_keeps_all_as_they_are(world: World, tmp_path: Path) -> None:
    shop = world.bakery
    tracks = await _tracks(shop, tmp_path, 2)
    [foreign] = await _tracks(world.gym, tmp_path, 1)
    folder = await world.gym.json("POST", "folders", 201, json={"name": "Theirs"})
    unknown = str(uuid4())
    wrong = {"music_ids": [tracks[0], foreign, tracks[1], unknown]}
    for path, more in (("delete", {}), ("move", {"folder_id": None})):
        refused = await shop.json("POST", f"music/{path}", 422, json={**wrong, **more})
        fields = [error["field"] for error in refused["errors"]]
        assert fields == ["music_ids.1", "music_ids.3"]
    strange: list[Any] = [
        {"music_ids": []}, {"music_ids": "all"}, {"music_ids": [7]}, {}, {"music_ids": tracks},
        {"music_ids": tracks, "folder_id": folder["id"]}, {"music_ids": [unknown] * 1001},
        {"music_ids": tracks, "folder_id": None, "where": 1},
    ]  # fmt: skip
    for body in strange:
        await shop.json("POST", "music/move", 422, json=body)
    both = {"music_ids": [tracks[0], foreign]}
    refused = await world.admin.json("POST", "music/delete", 422, json=both)
    assert "one client" in refused["detail"]
    assert await MusicFile.filter(deleted_at=None, folder_id=None).count() == 3


async def _put(shop: Shop, path: str, content: bytes) -> Any:
    form = FormData()
    form.add_field("file", content, filename="x.jpg")
    answer = await shop.ask("PUT", path, data=form)
    return answer.status, await answer.json()


async def test_covers_of_folders_and_tracks(world: World, tmp_path: Path) -> None:
    shop = world.bakery
    folder = await shop.json("POST", "folders", 201, json={"name": "Jazz"})
    _, music = await shop.upload(tag_mp3(sound(tmp_path / "a.mp3"), PNG))
    kept = len(world.files())
    for path in (f"folders/{folder['id']}/cover", f"music/{music['id']}/cover"):
        status, body = await _put(shop, path, jpeg(1500, 1500))
        assert (status, body["has_cover"]) == (200, True)
        seen = await shop.ask("GET", path)
        assert Image.open(io.BytesIO(await seen.read())).size == (1200, 1200)
        again = await shop.ask("GET", path, headers={"If-None-Match": seen.headers["ETag"]})
        assert again.status == 304
        assert (await _put(shop, path, png_bomb()))[0] == 415
        assert (await _put(world.gym, path, PNG))[0] == 404
    assert len(world.files()) == kept + 1  # the track's new one took the place of the old one
    for path in (f"folders/{folder['id']}/cover", f"music/{music['id']}/cover"):
        await shop.json("DELETE", path, 204)
        assert (await shop.ask("GET", path)).status == 404
    assert len(world.files()) == 1


async def test_a_bomb_in_a_tag_is_no_cover(world: World, tmp_path: Path) -> None:
    status, body = await world.bakery.upload(tag_mp3(sound(tmp_path / "a.mp3"), png_bomb()))
    assert (status, body["has_cover"]) == (201, False)
    assert len(world.files()) == 1
