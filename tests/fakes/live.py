"""Live sound that is a header and as many chunks as are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from antiphon.api import LiveFormat

CHUNK = b"\x01\x02" * 960


class FakeLive:
    """`listeners` counts those that listen now; `heard` what was opened so far.

    `stalled` live sound gives nothing after its header."""

    def __init__(self) -> None:
        self.listeners = 0
        self.heard: list[tuple[UUID, str]] = []
        self.stalled = False

    @asynccontextmanager
    async def open(
        self,
        zone_id: UUID,
        format: LiveFormat,  # noqa: A002  the protocol's word
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self.heard.append((zone_id, format))
        self.listeners += 1
        try:
            yield self._chunks(format)
        finally:
            self.listeners -= 1

    async def _chunks(self, kind: str) -> AsyncIterator[bytes]:
        yield b"RIFF" if kind == "wav" else b"OggS"
        while True:
            await asyncio.sleep(3600 if self.stalled else 0.005)
            yield CHUNK
