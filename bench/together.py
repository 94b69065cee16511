"""A call in many zones, as loudspeakers at a real snapserver hear it: how far they are apart."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from tests.fakes.listener import Listener
from tests.fakes.waiting import eventually

from bench import house, material
from bench.figures import percentile, show

ZONES = 8
CALLS = 30
_TARGET_MS = 5.0
_PATIENCE_S = 60.0
_SETTLED_S = 15.0  # a zone that was just added is brought level within seconds


async def _place(server: house.Server, name: str, zone: str) -> None:
    """Put a loudspeaker that has just connected into a zone."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            devices = (await server.ask("GET", "devices?limit=200"))["items"]
            mine = [one for one in devices if one["device_id"] == name and one["is_online"]]
            if mine:
                await server.ask("PATCH", f"devices/{mine[0]['id']}", json={"zone_id": zone})
                return
            await asyncio.sleep(0.1)


def _onsets(listeners: list[Listener]) -> list[float]:
    """When each heard the call; none until all did."""
    onsets = [one.onset_s() for one in listeners]
    return onsets if all(onsets) else []


async def _spreads_ms(folder: Path) -> list[float]:
    _, clip = material.make(folder, clip_s=0.3)
    (folder / "data").mkdir()
    async with house.server(folder / "data") as server, AsyncExitStack() as stack:
        client = (await server.ask("GET", "clients?limit=1"))["items"][0]["id"]
        floor = await server.ask("POST", "floors", json={"client_id": client, "name": "Hall"})
        form = aiohttp.FormData({"client_id": client, "title": "Call"})
        form.add_field("file", clip.read_bytes(), filename=clip.name)
        announcement = (await server.ask("POST", "announcements", data=form))["id"]
        zones = []
        for number in range(ZONES):
            body = {"client_id": client, "floor_id": floor["id"], "name": f"Zone {number}"}
            zones.append((await server.ask("POST", "zones", json=body))["id"])
        listeners = []
        port = house.loudspeakers_port(folder / "data")
        for number, zone in enumerate(zones):
            one = await stack.enter_async_context(Listener(f"listener-{number}", port))
            await _place(server, one.name, zone)
            listeners.append(one)
        await asyncio.sleep(_SETTLED_S)
        call = {"announcement_id": announcement, "zones": zones, "chime": False}
        spreads = []
        for _ in range(CALLS):
            await eventually(lambda: all(one.is_silent() for one in listeners), _PATIENCE_S)
            for one in listeners:
                one.forget()
            await server.ask("POST", "calls", json=call)
            onsets = await eventually(lambda: _onsets(listeners), _PATIENCE_S)
            spreads.append((max(onsets) - min(onsets)) * 1000)
    return spreads


def main() -> None:
    """Print how far the first and the last loudspeaker are apart."""
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        spreads = asyncio.run(_spreads_ms(Path(folder)))
    for percent in (50, 95):
        name = f"between the loudspeakers of {ZONES} zones in a call, p{percent}"
        show(name, percentile(spreads, percent), "ms", "target", _TARGET_MS)
