"""The part of a queue that the renderer has been given, and the way to more of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from uuid import UUID

from antiphon.errors import AntiphonError, PartTimedOut, Unavailable
from antiphon.playback.queue import Queue
from antiphon.playback.spoken import Spoken
from antiphon.plugins.media import Media, MediaRef, MediaRegistry

_log = logging.getLogger(__name__)
_entries = count(1)

RESOLVE_LIMIT_S = 10.0
SEARCH_LIMIT_S = 5.0


@dataclass(eq=False, slots=True)
class Item:
    """A track that was resolved. `entry` names this one playing of it to the renderer.

    What is `spoken` stands between two tracks, in no queue: its cursor is that of the second.
    """

    cursor: int
    media: Media
    duration_s: float
    entry: str
    spoken: Spoken | None = None

    @classmethod
    def of(cls, cursor: int, media: Media) -> Item:
        """A track that has not been played yet."""
        return cls(cursor, media, media.duration_s, _entry(cursor))

    @classmethod
    def between(cls, cursor: int, media: Media, spoken: Spoken) -> Item:
        """What is spoken before the track at `cursor`."""
        return cls(cursor, media, media.duration_s, _entry(cursor), spoken)

    def again(self) -> Item:
        """The same track, to be played anew."""
        return replace(self, entry=_entry(self.cursor))

    @property
    def next_cursor(self) -> int:
        """The first cursor that is behind it."""
        return self.cursor + (self.spoken is None)

    @property
    def is_pending(self) -> bool:
        """Whether it is to be spoken and nothing of it was heard yet."""
        return self.spoken is not None and not self.spoken.has_begun


def _entry(cursor: int) -> str:
    return f"{cursor}.{next(_entries)}"


@dataclass(frozen=True, slots=True)
class Miss:
    """A track that could not be resolved."""

    ref: MediaRef
    error: AntiphonError


async def resolve(media: MediaRegistry, client_id: UUID, ref: MediaRef) -> Media | Miss:
    """The file behind a reference, or why there is none. A source may raise or hang as it likes."""
    try:
        async with asyncio.timeout(RESOLVE_LIMIT_S):
            return await media.resolve(client_id, ref)
    except AntiphonError as error:
        return Miss(ref, error)
    except TimeoutError:
        return Miss(ref, PartTimedOut(f"The source of {ref.kind}", "a request", RESOLVE_LIMIT_S))
    except Exception as error:
        _log.exception("The source of %s failed on %s", ref.kind, ref.value)
        return Miss(ref, Unavailable(f"The source of {ref.kind} failed: {error!r}."))


async def next_round(
    media: MediaRegistry, client_id: UUID, queue: Queue, begin: Callable[[], int]
) -> tuple[int, Sequence[MediaRef]]:
    """What a queue's endless source lets follow, and from where on; nothing where it fails.

    `begin` tells from where on something is wanted. What moves on while the source takes its time
    is asked for again: whatever follows a track has to know of it.
    """
    cursor, source = begin(), queue.source
    if source is None:
        return cursor, ()
    try:
        async with asyncio.timeout(RESOLVE_LIMIT_S):
            while True:
                refs = await media.follow(client_id, source, queue.last(cursor))
                if cursor == (now := begin()):
                    return cursor, refs
                cursor = now
    except Exception as error:
        _log.warning("%s %s gave no more: %r", source.kind, source.value, error)
        return cursor, ()


def split_at(window: Sequence[Item], cursor: int) -> tuple[list[Item], list[Item]]:
    """What stays where other tracks follow from `cursor` on, and what goes.

    What is spoken between two tracks stays, whatever the second one is.
    """
    kept = [item for item in window if item.spoken is not None or item.cursor < cursor]
    for item in kept:
        item.cursor = min(item.cursor, cursor)
    return kept, [item for item in window if item not in kept]


async def first_playable(
    media: MediaRegistry, client_id: UUID, candidates: Iterable[tuple[int, MediaRef]]
) -> tuple[Item, list[Miss]]:
    """The first of some tracks that can be played, and what was passed over on the way.

    Raises what was wrong with the first one where none can, or none in the time that a person
    waits for it.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + SEARCH_LIMIT_S
    misses: list[Miss] = []
    for cursor, ref in candidates:
        if misses and loop.time() > until:
            break
        found = await resolve(media, client_id, ref)
        if isinstance(found, Media):
            return Item.of(cursor, found), misses
        misses.append(found)
    raise misses[0].error
