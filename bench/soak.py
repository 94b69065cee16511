"""The whole server with 32 zones of music, calls at random and a busy API, for an hour.

`ANTIPHON_SOAK_MINUTES` sets another length. Prints a line each minute, and the sum at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from bench import house, material
from bench.figures import percentile, show
from bench.standstill import told, watched

ZONES = 32
READS_PER_S = 200
READERS = 8
CALL_EVERY_S = 4.0


async def furnish(server: house.Server, files: list[Path], clip: Path) -> tuple[list[str], str]:
    """Zones that play, each at another place of the music, and an announcement."""
    client = (await server.ask("GET", "clients?limit=1"))["items"][0]["id"]
    floor = await server.ask("POST", "floors", json={"client_id": client, "name": "Soak"})

    async def upload(path: str, file: Path, **fields: str) -> str:
        form = aiohttp.FormData({"client_id": client, **fields})
        form.add_field("file", await asyncio.to_thread(file.read_bytes), filename=file.name)
        return str((await server.ask("POST", path, data=form))["id"])

    music = [await upload("music", file) for file in files]
    announcement = await upload("announcements", clip, title="Soak")
    zones = []
    for number in range(ZONES):
        body = {"client_id": client, "floor_id": floor["id"], "name": f"Zone {number}"}
        zones.append(str((await server.ask("POST", "zones", json=body))["id"]))
    for number, zone in enumerate(zones):
        turned = music[number % len(music) :] + music[: number % len(music)]
        body = {"music_ids": turned, "crossfade_s": 3, "repeat": "all"}
        await server.ask("POST", f"zones/{zone}/playback/play", json=body)
        await server.ask("POST", f"zones/{zone}/playback/seek", json={"position_s": number * 4.0})
    return zones, announcement


async def _reads(server: house.Server, zones: list[str], spent_ms: list[float]) -> None:
    """One reader's part of the API's load: state of zones and lists, at an even pace."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = max(due + READERS / READS_PER_S, loop.time() - 1)
        await asyncio.sleep(max(0.0, due - loop.time()))
        path = random.choice(  # noqa: S311
            [f"zones/{random.choice(zones)}/playback", "zones?limit=50", "calls", "health"]  # noqa: S311
        )
        began = loop.time()
        try:
            await server.ask("GET", path)
        except house.Refused as refused:  # a starved machine is not ready, and says so
            print(refused, flush=True)
        spent_ms.append((loop.time() - began) * 1000)


async def _calls(server: house.Server, zones: list[str], announcement: str) -> None:
    while True:
        await asyncio.sleep(random.expovariate(1 / CALL_EVERY_S))
        chosen = random.sample(zones, random.choice([1, 1, 2, 8, ZONES]))  # noqa: S311
        body = {
            "announcement_id": announcement,
            "zones": chosen,
            "band": random.choice(["spot", "announcement", "page"]),  # noqa: S311
        }
        await server.ask("POST", "calls", json=body)


async def _listen(server: house.Server, lost: Counter[str], over: Counter[str]) -> None:
    """What the server says by itself: lost sound, silent zones, calls that are over."""
    async with server.session.ws_connect("/api/v1/ws/events") as socket:
        async for message in socket:
            event = json.loads(message.data)
            kind = event.get("event") or event.get("type")
            data = event.get("data", event)
            if kind == "ZoneStarved":
                lost[data["reason"]] += round(data["seconds"] * 1000)
            elif kind == "ZoneSilent":
                lost["silent zones"] += 1
            elif kind == "CallChanged":
                over[data["state"]] += 1


async def _soak(folder: Path, minutes: float) -> None:
    files, clip = material.make(folder)
    (folder / "data").mkdir()
    lost: Counter[str] = Counter()
    over: Counter[str] = Counter()
    spent_ms: list[float] = []
    still = folder / "standstill"
    async with house.server(folder / "data") as server, AsyncExitStack() as stack:
        zones, announcement = await furnish(server, files, clip)
        await asyncio.sleep(15)  # imports are measured, programmes have begun
        stack.enter_context(watched(still))
        first = house.memory_mb(server.pid)
        tasks = [
            asyncio.create_task(_listen(server, lost, over)),
            asyncio.create_task(_calls(server, zones, announcement)),
            *(asyncio.create_task(_reads(server, zones, spent_ms)) for _ in range(READERS)),
        ]
        began = time.monotonic()
        while (minute := (time.monotonic() - began) / 60) < minutes:
            done, _ = await asyncio.wait(tasks, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # none of them ends by itself
            main_mb, renderer_mb = house.memory_mb(server.pid)
            print(
                f"minute {minute + 1:.0f}: lost ms {dict(lost)}, "
                f"calls {over['completed']} completed, {over['cut']} cut, "
                f"{over['failed']} failed; main {main_mb:.0f} MB, "
                f"renderer {renderer_mb:.0f} MB, {len(spent_ms)} reads; "
                f"the machine stood still {sum(told(still)) * 1000:.0f} ms",
                flush=True,
            )
        for task in tasks:
            task.cancel()
        last = house.memory_mb(server.pid)
    show("sound lost", sum(lost.values()), "ms", f"{ZONES} zones, {minutes:g} minutes; target", 0)
    stills = told(still)
    show("the machine itself stood still", sum(stills) * 1000, "ms", f"{len(stills)} times")
    show("its longest standstill", max(stills, default=0.0) * 1000, "ms")
    show("calls completed in a zone", over["completed"], "calls")
    show("reads", len(spent_ms) / minutes / 60, "1/s", "wanted", READS_PER_S)
    show("read under load, p99", percentile(spent_ms, 99), "ms")
    show("memory of the server at the end", last[0], "MB", "after the start", first[0])
    show("memory of the renderer at the end", last[1], "MB", "after the start", first[1])


def main() -> None:
    """Run for the time that the environment says."""
    minutes = float(os.environ.get("ANTIPHON_SOAK_MINUTES", "60"))
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        asyncio.run(_soak(Path(folder), minutes))
