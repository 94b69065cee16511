"""From a call that arrives by REST or MQTT to its first sample, in a whole server of 32 zones.

The zones' sound leaves by TCP, as for a snapserver on another machine, and is read here.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import aiomqtt

from bench import house, material
from bench.figures import percentile, show
from bench.soak import ZONES, furnish

CALLS = 100
_SETTLED_S = 15.0  # what was uploaded is measured
_QUIET_BYTES = 19_200  # a tenth of a second


class _Ear:
    """Reads one zone, and tells when it was silent before and is not any more."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.heard: asyncio.Queue[float] = asyncio.Queue()
        self.quiet = asyncio.Event()
        self._reader = reader

    async def listen(self) -> None:
        """Until cancelled, or the zone hangs up."""
        silent_bytes = 0
        while data := await self._reader.read(1 << 16):
            is_loud = any(data)
            if is_loud and silent_bytes >= _QUIET_BYTES:
                self.heard.put_nowait(asyncio.get_running_loop().time())
            silent_bytes = 0 if is_loud else silent_bytes + len(data)
            (self.quiet.set if silent_bytes >= _QUIET_BYTES else self.quiet.clear)()


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass


async def _delays(call: Callable[[], Awaitable[None]], ear: _Ear) -> list[float]:
    """Milliseconds from each call to its first sample."""
    loop = asyncio.get_running_loop()
    delays = []
    for number in range(CALLS):
        await ear.quiet.wait()
        await asyncio.sleep(number * 0.0137 % 0.02)  # anywhere in a block
        sent = loop.time()
        await call()
        delays.append((await ear.heard.get() - sent) * 1000)
    return delays


async def _measure(folder: Path) -> tuple[list[float], list[float]]:
    files, clip = material.make(folder, clip_s=0.3)
    data = folder / "data"
    data.mkdir()
    wished = {
        "SNAPCAST__MODE": "external",
        "SNAPCAST__CONTROL_PORT": "9",
        "MQTT__URL": "",
        "MQTT__PORT": "0",
    }
    async with house.server(data, **wished) as server, AsyncExitStack() as stack:
        zones, announcement = await furnish(server, files, clip)
        # The probe is a zone without music: a call there has no duck to wait for.
        first = await server.ask("GET", f"zones/{zones[0]}")
        place = {name: first[name] for name in ("client_id", "floor_id")}
        probe = (await server.ask("POST", "zones", json=place | {"name": "Probe"}))["id"]
        ports = json.loads((data / "snapcast" / "antiphon.json").read_text())["ports"]
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for zone in zones:
            reader, writer = await asyncio.open_connection("127.0.0.1", ports[UUID(zone).hex])
            stack.callback(writer.close)
            stack.callback(tasks.create_task(_drain(reader)).cancel)
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[UUID(probe).hex])
        stack.callback(writer.close)
        ear = _Ear(reader)
        stack.callback(tasks.create_task(ear.listen()).cancel)
        body = {"announcement_id": announcement, "zones": [probe], "chime": False}

        await asyncio.sleep(_SETTLED_S)

        async def by_rest() -> None:
            await server.ask("POST", "calls", json=body)

        url = urlsplit((data / "plugins" / "mqtt" / "integrator.url").read_text().strip())
        broker = await stack.enter_async_context(
            aiomqtt.Client(
                url.hostname or "", url.port or 1883, username=url.username, password=url.password
            )
        )
        topic = f"antiphon/v1/client/{place['client_id']}/zone/{probe}/cmd/announce"
        order = json.dumps({"announcement_id": announcement, "chime": False})

        async def by_mqtt() -> None:
            await broker.publish(topic, order, qos=1)

        return await _delays(by_rest, ear), await _delays(by_mqtt, ear)


def main() -> None:
    """Print how long both ways take."""
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        rest, mqtt = asyncio.run(_measure(Path(folder)))
    for way, delays in (("REST", rest), ("MQTT", mqtt)):
        name = f"call by {way} to first sample, {ZONES} zones"
        show(f"{name}, p50", percentile(delays, 50), "ms", "target", 25.0)
        show(f"{name}, p99", percentile(delays, 99), "ms", "target", 80.0)
