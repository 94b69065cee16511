"""3,500 entities announced to Home Assistant: at the server's start, and again at its birth."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

from tests.fakes.zones import FakeDevices, FakeZones, device_view, zone_view

from antiphon.events import EventBus
from antiphon.plugins import MediaRegistry, PluginContext, SpeechRegistry
from antiphon_devices.broker import own_broker
from antiphon_devices.mirror import no_floors
from antiphon_devices.payloads import ClientInfo
from antiphon_devices.service import mqtt_service
from antiphon_devices.settings import MqttSettings
from antiphon_homeassistant.bridge import Bridge
from antiphon_homeassistant.settings import HomeAssistantSettings
from bench.figures import show

ZONES = 159
PLAYERS_PER_ZONE = 2
ENTITIES = 6 + ZONES * (14 + PLAYERS_PER_ZONE * 4)
_QUIET_S = 2.0
_JITTER_S = 1.0
_TOPICS = "homeassistant/+/+/+/config"


async def _seen(url: str, *, retained: bool) -> None:
    """Wait until another process has read all announcements from the broker."""
    old = [] if retained else ["-R"]
    reader = await asyncio.create_subprocess_exec(
        "mosquitto_sub", "-L", f"{url}/{_TOPICS}", "-q", "1", "-C", str(ENTITIES), "-N", *old,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await reader.wait() == 0


def _context(folder: Path, url: str, client_id: UUID) -> PluginContext:
    bus = EventBus()
    zones = [zone_view(client_id, f"Zone {number}") for number in range(ZONES)]
    devices = [
        device_view(client_id, zone.zone_id, f"speaker-{index}-{number}")
        for index, zone in enumerate(zones)
        for number in range(PLAYERS_PER_ZONE)
    ]
    return PluginContext(
        name="mqtt",
        settings=MqttSettings.model_validate({"url": url}),
        bus=bus,
        zones=FakeZones(bus, *zones),
        devices=FakeDevices(bus, *devices),
        media=MediaRegistry(),
        speech=SpeechRegistry(),
        jobs=SimpleNamespace(),  # nothing here has heavy work
        data_dir=folder,
        media_dir=folder,
        log=logging.getLogger("bench"),
    )


async def _measure(folder: Path) -> tuple[float, float]:
    client_id = uuid4()

    async def clients() -> Mapping[UUID, ClientInfo]:
        return {client_id: ClientInfo(client_id=client_id, name="Hotel", timezone="UTC")}

    log = logging.getLogger("bench")
    async with own_broker(MqttSettings(port=0), folder, log):
        url = (folder / "integrator.url").read_text().strip()
        context = _context(folder, url, client_id)
        began = time.perf_counter()
        async with mqtt_service(context, clients, no_floors):
            mqtt = await context.mqtt.accept()
            settings = HomeAssistantSettings()
            bridge = Bridge(mqtt, settings, log, quiet_s=_QUIET_S, jitter_s=(_JITTER_S, _JITTER_S))
            working = asyncio.create_task(bridge.run())
            await _seen(url, retained=True)
            start_s = time.perf_counter() - began
            again = asyncio.create_task(_seen(url, retained=False))
            await asyncio.sleep(1.0)  # until the reader has subscribed
            began = time.perf_counter()
            await _born(url)
            await again
            birth_s = time.perf_counter() - began
            working.cancel()
            await asyncio.wait([working])
    return start_s, birth_s


async def _born(url: str) -> None:
    birth = await asyncio.create_subprocess_exec(
        "mosquitto_pub", "-L", f"{url}/homeassistant/status", "-m", "online"
    )
    assert await birth.wait() == 0


def main() -> None:
    """Print how long it takes until somebody else has read it all."""
    with tempfile.TemporaryDirectory() as folder:
        start_s, birth_s = asyncio.run(_measure(Path(folder)))
    show("discovery entities", ENTITIES, "entities")
    show("discovery at start", start_s, "s", f"of these {_QUIET_S} s reading what is there")
    show("discovery at birth", birth_s, "s", f"of these {_JITTER_S} s jitter")
