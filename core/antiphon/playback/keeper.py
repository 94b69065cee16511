"""PlaybackState rows: written a moment after something changed, never per tick."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from antiphon.playback.models import PlaybackState
from antiphon.plugins.media import MediaRef
from antiphon.tasks import end

_log = logging.getLogger(__name__)
DEBOUNCE_S = 0.2
POSITIONS_EVERY_S = 5.0
_RETRY_S = 1.0
_LAST_WRITE_S = 3.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a zone plays now. The queue is written only when it is another one than last time."""

    values: dict[str, Any]
    queue: tuple[MediaRef, ...]


class StateKeeper:
    """Writes what zones play. Without a database it tries again; the sound goes on meanwhile."""

    def __init__(
        self, look: Callable[[UUID], Snapshot | None], moving: Callable[[], Iterable[UUID]]
    ) -> None:
        self._look = look
        self._moving = moving
        self._stale: set[UUID] = set()
        self._queues: dict[UUID, tuple[MediaRef, ...]] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._tasks = [
            asyncio.create_task(self._writing(), name="playback states"),
            asyncio.create_task(self._positions(), name="playback positions"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write where everything is."""
        await end(*self._tasks)
        self._stale.update(self._moving())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITE_S):
                await self.flush()

    def note(self, zones: Iterable[UUID]) -> None:
        """What these zones play has changed."""
        self._stale.update(zones)
        self._news.set()

    def loaded(self, zone_id: UUID, queue: tuple[MediaRef, ...]) -> None:
        """This is what the row holds."""
        self._queues[zone_id] = queue

    async def flush(self) -> bool:
        """Write all that is stale; False where some of it could not be."""
        zones, self._stale = self._stale, set()
        for zone_id in tuple(zones):
            if (snapshot := self._look(zone_id)) is not None:
                try:
                    await self._write(zone_id, snapshot)
                except Exception:
                    _log.exception("What zone %s plays could not be kept", zone_id)
                    continue
            zones.discard(zone_id)
        self._stale |= zones
        return not zones

    async def _write(self, zone_id: UUID, snapshot: Snapshot) -> None:
        values = dict(snapshot.values)
        if self._queues.get(zone_id) is not snapshot.queue:
            values["queue"] = dump(snapshot.queue)
        await PlaybackState.filter(zone_id=zone_id).update(**values)
        self._queues[zone_id] = snapshot.queue

    async def _writing(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(DEBOUNCE_S)
            self._news.clear()
            if not await self.flush():
                await asyncio.sleep(_RETRY_S)
                self._news.set()

    async def _positions(self) -> None:
        while True:
            await asyncio.sleep(POSITIONS_EVERY_S)
            self.note(self._moving())


def dump(refs: Sequence[MediaRef]) -> list[dict[str, Any]]:
    """A queue as it is kept in the database."""
    return [ref.model_dump(exclude_none=True) for ref in refs]


def parse(rows: Sequence[dict[str, Any]]) -> tuple[MediaRef, ...]:
    """A queue from the database; an entry that makes no sense is left out."""
    refs = []
    for row in rows:
        try:
            refs.append(MediaRef.model_validate(row))
        except ValueError as error:
            _log.warning("An entry of a queue is left out: %s", error)
    return tuple(refs)
