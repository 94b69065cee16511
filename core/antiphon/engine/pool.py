"""Several renderer processes as one: a process uses one core, and some buildings need more."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from antiphon.engine.host import Hearers, RendererHost
from antiphon.engine.protocol import (
    AddZone,
    Attach,
    CallFinished,
    CloseTap,
    Command,
    Configure,
    DropProgramme,
    OpenTap,
    RemoveZone,
    Report,
    SetFallback,
    SetVolume,
    StartCall,
    StopCall,
)
from antiphon.errors import AntiphonError
from antiphon.events import EventBus
from antiphon.processes import Backoff
from antiphon.tasks import end

_log = logging.getLogger(__name__)

ZONES_PER_PROCESS = 48  # a third of a slow core where each plays music of its own
_PORT_IS_FREE_S = 0.2
_TOGETHER_S = 0.15  # by then each process has the clip ready


@dataclass(slots=True)
class _Zone:
    """Where a zone is rendered, and what another process has to be told of it."""

    added: AddZone
    host: RendererHost
    programme: str | None = None
    tap: OpenTap | None = None
    calls: set[str] = field(default_factory=set)


class RendererPool:
    """Speaks like one `RendererHost`; starts a further process for each `zones_per_process`.

    A programme is rendered by one process, so that it is decoded once: a zone that joins it moves
    there, after the call that it may just be hearing. A call in zones of several processes starts
    in all of them at one time of the machine's clock. A process that dies is started again with
    all that it had, by its host. All methods run on the main loop.
    """

    def __init__(
        self,
        bus: EventBus,
        levels: Configure | None = None,
        *,
        processes: int = 0,
        zones_per_process: int = ZONES_PER_PROCESS,
    ) -> None:
        """At most `processes`; 0 for as many as there are cores."""
        self._bus = bus
        self._most = processes or os.cpu_count() or 1
        self._share = zones_per_process
        self._for_all: dict[type[Command], Command] = {Configure: levels or Configure()}
        self._hosts: list[RendererHost] = []
        self._hearers = Hearers()
        self._zones: dict[str, _Zone] = {}
        self._programmes: dict[str, RendererHost] = {}
        self._first: asyncio.Task[RendererHost] | None = None
        self._starting: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin to start the first process; see `ready`."""
        entering = self._stack.enter_async_context(self._new_host())
        self._first = asyncio.create_task(entering, name="renderer")
        return self

    async def ready(self) -> None:
        """Return when the first process takes commands. Raises PartTimedOut."""
        if self._first is not None:
            await self._first

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop all processes."""
        self._hearers.clear()
        if self._first is not None:
            await end(self._first, *self._starting)
        await self._stack.aclose()

    def subscribe(self, handler: Callable[[Report], None]) -> Callable[[], None]:
        """Call `handler` with every report of every process; returns the function that ends it."""
        return self._hearers.subscribe(handler)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that there are now."""
        return tuple(host.pid for host in self._hosts if host.pid is not None)

    @property
    def is_up(self) -> bool:
        """Whether all processes take commands."""
        return all(host.is_up for host in self._hosts)

    def send(self, command: Command) -> None:
        """Hand a command over to the process, or the processes, that it concerns."""
        match command:
            case Configure() | SetFallback():
                self._for_all[type(command)] = command
                for host in self._hosts:
                    host.send(command)
            case AddZone():
                self._add(command)
            case Attach():
                self._attach(command)
            case StartCall():
                self._start_call(command)
            case StopCall():
                for host, zones in self._by_host(command.zones):
                    host.send(replace(command, zones=zones))
            case RemoveZone() | SetVolume() | OpenTap() | CloseTap():
                self._to_zone(command)
            case _:
                self._to_programme(command)

    # --- zones ----------------------------------------------------------------------------------

    def _add(self, command: AddZone) -> None:
        zone = self._zones.get(command.zone)
        if zone is None:
            zone = self._zones[command.zone] = _Zone(command, self._roomiest())
        zone.added = command
        zone.host.send(command)

    def _roomiest(self) -> RendererHost:
        """The process with the fewest zones; a new one, where all have their share."""
        count = dict.fromkeys(self._hosts, 0)
        for zone in self._zones.values():
            count[zone.host] += 1
        host = min(count, key=lambda one: count[one])
        if count[host] < self._share or len(self._hosts) >= self._most:
            return host
        host = self._new_host()
        task = asyncio.create_task(self._start(host), name="a further renderer")
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return host

    def _to_zone(self, command: RemoveZone | SetVolume | OpenTap | CloseTap) -> None:
        zone = self._zones.get(command.zone)
        if zone is None:
            return
        match command:
            case RemoveZone():
                del self._zones[command.zone]
            case SetVolume():
                zone.added = replace(zone.added, volume=command.volume)
            case OpenTap():
                zone.tap = command
            case CloseTap():
                zone.tap = None
        zone.host.send(command)

    # --- programmes -----------------------------------------------------------------------------

    def _attach(self, command: Attach) -> None:
        zone = self._zones.get(command.zone)
        if zone is None:
            return
        zone.programme = command.programme
        if command.programme is not None:
            home = self._programmes.setdefault(command.programme, zone.host)
            if home is not zone.host:
                if zone.calls:
                    zone.host.send(Attach(command.zone, None))  # it moves when they are over
                else:
                    self._move(zone, home)
                return
        zone.host.send(command)

    def _move(self, zone: _Zone, home: RendererHost) -> None:
        name = zone.added.zone
        zone.host.send(RemoveZone(name))
        zone.host = home

        def arrive() -> None:
            if self._zones.get(name) is zone and zone.host is home:
                home.send(zone.added)
                home.send(Attach(name, zone.programme))
                if zone.tap is not None:
                    home.send(zone.tap)

        if zone.added.sink.startswith("listen:"):
            asyncio.get_running_loop().call_later(_PORT_IS_FREE_S, arrive)
        else:
            arrive()

    def _to_programme(self, command: Any) -> None:
        name: str = command.programme
        host = self._programmes.setdefault(name, self._hosts[0])
        host.send(command)
        if isinstance(command, DropProgramme):
            del self._programmes[name]

    # --- calls ----------------------------------------------------------------------------------

    def _start_call(self, command: StartCall) -> None:
        parts = list(self._by_host(command.zones))
        unknown = tuple(zone for zone in command.zones if zone not in self._zones)
        if unknown:
            parts.append((self._hosts[0], unknown))  # which says that there is no such zone
        if len(parts) > 1 and command.at is None:
            at = asyncio.get_running_loop().time() + _TOGETHER_S
            command = replace(command, at=at)
        for host, zones in parts:
            for zone in zones:
                if zone in self._zones:
                    self._zones[zone].calls.add(command.call)
            host.send(replace(command, zones=zones))

    def _by_host(self, zones: tuple[str, ...]) -> Iterator[tuple[RendererHost, tuple[str, ...]]]:
        for host in self._hosts:
            here = (z for z in zones if z in self._zones and self._zones[z].host is host)
            if found := tuple(here):
                yield host, found

    # --- the processes --------------------------------------------------------------------------

    def _new_host(self) -> RendererHost:
        number = len(self._hosts) + 1
        host = RendererHost(self._bus, name="renderer" if number == 1 else f"renderer {number}")
        for command in self._for_all.values():
            host.send(command)
        host.subscribe(self._tell)
        self._hosts.append(host)
        return host

    async def _start(self, host: RendererHost) -> None:
        """What its zones are sent meanwhile is kept by the host, and told when it is ready."""
        delay = Backoff(first_s=1.0)
        while True:
            try:
                await self._stack.enter_async_context(host)
            except AntiphonError as error:
                _log.error("A further renderer did not start; trying again: %s", error)
                await asyncio.sleep(delay.next_s())
            else:
                return

    def _tell(self, report: Report) -> None:
        self._hearers.tell(report)
        if isinstance(report, CallFinished) and (zone := self._zones.get(report.zone)) is not None:
            zone.calls.discard(report.call)
            home = self._programmes.get(zone.programme or "", zone.host)
            if not zone.calls and home is not zone.host:
                self._move(zone, home)
