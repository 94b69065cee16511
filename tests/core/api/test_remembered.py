"""Who calls is remembered between requests; what takes a right away counts at once all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.core.api.conftest import Caller, Stage
from tests.fakes.queries import counted

from antiphon.building.models import Zone
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.sessions import end_all_sessions
from antiphon.types import Role

Change = Callable[[Stage], Awaitable[object]]


async def owner(stage: Stage) -> User:
    return await User.get(client_id=stage.ours.client.id, role=Role.CLIENT)


async def switch_off(stage: Stage) -> None:
    user = await owner(stage)
    user.is_active = False
    await user.save()


async def log_out_everywhere(stage: Stage) -> None:
    await end_all_sessions(await owner(stage))


async def delete_client(stage: Stage) -> None:
    await Client.filter(id=stage.ours.client.id).update(is_active=False)


async def demote(stage: Stage) -> None:
    await User.filter(id=(await owner(stage)).id).update(role=Role.STAFF, client_id=None)


async def suspend(stage: Stage) -> None:
    answer = await stage.staff.post(f"clients/{stage.ours.client.id}/suspend")
    assert answer.status == 200


async def rename(caller: Caller, stage: Stage) -> int:
    answer = await caller.patch(f"zones/{stage.ours.shop.id}", {"description": "x"})
    return answer.status


async def test_the_second_request_asks_the_database_for_nobody(stage: Stage) -> None:
    path = f"zones/{stage.ours.shop.id}"
    assert (await stage.owner.get(path)).status == 200
    with counted() as queries:
        assert (await stage.owner.get(path)).status == 200
        assert (await stage.owner.get(f"{path}/playback")).status == 200
    assert queries == []


@pytest.mark.parametrize("change", [switch_off, log_out_everywhere, delete_client])
async def test_who_may_no_longer_come_in_is_out_at_once(stage: Stage, change: Change) -> None:
    assert (await stage.owner.get("zones")).status == 200
    await change(stage)
    assert (await stage.owner.get("zones")).status == 401


async def test_a_suspended_client_changes_nothing_at_once(stage: Stage) -> None:
    assert await rename(stage.owner, stage) == 200
    await suspend(stage)
    assert await rename(stage.owner, stage) == 403
    assert (await stage.owner.get("zones")).status == 200


async def test_another_role_counts_at_once(stage: Stage) -> None:
    assert (await stage.owner.get("zones")).json["total"] == 2
    assert (await stage.owner.get("users")).json["total"] == 2
    await demote(stage)
    assert (await stage.owner.get("zones")).json["total"] == 4


async def test_a_zone_that_moves_is_seen_where_it_is(stage: Stage) -> None:
    path = f"zones/{stage.ours.bar.id}"
    assert (await stage.cellar_user.get(path)).status == 200
    await Zone.filter(id=stage.ours.bar.id).update(floor_id=stage.ours.shop_floor.id)
    assert (await stage.cellar_user.get(path)).status == 404
    await Zone.filter(id=stage.ours.bar.id).update(floor_id=stage.ours.cellar.id, name="Deep")
    assert (await stage.cellar_user.get(path)).json["name"] == "Deep"
    assert (await stage.owner.delete(path)).status == 204
    for caller in (stage.cellar_user, stage.owner, stage.admin):
        assert (await caller.get(path)).status == 404
    assert (await stage.owner.get("zones")).json["total"] == 1
