"""Real snapclients that write what a listener hears into a file, and tones to feed zones with."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from tests.fakes.waiting import eventually

from antiphon.engine.sink import Sink, open_sink
from antiphon.processes import ChildProcess, Program, Supervision

RATE = 48_000
_BLOCK = RATE // 50
_QUICK = Supervision(stop_timeout_s=1.0)


class Loudspeaker:
    """A snapclient with the id that the server knows it by, and what it plays."""

    def __init__(self, client_id: str, path: Path) -> None:
        self.id = client_id
        self._path = path

    def heard(self, seconds: float = 0.2) -> tuple[int, float]:
        """The strongest frequency of the last moments, in Hz, and the peak from 0 to 1."""
        size = int(seconds * RATE) * 4
        data = self._path.read_bytes() if self._path.exists() else b""
        data = data[len(data) % 4 :][-size:]
        if len(data) < size:
            return 0, 0.0
        left = np.frombuffer(data, np.int16)[::2].astype(np.float64) / 32768
        spectrum = np.abs(np.fft.rfft(left * np.hanning(len(left))))
        return round(int(spectrum.argmax()) / seconds), float(np.abs(left).max())

    def loudest(self) -> float:
        """The peak of all that was ever heard."""
        data = self._path.read_bytes() if self._path.exists() else b""
        samples = np.frombuffer(data[: len(data) // 2 * 2], np.int16)
        return float(np.abs(samples.astype(np.float64)).max()) / 32768 if len(samples) else 0.0

    async def hears(self, hz: int, timeout_s: float = 8.0) -> float:
        """Wait until this tone is what is heard; returns its peak."""

        def is_heard() -> float:
            found, peak = self.heard()
            return peak if abs(found - hz) <= 10 and peak > 0.01 else 0.0

        try:
            return await eventually(is_heard, timeout_s)
        except TimeoutError:
            raise AssertionError(f"{self.id} hears {self.heard()}, not {hz} Hz") from None

    async def hears_nothing(self, timeout_s: float = 8.0) -> None:
        """Wait until all is silent."""

        def is_silent() -> bool:
            return self.heard()[1] == 0.0

        await eventually(is_silent, timeout_s)


@asynccontextmanager
async def loudspeaker(port: int, name: str, folder: Path) -> AsyncIterator[Loudspeaker]:
    """A snapclient that is connected to a server on this machine."""
    path = folder / f"{name}.raw"
    command = ["snapclient", "-h", "127.0.0.1", "-p", str(port), "--hostID", name]
    command += ["--player", f"file:filename={path}", "--logsink", "null"]
    async with ChildProcess(name, Program(command, "snapclient"), supervision=_QUICK):
        yield Loudspeaker(name, path)


@asynccontextmanager
async def tone(sink: str, hz: int, peak: float = 0.5) -> AsyncIterator[None]:
    """Feed a zone's sink with a tone in real time, as the renderer does."""
    task = asyncio.create_task(_feed(open_sink(sink), hz, peak))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _blocks(hz: int, peak: float) -> Iterator[bytes]:
    start = 0
    while True:
        at = np.arange(start, start + _BLOCK) * (2 * np.pi * hz / RATE)
        yield np.repeat((np.sin(at) * peak * 32767).astype(np.int16), 2).tobytes()
        start = (start + _BLOCK) % RATE


async def _paced() -> AsyncIterator[None]:
    clock = asyncio.get_running_loop().time
    due = clock()
    while True:
        due += _BLOCK / RATE
        await asyncio.sleep(max(0.0, due - clock()))
        yield


async def _feed(sink: Sink, hz: int, peak: float) -> None:
    blocks = _blocks(hz, peak)
    try:
        async for _ in _paced():
            sink.write(memoryview(next(blocks)))
    finally:
        sink.close()
