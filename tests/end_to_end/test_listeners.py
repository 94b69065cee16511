"""A hundred listeners on WebSockets, while the server is stopped, killed and started again."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from tests.conftest import free_port
from tests.end_to_end.house import House
from tests.fakes.waiting import eventually

LISTENERS = 100
WAIT_S = 60.0


class Listener:
    """Follows the server as a page does: connects again after a cut, from where it was."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, zone_id: str) -> None:
        self._session = session
        self._url = url
        self._token = token
        self._zone_id = zone_id
        self._mark: dict[str, Any] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.states = 0
        self.resumed = 0
        self.volume: int | None = None
        self.heard: list[int] = []

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                async with self._session.ws_connect(self._url) as self._socket:
                    await self._socket.send_json({"token": self._token, **self._mark})
                    async for message in self._socket:
                        self._hear(message.json())
            except (aiohttp.ClientError, OSError, TypeError):
                pass  # it is away, or went while it spoke
            await asyncio.sleep(random.uniform(0.05, 0.5))

    async def cut(self) -> None:
        """Lose the connection, as a telephone does that goes through a lift."""
        assert self._socket is not None
        await self._socket.close()

    def _hear(self, message: dict[str, Any]) -> None:
        assert message["type"] != "problem", message
        if "stream" in message:
            self._mark = {name: message[name] for name in ("stream", "sequence")}
        elif "sequence" in message:
            assert message["sequence"] > self._mark["sequence"]
            self._mark["sequence"] = message["sequence"]
        match message["type"]:
            case "state":
                self.states += 1
                zones = message.get("zones") or [message["playback"]]
                mine = next(zone for zone in zones if zone["zone_id"] == self._zone_id)
                self.volume = mine["volume"]
            case "resumed":
                self.resumed += 1
            case "PlaybackChanged" if message["zone_id"] == self._zone_id:
                self.volume = message["volume"]
                self.heard.append(message["volume"])


@asynccontextmanager
async def listening(house: House, zone_id: str) -> AsyncIterator[list[Listener]]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        paths = ("ws/events", f"ws/playback/{zone_id}")
        listeners = [
            Listener(session, f"{house.url}/api/v1/{paths[number % 2]}", house._token, zone_id)
            for number in range(LISTENERS)
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(listener.run()) for listener in listeners]
            yield listeners
            for task in tasks:
                task.cancel()


async def all_know(listeners: list[Listener], volume: int) -> None:
    await eventually(lambda: all(one.volume == volume for one in listeners), WAIT_S)


async def set_volume(house: House, zone_id: str, volume: int) -> None:
    await asyncio.to_thread(house.post, f"zones/{zone_id}/playback/volume", {"volume": volume})


async def test_none_loses_the_final_state(tmp_path: Path) -> None:
    house = House(
        tmp_path,
        ANTIPHON_HTTP__PORT=str(free_port()),
        ANTIPHON_SNAPCAST__MODE="off",
        ANTIPHON_MQTT__URL="off",
        ANTIPHON_AI__WARM_UP="false",
    )
    await asyncio.to_thread(house.__enter__)
    try:
        zone_id = (await asyncio.to_thread(house.post, "zones", {"name": "Hall"}))["id"]
        async with listening(house, zone_id) as listeners:
            await eventually(lambda: all(one.states == 1 for one in listeners), WAIT_S)
            await set_volume(house, zone_id, 11)
            await all_know(listeners, 11)

            # A short cut while something happens: they go on where they were, and miss nothing.
            await asyncio.gather(*(one.cut() for one in listeners))
            for volume in (21, 22, 23):
                await set_volume(house, zone_id, volume)
            await eventually(lambda: all(one.resumed == 1 for one in listeners), WAIT_S)
            await all_know(listeners, 23)
            assert all(one.heard == [11, 21, 22, 23] for one in listeners)
            assert all(one.states == 1 for one in listeners)

            # The server is stopped just after a change: they hear of it from the next one.
            await set_volume(house, zone_id, 31)
            await asyncio.to_thread(house.stop)
            await asyncio.to_thread(house.start)
            await eventually(lambda: all(one.states == 2 for one in listeners), WAIT_S)
            await all_know(listeners, 31)

            # It is killed: all come back, and hear what happens then.
            house.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(house.process.wait, 20)
            await asyncio.to_thread(house.start)
            await set_volume(house, zone_id, 42)
            await eventually(lambda: all(one.states == 3 for one in listeners), WAIT_S)
            await all_know(listeners, 42)
    finally:
        await asyncio.to_thread(house.stop)
