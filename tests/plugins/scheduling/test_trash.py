"""Schedules that were deleted come back, for those alone whose they are."""

from __future__ import annotations

from datetime import timedelta

from tests.plugins.scheduling.conftest import NINE, Station

from antiphon.tenancy.models import Client
from antiphon.types import Role


async def _names(station: Station, query: str = "") -> list[str]:
    listed = (await station.owner("GET", f"schedules{query}")).json
    assert listed["total"] == len(listed["items"])
    return [item["name"] for item in listed["items"]]


async def test_a_deleted_schedule_comes_back_as_it_was(station: Station) -> None:
    made = await station.make(name="Noon", config=station.cron("0 12 * * *"))
    path = f"schedules/{made['id']}"
    assert (await station.owner("POST", f"{path}/restore")).status == 404  # it is there
    assert (await station.owner("DELETE", path)).status == 204
    assert (await _names(station), await _names(station, "?deleted=true")) == ([], ["Noon"])
    back = await station.owner("POST", f"{path}/restore")
    assert back.status == 200
    changed = {"updated_at"}
    assert {k: v for k, v in back.json.items() if k not in changed} == {
        k: v for k, v in made.items() if k not in changed
    }
    assert (await _names(station), await _names(station, "?deleted=true")) == (["Noon"], [])
    assert (await station.owner("GET", path)).json == back.json


async def test_what_it_would_have_done_meanwhile_is_not_made_up_for(station: Station) -> None:
    made = await station.make()
    async with station.running():
        await station.clock.go_on_to(NINE + timedelta(minutes=6))
        before = len(station.calls())
        await station.owner("DELETE", f"schedules/{made['id']}")
        await station.clock.go_on_to(NINE + timedelta(minutes=12))
        await station.owner("POST", f"schedules/{made['id']}/restore")
        await station.clock.go_on_to(NINE + timedelta(minutes=14))
        assert len(station.calls()) == before
        await station.clock.go_on_to(NINE + timedelta(minutes=16))
        assert len(station.calls()) == before + 1


async def test_nobody_else_restores_or_sees_it(station: Station) -> None:
    made = await station.make()
    other = (await Client.create(name="Other")).id
    path = f"schedules/{made['id']}"
    await station.owner("DELETE", path)
    stranger = await station.api.caller(Role.CLIENT, other)
    assert (await stranger("POST", f"{path}/restore")).status == 404
    assert (await stranger("GET", "schedules?deleted=true")).json["total"] == 0
    helper = await station.api.caller(Role.FLOOR_USER, station.client.id)
    assert (await helper("POST", f"{path}/restore")).status == 403
    assert await _names(station, "?deleted=true") == ["Every five"]


async def test_a_name_that_was_given_again_is_no_hindrance(station: Station) -> None:
    """Names of schedules need not be unique, so both are there."""
    made = await station.make(name="Noon")
    await station.owner("DELETE", f"schedules/{made['id']}")
    other = await station.make(name="Noon")
    assert (await station.owner("POST", f"schedules/{made['id']}/restore")).status == 200
    listed = (await station.owner("GET", "schedules")).json["items"]
    assert {item["id"] for item in listed} == {made["id"], other["id"]}
