from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.core.api.conftest import Stage

from antiphon.building.models import Floor, Zone
from antiphon.events import ZoneChanged, ZoneCreated, ZoneDeleted, ZoneEvent
from antiphon.tenancy.models import Client


async def test_a_zone_is_added_changed_and_removed(stage: Stage) -> None:
    events: list[ZoneEvent] = []
    stage.bus.subscribe(ZoneEvent, events.append)
    added = await stage.owner.post(
        "zones", {"name": "  Terrace  ", "quiet_from": "22:00", "quiet_until": "07:30"}
    )
    assert added.status == 201
    zone_id = added.json["id"]
    assert added.json["name"] == "Terrace"
    assert added.json["floor_id"] == str(stage.ours.shop_floor.id)
    assert added.json["quiet_from"] == "22:00:00"
    assert added.json["playback"] is None

    changed = await stage.owner.patch(
        f"zones/{zone_id}", {"default_volume": 40, "quiet_from": None, "quiet_until": None}
    )
    assert (changed.status, changed.json["default_volume"], changed.json["name"]) == (
        200,
        40,
        "Terrace",
    )
    assert changed.json["quiet_from"] is None

    assert (await stage.owner.delete(f"zones/{zone_id}")).status == 204
    assert (await stage.owner.get(f"zones/{zone_id}")).status == 404
    assert (await stage.owner.delete(f"zones/{zone_id}")).status == 404
    assert [type(event) for event in events] == [ZoneCreated, ZoneChanged, ZoneDeleted]
    assert {str(event.zone_id) for event in events} == {zone_id}
    assert await Zone.filter(id=zone_id, deleted_at__isnull=False).exists()


async def test_zones_show_what_they_play(stage: Stage) -> None:
    found = (await stage.owner.get("zones")).json
    assert found["total"] == 2
    assert [zone["name"] for zone in found["items"]] == ["Bar", "Shop"]
    assert {zone["playback"]["track"]["title"] for zone in found["items"]} == {"Take Five"}
    one = (await stage.owner.get(f"zones/{stage.ours.shop.id}/")).json
    assert one["playback"]["zone_id"] == str(stage.ours.shop.id)


async def test_lists_are_cut_and_searched(stage: Stage) -> None:
    for number in range(3):
        await stage.owner.post("zones", {"name": f"Room {number}"})
    page = (await stage.owner.get("zones", limit="2", offset="1", search="ROOM")).json
    assert [zone["name"] for zone in page["items"]] == ["Room 1", "Room 2"]
    assert page["total"] == 3
    cellar = (await stage.owner.get("zones", floor_id=str(stage.ours.cellar.id))).json
    assert [zone["name"] for zone in cellar["items"]] == ["Bar"]
    for wrong in ("0", "201", "many", "-1"):
        assert (await stage.owner.get("zones", limit=wrong)).status == 422


@pytest.mark.parametrize("name", ["Shop", "shop", " SHOP ", "Ｓhop"])
async def test_names_are_unique_per_client(stage: Stage, name: str) -> None:
    taken = await stage.owner.post("zones", {"name": name})
    assert (taken.status, taken.json["code"]) == (409, "conflict")
    renamed = await stage.owner.patch(f"zones/{stage.ours.bar.id}", {"name": name})
    assert renamed.status == 409
    same = await stage.owner.patch(f"zones/{stage.ours.shop.id}", {"name": name})
    assert same.status == 200


async def test_a_name_is_free_again_after_its_zone_is_removed(stage: Stage) -> None:
    await stage.owner.delete(f"zones/{stage.ours.shop.id}")
    assert (await stage.owner.post("zones", {"name": "Shop"})).status == 201


async def test_odd_letters_stay_as_they_are(stage: Stage) -> None:
    for name in ("Café ☕ 日本語", "עברית", "a" * 200, "'; DROP TABLE zone; --", "<b>x</b>"):
        added = await stage.owner.post("zones", {"name": name})
        assert (added.status, added.json["name"]) == (201, name)
    composed = await stage.owner.post("zones", {"name": "Cafe\u0301"})
    assert composed.json["name"] == "Caf\u00e9"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name"}),
        ({"name": ""}, {"name"}),
        ({"name": "   "}, {"name"}),
        ({"name": "\u200b"}, {"name"}),
        ({"name": "a\x00b"}, {"name"}),
        ({"name": "a\nb"}, {"name"}),
        ({"name": "a" * 201}, {"name"}),
        ({"name": "A", "description": "a\x00"}, {"description"}),
        (
            {"name": 5, "default_volume": "70", "floor_id": "x", "quiet_from": "25:00", "volum": 1},
            {"name", "default_volume", "floor_id", "quiet_from", "volum"},
        ),
        (
            {"name": "A", "default_volume": 101, "background_volume_percent": -1},
            {"default_volume", "background_volume_percent"},
        ),
        ({"name": "A", "default_volume": 1.5}, {"default_volume"}),
        ({"name": "A", "default_volume": True}, {"default_volume"}),
        ({"name": "A", "quiet_from": "22:00"}, {"quiet_until"}),
        ({"name": "A", "floor_id": str(uuid4())}, {"floor_id"}),
        ({"name": "A", "client_id": str(uuid4())}, {"client_id"}),
        ([], {"body"}),
        ("text", {"body"}),
    ],
)
async def test_wrong_zones_name_all_wrong_fields(stage: Stage, body: Any, fields: set[str]) -> None:
    refused = await stage.owner.post("zones", body)
    assert (refused.status, refused.json["code"]) == (422, "invalid")
    assert {error["field"] for error in refused.json["errors"]} == fields
    assert await Zone.all().count() == 4


async def test_what_may_be_left_out_of_a_change_may_not_be_null(stage: Stage) -> None:
    path = f"zones/{stage.ours.shop.id}"
    refused = await stage.owner.patch(
        path, {"name": None, "default_volume": None, "is_active": None}
    )
    assert {error["field"] for error in refused.json["errors"]} == {
        "name",
        "default_volume",
        "is_active",
    }
    assert (await stage.owner.patch(path, {})).status == 200


async def test_a_floor_is_added_changed_and_removed_when_empty(stage: Stage) -> None:
    added = await stage.owner.post("floors", {"name": "Roof", "description": "With a view"})
    assert added.status == 201
    path = f"floors/{added.json['id']}"
    assert (await stage.owner.patch(path, {"name": "Attic"})).json["name"] == "Attic"
    assert (await stage.owner.post("floors", {"name": "attic"})).status == 409
    zone = await stage.owner.post("zones", {"name": "Nest", "floor_id": added.json["id"]})
    kept = await stage.owner.delete(path)
    assert (kept.status, "Nest" in kept.json["detail"]) == (409, True)
    await stage.owner.delete(f"zones/{zone.json['id']}")
    assert (await stage.owner.delete(path)).status == 204
    names = [floor["name"] for floor in (await stage.owner.get("floors")).json["items"]]
    assert names == ["Cellar", "Shop floor"]


async def test_the_first_zone_brings_its_floor(stage: Stage) -> None:
    fresh = await Client.create(name="Fresh")
    zone = await stage.admin.post("zones", {"name": "Hall", "client_id": str(fresh.id)})
    assert zone.status == 201
    floor = await Floor.get(client_id=fresh.id)
    assert (floor.name, str(floor.id)) == ("Ground floor", zone.json["floor_id"])
    assert not floor.is_premium


async def test_the_limit_of_floors_is_kept(stage: Stage) -> None:
    stage.ours.client.max_floors = 2
    await stage.ours.client.save()
    assert (await stage.owner.post("floors", {"name": "Roof"})).status == 409


async def test_admin_says_whose_the_zone_is(stage: Stage) -> None:
    unclear = await stage.admin.post("zones", {"name": "Hall"})
    assert unclear.json["errors"][0]["field"] == "client_id"
    foreign_floor = {
        "name": "Hall",
        "client_id": str(stage.ours.client.id),
        "floor_id": str(stage.theirs.cellar.id),
    }
    assert (await stage.admin.post("zones", foreign_floor)).status == 422
    ours = await stage.admin.post("zones", {"name": "Hall", "client_id": str(stage.ours.client.id)})
    assert ours.status == 201
