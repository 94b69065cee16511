"""Tracks are resolved ahead of being heard, in a task of their own."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol
from uuid import UUID

from antiphon.playback.news import News
from antiphon.playback.queue import Queue
from antiphon.playback.window import RESOLVE_LIMIT_S, Item, Miss, resolve
from antiphon.plugins.media import MediaRegistry

_log = logging.getLogger(__name__)

WINDOW = 8
TRIES = 10
BACK_OFF_S = (5.0, 10.0, 20.0, 60.0, 300.0)


class Owner(Protocol):
    """Who plays what is found: a programme."""

    queue: Queue
    zones: list[UUID]

    def took(self, item: Item) -> None:
        """Another track is at the end of the window."""

    def ran_out(self) -> None:
        """Nothing follows."""

    def in_trouble(self, problem: str | None) -> None:
        """Why nothing can be played; None if all is well again."""


class Window:
    """The tracks that come next, the one that plays first, and the way to more of them.

    A source that hangs, raises or has nothing costs at most the next track. `next` is the cursor
    of what follows the last item; None at the end of the queue.
    """

    def __init__(self, owner: Owner, client_id: UUID, media: MediaRegistry, news: News) -> None:
        self.items: list[Item] = []
        self.next: int | None = None
        self._owner = owner
        self._client_id = client_id
        self._media = media
        self._news = news
        self._task: asyncio.Task[None] | None = None
        self._misses = 0
        self._failures = 0
        self._retries = 0
        self._is_outdated = False

    @property
    def first(self) -> Item | None:
        """The track that plays, is held, or is about to start."""
        return self.items[0] if self.items else None

    def begin(self, items: list[Item], following: int | None, *, same_queue: bool) -> None:
        """Go on from other tracks."""
        self.stop()
        self.items, self.next = items, following
        self._misses = self._failures = self._retries = 0
        self._is_outdated = self._is_outdated and same_queue

    def fill(self) -> None:
        """See that tracks are resolved ahead."""
        is_short = len(self.items) < self._room or self._is_outdated
        if is_short and self.next is not None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._filling(), name=f"window of {self._client_id}")

    def stop(self) -> None:
        """Leave it as it is."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def renew(self) -> None:
        """Ask the queue's endless source anew for what follows the current track."""
        self._is_outdated = True

    def insist(self) -> None:
        """Somebody has seen the problem: do not wait for better times, try again."""
        if self._retries:
            self.stop()
            self._misses = self._failures = 0
            self.fill()

    def failed(self) -> None:
        """The renderer could not read a track that was found."""
        self._failures += 1
        self.fill()

    def sounds(self) -> None:
        """Music is heard, so whatever was wrong is over."""
        self._failures = 0
        if self._retries:
            self._retries = 0
            self.stop()
            self.fill()
        self._owner.in_trouble(None)

    @property
    def _room(self) -> int:
        """How many tracks are handed over: no more than a round of a short queue."""
        return min(WINDOW, max(2, len(self._owner.queue)))

    async def _filling(self) -> None:
        queue = self._owner.queue
        if self._is_outdated:
            await self._follow(None if self.first is None else self.first.cursor + 1)
        while len(self.items) < self._room and (cursor := self.next) is not None:
            if queue.source is not None and queue.begins_round(cursor):
                await self._follow(cursor)
            if max(self._misses, self._failures) >= min(len(queue), TRIES):
                await self._back_off()
            found = await resolve(self._media, self._client_id, queue.at(cursor))
            if isinstance(found, Miss):
                self._misses += 1
                self._news.missed(self._owner.zones, found)
                self.next = queue.skip(cursor)
                continue
            self._misses = 0
            item = Item.of(cursor, found)
            self.items.append(item)
            self.next = queue.after(cursor)
            self._owner.took(item)
        if not self.items:
            self._task = None
            self._owner.ran_out()

    async def _follow(self, cursor: int | None) -> None:
        """Let the queue's endless source say what is played from `cursor` on.

        Where it has nothing, or fails, the queue that there is begins again.
        """
        queue = self._owner.queue
        if queue.source is None or cursor is None:
            return
        try:
            async with asyncio.timeout(RESOLVE_LIMIT_S):
                past = queue.last(cursor)
                refs = await self._media.follow(self._client_id, queue.source, past)
        except Exception as error:
            _log.warning("%s %s gave no more: %r", queue.source.kind, queue.source.value, error)
            refs = ()
        self._is_outdated = False
        if refs:
            if self.first is not None:  # another one than before, if the source took its time
                cursor = max(cursor, self.first.cursor + 1)
            queue.grow(cursor, refs)
            self.items = [item for item in self.items if item.cursor < cursor]
            self.next = cursor

    async def _back_off(self) -> None:
        """Nothing can be played: say so, wait, and try again."""
        wait_s = BACK_OFF_S[min(self._retries, len(BACK_OFF_S) - 1)]
        self._retries += 1
        count = max(self._misses, self._failures)
        self._owner.in_trouble(
            f"{count} tracks in a row could not be played; trying again in {wait_s:g} s"
        )
        await asyncio.sleep(wait_s)
        self._misses = self._failures = 0
