"""Lists ask the database as often for many rows as for few."""

from __future__ import annotations

from uuid import uuid4

import pytest
from tests.core.api.conftest import Stage
from tests.core.playback.conftest import FakeStreams
from tests.fakes.database import fresh_database, make_tenant
from tests.fakes.media import FakeMedia
from tests.fakes.queries import counted
from tests.fakes.renderer import FakeRenderer

from antiphon.audit.models import AuditLog
from antiphon.building.models import Device, Floor, Zone
from antiphon.errors import NotFound
from antiphon.events import EventBus
from antiphon.playback import ZoneController
from antiphon.playback.models import PlayEvent
from antiphon.settings.models import AudioSettings
from antiphon.types import Via

LISTS = ("floors", "zones", "devices", "play-events", "audit-logs", "stats", "stats/clients")


async def grow(stage: Stage, count: int) -> None:
    client = stage.ours.client
    for number in range(count):
        mark = f"{count}-{number}"
        floor = await Floor.create(client=client, name=f"Floor {mark}")
        zone = await Zone.create(client=client, floor=floor, name=f"Zone {mark}")
        await Device.create(client=client, zone=zone, name=mark, device_id=mark)
        await PlayEvent.create(client=client, zone=zone, call_id=uuid4(), title=mark)
        await AuditLog.create(client=client, action="x", resource_type="zones", via=Via.CLI)


@pytest.mark.parametrize("path", LISTS)
async def test_more_rows_are_no_more_queries(stage: Stage, path: str) -> None:
    await grow(stage, 3)
    caller = stage.admin if path == "stats/clients" else stage.owner
    with counted() as few:
        assert (await caller.get(path)).status == 200
    await grow(stage, 30)
    with counted() as many:
        assert (await caller.get(path)).status == 200
    assert few
    assert len(many) <= len(few), many


async def test_zones_of_a_page_are_viewed_alone() -> None:
    async with fresh_database():
        hotel = await make_tenant("Hotel")
        async with ZoneController(
            EventBus(), FakeRenderer(), FakeStreams(), FakeMedia(), AudioSettings()
        ) as zones:
            await zones.view(hotel.owner, hotel.shop.id)
            with counted() as queries:
                only = await zones.views(hotel.cellar_user, [hotel.shop.id, hotel.bar.id, uuid4()])
            assert [view.zone_id for view in only] == [hotel.bar.id]
            assert len(queries) == 1


async def test_what_plays_is_read_from_memory_as_far_as_one_sees() -> None:
    async with fresh_database():
        hotel = await make_tenant("Hotel")
        async with ZoneController(
            EventBus(), FakeRenderer(), FakeStreams(), FakeMedia(), AudioSettings()
        ) as zones:
            await zones.view(hotel.cellar_user, hotel.bar.id)
            with counted() as queries:
                await zones.view(hotel.cellar_user, hotel.bar.id)
            assert queries == []
            await Zone.filter(id=hotel.bar.id).update(floor_id=hotel.shop_floor.id)
            with pytest.raises(NotFound):
                await zones.view(hotel.cellar_user, hotel.bar.id)
