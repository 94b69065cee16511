"""Tracks are resolved ahead of being heard, in a task of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from antiphon.playback.news import News
from antiphon.playback.queue import Queue
from antiphon.playback.spoken import Spoken
from antiphon.playback.window import Item, Miss, next_round, resolve, split_at
from antiphon.plugins.media import REST, Media, MediaRegistry

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
        self._outdated: dict[str, Item] = {}

    @property
    def is_busy(self) -> bool:
        """Whether more is being looked for."""
        return self._task is not None and not self._task.done()

    @property
    def first(self) -> Item | None:
        """The track that plays, is held, or is about to start."""
        return self.items[0] if self.items else None

    @property
    def rests(self) -> bool:
        """Whether there is nothing more because the queue's source wants a rest."""
        queue = self._owner.queue
        if self.items or self.next is None or queue.source is None:
            return False
        return queue.at(self.next) == REST

    def insert(self, media: Iterable[Media], spoken: Spoken, *, first: bool) -> None:
        """Let this be spoken behind the first item, or before it, after what is to be already."""
        place = 0 if first else 1
        while place < len(self.items) and self.items[place].spoken is not None:
            place += 1
        following = self.items[place].cursor if place < len(self.items) else self.next
        cursor = self._owner.queue.cursor if following is None else following
        self.items[place:place] = [Item.between(cursor, one, spoken) for one in media]

    def begun(self, item: Item) -> bool:
        """An item has begun: it is the first now. True where others follow than were known.

        What was to be spoken and came too late to stand before it follows it.
        """
        place = self.items.index(item)
        late = [one for one in self.items[:place] if one.is_pending]
        for one in late:
            one.cursor = item.next_cursor
        self.items[: place + 1] = [item, *late]
        return bool(late)

    def slips_in(self, item: Item, leading: Item | None) -> bool:
        """Whether an item stands first that others were to replace, but it began before that."""
        if self.next is None or self._outdated.pop(item.entry, None) is None:
            return False
        place = 1 if leading is not None and leading is self.first else 0
        before, behind = self.items[:place], self.items[place:]
        follows = before[0].next_cursor if before else behind[0].cursor if behind else self.next
        if not self._owner.queue.slip_in(follows, item.media.ref):
            return False
        for other in behind:
            other.cursor += 1
        self.next += 1
        item.cursor = follows
        self.items.insert(place, item)
        return True

    def begin(self, items: list[Item], following: int | None, *, same_queue: bool) -> None:
        """Go on from other tracks."""
        self.stop()
        self.items, self.next = items, following
        self._misses = self._failures = self._retries = 0
        self._is_outdated = self._is_outdated and same_queue
        self._outdated.clear()

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
            here = self.next if self.rests else None
            await self._follow(here if self.first is None else self.first.next_cursor)
        while len(self.items) < self._room and self.next is not None:
            if queue.source is not None and queue.begins_round(self.next):
                await self._follow(self.next)
            cursor = self.next
            if queue.source is not None and queue.at(cursor) == REST:
                break
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
        if not self.items and not self.rests:
            self._task = None
            self._owner.ran_out()

    async def _follow(self, cursor: int | None) -> None:
        """Let the queue's endless source say what is played from `cursor` on.

        Where it has nothing, or fails, the queue that there is begins again.
        """
        queue = self._owner.queue
        if queue.source is None or cursor is None:
            return
        wanted = cursor

        def begin() -> int:
            return wanted if self.first is None else max(wanted, self.first.next_cursor)

        cursor, refs = await next_round(self._media, self._client_id, queue, begin)
        self._is_outdated = False
        if refs:
            queue.grow(cursor, refs)
            self.items, gone = split_at(self.items, cursor)
            self.next = cursor
            # The renderer may begin one of them before it hears what follows instead.
            self._outdated |= {item.entry: item for item in gone}
            self._outdated = dict([*self._outdated.items()][-2 * WINDOW :])

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
