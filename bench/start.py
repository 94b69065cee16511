"""From `antiphon run` to the first sound, with 1,000 tracks; memory of the idle server."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
import uuid
from pathlib import Path

import aiohttp

from antiphon.store.database import FILE_NAME
from bench import house, material
from bench.figures import median, show

TRACKS = 1_000
RUNS = 5


async def _prepare(data: Path, folder: Path) -> str:
    """A zone that plays, and a library of 1,000 rows; returns the zone."""
    files, _ = material.make(folder, tracks=1)
    async with house.server(data) as server:
        client = (await server.ask("GET", "clients?limit=1"))["items"][0]["id"]
        place = {"client_id": client, "name": "Bench"}
        floor = await server.ask("POST", "floors", json=place)
        zone = await server.ask("POST", "zones", json=place | {"floor_id": floor["id"]})
        form = aiohttp.FormData({"client_id": client})
        form.add_field("file", await asyncio.to_thread(files[0].read_bytes), filename="track.mp3")
        track = (await server.ask("POST", "music", data=form))["id"]
        play = {"music_ids": [track], "repeat": "all"}
        await server.ask("POST", f"zones/{zone['id']}/playback/play", json=play)
    _multiply(data / FILE_NAME)
    return str(zone["id"])


def _multiply(database: Path) -> None:
    with sqlite3.connect(database) as rows:
        names = [row[1] for row in rows.execute("PRAGMA table_info(music_file)")]
        others = ", ".join(f'"{name}"' for name in names if name not in ("id", "place"))
        for _ in range(TRACKS - 1):
            new = str(uuid.uuid4())
            rows.execute(
                f'INSERT INTO music_file ("id", "place", {others}) '  # noqa: S608
                f"SELECT ?, ?, {others} FROM music_file LIMIT 1",
                (new, new),
            )


async def _first_sound_s(data: Path, zone: str) -> tuple[float, float]:
    """Seconds from the start to the music's moving on, and the memory a moment later."""
    began = time.monotonic()
    async with house.server(data) as server:
        position = None
        while True:
            view = await server.ask("GET", f"zones/{zone}/playback")
            if position is not None and view["position_s"] > position:
                break
            position = view["position_s"] if view["track"] else None
        spent_s = time.monotonic() - began
        await asyncio.sleep(5)
        return spent_s, sum(house.memory_mb(server.pid))


def main() -> None:
    """Print the medians."""
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as name:
        folder, data = Path(name), Path(name) / "data"
        data.mkdir()
        zone = asyncio.run(_prepare(data, folder))
        found = [asyncio.run(_first_sound_s(data, zone)) for _ in range(RUNS)]
    show("start to first sound", median([one[0] for one in found]), "s", "target", 3.0)
    show("memory of the idle server", median([one[1] for one in found]), "MB", "target", 150.0)
