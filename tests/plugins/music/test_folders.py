"""Folders: nesting, names, moves, deletion, order, and whose they are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.plugins.music.conftest import Shop, World
from tests.plugins.music.sounds import sound

from antiphon_music.models import Folder


async def _make(shop: Shop, name: str, parent: Any = None, status: int = 201) -> Any:
    body = {"name": name} | ({"parent_id": parent["id"]} if parent else {})
    return await shop.json("POST", "folders", status, json=body)


async def test_folders_nest_and_names_are_unique_within_a_parent(world: World) -> None:
    shop = world.bakery
    jazz = await _make(shop, "Jazz")
    evening = await _make(shop, "Evening", jazz)
    await _make(shop, "Evening")  # elsewhere, so free
    problem = await _make(shop, " EVENING ", jazz, 409)
    assert "'EVENING'" in problem["detail"]
    for query, names in {
        "": ["Evening", "Evening", "Jazz"],
        "?parent_id=root": ["Evening", "Jazz"],
        f"?parent_id={jazz['id']}": ["Evening"],
        "?search=jaz": ["Jazz"],
        "?type=announcements": [],
    }.items():
        page = await shop.json("GET", f"folders{query}")
        assert [folder["name"] for folder in page["items"]] == names, query
        assert page["total"] == len(names)
    path = f"folders/{evening['id']}"
    assert (await shop.json("PATCH", path, 409, json={"parent_id": None}))["code"] == "conflict"
    renamed = await shop.json("PATCH", path, json={"name": "Late", "parent_id": None})
    assert (renamed["name"], renamed["parent_id"]) == ("Late", None)


async def test_bad_names_are_refused(world: World) -> None:
    for body in ({}, {"name": ""}, {"name": "  "}, {"name": "a\nb"}, {"name": "x" * 201}):
        await world.bakery.json("POST", "folders", 422, json=body)


async def test_a_folder_never_lies_in_itself(world: World) -> None:
    shop = world.bakery
    first = await _make(shop, "First")
    second = await _make(shop, "Second", first)
    third = await _make(shop, "Third", second)
    for target in (first, second, third):
        body = {"parent_id": target["id"]}
        problem = await shop.json("PATCH", f"folders/{first['id']}", 422, json=body)
        assert problem["errors"][0]["field"] == "parent_id"
    # Two moves at once that would close a ring: one of them has to lose.
    left, right = await _make(shop, "Left"), await _make(shop, "Right")
    answers = await asyncio.gather(
        shop.ask("PATCH", f"folders/{left['id']}", json={"parent_id": right["id"]}),
        shop.ask("PATCH", f"folders/{right['id']}", json={"parent_id": left["id"]}),
    )
    assert sorted(answer.status for answer in answers) == [200, 422]


async def test_one_of_many_makes_the_folder(world: World) -> None:
    body = {"name": "Same"}
    answers = await asyncio.gather(
        *(world.bakery.ask("POST", "folders", json=body) for _ in range(5))
    )
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]


async def test_only_an_empty_folder_is_deleted(world: World, tmp_path: Path) -> None:
    shop = world.bakery
    folder = await _make(shop, "Jazz")
    inner = await _make(shop, "Inner", folder)
    _, music = await shop.upload(sound(tmp_path / "a.mp3"), folder_id=folder["id"])
    path = f"folders/{folder['id']}"
    problem = await shop.json("DELETE", path, 409)
    assert "(folders: 1, tracks: 1)" in problem["detail"]
    await shop.json("DELETE", f"folders/{inner['id']}", 204)
    await shop.json("PATCH", f"music/{music['id']}", json={"folder_id": None})
    await shop.json("DELETE", path, 204)
    await shop.json("GET", path, 404)
    await _make(shop, "Jazz")  # the name is free again
    await Folder.filter(name="Jazz", deleted_at=None).update(is_system=True)
    [own] = (await shop.json("GET", "folders"))["items"]
    await shop.json("DELETE", f"folders/{own['id']}", 409)
    await shop.json("PATCH", f"folders/{own['id']}", 409, json={"name": "Other"})


async def test_tracks_are_put_in_order(world: World, tmp_path: Path) -> None:
    shop = world.bakery
    folder = await _make(shop, "Jazz")
    for hz in (300, 400, 500):
        await shop.upload(sound(tmp_path / f"{hz}.wav", 0.2, hz=hz), folder_id=folder["id"])

    async def listed() -> list[Any]:
        return list((await shop.json("GET", f"music?folder_id={folder['id']}"))["items"])

    before = await listed()
    assert [music["title"] for music in before] == ["300", "400", "500"]
    path = f"folders/{folder['id']}/reorder"
    await shop.json("POST", path, 204, json={"music_ids": [before[2]["id"], before[1]["id"]]})
    assert [music["title"] for music in await listed()] == ["500", "400", "300"]
    assert (await shop.json("GET", f"folders/{folder['id']}"))["music_count"] == 3
    await shop.json("POST", path, 422, json={"music_ids": [folder["id"]]})


async def test_folders_of_others_do_not_exist(world: World) -> None:
    jazz = await _make(world.bakery, "Jazz")
    path = f"folders/{jazz['id']}"
    for method in ("GET", "DELETE"):
        await world.gym.json(method, path, 404)
    await world.gym.json("PATCH", path, 404, json={"name": "Mine"})
    await world.gym.json("POST", f"{path}/reorder", 404, json={"music_ids": [jazz["id"]]})
    await _make(world.gym, "Inner", jazz, 422)
    assert (await world.gym.json("GET", "folders"))["total"] == 0
    own = await _make(world.gym, "Own")
    body = {"parent_id": jazz["id"]}
    await world.gym.json("PATCH", f"folders/{own['id']}", 422, json=body)
    await world.admin.json("PATCH", f"folders/{own['id']}", 422, json=body)
    # An admin sees both, and says whose a new one is.
    assert (await world.admin.json("GET", "folders"))["total"] == 2
    await _make(world.admin, "Whose", None, 422)
    body = {"name": "Whose", "client_id": str(world.gym.client_id)}
    made = await world.admin.json("POST", "folders", 201, json=body)
    assert made["client_id"] == str(world.gym.client_id)
    inner = await _make(world.admin, "Inner", jazz)
    assert inner["client_id"] == str(world.bakery.client_id)
