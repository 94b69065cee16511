"""snapclient, kept alive, and what its log says of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Literal, Self

from antiphon.errors import ProgramMissing
from antiphon.processes import ChildProcess, Program, Supervision
from antiphon_devices.speaker.mixer import Level

Connection = Literal["connected", "disconnected", "missing"]
_SETTINGS = re.compile(r"ServerSettings.* latency: (-?\d+), volume: (\d+), muted: ([01])")
_BROKEN = re.compile(r"\[Error\] \((Controller|Connection)\)")
_LOOK_AGAIN_S = 30.0


class Player:
    """Runs snapclient against the server that `aim` names. Leaving the context ends it.

    `changed` is called when the connection or the latency changed, `levelled` with the level that
    snapclient took over.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        changed: Callable[[], None],
        levelled: Callable[[Level], None],
    ) -> None:
        self._program = program
        self._arguments = list(arguments)
        self._changed = changed
        self._levelled = levelled
        self._target: tuple[str, int] | None = None
        self._aimed = asyncio.Event()
        self._busy = asyncio.Lock()
        self._child: ChildProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self.connection: Connection = "disconnected"
        self.latency_ms: int | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child else None

    def aim(self, host: str, port: int) -> None:
        """Play what the snapserver there sends; nothing happens where it does already."""
        if self._target != (host, port):
            self._target = (host, port)
            self._aimed.set()

    async def __aenter__(self) -> Self:
        """Begin; snapclient starts once it is aimed."""
        self._task = asyncio.create_task(self._run(), name="player")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End snapclient."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._stop()

    async def restart(self) -> None:
        """End snapclient and start it anew."""
        async with self._busy:
            await self._stop()
            await self._start()

    @contextlib.asynccontextmanager
    async def silenced(self) -> AsyncIterator[None]:
        """The sound card is free for as long as this lasts."""
        async with self._busy:
            await self._stop()
            try:
                yield
            finally:
                await self._start()

    async def _run(self) -> None:
        while True:
            async with self._busy:
                if self._aimed.is_set() or self._child is None:
                    self._aimed.clear()
                    await self._stop()
                    await self._start()
            # A snapclient that is installed later is found.
            wait_s = _LOOK_AGAIN_S if self._child is None else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._aimed.wait()

    async def _start(self) -> None:
        if self._target is None:
            return
        host, port = self._target
        command = [self._program, "-h", host, "-p", str(port), "--logsink", "stdout"]
        program = Program(
            command=[*command, *self._arguments], package="snapclient", level_of=self._line
        )
        supervision = Supervision(most_delay_s=5.0)
        child = ChildProcess(
            "snapclient",
            program,
            on_exit=lambda _: self._be("disconnected"),
            supervision=supervision,
        )
        try:
            self._child = await child.__aenter__()
        except (ProgramMissing, OSError) as error:
            logging.getLogger(__name__).error("%s", error)
            self._be("missing")
        else:
            self._be("disconnected")

    async def _stop(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            await child.__aexit__(None, None, None)
            self._be("disconnected")

    def _line(self, line: str) -> int:
        """Read what snapclient says; returns the level that its line has in our log."""
        if said := _SETTINGS.search(line):
            self.latency_ms = int(said[1])
            self._levelled(Level(min(100, int(said[2])), muted=said[3] == "1"))
            self._be("connected", always=True)
        elif _BROKEN.search(line):
            self._be("disconnected")
        return logging.DEBUG

    def _be(self, connection: Connection, *, always: bool = False) -> None:
        if always or connection != self.connection:
            self.connection = connection
            self._changed()


def version_of(program: str) -> str | None:
    """The version of snapclient, if it is installed. Takes as long as it takes to start."""
    if (path := shutil.which(program)) is None:
        return None
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=5, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v?(\d+\.\d+\.\d+)", said)
    return found[1] if found else None
