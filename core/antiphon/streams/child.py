"""A snapserver of our own: its ports, its configuration, its pipes, its life."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import stat
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from antiphon.errors import Unavailable
from antiphon.processes import ChildProcess, Program, Supervision, given_back, port_or_free
from antiphon.settings.models import SnapcastSettings
from antiphon.streams.config import Ports, pipe_source, render, stream_name
from antiphon.streams.control import MethodMissing, SnapcastControl
from antiphon.streams.home import Home, check_own_address
from antiphon.streams.memory import Memory

_log = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"
_NICENESS = -10  # late by a chunk is heard in every zone


class ChildServer(Home):
    """Keeps one snapserver alive, with a named pipe per zone that the renderer writes into.

    What can not be had at the wished port is put on another one, and the log says so: whoever has
    the port is not ours to stop. `on_away` gets the reason before the server is away for a moment.
    """

    def __init__(
        self,
        settings: SnapcastSettings,
        run_dir: Path,
        data_dir: Path,
        on_away: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._pipes = run_dir / "snapcast"
        self._state_dir = data_dir / "snapcast"
        self._config = self._pipes / "snapserver.conf"
        self._memory = Memory(self._state_dir / "antiphon.json")
        self._zones = set(self._memory.kept.zones)
        self._configured: set[UUID] = set()
        self._is_first = True
        self._lock = asyncio.Lock()
        self._on_away = on_away
        self._ports = Ports(0, 0, 0)
        program = [
            settings.program,
            f"--config={self._config}",
            f"--server.datadir={self._state_dir}",
        ]
        self._child = ChildProcess(
            "snapserver",
            Program(program, package="snapserver", level_of=_level_of, niceness=_NICENESS),
            on_exit=self._after_exit,
            supervision=Supervision(stop_timeout_s=2.0),
        )

    async def __aenter__(self) -> Self:
        """Start it with the zones of the last run. Raises ProgramMissing, Misconfigured."""
        check_own_address("snapcast.bind", self._settings.bind)
        last = self._memory.kept.ports
        await given_back(
            (host, wished)
            for purpose, host, wished in self._wishes()
            if wished and last.get(purpose) == wished
        )
        self._prepare()
        try:
            await self._child.__aenter__()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it, and remove the pipes."""
        await self._child.__aexit__(kind, error, trace)
        shutil.rmtree(self._pipes, ignore_errors=True)

    @property
    def ports(self) -> Ports:
        """Where it listens now."""
        return self._ports

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid

    def address(self) -> tuple[str, int]:
        """Host and port of its control port now."""
        return _LOOPBACK, self._ports.control

    async def provide(
        self, zones: Collection[UUID], control: SnapcastControl
    ) -> Mapping[UUID, str]:
        """A pipe and a stream for each zone. The first call names all zones there are."""
        self._zones = set(zones) if self._is_first else self._zones | set(zones)
        self._is_first = False
        async with self._lock:
            if self._zones != self._configured:
                await self._bring_up(self._zones - self._configured, control)
        return {zone_id: f"fifo:{self._pipe(zone_id)}" for zone_id in zones}

    async def withdraw(self, zone_id: UUID, control: SnapcastControl) -> None:
        """Older servers keep the idle stream until they are started again."""
        self._zones.discard(zone_id)
        async with self._lock:
            if zone_id in self._zones:
                return  # it came back while we waited
            self._write_config()
            try:
                await control.request("Stream.RemoveStream", {"id": stream_name(zone_id)})
            except Unavailable as error:
                _log.debug("The stream of zone %s stays until the next start: %s", zone_id, error)
            self._pipe(zone_id).unlink(missing_ok=True)

    async def revive(self) -> None:
        """Start it again: it runs, but does not answer."""
        try:
            await self._child.restart()
        except Unavailable as error:
            _log.warning("snapserver could not be started again: %s", error)

    async def _bring_up(self, missing: set[UUID], control: SnapcastControl) -> None:
        self._write_config()
        if not missing:
            return
        if control.is_connected:
            if await self._add(missing, control):
                return
            self._on_away("It is started again for new zones; loudspeakers reconnect by themselves")
        await self.revive()

    async def _add(self, zones: set[UUID], control: SnapcastControl) -> bool:
        """Add streams to the running server; returns whether it could."""
        try:
            for zone_id in zones:
                await control.request("Stream.AddStream", {"streamUri": self._source(zone_id)})
        except MethodMissing:
            return False
        except Unavailable as error:
            _log.info("A stream could not be added to snapserver: %s", error)
            return False
        control.refresh()
        return True

    def _wishes(self) -> tuple[tuple[str, str, int], ...]:
        wished = self._settings
        return (
            ("stream", wished.bind, wished.stream_port),
            ("control", _LOOPBACK, wished.control_port),
            ("http", _LOOPBACK, wished.http_port),
        )

    def _prepare(self) -> None:
        self._pipes.mkdir(parents=True, exist_ok=True)
        self._pipes.chmod(0o700)
        self._state_dir.mkdir(parents=True, exist_ok=True)
        self._choose_ports()
        self._write_config()

    def _after_exit(self, reason: str) -> None:
        """Before it is started again: somebody may have taken a port meanwhile."""
        self._choose_ports()
        self._write_config()
        self._on_away(reason)

    def _choose_ports(self) -> None:
        chosen: set[int] = set()
        self._ports = Ports(*(self._choose(*wish, chosen) for wish in self._wishes()))

    def _choose(self, purpose: str, host: str, wished: int, chosen: set[int]) -> int:
        """The wished port, else the one of the last time, else any that is free."""
        known = self._memory.kept.ports
        port, was_taken = port_or_free(host, wished)
        if (was_taken or not wished) and purpose in known:
            port, _ = port_or_free(host, known[purpose])
        while port in chosen:
            port, _ = port_or_free(host, 0)
        if was_taken:
            _log.warning(
                "Port %d is taken by another program: snapserver's %s port is %d instead",
                wished,
                purpose,
                port,
            )
        chosen.add(port)
        known[purpose] = port
        return port

    def _write_config(self) -> None:
        for path in (self._pipe(zone_id) for zone_id in (None, *self._zones)):
            _make_pipe(path)
        sources = [self._source(zone_id) for zone_id in (None, *sorted(self._zones))]
        self._config.write_text(render(self._settings, self._ports, sources))
        self._configured = set(self._zones)
        self._memory.kept.zones = set(self._zones)
        self._memory.save()

    def _source(self, zone_id: UUID | None) -> str:
        return pipe_source(self._pipe(zone_id), stream_name(zone_id))

    def _pipe(self, zone_id: UUID | None) -> Path:
        return self._pipes.absolute() / f"{stream_name(zone_id)}.fifo"


def _make_pipe(path: Path) -> None:
    """A pipe that nobody but us can open. One that is there stays: it may be in use."""
    if path.exists() and not stat.S_ISFIFO(path.stat().st_mode):
        path.unlink()
    if not path.exists():
        os.mkfifo(path, 0o600)


_EXPECTED = ("(Avahi)", "end of file", "End of file", "JsonRequestException", "socket shutdown")


def _level_of(line: str) -> int:
    """Its errors are warnings to us, but for those that belong to an ordinary day."""
    if "[Error]" in line or "[Fatal]" in line:
        return logging.DEBUG if any(words in line for words in _EXPECTED) else logging.WARNING
    return logging.DEBUG
