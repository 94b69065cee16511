"""Devices with a real snapserver and real snapclients."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from tests.fakes.database import Tenant, fresh_database, make_tenant
from tests.fakes.loudspeakers import loudspeaker, tone
from tests.fakes.waiting import eventually

from antiphon.building.devices import DeviceService
from antiphon.building.models import Device
from antiphon.events import DeviceChanged, DeviceEvent, DeviceFound, EventBus, ZoneDeleted
from antiphon.plugins.devices import DeviceUpdate, DeviceView
from antiphon.settings.models import SnapcastSettings
from antiphon.streams import Snapcast
from antiphon.types import Principal

ADMIN = Principal.system()


@dataclass
class House:
    """One tenant's zones Shop and Bar behind a snapserver, and the devices of the building."""

    tenant: Tenant
    snapcast: Snapcast
    devices: DeviceService
    bus: EventBus
    sinks: dict[UUID, str]
    folder: Path
    events: list[DeviceEvent]

    async def until(self, name: str, check: Callable[[DeviceView], bool]) -> DeviceView:
        """Wait until the device with this hardware id is as it should be."""
        async with asyncio.timeout(8):
            while True:
                for view in await self.devices.views(ADMIN):
                    if view.device_id == name and check(view):
                        return view
                await asyncio.sleep(0.02)

    async def rpc(self, method: str, **params: object) -> None:
        """What another controller, such as snapweb, would do."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.snapcast.control_port)
        request = {"id": 1, "jsonrpc": "2.0", "method": method, "params": params}
        writer.write(json.dumps(request).encode() + b"\r\n")
        async with asyncio.timeout(5):
            while "error" not in (answer := json.loads(await reader.readline())):
                if answer.get("id") == 1:
                    break
        writer.close()
        assert "error" not in answer, answer


@pytest.fixture(params=["silent"])
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    bus = EventBus()
    events: list[DeviceEvent] = []
    bus.subscribe(DeviceEvent, events.append)
    settings = SnapcastSettings(
        bind="127.0.0.1",
        stream_port=0,
        control_port=0,
        http_port=0,
        buffer_ms=300,
        codec="pcm",
        unassigned=request.param,
    )
    async with fresh_database():
        tenant = await make_tenant("Roasters")
        tenant.shop.default_volume = 40
        await tenant.shop.save()
        async with (
            Snapcast(settings, tmp_path / "run", tmp_path / "data", bus) as snapcast,
            DeviceService(bus, snapcast) as devices,
        ):
            zones = {tenant.shop.id: "Shop", tenant.bar.id: "Bar"}
            sinks = dict(await snapcast.provision(zones))
            await snapcast.wait_available()
            yield House(tenant, snapcast, devices, bus, sinks, tmp_path, events)


def on_server(house: House, name: str) -> tuple[int, UUID | None]:
    client = house.snapcast.client(name)
    return (client.volume, client.zone_id) if client else (-1, None)


async def test_a_new_client_is_listed_is_silent_and_not_at_full_volume(house: House) -> None:
    async with (
        tone(house.sinks[house.tenant.shop.id], 440),
        loudspeaker(house.snapcast.stream_port, "left", house.folder) as left,
    ):
        view = await house.until("left", lambda view: view.is_online)
        assert (view.client_id, view.zone_id, view.volume) == (None, None, 50)
        assert view.ip_address == "127.0.0.1"
        assert "snapclient 0." in view.firmware_version
        assert view.model
        assert view.last_seen is not None
        assert on_server(house, "left") == (50, None)
        assert left.loudest() == 0.0
    found = next(event for event in house.events if isinstance(event, DeviceFound))
    assert found.device_id == view.id
    await house.until("left", lambda view: not view.is_online)


async def test_assigning_moves_the_sound_and_adopting_sets_the_zones_volume(house: House) -> None:
    shop, bar = house.tenant.shop.id, house.tenant.bar.id
    async with (
        tone(house.sinks[shop], 440),
        tone(house.sinks[bar], 880),
        loudspeaker(house.snapcast.stream_port, "left", house.folder) as left,
    ):
        device = await house.until("left", lambda view: view.is_online)
        update = DeviceUpdate(zone_id=shop, name="Counter")
        view = await house.devices.update(house.tenant.owner, device.id, update)
        assert (view.client_id, view.zone_id) == (house.tenant.client.id, shop)
        assert (view.name, view.volume) == ("Counter", 40)
        await left.hears(440)
        assert left.loudest() < 0.35, "a tone of 0.5 was never heard at full volume"
        assert on_server(house, "left") == (40, shop)
        client = house.snapcast.client("left")
        assert client is not None
        assert client.name == "Counter"
        await house.devices.update(house.tenant.owner, device.id, DeviceUpdate(zone_id=bar))
        await left.hears(880)
        assert on_server(house, "left") == (40, bar), "a move keeps the volume"
        await house.devices.update(house.tenant.owner, device.id, DeviceUpdate(zone_id=None))
        await left.hears_nothing()


async def test_one_that_is_muted_is_silent_alone_and_keeps_its_volume(house: House) -> None:
    shop, port = house.tenant.shop.id, house.snapcast.stream_port
    async with (
        tone(house.sinks[shop], 440),
        loudspeaker(port, "left", house.folder) as left,
        loudspeaker(port, "right", house.folder) as right,
    ):
        views = {n: await house.until(n, lambda view: view.is_online) for n in ("left", "right")}
        for view in views.values():
            await house.devices.update(ADMIN, view.id, DeviceUpdate(zone_id=shop))
        await left.hears(440)
        muted = await house.devices.set_muted(ADMIN, views["left"].id, muted=True)
        assert (muted.muted, muted.volume) == (True, 40)
        await left.hears_nothing()
        await right.hears(440)
        # One that is muted and turned up meanwhile stays silent.
        await house.devices.set_volume(ADMIN, views["left"].id, 60)
        await eventually(lambda: on_server(house, "left") == (60, shop))
        await left.hears_nothing()
        heard = await house.devices.set_muted(ADMIN, views["left"].id, muted=False)
        assert (heard.muted, heard.volume) == (False, 60)
        await left.hears(440)


async def test_a_killed_server_comes_back_with_volumes_and_zones(house: House) -> None:
    shop = house.tenant.shop.id
    async with (
        tone(house.sinks[shop], 440),
        loudspeaker(house.snapcast.stream_port, "left", house.folder) as left,
    ):
        device = await house.until("left", lambda view: view.is_online)
        await house.devices.update(ADMIN, device.id, DeviceUpdate(zone_id=shop))
        await left.hears(440)
        pid = house.snapcast.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)  # it saves its own state now and then, so it forgets ours
        (house.folder / "data/snapcast/server.json").unlink(missing_ok=True)
        await house.until("left", lambda view: not view.is_online)
        await house.until("left", lambda view: view.is_online)
        assert on_server(house, "left") == (40, shop)
        await left.hears(440)
        assert left.loudest() < 0.35


async def test_a_wish_for_a_device_that_is_away_is_kept(house: House) -> None:
    shop = house.tenant.shop.id
    port = house.snapcast.stream_port
    async with loudspeaker(port, "left", house.folder):
        device = await house.until("left", lambda view: view.is_online)
    await house.until("left", lambda view: not view.is_online)
    pid = house.snapcast.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not house.snapcast.available)
    (house.folder / "data/snapcast/server.json").unlink(missing_ok=True)
    await house.devices.update(ADMIN, device.id, DeviceUpdate(zone_id=shop))
    view = await house.devices.set_volume(ADMIN, device.id, 23)
    assert (view.volume, view.is_online) == (23, False)
    await house.snapcast.wait_available()
    async with loudspeaker(port, "left", house.folder):
        await house.until("left", lambda view: view.is_online)
        assert on_server(house, "left") == (23, shop)


async def test_what_others_change_is_adopted(house: House) -> None:
    bar = house.tenant.bar.id
    async with loudspeaker(house.snapcast.stream_port, "left", house.folder):
        await house.until("left", lambda view: view.is_online)
        volume = {"percent": 17, "muted": False}
        await house.rpc("Client.SetVolume", id="left", volume=volume)
        await house.rpc("Client.SetName", id="left", name="Küche")
        client = house.snapcast.client("left")
        assert client is not None
        stream = f"zone-{bar.hex}"
        await house.rpc("Group.SetStream", id=client.group_id, stream_id=stream)
        view = await house.until("left", lambda view: view.zone_id == bar)
        assert (view.volume, view.name) == (17, "Küche")
        assert view.client_id == house.tenant.client.id
        changed = [event for event in house.events if isinstance(event, DeviceChanged)]
        assert (changed[-1].volume, changed[-1].zone_id) == (17, bar)


async def test_a_move_into_another_tenants_zone_is_taken_back(house: House) -> None:
    other = await make_tenant("Neighbours")
    await house.snapcast.provision({other.shop.id: "Shop next door"})
    async with loudspeaker(house.snapcast.stream_port, "left", house.folder):
        device = await house.until("left", lambda view: view.is_online)
        mine = house.tenant.shop.id
        await house.devices.update(ADMIN, device.id, DeviceUpdate(zone_id=mine))
        await eventually(lambda: on_server(house, "left")[1] == mine)
        client = house.snapcast.client("left")
        assert client is not None
        stream = f"zone-{other.shop.id.hex}"
        seen: list[UUID | None] = []
        house.snapcast.subscribe(lambda news: seen.append(on_server(house, "left")[1]))
        await house.rpc("Group.SetStream", id=client.group_id, stream_id=stream)
        await eventually(lambda: other.shop.id in seen)
        await eventually(lambda: on_server(house, "left")[1] == mine)
        assert (await house.devices.view(ADMIN, device.id)).zone_id == mine


async def test_devices_of_a_deleted_zone_fall_silent(house: House) -> None:
    shop = house.tenant.shop.id
    async with (
        tone(house.sinks[shop], 440),
        loudspeaker(house.snapcast.stream_port, "left", house.folder) as left,
    ):
        device = await house.until("left", lambda view: view.is_online)
        await house.devices.update(ADMIN, device.id, DeviceUpdate(zone_id=shop))
        await left.hears(440)
        house.bus.publish(ZoneDeleted(zone_id=shop, client_id=house.tenant.client.id))
        await house.until("left", lambda view: view.zone_id is None)
        await left.hears_nothing()


@pytest.mark.parametrize("house", ["first_zone"], indirect=True)
async def test_with_one_tenant_a_new_client_may_join_the_first_zone(house: House) -> None:
    shop, port = house.tenant.shop.id, house.snapcast.stream_port
    async with (
        tone(house.sinks[shop], 440),
        loudspeaker(port, "left", house.folder) as left,
    ):
        view = await house.until("left", lambda view: view.is_online)
        assert (view.zone_id, view.volume) == (shop, 40)
        await left.hears(440)
        assert left.loudest() < 0.35
        await make_tenant("Neighbours")
        async with loudspeaker(port, "right", house.folder):
            view = await house.until("right", lambda view: view.is_online)
            assert (view.zone_id, view.client_id) == (None, None)


async def test_devices_that_were_online_are_away_until_they_are_seen(tmp_path: Path) -> None:
    bus = EventBus()
    async with fresh_database():
        await Device.create(name="Old", device_id="old", is_online=True)
        off = Snapcast(SnapcastSettings(mode="off"), tmp_path, tmp_path, bus)
        async with off, DeviceService(bus, off) as devices:
            [view] = await devices.views(ADMIN)
            assert not view.is_online
