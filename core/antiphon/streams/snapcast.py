"""`Snapcast`: what the rest of Antiphon sees of snapserver, wherever that runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from antiphon.errors import PartAway, PartTimedOut, ProgramMissing, Unavailable
from antiphon.events import EventBus, PartChanged
from antiphon.settings.models import SnapcastSettings
from antiphon.streams.child import ChildServer
from antiphon.streams.config import Ports, stream_name
from antiphon.streams.control import Json, SnapcastControl
from antiphon.streams.external import ExternalServer
from antiphon.streams.home import Home
from antiphon.streams.news import ClientChanged, ClientNews, ClientsSynced, ServerLost
from antiphon.streams.state import ServerState, SnapClient, apply_notification, read_status
from antiphon.streams.watchdog import Watchdog

_log = logging.getLogger(__name__)
PART = "snapserver"
_HERE = ("127.0.0.1", "::1", "localhost")


class Snapcast:
    """Streams for zones, and the clients that hear them. All methods run on the main loop.

    Without a server (mode off, or the program is not installed) the sinks are `null:`, there are
    no clients, and commands raise PartAway: music still plays, for those who listen over HTTP.
    """

    def __init__(
        self, settings: SnapcastSettings, run_dir: Path, data_dir: Path, bus: EventBus
    ) -> None:
        self._settings = settings
        self._run_dir = run_dir
        self._data_dir = data_dir
        self._bus = bus
        self._stack = AsyncExitStack()
        self._home: Home | None = None
        self._control = SnapcastControl(self._address, self)
        self._state = ServerState()
        self._synced = asyncio.Event()
        self._handlers: list[Callable[[ClientNews], None]] = []
        self._away_reason: str | None = None
        self._told: tuple[bool, str | None] | None = None
        self._adding: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def latency_s(self) -> float:
        """How long sound takes from its sink to the loudspeakers.

        Snapserver dates a chunk by when it began to read it, which is half a chunk before the
        middle of what it found waiting.
        """
        if self._settings.mode == "off":
            return 0.0
        return (self._settings.buffer_ms - self._settings.chunk_ms / 2) / 1000

    async def __aenter__(self) -> Self:
        """Start or begin to connect; never waits for the server, never fails because of it.

        Raises Misconfigured where an address in the settings is not one of this machine.
        """
        if self._settings.mode == "off":
            return self
        if self._settings.mode == "external":
            self._home = ExternalServer(self._settings, self._data_dir)
        else:
            child = ChildServer(self._settings, self._run_dir, self._data_dir, self._on_away)
            try:
                self._home = await self._stack.enter_async_context(child)
            except ProgramMissing as error:
                self._tell(is_up=False, message=f"{error} Zones are heard over HTTP until then.")
                return self
        await self._stack.enter_async_context(self._control)
        if isinstance(self._home, ChildServer):
            watchdog = Watchdog(self._home, self._control, self._synced)
            self._watching = asyncio.create_task(watchdog.run(), name="snapserver watchdog")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up, and stop a server of our own."""
        for task in (self._adding, self._watching):
            if task is not None:
                task.cancel()
        await self._stack.aclose()

    @property
    def available(self) -> bool:
        """Whether the server answers now."""
        return self._synced.is_set()

    @property
    def message(self) -> str | None:
        """Why the server is away, or what a person must do for the zones to be heard."""
        return self._told[1] if self._told else None

    @property
    def new_clients_join_first_zone(self) -> bool:
        """Whether the settings want a loudspeaker that nobody has assigned to be heard."""
        return self._settings.unassigned == "first_zone"

    @property
    def ports(self) -> Ports:
        """Where the server listens; zeros when there is none."""
        return self._home.ports if self._home else Ports(0, 0, 0)

    @property
    def elsewhere(self) -> str | None:
        """The host of a server that is not on this machine."""
        is_far = self._settings.mode == "external" and self._settings.host not in _HERE
        return self._settings.host if is_far else None

    @property
    def stream_port(self) -> int:
        """The port for loudspeakers."""
        return self.ports.stream

    @property
    def control_port(self) -> int:
        """The port for JSON-RPC over TCP, on loopback for a server of our own."""
        return self.ports.control

    @property
    def http_port(self) -> int:
        """The port for JSON-RPC over HTTP and WebSocket, likewise."""
        return self.ports.http

    @property
    def pid(self) -> int | None:
        """The process of a server of our own, while there is one."""
        return self._home.pid if isinstance(self._home, ChildServer) else None

    async def wait_available(self, timeout_s: float = 10.0) -> None:
        """Return when the server answers. Raises PartTimedOut."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._synced.wait()
        except TimeoutError:
            raise PartTimedOut(PART, "a first request", timeout_s) from None

    async def provision(self, zones: Mapping[UUID, str]) -> Mapping[UUID, str]:
        """See to a stream for each zone (id to name); returns the renderer's sink for each.

        The first call names all zones there are; later ones add to them. Call it again at will:
        what is there stays as it is.
        """
        if self._home is None:
            return dict.fromkeys(zones, "null:")
        return await self._home.provide(zones.keys(), self._control)

    async def remove(self, zone_id: UUID) -> None:
        """Take a zone's stream away. Whoever hears it is put on the silent one.

        That is not told as a change: they get their zone back when it is provisioned again.
        """
        if self._home is None:
            return
        for client in self.clients():
            if client.zone_id == zone_id:
                with contextlib.suppress(Unavailable):
                    await self.assign(client.id, None)
        await self._home.withdraw(zone_id, self._control)

    def clients(self) -> Sequence[SnapClient]:
        """All clients that the server knows, connected or not; none while it is away."""
        return tuple(self._state.clients.values())

    def client(self, client_id: str) -> SnapClient | None:
        """One client, if the server knows it."""
        return self._state.clients.get(client_id)

    def subscribe(self, handler: Callable[[ClientNews], None]) -> Callable[[], None]:
        """Call `handler` with all news about clients; returns the function that ends it."""
        self._handlers.append(handler)
        return lambda: self._handlers.remove(handler)

    async def set_volume(self, client_id: str, percent: int) -> None:
        """Set a client's volume; one that is muted stays so."""
        client = self._client(client_id)
        volume = {"percent": percent, "muted": client.is_muted}
        await self._control.request("Client.SetVolume", {"id": client.id, "volume": volume})
        self._note(client_id, volume=percent)

    async def set_muted(self, client_id: str, *, muted: bool) -> None:
        """Silence a client, or let it be heard again at its volume."""
        client = self._client(client_id)
        volume = {"percent": client.volume, "muted": muted}
        await self._control.request("Client.SetVolume", {"id": client.id, "volume": volume})
        self._note(client_id, is_muted=muted)

    async def set_name(self, client_id: str, name: str) -> None:
        """Show a client under this name in other controllers too."""
        client = self._client(client_id)
        await self._control.request("Client.SetName", {"id": client.id, "name": name})
        self._note(client_id, name=name)

    async def set_latency(self, client_id: str, latency_ms: int) -> None:
        """Set how long a client's own equipment takes."""
        client = self._client(client_id)
        params = {"id": client.id, "latency": latency_ms}
        await self._control.request("Client.SetLatency", params)
        self._note(client_id, latency_ms=latency_ms)

    async def assign(self, client_id: str, zone_id: UUID | None) -> None:
        """Let a client hear a zone, or nothing; it leaves a group that it shares with others.

        Raises PartAway for a client that the server does not know, and for a zone without stream.
        """
        client = self._client(client_id)
        stream = stream_name(zone_id)
        if stream not in self._state.streams:
            raise PartAway(f"The stream of zone {zone_id}", "It follows when its stream is there.")
        others = [
            other.id
            for other in self._state.clients.values()
            if other.group_id == client.group_id and other.id != client_id
        ]
        if others:
            params = {"id": client.group_id, "clients": others}
            result = await self._control.request("Group.SetClients", params)
            self._state = read_status(result)
            client = self._client(client_id)
        params = {"id": client.group_id, "stream_id": stream}
        await self._control.request("Group.SetStream", params)
        self._note(client_id, stream=stream)

    def on_status(self, status: Json) -> None:
        """See `control.Listener`."""
        state = read_status(status)
        is_first = not self._synced.is_set()
        has_new_streams = is_first or bool(state.streams - self._state.streams)
        if is_first:
            self._state = state
            self._synced.set()
            self._away_reason = None
            self._tell(is_up=True)
        else:
            self._adopt(state)
        if has_new_streams:
            self._publish(ClientsSynced(tuple(state.clients.values())))
        if self._adding is None or self._adding.done():
            self._adding = asyncio.create_task(self._see_to_streams(is_first=is_first))

    def on_notification(self, method: str, params: Json) -> None:
        """See `control.Listener`."""
        state = apply_notification(self._state, method, params)
        if state is None:
            self._control.refresh()
        else:
            self._adopt(state)

    def on_lost(self, reason: str) -> None:
        """See `control.Listener`."""
        was_there = self._synced.is_set()
        self._synced.clear()
        self._state = ServerState()
        self._tell(is_up=False, message=self._away_reason or reason)
        if was_there:
            self._publish(ServerLost())

    async def _see_to_streams(self, *, is_first: bool) -> None:
        if self._home is None:
            return
        streams = self._state.streams
        advice = await self._home.on_status(streams, self._control, is_first=is_first)
        if self.available:
            self._tell(is_up=True, message=advice)

    def _address(self) -> tuple[str, int]:
        if self._home is None:
            raise AssertionError("the connection is made when it is known where to")
        return self._home.address()

    def _client(self, client_id: str) -> SnapClient:
        if not self.available:
            raise PartAway(PART, "Check that it is installed and running.")
        if (client := self._state.clients.get(client_id)) is None:
            raise PartAway(f"The loudspeaker {client_id}", "It has not connected yet.")
        return client

    def _note(self, client_id: str, **changes: object) -> None:
        """Keep what we changed ourselves: the server tells that to others alone."""
        if client := self._state.clients.get(client_id):
            self._state = self._state.with_client(replace(client, **changes))  # type: ignore[arg-type]

    def _adopt(self, state: ServerState) -> None:
        before, self._state = self._state.clients, state
        for client_id in {**before, **state.clients}:
            old, new = before.get(client_id), state.clients.get(client_id)
            if old != new:
                self._publish(ClientChanged(old, new))

    def _publish(self, news: ClientNews) -> None:
        for handler in tuple(self._handlers):
            handler(news)

    def _on_away(self, reason: str) -> None:
        self._away_reason = reason
        if not self.available:
            self._tell(is_up=False, message=reason)

    def _tell(self, *, is_up: bool, message: str | None = None) -> None:
        if (is_up, message) == self._told:
            return
        self._told = (is_up, message)
        if message:
            _log.warning("snapserver: %s", message)
        self._bus.publish(PartChanged(part=PART, is_up=is_up, message=message))
