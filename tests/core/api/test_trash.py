"""Deleted things of the core: listed, restored where they fit, and refused where they do not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.api.conftest import Answer, Caller, Stage
from tests.fakes.waiting import eventually

from antiphon.events import ClientChanged, ZoneCreated
from antiphon.jobs.runner import JobRunner, JobState
from antiphon.tenancy.models import Client, SubscriptionTier, User


async def _names(caller: Caller, path: str, field: str = "name", **query: str) -> list[str]:
    answer = await caller.get(path, limit="200", **query)
    assert answer.status == 200, answer.json
    return [item[field] for item in answer.json["items"]]


def _refused(answer: Answer, code: str, says: str) -> None:
    assert (answer.status, answer.json["code"]) == (409, code), answer.json
    assert says in answer.json["detail"]


async def test_a_zone_and_its_floor_come_back_in_that_order(stage: Stage) -> None:
    owner, zone, floor = stage.owner, stage.ours.bar, stage.ours.cellar
    told: list[ZoneCreated] = []
    stage.bus.subscribe(ZoneCreated, told.append)
    for path in (f"zones/{zone.id}", f"floors/{floor.id}"):
        assert (await owner.delete(path)).status == 204
    assert await _names(owner, "zones") == ["Shop"]
    assert await _names(owner, "zones", deleted="true") == ["Bar"]
    assert await _names(stage.stranger, "zones", deleted="true") == []
    [gone] = (await owner.get("floors", deleted="true")).json["items"]
    assert gone["deleted_at"] is not None
    _refused(await owner.post(f"zones/{zone.id}/restore"), "restore_refused", "restore that first")
    assert (await owner.post(f"floors/{floor.id}/restore")).json["deleted_at"] is None
    back = await owner.post(f"zones/{zone.id}/restore")
    assert (back.status, back.json["name"]) == (200, "Bar")
    assert [event.zone_id for event in told] == [zone.id]
    assert (await owner.post(f"zones/{zone.id}/restore")).status == 404  # it is there


async def test_a_name_is_free_while_its_owner_is_deleted(stage: Stage) -> None:
    owner = stage.owner
    for path, row in (("zones", stage.ours.bar), ("floors", stage.ours.cellar)):
        await owner.delete(f"{path}/{row.id}")
        made = await owner.post(path, {"name": row.name.upper()})
        assert made.status == 201, made.json
        _refused(await owner.post(f"{path}/{row.id}/restore"), "restore_refused", "its name")
        assert (await owner.get(f"{path}/{row.id}")).status == 404
        if path == "zones":
            await owner.delete(f"zones/{made.json['id']}")


async def test_a_floor_comes_back_only_within_the_limits(stage: Stage) -> None:
    client, cellar = stage.ours.client, stage.ours.cellar
    await stage.owner.delete(f"zones/{stage.ours.bar.id}")
    await stage.owner.delete(f"floors/{cellar.id}")
    client.subscription_tier = SubscriptionTier.BASIC
    await client.save()
    refused = await stage.owner.post(f"floors/{cellar.id}/restore")
    assert (refused.status, refused.json["code"]) == (403, "premium_needed")
    client.premium_features, client.max_floors = {"multi_floor": True}, 1
    await client.save()
    refused = await stage.owner.post(f"floors/{cellar.id}/restore")
    assert (refused.status, refused.json["code"]) == (409, "limit_reached")
    client.max_floors = 2
    await client.save()
    assert (await stage.owner.post(f"floors/{cellar.id}/restore")).status == 200


async def test_nobody_restores_what_is_not_his(stage: Stage) -> None:
    await stage.owner.delete(f"zones/{stage.ours.bar.id}")
    path = f"zones/{stage.ours.bar.id}/restore"
    assert (await stage.stranger.post(path)).status == 404
    assert (await stage.cellar_user.post(path)).status == 403
    assert (await stage.nobody.post(path)).status == 401


async def test_a_user_comes_back_with_the_same_address(stage: Stage) -> None:
    body = {"email": "anna@hotel.example", "role": "client", "name": "Anna"}
    anna = (await stage.owner.post("users", body)).json
    path = f"users/{anna['id']}"
    await stage.owner.delete(path)
    assert await _names(stage.owner, "users", "email", deleted="true") == ["anna@hotel.example"]
    other = (await stage.owner.post("users", body)).json
    _refused(await stage.owner.post(f"{path}/restore"), "restore_refused", "has the e-mail")
    await stage.owner.delete(f"users/{other['id']}")
    back = (await stage.owner.post(f"{path}/restore")).json
    assert (back["email"], back["deleted_at"]) == ("anna@hotel.example", None)
    long = f"{'x' * 240}@hotel.example"
    made = (await stage.owner.post("users", body | {"email": long})).json
    await stage.owner.delete(f"users/{made['id']}")
    lost = await stage.owner.post(f"users/{made['id']}/restore")
    _refused(lost, "restore_refused", "the end of the e-mail was lost")


async def test_a_user_of_a_floor_that_is_gone_stays_away(stage: Stage) -> None:
    tenant = stage.ours
    user = await User.create(
        email="u@x.example", role="floor_user", client=tenant.client, floor_id=tenant.cellar.id,
        password_hash="-",
    )  # fmt: skip
    await stage.owner.delete(f"users/{user.id}")
    await stage.owner.delete(f"zones/{tenant.bar.id}")
    await stage.owner.delete(f"floors/{tenant.cellar.id}")
    _refused(await stage.owner.post(f"users/{user.id}/restore"), "restore_refused", "its floor")
    staff = await User.create(email="a@x.example", role="admin", password_hash="-")
    await stage.admin.delete(f"users/{staff.id}")
    assert (await stage.staff.post(f"users/{staff.id}/restore")).status == 404
    assert (await stage.admin.post(f"users/{staff.id}/restore")).status == 200


async def test_a_client_comes_back(stage: Stage) -> None:
    told: list[ClientChanged] = []
    stage.bus.subscribe(ClientChanged, told.append)
    client = await Client.create(name="Gym")
    assert (await stage.staff.delete(f"clients/{client.id}")).status == 204
    assert await _names(stage.staff, "clients", deleted="true") == ["Gym"]
    assert await _names(stage.owner, "clients", deleted="true") == []
    assert (await stage.owner.post(f"clients/{client.id}/restore")).status == 403
    assert (await stage.staff.post(f"clients/{client.id}/restore")).status == 200
    assert "Gym" in await _names(stage.staff, "clients")
    assert [event.client_id for event in told] == [client.id, client.id]


@pytest.mark.parametrize(
    ("path", "field", "orders"),
    [
        ("floors", "name", ("name", "created_at", "updated_at")),
        ("zones", "name", ("name", "created_at", "updated_at")),
        ("users", "email", ("email", "name", "role", "created_at", "updated_at")),
        ("clients", "name", ("name", "business_name", "created_at")),
        ("devices", "name", ("name", "device_type", "device_id", "volume")),
        ("audit-logs", "action", ("created_at",)),
        ("plugins", "name", ("name", "status")),
        ("calls", "title", ("title", "created_at", "priority")),
        ("jobs", "label", ("label", "started_at", "state", "progress")),
        ("stats/clients", "name", ("name", "created_at")),
        ("auth/tokens", "name", ("name", "created_at")),
    ],
)
async def test_every_list_is_sorted_both_ways_by_what_is_allowed(
    stage: Stage, path: str, field: str, orders: tuple[str, ...]
) -> None:
    for name in ("Anna", "Berta"):
        await Client.create(name=name)
        await stage.admin.post("auth/tokens", {"name": name, "scopes": ["read"]})
        await stage.admin.post("calls", {"text": name, "all": True})
    if path == "jobs":
        await _two_jobs(stage.parts.jobs)
    for order in orders:
        up = await _items(stage.admin, path, ordering=order)
        down = await _items(stage.admin, path, ordering=f"-{order}")
        assert sorted(map(str, up)) == sorted(map(str, down))
        if order == field:
            names = [str(item[field]) for item in up]
            assert names == sorted(names, key=str.casefold)
            assert names == [str(item[field]) for item in reversed(down)]
    for wrong in ("password_hash", "id; DROP TABLE user", "--name", "", "client__name"):
        refused = await stage.admin.get(path, ordering=wrong)
        assert refused.status == 422, wrong
        assert [error["field"] for error in refused.json["errors"]] == ["ordering"]


async def _two_jobs(jobs: JobRunner) -> None:
    async with jobs:
        for name in ("berta", "Anna"):
            jobs.start(name, "math:nothing", {})
        await eventually(lambda: {job.state for job in jobs.views()} == {JobState.FAILED})


async def _items(caller: Caller, path: str, **query: str) -> list[Any]:
    answer = await caller.get(path, limit="200", **query)
    assert answer.status == 200, answer.json
    return list(answer.json["items"])
