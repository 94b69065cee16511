"""A zone's live sound for people who listen over HTTP. Nobody listening costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from antiphon.engine.host import RendererHost
from antiphon.engine.pool import RendererPool
from antiphon.engine.protocol import CloseTap, OpenTap
from antiphon.errors import Invalid

_READ_BYTES = 65_536
_CONTENT_TYPES = {"wav": "audio/wav", "ogg": "audio/ogg"}
_BEHIND_BLOCKS = 100  # 2 s: a listener that is further behind misses sound, the others do not


class _Broadcast:
    """A zone in one format: encoded once, however many listen."""

    def __init__(self, format_name: str) -> None:
        from antiphon.engine.encode import ENCODERS

        self._encoder = ENCODERS[format_name]()
        self.header = self._encoder.header()
        self.listeners: set[asyncio.Queue[bytes]] = set()

    def send(self, samples: bytes) -> None:
        # A 20 ms block takes about 0.2 ms to encode as Opus: not worth a thread's hop.
        if chunk := self._encoder.encode(samples):
            for queue in self.listeners:
                if not queue.full():
                    queue.put_nowait(chunk)


class _Tap:
    """One zone's samples, handed to the formats in which somebody listens."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.broadcasts: dict[str, _Broadcast] = {}
        asyncio.get_running_loop().add_reader(fd, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            samples = os.read(self.fd, _READ_BYTES)
            for broadcast in self.broadcasts.values():
                broadcast.send(samples)

    def join(self, format_name: str, queue: asyncio.Queue[bytes]) -> None:
        if format_name not in self.broadcasts:
            self.broadcasts[format_name] = _Broadcast(format_name)
        broadcast = self.broadcasts[format_name]
        queue.put_nowait(broadcast.header)
        broadcast.listeners.add(queue)

    def leave(self, format_name: str, queue: asyncio.Queue[bytes]) -> None:
        broadcast = self.broadcasts[format_name]
        broadcast.listeners.discard(queue)
        if not broadcast.listeners:
            del self.broadcasts[format_name]

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.fd)
        os.close(self.fd)


class LiveAudio:
    """Opens a tap on a zone for its first listener and closes it after its last."""

    def __init__(self, renderer: RendererHost | RendererPool) -> None:
        self._renderer = renderer
        self._taps: dict[UUID, _Tap] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def __aenter__(self) -> Self:
        """Make the private folder for the taps."""
        self._folder = tempfile.TemporaryDirectory(prefix="antiphon-")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all taps; listeners that are left wait in vain, so end them first."""
        for zone_id in tuple(self._taps):
            self._close(zone_id)
        if self._folder is not None:
            self._folder.cleanup()

    @staticmethod
    def content_type(format_name: str) -> str:
        """The MIME type of a format. Raises Invalid for one that there is not."""
        if format_name not in _CONTENT_TYPES:
            raise Invalid.field("format", f"use one of: {', '.join(_CONTENT_TYPES)}")
        return _CONTENT_TYPES[format_name]

    @contextlib.asynccontextmanager
    async def open(
        self, zone_id: UUID, format_name: str = "wav"
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Listen to a zone: an endless stream of encoded chunks, the header first.

        Formats are `wav` (as it leaves the zone) and `ogg` (Opus, 128 kbit/s). Raises Invalid.
        """
        self.content_type(format_name)
        # Loaded for the first listener: a start need not wait for libav.
        await asyncio.to_thread(import_module, "antiphon.engine.encode")
        queue: asyncio.Queue[bytes] = asyncio.Queue(_BEHIND_BLOCKS)
        tap = self._taps.get(zone_id) or self._open(zone_id)
        tap.join(format_name, queue)
        try:
            yield _chunks(queue)
        finally:
            tap.leave(format_name, queue)
            if not tap.broadcasts and self._taps.get(zone_id) is tap:
                self._close(zone_id)

    def _open(self, zone_id: UUID) -> _Tap:
        if self._folder is None:
            raise RuntimeError("LiveAudio is used before it is entered")
        path = Path(self._folder.name) / zone_id.hex
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Open for writing too: the pipe then has no end when the renderer goes away and comes back.
        tap = _Tap(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        self._taps[zone_id] = tap
        self._renderer.send(OpenTap(str(zone_id), str(path)))
        return tap

    def _close(self, zone_id: UUID) -> None:
        self._renderer.send(CloseTap(str(zone_id)))
        self._taps.pop(zone_id).close()


async def _chunks(queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while True:
        yield await queue.get()
