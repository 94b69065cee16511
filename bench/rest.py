"""Reads of the API against a bare aiohttp handler; lists and search over a large library."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web

from antiphon.app import prepare
from antiphon.building.models import Device, Floor, Zone
from antiphon.store import open_database
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.tokens import Tokens, load_secret_key
from antiphon.tenancy.users import create_client
from antiphon.types import Role
from bench import house
from bench.figures import percentile, show

ZONES, TRACKS, FLOORS = 1_000, 100_000, 20
READS, LISTS = 500, 40
TARGET_RATIO, TARGET_MS = 2.5, 50.0

_WORDS = """
amber autumn blue bossa bright brook calm city cloud coast coral dawn deep drift dusk east echo
ember evening fall field fire fog forest garden glass gold green harbour hill hollow home island
ivory jazz lake lantern leaf light lilac little long love lunar meadow mist moon morning night
north ocean open orchid paper quiet rain river road rose sand sea shade shore silver sky slow snow
song south spring star still stone storm summer sun tide tree vale velvet violet walk water wave
west wild willow wind winter wood
"""


def main() -> None:
    """Print the ratios and the lists' times."""
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> None:
    token, zone_id = await _fill(folder)
    wished = {"SNAPCAST__MODE": "off", "LOG__LEVEL": "warning"}
    async with house.server(folder, **wished) as server:
        await asyncio.to_thread(_ask, int(server.url.rpartition(":")[2]), token, zone_id)


def _ask(port: int, token: str, zone_id: UUID) -> None:
    with _Connection(port, token) as ours:
        _reads(ours, zone_id)
        _lists(ours)


def _reads(ours: _Connection, zone_id: UUID) -> None:
    """State that is in memory, one question after the other on one connection."""
    for name, path in (
        ("health/live", "health/live"),
        ("playback of a zone", f"zones/{zone_id}/playback"),
        ("a zone", f"zones/{zone_id}"),
    ):
        body = ours.get(path)
        with _process(_bare, body) as port, _Connection(port, "") as bare:
            theirs_us, ours_us = [], []
            for _ in range(5):  # turn by turn, so that both meet the same noise
                theirs_us += bare.times("bare", READS // 5)
                ours_us += ours.times(path, READS // 5)
        for percent in (50, 95):
            value, limit = percentile(ours_us, percent), percentile(theirs_us, percent)
            against = f"target {TARGET_RATIO}; bare aiohttp"
            show(f"read of {name}, p{percent}", value, "us", against, limit)


def _lists(ours: _Connection) -> None:
    for name, path in (
        ("zones, first page", "zones?limit=50"),
        ("zones, last page", f"zones?limit=50&offset={ZONES - 50}"),
        ("zones, search", "zones?search=zone%2077"),
        ("devices, first page", "devices?limit=50"),
        ("devices, last page", f"devices?limit=50&offset={ZONES - 50}"),
        ("devices, search", "devices?search=speaker%2077"),
        ("music, first page", "music?limit=50"),
        ("music, in the middle", f"music?limit=50&offset={TRACKS // 2}"),
        ("music, by artist", "music?limit=50&ordering=artist"),
        ("music, newest first", "music?limit=50&ordering=-created_at"),
        ("music, search for one word", "music?limit=50&search=lantern"),
        ("music, search for two words", "music?limit=50&search=moon%20velv"),
        ("music, search in vain", "music?limit=50&search=xylophone"),
        ("audit log", "audit-logs?limit=50"),
        ("stats", "stats"),
    ):
        spent_ms = [us / 1000 for us in ours.times(path, LISTS)]
        for percent in (50, 95):
            show(f"{name}, p{percent}", percentile(spent_ms, percent), "ms", "target", TARGET_MS)


class _Connection:
    """A blocking keep-alive connection: costs next to nothing beside what it measures."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._head = f"Host: bench\r\nAuthorization: Bearer {token}\r\n\r\n"

    def __enter__(self) -> _Connection:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def times(self, path: str, count: int) -> list[float]:
        """The microseconds of each of `count` questions, behind some to warm up."""
        for _ in range(5):
            self.get(path)
        spent = []
        for _ in range(count):
            began = time.perf_counter()
            self.get(path)
            spent.append((time.perf_counter() - began) * 1e6)
        return spent

    def get(self, path: str) -> bytes:
        """The body of an answer of 200."""
        self._socket.sendall(f"GET /api/v1/{path} HTTP/1.1\r\n{self._head}".encode())
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._socket.recv(1 << 20)
        head, body = received[:end].decode(), received[end + 4 :]
        if " 200 " not in head.partition("\r\n")[0]:
            raise AssertionError(f"{path}: {head}\n{body!r}")
        size = int(head.lower().split("content-length:")[1].split("\r\n")[0])
        while len(body) < size:
            body += self._socket.recv(1 << 20)
        return body


@contextmanager
def _process(work: Callable[..., None], argument: Any) -> Iterator[int]:
    """A server in a process of its own, for as long as this lasts; yields its port."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=work, args=(argument, sending))
    child.start()
    try:
        if not receiving.poll(120):
            raise TimeoutError("The server did not start")
        yield int(receiving.recv())
    finally:
        child.terminate()
        child.join()


def _bare(body: bytes, told: Any) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/api/v1/bare", handler)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


async def _fill(folder: Path) -> tuple[str, UUID]:
    """A client with many zones, loudspeakers and tracks; a token of its owner, and a zone."""
    _, plugins = prepare({"ANTIPHON_DATA_DIR": str(folder)})
    async with open_database("", folder, plugins.tables()):
        client = await create_client("Bench")
        user = await User.create(
            email="owner@example.org",
            role=Role.CLIENT,
            client=client,
            password_hash="-",  # noqa: S106  nobody logs in with it
        )
        zones = await _building(client)
        await _music(client)
        return Tokens(load_secret_key(folder / "secret.key"), 36_000).issue(user.id)[0], zones[7].id


async def _building(client: Client) -> list[Zone]:
    floors = [Floor(client_id=client.id, name=f"Floor {number}") for number in range(FLOORS)]
    await Floor.bulk_create(floors)
    zones = [
        Zone(client_id=client.id, floor_id=floors[number % FLOORS].id, name=f"Zone {number}")
        for number in range(ZONES)
    ]
    await Zone.bulk_create(zones, batch_size=500)
    devices = [
        Device(client_id=client.id, zone_id=zone.id, name=f"Loudspeaker {n}", device_id=f"d{n}")
        for n, zone in enumerate(zones)
    ]
    await Device.bulk_create(devices, batch_size=500)
    return zones


async def _music(client: Client) -> None:
    from antiphon_music.library import refresh_search
    from antiphon_music.models import MusicFile

    pick = random.Random(7)  # noqa: S311  the same library each time

    words = _WORDS.split()

    def some(count: int) -> str:
        return " ".join(pick.choices(words, k=count)).title()

    artists = [some(2) for _ in range(2_000)]
    rows = []
    for number in range(TRACKS):
        key, artist = uuid4(), pick.choice(artists)
        row = MusicFile(
            id=key,
            client_id=client.id,
            file=f"{client.id}/{key}.mp3",
            filename=f"{number:05} {artist}.mp3",
            file_size=4_000_000,
            title=f"{some(3)} {number}",
            artist=artist,
            album=some(2),
            genre=some(1),
            duration_s=200.0,
            content_hash=f"{number:064x}",
            place=f"{number:064x}",
            measured_at="2026-01-01T00:00:00+00:00",
        )
        refresh_search(row)
        rows.append(row)
    await MusicFile.bulk_create(rows, batch_size=500)
