"""A loudspeaker that speaks Snapcast's protocol and notes when each sample is due, to the sample.

After the description of the binary protocol in Snapcast's documentation (version 2). A snapclient
with a file player writes in chunks of its own: it tells what is heard, but not exactly when.
"""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import suppress
from typing import Self

import numpy as np

_BASE = struct.Struct("<HHHiiiiI")  # type, id, refers to, sent (s, µs), received (s, µs), size
_CHUNK = struct.Struct("<iiI")  # due (s, µs), size
_HELLO, _WIRE_CHUNK = 5, 2
_RATE = 48_000


class Listener:
    """Enter it to connect; `onset_s` tells when the first loud sample since `forget` was due."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._port = port
        self._chunks: list[tuple[float, np.ndarray[tuple[int], np.dtype[np.int16]]]] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        """Listen; connect again after a loss, as snapclient does."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            try:
                writer.write(self._hello())
                await self._listen(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                await asyncio.sleep(0.1)
            finally:
                writer.close()

    def _hello(self) -> bytes:
        hello = {
            "Arch": "x86_64", "ClientName": "Listener", "HostName": self.name, "ID": self.name,
            "Instance": 1, "MAC": "02:00:00:00:00:01", "OS": "Linux",
            "SnapStreamProtocolVersion": 2, "Version": "0.26.0",
        }  # fmt: skip
        text = json.dumps(hello).encode()
        body = struct.pack("<I", len(text)) + text
        return _BASE.pack(_HELLO, 0, 0, 0, 0, 0, 0, len(body)) + body

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            kind, *_, size = _BASE.unpack(await reader.readexactly(_BASE.size))
            body = await reader.readexactly(size)
            if kind == _WIRE_CHUNK:
                seconds, micros, _ = _CHUNK.unpack_from(body)
                sound = np.frombuffer(body[_CHUNK.size :], np.int16)[::2]
                self._chunks.append((seconds + micros / 1e6, sound))

    def forget(self) -> None:
        """What was heard so far does not count."""
        self._chunks.clear()

    def is_silent(self) -> bool:
        """Whether nothing is heard any more: there were half a second of silence."""
        last = [sound for _, sound in self._chunks[-25:]]
        return len(last) == 25 and not any(sound.any() for sound in last)

    def onset_s(self) -> float:
        """On snapserver's clock; 0 where nothing was loud yet. The codec must be PCM."""
        for due_s, sound in self._chunks:
            loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 1000)
            if len(loud):
                return due_s + float(loud[0]) / _RATE
        return 0.0
