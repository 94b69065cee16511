"""The part of a queue that the renderer has been given, and the way to more of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from uuid import UUID

from antiphon.errors import AntiphonError, PartTimedOut, Unavailable
from antiphon.plugins.media import Media, MediaRef, MediaRegistry

_log = logging.getLogger(__name__)
_entries = count(1)

RESOLVE_LIMIT_S = 10.0
SEARCH_LIMIT_S = 5.0


@dataclass(eq=False, slots=True)
class Item:
    """A track that was resolved. `entry` names this one playing of it to the renderer."""

    cursor: int
    media: Media
    duration_s: float
    entry: str

    @classmethod
    def of(cls, cursor: int, media: Media) -> Item:
        """A track that has not been played yet."""
        return cls(cursor, media, media.duration_s, f"{cursor}.{next(_entries)}")

    def again(self) -> Item:
        """The same track, to be played anew."""
        return Item(self.cursor, self.media, self.duration_s, f"{self.cursor}.{next(_entries)}")


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
