"""Deleted folders and tracks: restored where they fit, purged with their files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.plugins.music.conftest import Shop, World
from tests.plugins.music.sounds import PNG, sound, tag_mp3

from antiphon.store.purge import purge
from antiphon.tenancy.models import Client
from antiphon_music.models import Folder, MusicFile


async def _folder(shop: Shop, name: str, parent: Any = None) -> Any:
    body = {"name": name} | ({"parent_id": parent["id"]} if parent else {})
    return await shop.json("POST", "folders", 201, json=body)


async def _names(shop: Shop, path: str, field: str) -> list[str]:
    page = await shop.json("GET", path)
    return [item[field] for item in page["items"]]


async def test_folders_come_back_from_the_outside_in(world: World) -> None:
    shop = world.bakery
    jazz = await _folder(shop, "Jazz")
    evening = await _folder(shop, "Evening", jazz)
    for one in (evening, jazz):
        await shop.json("DELETE", f"folders/{one['id']}", 204)
    assert await _names(shop, "folders?deleted=true", "name") == ["Evening", "Jazz"]
    assert await _names(world.gym, "folders?deleted=true", "name") == []
    restore = f"folders/{evening['id']}/restore"
    refused = await shop.json("POST", restore, 409)
    assert refused["code"] == "restore_refused"
    assert "'Jazz' around it was deleted" in refused["detail"]
    other = await _folder(shop, "JAZZ")
    refused = await shop.json("POST", f"folders/{jazz['id']}/restore", 409)
    assert refused["code"] == "restore_refused"
    assert (await Folder.get(id=jazz["id"])).deleted_at is not None
    await shop.json("PATCH", f"folders/{other['id']}", json={"name": "Blues"})
    await world.gym.json("POST", restore, 404)
    await shop.json("POST", f"folders/{jazz['id']}/restore")
    assert (await shop.json("POST", restore))["parent_id"] == jazz["id"]
    await shop.json("POST", restore, 404)
    await shop.json("POST", "folders", 409, json={"name": "jazz"})  # the name is taken again


async def test_a_track_comes_back_where_it_was(world: World, tmp_path: Path) -> None:
    shop, file = world.bakery, sound(tmp_path / "a.wav")
    folder = await _folder(shop, "Jazz")
    _, music = await shop.upload(file, folder_id=folder["id"])
    path = f"music/{music['id']}"
    await shop.json("DELETE", path, 204)
    assert await _names(shop, "music?deleted=true", "title") == ["a"]
    _, twin = await shop.upload(file, folder_id=folder["id"])
    refused = await shop.json("POST", f"{path}/restore", 409)
    assert (refused["code"], "same content" in refused["detail"]) == ("restore_refused", True)
    await shop.json("DELETE", f"music/{twin['id']}", 204)
    await shop.json("DELETE", f"folders/{folder['id']}", 204)
    refused = await shop.json("POST", f"{path}/restore", 409)
    assert "its folder 'Jazz' was deleted" in refused["detail"]
    await shop.json("POST", f"folders/{folder['id']}/restore")
    back = await shop.json("POST", f"{path}/restore")
    assert (back["folder_id"], back["deleted_at"]) == (folder["id"], None)
    assert (await shop.ask("GET", f"{path}/audio")).status == 200


async def test_a_track_of_a_folder_that_was_purged_comes_back_to_the_top(
    world: World, tmp_path: Path
) -> None:
    shop = world.bakery
    folder = await _folder(shop, "Jazz")
    _, music = await shop.upload(sound(tmp_path / "a.wav"), folder_id=folder["id"])
    await shop.json("DELETE", f"music/{music['id']}", 204)
    await shop.json("DELETE", f"folders/{folder['id']}", 204)
    long_ago = datetime.now(UTC) - timedelta(days=2)
    await Folder.filter(id=folder["id"]).update(deleted_at=long_ago)
    assert await purge(world.media_dir, long_ago + timedelta(days=1)) == 1
    assert (await shop.json("POST", f"music/{music['id']}/restore"))["folder_id"] is None


async def test_a_track_comes_back_only_where_there_is_room(world: World, tmp_path: Path) -> None:
    shop = world.bakery
    _, first = await shop.upload(sound(tmp_path / "a.wav", 2))
    await shop.json("DELETE", f"music/{first['id']}", 204)
    await shop.upload(sound(tmp_path / "b.wav", 2, hz=500))
    await Client.filter(id=shop.client_id).update(max_storage_gb=0.0005)
    refused = await shop.json("POST", f"music/{first['id']}/restore", 409)
    assert refused["code"] == "storage_full"
    assert (await MusicFile.get(id=first["id"])).deleted_at is not None
    await Client.filter(id=shop.client_id).update(max_storage_gb=None)
    await shop.json("POST", f"music/{first['id']}/restore")


async def test_purged_tracks_leave_nothing(world: World, tmp_path: Path) -> None:
    shop = world.bakery
    _, music = await shop.upload(tag_mp3(sound(tmp_path / "a.mp3"), PNG))
    folder = await _folder(shop, "Jazz")
    await shop.json("DELETE", f"music/{music['id']}", 204)
    await shop.json("DELETE", f"folders/{folder['id']}", 204)
    assert len(world.files()) == 2
    assert await purge(world.media_dir, datetime.now(UTC) + timedelta(days=1)) == 2
    assert world.files() == []
    await shop.json("POST", f"music/{music['id']}/restore", 404)
