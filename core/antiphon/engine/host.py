"""The main process's end of the renderer: starts it, and replays its state when it died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from antiphon.engine.desired import DesiredState
from antiphon.engine.protocol import Command, Configure, Ready, Report, decode, encode
from antiphon.errors import PartTimedOut
from antiphon.events import EventBus, PartChanged
from antiphon.processes import ChildProcess, Program, Supervision

_log = logging.getLogger(__name__)
_NICENESS = -10  # what must be in time goes before what must be done
_READY_TIMEOUT_S = 15.0
_SILENT_FOR_S = 4.0
_LINE_LIMIT = 1 << 22


class Hearers:
    """Who is told of reports. One that raises is logged; the others still hear."""

    def __init__(self) -> None:
        self._handlers: list[Callable[[Report], None]] = []

    def subscribe(self, handler: Callable[[Report], None]) -> Callable[[], None]:
        """Call `handler` with every report; returns the function that ends it."""
        self._handlers.append(handler)

        def unsubscribe() -> None:
            if handler in self._handlers:
                self._handlers.remove(handler)

        return unsubscribe

    def tell(self, report: Report) -> None:
        """Hand a report to everybody."""
        for handler in tuple(self._handlers):
            try:
                handler(report)
            except Exception:
                _log.exception("A subscriber of %s failed", type(report).__name__)

    def clear(self) -> None:
        """Tell nobody any more."""
        self._handlers.clear()


class RendererHost:
    """Keeps one renderer process alive.

    `send` never waits. What was sent is remembered as the desired state (zones, programmes with
    their last known positions, open calls) and replayed into a new process when the old one died,
    so callers need not care; a call that was open then starts again and reports so. All methods
    run on the main loop.
    """

    def __init__(
        self, bus: EventBus, levels: Configure | None = None, name: str = "renderer"
    ) -> None:
        self._bus = bus
        self._name = name
        self._state = DesiredState(levels or Configure())
        self._hearers = Hearers()
        self._writer: asyncio.StreamWriter | None = None
        self._ready = asyncio.Event()
        self._stopped_at: float | None = None
        self._stopping = False
        self._stack = contextlib.AsyncExitStack()
        self._child: ChildProcess | None = None

    async def __aenter__(self) -> Self:
        """Start the process; returns when it is ready. Raises PartTimedOut."""
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-"))
            path = Path(folder) / "renderer"
            server = await asyncio.start_unix_server(self._serve, path, limit=_LINE_LIMIT)
            stack.callback(server.close)
            command = (sys.executable, "-m", "antiphon.engine", str(path))
            rules = Supervision(first_delay_s=0.02, most_delay_s=5.0, stop_timeout_s=1.0)
            program = Program(command, niceness=_NICENESS)
            child = ChildProcess(self._name, program, supervision=rules)
            self._child = await stack.enter_async_context(child)
            stack.callback(self._hang_up)
            try:
                async with asyncio.timeout(_READY_TIMEOUT_S):
                    await self._ready.wait()
            except TimeoutError:
                raise PartTimedOut("The renderer", "its start", _READY_TIMEOUT_S) from None
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process."""
        self._hearers.clear()
        self._stopping = True
        await self._stack.aclose()

    def send(self, command: Command) -> None:
        """Hand a command over; while the renderer is away, it is kept for the next one."""
        self._state.sent(command, self._now())
        if self._writer is not None and self._ready.is_set():
            self._writer.write(encode(command))

    def subscribe(self, handler: Callable[[Report], None]) -> Callable[[], None]:
        """Call `handler` with every report; returns the function that ends it."""
        return self._hearers.subscribe(handler)

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child is not None else None

    @property
    def is_up(self) -> bool:
        """Whether it takes commands now."""
        return self._ready.is_set()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one renderer process for its life."""
        self._writer = writer
        heard_at = self._now()
        try:
            while line := await self._line(reader):
                heard_at = self._now()
                report = decode(line)
                if isinstance(report, Ready):
                    self._resume(writer)
                elif isinstance(report, Report):
                    self._state.reported(report, heard_at)
                    self._hearers.tell(report)
        except (ConnectionError, asyncio.LimitOverrunError, ValueError) as error:
            _log.warning("The renderer's reports broke off: %s", error)
        finally:
            if self._writer is writer:
                self._lost(heard_at)
            writer.close()

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        """The next report; empty at the end. A renderer that is silent too long is killed."""
        try:
            async with asyncio.timeout(_SILENT_FOR_S):
                return await reader.readline()
        except TimeoutError:
            _log.error("The renderer did not report for %g s; starting a new one", _SILENT_FOR_S)
            if self.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            return b""

    def _resume(self, writer: asyncio.StreamWriter) -> None:
        stopped_at = self._now() if self._stopped_at is None else self._stopped_at
        for command in self._state.commands(stopped_at):
            writer.write(encode(command))
        self._stopped_at = None
        self._ready.set()
        self._bus.publish(PartChanged(part=self._name, is_up=True))

    def _lost(self, heard_at: float) -> None:
        # What a stopped process did not play after its last report is not skipped either.
        self._stopped_at = min(self._now(), heard_at + 1.0)
        self._writer = None
        self._ready.clear()
        if self._stopping:
            return
        message = "The renderer ended; a new one is being started"
        self._bus.publish(PartChanged(part=self._name, is_up=False, message=message))
