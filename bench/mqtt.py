"""10,000 loudspeakers that report every 30 s: what it costs the server, and whether all arrives."""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiomqtt
from tests.fakes.zones import FakeZones, zone_view

from antiphon.building.devices import DeviceService
from antiphon.building.models import Device, Floor, Zone
from antiphon.events import EventBus
from antiphon.settings.models import SnapcastSettings
from antiphon.store import open_database
from antiphon.streams import Snapcast
from antiphon.tenancy.models import Client
from antiphon_devices.bridge import Bridge, bridged
from antiphon_devices.broker import INTEGRATOR_FILE, own_broker
from antiphon_devices.connection import Incoming
from antiphon_devices.mirror import Building
from antiphon_devices.payloads import ClientInfo
from antiphon_devices.settings import MqttSettings
from bench.figures import in_child, show

DEVICES = 10_000
ZONES = 500
REPORT_EVERY_S = 30.0
TELEMETRY_EVERY_S = 60.0
WATCHED_S = 60.0
CONNECTIONS = 10
LIMIT_PERCENT = 25.0
_ROOT = "antiphon/v1"
_SLICE_S = 0.1
_JOIN_PAUSE_S = 0.3
_PATIENCE_S = 240.0


def _key(number: int) -> str:
    return f"speaker-{number:05}"


# --- the loudspeakers -------------------------------------------------------------------------


def _state() -> str:
    """As an agent writes it; only the time differs from the one before."""
    return json.dumps(
        {
            "rev": 1795327200, "ts": datetime.now(UTC).isoformat(), "zone_id": None, "volume": 80,
            "muted": False, "latency_ms": 0, "snapclient": "connected", "source": "desired",
            "problems": [],
        }
    )  # fmt: skip


def _telemetry(number: int) -> str:
    return json.dumps(
        {"uptime_s": time.monotonic(), "cpu_pct": 3.5, "cpu_temp_c": 40 + number % 20,
         "mem_used_pct": 20.0, "disk_used_pct": 30.0, "wifi_rssi_dbm": -60, "output_level_db": -20}
    )  # fmt: skip


async def _simulate(url: str, orders: Any) -> None:
    """Some hundred loudspeakers to a connection; joins in some 15 s, reports when told."""
    parts = urlsplit(url)
    clients = [
        aiomqtt.Client(
            parts.hostname or "", parts.port or 1883, username=parts.username,
            password=parts.password, protocol=aiomqtt.ProtocolVersion.V5,
        )
        for _ in range(CONNECTIONS)
    ]  # fmt: skip
    for client in clients:
        client.pending_calls_threshold = DEVICES
        await client.__aenter__()

    async def say(number: int, kind: str, payload: str, qos: int = 1) -> None:
        topic = f"{_ROOT}/device/{_key(number)}/up/{kind}"
        await clients[number % CONNECTIONS].publish(topic, payload, qos, retain=qos == 1)

    for start in range(0, DEVICES, 200):
        for kind, payload in (("info", '{"agent": {"name": "bench"}}'), ("state", _state())):
            await asyncio.gather(*(say(n, kind, payload) for n in range(start, start + 200)))
        await asyncio.gather(*(say(n, "status", "online") for n in range(start, start + 200)))
        await asyncio.sleep(_JOIN_PAUSE_S)
    orders.send("joined")
    await _answer(orders)
    sent, measured, began = 0, 0, time.monotonic()
    while (passed := time.monotonic() - began) < WATCHED_S:
        due = round(passed * DEVICES / REPORT_EVERY_S)
        await asyncio.gather(*(say(n % DEVICES, "state", _state()) for n in range(sent, due)))
        sent = due
        due = round(passed * DEVICES / TELEMETRY_EVERY_S)
        numbers = range(measured, due)
        await asyncio.gather(*(say(n % DEVICES, "telemetry", _telemetry(n), 0) for n in numbers))
        measured = due
        await asyncio.sleep(_SLICE_S)
    orders.send(sent)
    for client in clients:
        await client.__aexit__(None, None, None)


def _speakers(url: str, orders: Any) -> None:
    logging.disable(logging.WARNING)
    asyncio.run(_simulate(url, orders))


# --- the server -------------------------------------------------------------------------------


class _Counting(Bridge):
    """The bridge as it is, and how many states came."""

    states = 0

    def received(self, message: Incoming) -> None:
        if message.topic.endswith("/up/state"):
            self.states += 1
        super().received(message)


async def _fill() -> tuple[Client, list[Zone]]:
    client = await Client.create(name="Hotel")
    floor = await Floor.create(client_id=client.id, name="Ground floor")
    zones = [Zone(client_id=client.id, floor_id=floor.id, name=f"Zone {n}") for n in range(ZONES)]
    await Zone.bulk_create(zones)
    await Device.bulk_create(
        (
            Device(
                client_id=client.id, zone_id=zones[n % ZONES].id, name=f"Speaker {n}",
                device_type="agent", device_id=_key(n), volume=80,
            )
            for n in range(DEVICES)
        ),
        batch_size=500,
    )  # fmt: skip
    return client, zones


async def _serve(folder: Path) -> dict[str, float]:
    bus = EventBus()
    log = logging.getLogger("bench")
    off = Snapcast(SnapcastSettings(mode="off"), folder, folder, bus)
    async with (
        open_database("", folder, {}),
        own_broker(MqttSettings(port=0), folder / "mqtt", log) as address,
        off,
        DeviceService(bus, off) as devices,
    ):
        client, rows = await _fill()

        async def clients() -> Mapping[UUID, ClientInfo]:
            info = ClientInfo(client_id=client.id, name="Hotel", timezone="UTC")
            return {client.id: info}

        views = [zone_view(client.id, row.name, zone_id=row.id) for row in rows]
        bridge = _Counting(Building(FakeZones(bus, *views), devices, clients), bus, _ROOT, log)
        async with bridged(bridge, address, log):
            url = (folder / "mqtt" / INTEGRATOR_FILE).read_text().strip()
            return await _watch(bridge, url)


async def _watch(bridge: _Counting, url: str) -> dict[str, float]:
    ours, theirs = multiprocessing.Pipe()
    speakers = multiprocessing.get_context("spawn").Process(target=_speakers, args=(url, theirs))
    began, cpu = time.monotonic(), time.process_time()
    speakers.start()
    await _answer(ours)
    await _quiet(bridge, DEVICES)
    figures = {"join_s": time.monotonic() - began, "join_cpu_s": time.process_time() - cpu}
    while (online := await Device.filter(is_online=True).count()) < DEVICES:
        if time.monotonic() - began > _PATIENCE_S:
            break
        await asyncio.sleep(0.5)
    assert online == DEVICES, f"{online} are online"
    states, replaced = bridge.states, bridge.inbox.replaced
    began, cpu = time.monotonic(), time.process_time()
    ours.send("go")
    sent = await _answer(ours)
    passed = time.monotonic() - began
    figures["percent"] = 100 * (time.process_time() - cpu) / passed
    await _quiet(bridge, states + sent)
    figures["sent"], figures["heard"] = sent, bridge.states - states
    figures["replaced"] = bridge.inbox.replaced - replaced
    await asyncio.to_thread(speakers.join)
    return figures


async def _answer(pipe: Any) -> Any:
    while not pipe.poll():  # noqa: ASYNC110  another process has no event for us
        await asyncio.sleep(0.05)
    return pipe.recv()


async def _quiet(bridge: _Counting, states: int) -> None:
    """Until that many states came and all is done, or it can not be expected any more."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if bridge.states >= states and bridge.inbox.is_idle and not len(bridge.outbox):
            return
        await asyncio.sleep(0.1)


def _child(folder: str) -> dict[str, float]:
    logging.disable(logging.WARNING)
    return asyncio.run(_serve(Path(folder)))


def main() -> None:
    """Print the figures."""
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        figures, _, peak_mb = in_child(_child, folder)
    show("mqtt_join", figures["join_s"], "s", "until all were online")
    show("mqtt_join_cpu", figures["join_cpu_s"], "CPU s")
    show("mqtt_reports", figures["percent"], "% of a core", "limit", LIMIT_PERCENT)
    show("mqtt_reports_sent", figures["sent"], "reports")
    show("mqtt_reports_lost", figures["sent"] - figures["heard"], "reports")
    show("mqtt_reports_replaced", figures["replaced"], "by newer ones")
    show("mqtt_memory", peak_mb, "MB")
