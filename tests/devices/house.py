"""A building with real mosquitto, snapserver and snapclients, for speaker agents to join."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from uuid import UUID

from tests.devices.conftest import listens
from tests.devices.contract import channel_of, holds
from tests.devices.test_broker import _pid_of
from tests.fakes.database import Tenant, fresh_database, make_tenant
from tests.fakes.integrator import Heard, Integrator, integrating
from tests.fakes.waiting import eventually
from tests.fakes.zones import FakeZones, zone_view

from antiphon.building.devices import DeviceService
from antiphon.events import EventBus
from antiphon.plugins import DeviceUpdate, DeviceView, PluginContext
from antiphon.plugins.media import MediaRegistry
from antiphon.plugins.speech import SpeechRegistry
from antiphon.settings.models import SnapcastSettings
from antiphon.streams import Snapcast
from antiphon.types import Principal
from antiphon_devices.guests import Guests
from antiphon_devices.joining import Joining
from antiphon_devices.service import mqtt_service
from antiphon_devices.settings import MqttSettings

ADMIN = Principal.system()
WITHIN_S = 5.0
STARTS_WITHIN_S = 40.0  # two Pythons and two snapclients, on a machine that is busy with others


def _whole_contract(heard: Heard) -> None:
    """What agents say is judged too: here, they are ours."""
    holds(heard)
    channel = channel_of(heard.topic)
    if "/up/" in heard.topic and not channel.is_text and heard.payload:
        channel.validator.validate(heard.json)
        assert heard.retain == channel.retain


@dataclass
class House:
    tenant: Tenant
    snapcast: Snapcast
    devices: DeviceService
    folder: Path
    sinks: Mapping[UUID, str]
    joining: Joining
    bus: EventBus

    @property
    def sink(self) -> str:
        """Where the sound of the shop goes in."""
        return self.sinks[self.tenant.shop.id]

    @property
    def url(self) -> str:
        return (self.folder / "mqtt" / "enroll.url").read_text().strip()

    async def let_in(self, *names: str) -> None:
        """Let loudspeakers have accounts that they need not ask for."""
        for name in names:
            state = self.folder / name / "state"
            state.mkdir(parents=True)
            (state / "secret").write_text(f"the-secret-of-{name}")
            (state / "admitted").touch()
            await self.joining.accounts.admit(name, f"the-secret-of-{name}")

    @property
    def conf(self) -> Path:
        return self.folder / "mqtt" / "mosquitto.conf"

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Integrator]:
        url = (self.folder / "mqtt" / "integrator.url").read_text().strip()
        await eventually(lambda: listens(urlsplit(url).port or 0))
        async with integrating(url, _whole_contract) as integrator:
            yield integrator

    async def until(
        self, name: str, check: Callable[[DeviceView], bool], within_s: float = WITHIN_S
    ) -> DeviceView:
        """The device with this id, once it is as it should be."""
        seen: DeviceView | None = None
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for view in await self.devices.views(ADMIN):
                        if view.device_id == name:
                            seen = view
                            if check(view):
                                return view
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{name} stays {seen}") from None

    async def adopted(self, name: str) -> DeviceView:
        view = await self.until(name, lambda v: v.is_online, STARTS_WITHIN_S)
        return await self.devices.update(ADMIN, view.id, DeviceUpdate(zone_id=self.tenant.shop.id))


@asynccontextmanager
async def living_in(tmp_path: Path) -> AsyncIterator[House]:
    """A house of which `left` and `right` are known already."""
    bus = EventBus()
    settings = SnapcastSettings(
        bind="127.0.0.1",
        stream_port=0,
        control_port=0,
        http_port=0,
        buffer_ms=300,
        codec="pcm",
    )
    async with fresh_database(mqtt="antiphon_devices.accounts.models"):
        tenant = await make_tenant("Roasters")
        tenant.shop.default_volume = 40
        await tenant.shop.save()
        async with (
            Snapcast(settings, tmp_path / "run", tmp_path / "data", bus) as snapcast,
            DeviceService(bus, snapcast) as devices,
        ):
            sinks = await snapcast.provision({tenant.shop.id: "Shop", tenant.bar.id: "Bar"})
            await snapcast.wait_available()
            context = PluginContext(
                name="mqtt",
                settings=MqttSettings(port=0),
                bus=bus,
                zones=FakeZones(bus),
                devices=devices,
                media=MediaRegistry(),
                speech=SpeechRegistry(),
                jobs=SimpleNamespace(),
                data_dir=tmp_path / "mqtt",
                media_dir=tmp_path,
                log=logging.getLogger("test.mqtt"),
            )
            async with mqtt_service(context):
                assert isinstance(context.mqtt.current, Guests)
                assert context.mqtt.current.joining is not None
                joining = context.mqtt.current.joining
                zones = context.zones
                assert isinstance(zones, FakeZones)
                for zone in (tenant.shop, tenant.bar):
                    zones.add(zone_view(tenant.client.id, zone.name, zone_id=zone.id))
                house = House(tenant, snapcast, devices, tmp_path, sinks, joining, bus)
                await eventually(lambda: _pid_of(house.conf))
                await house.let_in("left", "right")
                yield house
