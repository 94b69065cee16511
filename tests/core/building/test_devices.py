"""Who sees and touches devices, and what a driver of another type is asked to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.fakes.database import fresh_database, make_tenant

from antiphon.building.devices import DeviceService
from antiphon.building.models import Device
from antiphon.errors import Conflict, Invalid, NotFound, PartAway
from antiphon.events import DeviceChanged, DeviceRemoved, EventBus
from antiphon.plugins.devices import DeviceDriver, DeviceUpdate
from antiphon.settings.models import SnapcastSettings
from antiphon.streams import Snapcast
from antiphon.types import Principal, Role

ADMIN = Principal.system()


class HornDriver(DeviceDriver):
    """Remembers what it was asked; can be away."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object]] = []
        self.is_away = False

    @property
    def device_type(self) -> str:
        return "horn"

    async def set_volume(self, device_id: str, volume: int) -> None:
        self._ask("volume", device_id, volume)

    async def set_name(self, device_id: str, name: str) -> None:
        self._ask("name", device_id, name)

    async def assign(self, device_id: str, zone_id: UUID | None) -> None:
        self._ask("zone", device_id, zone_id)

    def _ask(self, what: str, device_id: str, value: object) -> None:
        if self.is_away:
            raise PartAway("The horn", "Switch it on.")
        self.asked.append((what, device_id, value))


class Rig:
    def __init__(self, devices: DeviceService, bus: EventBus) -> None:
        self.devices = devices
        self.bus = bus
        self.horns = HornDriver()
        self.changes: list[DeviceChanged] = []
        devices.add_driver(self.horns)
        bus.subscribe(DeviceChanged, self.changes.append)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    bus = EventBus()
    snapcast = Snapcast(SnapcastSettings(mode="off"), tmp_path, tmp_path, bus)
    async with fresh_database(), snapcast, DeviceService(bus, snapcast) as devices:
        yield Rig(devices, bus)


async def test_a_device_that_is_removed_is_gone_and_is_told_of(rig: Rig) -> None:
    ours, theirs = await make_tenant("Ours"), await make_tenant("Theirs")
    gone: list[DeviceRemoved] = []
    rig.bus.subscribe(DeviceRemoved, gone.append)
    with pytest.raises(NotFound):
        await rig.devices.remove(ours.owner, theirs.speaker.id)
    await Device.filter(id=ours.speaker.id).update(device_type="horn")
    view = await rig.devices.remove(ours.owner, ours.speaker.id)
    assert view.name == "Speaker of Ours"
    assert rig.horns.asked == [("zone", "Ours-01", None)]
    assert [(one.device_id, one.hardware_id) for one in gone] == [(ours.speaker.id, "Ours-01")]
    with pytest.raises(NotFound):
        await rig.devices.view(ADMIN, ours.speaker.id)
    assert (await rig.devices.view(ADMIN, theirs.speaker.id)).zone_id == theirs.shop.id


async def test_the_driver_of_a_devices_type_is_told_the_volume_before_the_zone(rig: Rig) -> None:
    tenant = await make_tenant("Roasters")
    tenant.bar.default_volume = 35
    await tenant.bar.save()
    horn = await Device.create(name="Horn", device_id="h1", device_type="horn")
    update = DeviceUpdate(name="  Yard ", zone_id=tenant.bar.id)
    view = await rig.devices.update(ADMIN, horn.id, update)
    assert (view.name, view.zone_id, view.volume) == ("Yard", tenant.bar.id, 35)
    assert rig.horns.asked == [
        ("volume", "h1", 35),
        ("name", "h1", "Yard"),
        ("zone", "h1", tenant.bar.id),
    ]
    [change] = rig.changes
    assert (change.device_id, change.client_id) == (horn.id, tenant.client.id)


async def test_a_wish_survives_that_the_device_is_away(rig: Rig) -> None:
    rig.horns.is_away = True
    horn = await Device.create(name="Horn", device_id="h1", device_type="horn")
    view = await rig.devices.set_volume(ADMIN, horn.id, 12)
    assert view.volume == 12
    assert (await Device.get(id=horn.id)).volume == 12


async def test_a_device_without_a_driver_keeps_its_wishes(rig: Rig) -> None:
    lamp = await Device.create(name="Lamp", device_id="l1", device_type="lamp")
    assert (await rig.devices.set_volume(ADMIN, lamp.id, 12)).volume == 12


@pytest.mark.parametrize("volume", [-1, 101, 1000])
async def test_a_volume_off_the_scale_is_refused_and_changes_nothing(rig: Rig, volume: int) -> None:
    horn = await Device.create(name="Horn", device_id="h1", device_type="horn", volume=50)
    with pytest.raises(Invalid, match="from 0 to 100"):
        await rig.devices.set_volume(ADMIN, horn.id, volume)
    assert (await Device.get(id=horn.id)).volume == 50
    assert rig.horns.asked == []


async def test_a_blank_name_and_a_zone_that_is_not_there_change_nothing(rig: Rig) -> None:
    horn = await Device.create(name="Horn", device_id="h1", device_type="horn")
    with pytest.raises(Invalid, match="blank"):
        await rig.devices.update(ADMIN, horn.id, DeviceUpdate(name="   "))
    with pytest.raises(NotFound, match="zone"):
        await rig.devices.update(ADMIN, horn.id, DeviceUpdate(name="New", zone_id=uuid4()))
    assert (await Device.get(id=horn.id)).name == "Horn"
    assert rig.horns.asked == []


async def test_tenants_neither_see_nor_move_each_others_devices(rig: Rig) -> None:
    mine, theirs = await make_tenant("Mine"), await make_tenant("Theirs")
    stray = await Device.create(name="Stray", device_id="stray")
    assert [view.id for view in await rig.devices.views(mine.owner)] == [mine.speaker.id]
    assert len(await rig.devices.views(ADMIN)) == 3
    for foreign in (theirs.speaker.id, stray.id):
        with pytest.raises(NotFound):
            await rig.devices.view(mine.owner, foreign)
        with pytest.raises(NotFound):
            await rig.devices.set_volume(mine.owner, foreign, 1)
    update = DeviceUpdate(zone_id=theirs.shop.id)
    with pytest.raises(NotFound, match="zone"):
        await rig.devices.update(mine.owner, mine.speaker.id, update)


async def test_the_only_tenant_may_adopt_what_nobody_has(rig: Rig) -> None:
    mine = await make_tenant("Mine")
    stray = await Device.create(name="A stray", device_id="stray", device_type="horn")
    names = [view.name for view in await rig.devices.views(mine.owner)]
    assert names == ["A stray", "Speaker of Mine"]
    view = await rig.devices.update(mine.owner, stray.id, DeviceUpdate(zone_id=mine.shop.id))
    assert view.client_id == mine.client.id
    with pytest.raises(NotFound):
        await rig.devices.view(mine.cellar_user, stray.id)


async def test_a_floor_user_touches_the_devices_of_that_floor_alone(rig: Rig) -> None:
    mine = await make_tenant("Mine")
    below = await Device.create(
        client=mine.client, zone=mine.bar, name="Bar", device_id="b1", device_type="horn"
    )
    assert [view.id for view in await rig.devices.views(mine.cellar_user)] == [below.id]
    assert (await rig.devices.set_volume(mine.cellar_user, below.id, 9)).volume == 9
    with pytest.raises(NotFound):
        await rig.devices.set_volume(mine.cellar_user, mine.speaker.id, 9)
    update = DeviceUpdate(zone_id=mine.shop.id)
    with pytest.raises(NotFound, match="zone"):
        await rig.devices.update(mine.cellar_user, below.id, update)


async def test_a_subscription_limits_the_number_of_devices(rig: Rig) -> None:
    mine = await make_tenant("Mine")
    mine.client.max_devices = 1
    await mine.client.save()
    stray = await Device.create(name="Stray", device_id="stray", device_type="horn")
    with pytest.raises(Conflict, match="all 1 devices"):
        await rig.devices.update(ADMIN, stray.id, DeviceUpdate(zone_id=mine.bar.id))
    assert (await Device.get(id=stray.id)).zone_id is None
    await rig.devices.update(ADMIN, mine.speaker.id, DeviceUpdate(zone_id=mine.bar.id))


async def test_a_type_has_one_driver(rig: Rig) -> None:
    with pytest.raises(ValueError, match="'horn' already have HornDriver"):
        rig.devices.add_driver(HornDriver())


async def test_staff_sees_what_nobody_has_adopted(rig: Rig) -> None:
    stray = await Device.create(name="Stray", device_id="stray")
    staff = Principal(role=Role.STAFF)
    assert [view.id for view in await rig.devices.views(staff)] == [stray.id]
    assert (await rig.devices.view(staff, stray.id)).client_id is None
