"""A building in memory, a real mosquitto, the bridge between them, and an integrator."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from tests.devices.contract import holds
from tests.fakes.integrator import Integrator, integrating
from tests.fakes.waiting import eventually
from tests.fakes.zones import FakeDevices, FakeZones, device_view, zone_view

from antiphon.events import EventBus
from antiphon.plugins import MediaRegistry, MqttOffer, PluginContext, SchedulesOffer
from antiphon.plugins.speech import SpeechRegistry
from antiphon_devices.accounts.book import MemoryBook
from antiphon_devices.guests import Guests
from antiphon_devices.joining import Joining
from antiphon_devices.payloads import ClientInfo, FloorInfo
from antiphon_devices.service import mqtt_service
from antiphon_devices.settings import MqttSettings

MAC = "02:42:ac:11:00:02"


@dataclass
class World:
    """All that a test of MQTT needs."""

    data_dir: Path
    settings: MqttSettings = field(default_factory=lambda: MqttSettings(port=0))
    client: UUID = field(default_factory=uuid4)
    bus: EventBus = field(default_factory=EventBus)
    mqtt: MqttOffer = field(default_factory=MqttOffer)
    book: MemoryBook = field(default_factory=MemoryBook)
    media: MediaRegistry = field(default_factory=MediaRegistry)
    schedules: SchedulesOffer = field(default_factory=SchedulesOffer)
    floor_names: dict[UUID, str] = field(default_factory=dict)
    public_url: str = "https://music.example"

    def __post_init__(self) -> None:
        self.zone = zone_view(self.client)
        self.zones = FakeZones(self.bus, self.zone, zone_view(uuid4(), "Foreign"))
        self.foreign = next(z for z in self.zones.by_id.values() if z.name == "Foreign")
        self.device = device_view(self.client, self.zone.zone_id, MAC)
        self.devices = FakeDevices(self.bus, self.device)

    @property
    def here(self) -> str:
        """Where the zone's topics begin."""
        return f"client/{self.client}/zone/{self.zone.zone_id}"

    @property
    def speaker(self) -> str:
        """Where the loudspeaker's topics begin."""
        return f"client/{self.client}/device/{MAC.replace(':', '-')}"

    @property
    def floor(self) -> str:
        """Where the topics of the zone's floor begin."""
        return f"client/{self.client}/floor/{self.zone.floor_id}"

    async def floors(self) -> Mapping[UUID, FloorInfo]:
        return {
            zone.floor_id: FloorInfo(
                floor_id=zone.floor_id,
                client_id=zone.client_id,
                name=self.floor_names.get(zone.floor_id, "Ground floor"),
            )
            for zone in self.zones.by_id.values()
        }

    @property
    def url(self) -> str:
        return (self.data_dir / "integrator.url").read_text().strip()

    @property
    def enrol_url(self) -> str:
        return (self.data_dir / "enroll.url").read_text().strip()

    @property
    def joining(self) -> Joining:
        """The accounts, and who asks for one."""
        assert isinstance(self.mqtt.current, Guests)
        assert self.mqtt.current.joining is not None
        return self.mqtt.current.joining

    async def clients(self) -> Mapping[UUID, ClientInfo]:
        return {
            zone.client_id: ClientInfo(client_id=zone.client_id, name="Hotel", timezone="UTC")
            for zone in self.zones.by_id.values()
        }

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Run MQTT as the server does."""
        context = PluginContext(
            name="mqtt",
            settings=self.settings,
            bus=self.bus,
            zones=self.zones,
            devices=self.devices,
            media=self.media,
            speech=SpeechRegistry(),
            jobs=SimpleNamespace(),  # MQTT has no heavy work
            data_dir=self.data_dir,
            media_dir=self.data_dir,
            log=logging.getLogger("test.mqtt"),
            mqtt=self.mqtt,
            schedules=self.schedules,
            public_url=self.public_url,
        )
        async with mqtt_service(context, self.clients, self.floors, self.book):
            yield

    @asynccontextmanager
    async def integrator(self) -> AsyncIterator[Integrator]:
        """Somebody on the broker, as soon as that listens."""
        await eventually(self._listens)
        async with integrating(self.url, holds) as integrator:
            yield integrator

    @asynccontextmanager
    async def integrator_without_judge(self) -> AsyncIterator[Integrator]:
        """Like `integrator`, for tests in which others break the contract on purpose."""
        await eventually(self._listens)
        async with integrating(self.url, lambda _: None) as integrator:
            yield integrator

    async def broker_is_there(self) -> None:
        await eventually(self._listens)

    def _listens(self) -> bool:
        return listens(urlsplit(self.url).port or 0)


def listens(port: int) -> bool:
    """Whether somebody listens there now."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "mqtt")


@pytest.fixture
async def integrator(world: World) -> AsyncIterator[Integrator]:
    """MQTT is running, and somebody has seen its state."""
    async with world.serving(), world.integrator() as integrator:
        await integrator.hears(f"{world.here}/state")
        await integrator.hears("server/status", lambda heard: heard.payload == b"online")
        yield integrator
