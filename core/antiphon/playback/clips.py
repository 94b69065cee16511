"""From what a call asks for to the clip and chime that can be played."""

from __future__ import annotations

import asyncio
import logging

from antiphon.errors import AntiphonError, Unavailable
from antiphon.playback.record import Record, request_band
from antiphon.plugins.media import Media, MediaRef, MediaRegistry

_log = logging.getLogger(__name__)

CHIME_LIMIT_S = 5.0
SOURCES_LIMIT_S = 30.0
LOOK_EVERY_S = 0.25
CHIME = MediaRef(kind="chime", value="default")


async def prepare(record: Record, media: MediaRegistry) -> None:
    """Fill in the clip of a call, and with it title, band, style and chimes.

    Takes as long as the text takes to be spoken. Raises AntiphonError where there is no clip; a
    chime that is missing is noted in the record, and the call is played without.
    """
    request, ref = record.request, spoken_ref(record)
    try:
        clip = await media.resolve(record.client_id, ref)
    except AntiphonError:
        raise
    except Exception as error:
        _log.exception("The source of %s failed", ref.kind)
        raise Unavailable(f"The source of {ref.kind} failed: {error!r}.") from error
    record.media = clip
    record.title = clip.title
    record.band = request_band(request) or clip.band
    before = clip.chime if request.chime is None else request.chime
    after = clip.chime_after if request.chime_after is None else request.chime_after
    if before or after:
        chime = await _chime(record, media)
        record.chime = chime if before else None
        record.chime_after = chime if after else None


def spoken_ref(record: Record) -> MediaRef:
    """What a call plays, as its source knows it."""
    request = record.request
    if request.text is not None:
        return MediaRef(kind="text", value=request.text.strip(), voice=request.voice)
    return MediaRef(kind="announcement", value=str(request.announcement_id))


async def _chime(record: Record, media: MediaRegistry) -> Media | None:
    try:
        async with asyncio.timeout(CHIME_LIMIT_S):
            return await media.resolve(record.client_id, CHIME)
    except TimeoutError:
        record.note = "played without a chime: its source did not answer"
    except Exception as error:  # a call is worth more than its chime
        record.note = f"played without a chime: {error}"
    return None


async def prepare_again(record: Record, media: MediaRegistry) -> None:
    """Prepare a call of an earlier run, whose source may not be there yet: plugins start later."""
    loop = asyncio.get_running_loop()
    until = loop.time() + SOURCES_LIMIT_S
    kind = spoken_ref(record).kind
    while True:
        try:
            await prepare(record, media)
            break
        except AntiphonError as error:
            may_come = isinstance(error, Unavailable) or kind not in media.kinds
            if not may_come or loop.time() > until:
                raise
            await asyncio.sleep(LOOK_EVERY_S)
    for part in record.parts.values():  # what a cut play added to it counts for nothing
        part.seconds_before = min(part.seconds_heard, part.times_heard * record.length_s)
