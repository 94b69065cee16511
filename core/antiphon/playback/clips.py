"""From what a call asks for to the clip and chime that can be played."""

from __future__ import annotations

import asyncio
import logging

from antiphon.errors import AntiphonError, Unavailable
from antiphon.playback.record import Record, request_band
from antiphon.plugins.media import MediaRef, MediaRegistry

_log = logging.getLogger(__name__)

CHIME_LIMIT_S = 5.0
CHIME = MediaRef(kind="chime", value="default")


async def prepare(record: Record, media: MediaRegistry) -> None:
    """Fill in the clip of a call, and with it title, band and chime.

    Takes as long as the text takes to be spoken. Raises AntiphonError where there is no clip; a
    chime that is missing is noted in the record, and the call is played without.
    """
    request = record.request
    if request.text is not None:
        ref = MediaRef(kind="text", value=request.text.strip(), voice=request.voice)
    elif request.url is not None:
        ref = MediaRef(kind="url", value=request.url)
    else:
        ref = MediaRef(kind="announcement", value=str(request.announcement_id))
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
    if clip.chime if request.chime is None else request.chime:
        await _add_chime(record, media)


async def _add_chime(record: Record, media: MediaRegistry) -> None:
    try:
        async with asyncio.timeout(CHIME_LIMIT_S):
            record.chime = await media.resolve(record.client_id, CHIME)
    except TimeoutError:
        record.note = "played without a chime: its source did not answer"
    except Exception as error:  # a call is worth more than its chime
        record.note = f"played without a chime: {error}"
