"""From what somebody chose to the tracks of a queue, and what people see of that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from antiphon.errors import AntiphonError, FieldError, Invalid, PartTimedOut, Unavailable
from antiphon.playback.levels import track_view
from antiphon.playback.queue import Queue
from antiphon.plugins.media import REST, MediaRef, MediaRegistry
from antiphon.plugins.zones import PlayRequest, QueuedTrack, QueueView
from antiphon.types import Repeat

_log = logging.getLogger(__name__)

EXPAND_LIMIT_S = 10.0


def chosen(request: PlayRequest) -> list[MediaRef]:
    """What a request names; empty where it names nothing."""
    if request.music_ids:
        return [MediaRef(kind="music", value=str(key)) for key in request.music_ids]
    if request.playlist_id:
        return [MediaRef(kind="channel", value=str(request.playlist_id))]
    return [MediaRef(kind="folder", value=str(key)) for key in request.folder_ids or ()]


async def queue_view(
    media: MediaRegistry, client_id: UUID, queue: Queue, offset: int, limit: int
) -> QueueView:
    """A part of a queue as people see it."""
    total, position = len(queue), queue.place
    places = range(total)[offset : offset + limit]
    refs = [queue.at(queue.cursor - position + place) for place in places]
    known = await media.describe(client_id, (ref for ref in refs if ref != REST))
    items = []
    for place, ref in zip(places, refs, strict=True):
        found = known.get(ref)
        track = None if found is None else track_view(found, found.duration_s)
        items.append(QueuedTrack(place=place, track=track))
    return QueueView(items=tuple(items), total=total, position=position)


async def tracks_of(
    media: MediaRegistry, client_id: UUID, music_ids: Sequence[UUID]
) -> tuple[MediaRef, ...]:
    """The tracks with these ids. Raises Invalid with all that the client does not have."""
    refs = tuple(MediaRef(kind="music", value=str(key)) for key in music_ids)
    known = await media.describe(client_id, refs)
    if wrong := [
        FieldError(f"music_ids.{place}", f"there is no track {ref.value}")
        for place, ref in enumerate(refs)
        if ref not in known
    ]:
        raise Invalid(wrong)
    return refs


async def queue_of(
    media: MediaRegistry,
    client_id: UUID,
    refs: Sequence[MediaRef],
    *,
    shuffle: bool,
    repeat: Repeat,
) -> Queue:
    """The queue of what somebody chose. Raises as `expand` does."""
    tracks = await expand(media, client_id, refs)
    if len(refs) == 1 and media.is_endless(refs[0]):
        # It has an order of its own, and no end that anything could follow.
        kept = repeat if repeat is Repeat.ONE else Repeat.ALL
        return Queue(tracks, repeat=kept, source=refs[0])
    queue = Queue.fresh(tracks, "", shuffle=shuffle, repeat=repeat)
    queue.origin = refs[0] if len(refs) == 1 else None
    return queue


async def expand(
    media: MediaRegistry, client_id: UUID, refs: Sequence[MediaRef]
) -> tuple[MediaRef, ...]:
    """The single tracks behind `refs`. Raises Invalid where there are none."""
    tracks: list[MediaRef] = []
    try:
        async with asyncio.timeout(EXPAND_LIMIT_S):
            for ref in refs:
                tracks += await media.expand(client_id, ref)
    except AntiphonError:
        raise
    except TimeoutError:
        raise PartTimedOut("The source of the music", "a request", EXPAND_LIMIT_S) from None
    except Exception as error:
        _log.exception("A media source failed")
        raise Unavailable(f"The source of the music failed: {error!r}.") from error
    if not tracks:
        raise Invalid.field("folder_ids", "there is no music in what was chosen")
    return tuple(tracks)
