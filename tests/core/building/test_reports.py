"""Devices that a driver finds by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.core.building.test_devices import HornDriver
from tests.fakes.database import fresh_database, make_tenant

from antiphon.building.devices import DeviceService
from antiphon.building.models import Device
from antiphon.errors import Conflict, PartAway
from antiphon.events import DeviceChanged, DeviceEvent, DeviceFound, EventBus
from antiphon.plugins.devices import DeviceReport, DeviceUpdate
from antiphon.settings.models import SnapcastSettings
from antiphon.streams import Snapcast
from antiphon.types import Principal

ADMIN = Principal.system()


class Rig:
    def __init__(self, devices: DeviceService, bus: EventBus) -> None:
        self.devices = devices
        self.events: list[DeviceEvent] = []
        bus.subscribe(DeviceEvent, self.events.append)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    bus = EventBus()
    snapcast = Snapcast(SnapcastSettings(mode="off"), tmp_path, tmp_path, bus)
    async with fresh_database(), snapcast:
        await Device.create(name="Ghost", device_id="ghost", device_type="horn", is_online=True)
        async with DeviceService(bus, snapcast) as devices:
            yield Rig(devices, bus)


def horn(**changes: object) -> DeviceReport:
    fields = {"device_id": "h1", "device_type": "horn", "is_online": True, "name": "Yard"}
    return DeviceReport.model_validate({**fields, **changes})


async def test_the_first_report_makes_a_device_that_can_be_adopted(rig: Rig) -> None:
    tenant = await make_tenant("Roasters")
    view = await rig.devices.report(horn(model="TOA", ip_address="192.0.2.7"))
    assert (view.name, view.zone_id, view.volume, view.is_online) == ("Yard", None, 50, True)
    assert (view.model, view.ip_address, view.device_type) == ("TOA", "192.0.2.7", "horn")
    assert view.last_seen is not None
    assert [type(event) for event in rig.events] == [DeviceFound, DeviceChanged]
    update = DeviceUpdate(zone_id=tenant.bar.id, name="Bar", latency_ms=30)
    await rig.devices.update(ADMIN, view.id, update)
    again = await rig.devices.report(horn(is_online=False))
    assert (again.id, again.name, again.zone_id) == (view.id, "Bar", tenant.bar.id)
    assert (again.model, again.is_online, again.latency_ms) == ("TOA", False, 30)


async def test_what_is_no_news_is_not_told(rig: Rig) -> None:
    view = await rig.devices.report(horn())
    rig.events.clear()
    assert await rig.devices.report(horn(name="Other")) == view
    assert rig.events == []


async def test_a_driver_that_can_not_know_leaves_it_to_others(rig: Rig) -> None:
    assert (await rig.devices.report(horn())).is_online
    assert not (await rig.devices.report(horn(is_online=None))).is_online  # nobody else knows
    assert not (await Device.get(device_id="ghost")).is_online  # nobody said so since the start


async def test_orders_go_to_the_driver_of_the_type(rig: Rig) -> None:
    view = await rig.devices.report(horn())
    with pytest.raises(PartAway, match="horn"):
        await rig.devices.order(ADMIN, view.id, "identify", {})
    rig.devices.add_driver(HornDriver())
    with pytest.raises(Conflict, match="identify"):
        await rig.devices.order(ADMIN, view.id, "identify", {})
