"""The last events, numbered, so that whoever was cut off for a moment misses none."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cached_property
from uuid import UUID

from antiphon.audit import CommandGiven
from antiphon.events import Event, EventBus, LevelMeasured
from antiphon.tenancy.scope import sees_every_tenant
from antiphon.types import Frozen, Principal

KEPT = 2_000
BACKLOG = 1_000

# What is true for a second only is told to those who listen, and not repeated to anybody.
_PASSING = (LevelMeasured,)


class Mark(Frozen):
    """How far a listener came in a stream: the number of the last message."""

    stream: str
    sequence: int


class Entry:
    """An event, written down once for all who hear of it."""

    def __init__(self, event: Event) -> None:
        self.event = event

    def told(self, sequence: int) -> str:
        """The message, as JSON."""
        return f'{{"type":"{type(self.event).__name__}","sequence":{sequence},{self._fields}'

    @cached_property
    def _fields(self) -> str:
        return self.event.model_dump_json().removeprefix("{")


class Reader(AsyncIterator[tuple[int, Entry]]):
    """What a listener has not read yet; `overflowed` where that was too much to keep."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[int, Entry]] = asyncio.Queue(BACKLOG)
        self.overflowed = False

    def offer(self, sequence: int, entry: Entry) -> None:
        """Called by the stream: keep the event if there is room."""
        try:
            self._queue.put_nowait((sequence, entry))
        except asyncio.QueueFull:
            self.overflowed = True

    async def __anext__(self) -> tuple[int, Entry]:
        return await self._queue.get()


class Stream:
    """The events of one client, or of all, with numbers that rise by one.

    Its name is another one after each start of the server.
    """

    def __init__(self) -> None:
        self.name = secrets.token_hex(8)
        self.sequence = 0
        self._kept: deque[tuple[int, Entry]] = deque()
        self._gone = 0
        self._readers: set[Reader] = set()

    @property
    def mark(self) -> Mark:
        """Where the stream is now."""
        return Mark(stream=self.name, sequence=self.sequence)

    def add(self, entry: Entry) -> None:
        """Number an event, keep it for a while and hand it to all readers."""
        self.sequence += 1
        if not isinstance(entry.event, _PASSING):
            self._kept.append((self.sequence, entry))
            if len(self._kept) > KEPT:
                self._gone, _ = self._kept.popleft()
        for reader in self._readers:
            reader.offer(self.sequence, entry)

    def since(self, mark: Mark) -> list[tuple[int, Entry]] | None:
        """What came after `mark`; None where that is of another stream, or no longer kept."""
        if mark.stream != self.name or not self._gone <= mark.sequence <= self.sequence:
            return None
        return [(number, entry) for number, entry in self._kept if number > mark.sequence]

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Hear of all events from now on."""
        reader = Reader()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)


class Journal:
    """Keeps a stream for each client that somebody follows, and one for those who see them all.

    A client's numbers tell nothing of what happens to others.
    """

    def __init__(self) -> None:
        self._all = Stream()
        self._by_client: dict[UUID, Stream] = {}

    @contextmanager
    def following(self, bus: EventBus) -> Iterator[None]:
        """Keep what the bus tells, for as long as this lasts."""
        undo = bus.subscribe(Event, self._note)
        try:
            yield
        finally:
            undo()

    def stream(self, principal: Principal) -> Stream:
        """What `principal` follows; it may not see all that is in there."""
        if sees_every_tenant(principal):
            return self._all
        if principal.client_id is None:
            return Stream()
        return self._by_client.setdefault(principal.client_id, Stream())

    def _note(self, event: Event) -> None:
        if isinstance(event, CommandGiven):
            return
        entry = Entry(event)
        self._all.add(entry)
        if event.client_id is not None and (own := self._by_client.get(event.client_id)):
            own.add(entry)
