"""The live sound of a zone over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import Field

from antiphon.api.endless import EndlessAnswers
from antiphon.api.parts import ApiParts, LiveFormat
from antiphon.errors import PartTimedOut, Unavailable
from antiphon.plugins.routes import Request, Route
from antiphon.plugins.zones import ApiModel

_TYPES: dict[LiveFormat, str] = {"wav": "audio/wav", "ogg": "audio/ogg"}
_SILENT_S = 10.0
_STALLED_S = 15.0


class ListenQuery(ApiModel):
    """How to listen."""

    format: LiveFormat = Field(default="wav", description="`ogg` is Opus, a tenth of the size.")


def listen_routes(parts: ApiParts, endless: EndlessAnswers) -> list[Route]:
    """The route `zones/{zone_id}/listen`."""

    async def listen(request: Request[None, ListenQuery]) -> web.StreamResponse:
        zone = await parts.zones.view(request.principal, request.path["zone_id"])
        chosen = request.query.format
        with endless.one():
            async with parts.live.open(zone.zone_id, chosen) as chunks:
                return await _stream(request.raw, _TYPES[chosen], chunks)

    return [
        Route(
            method="GET",
            path="zones/{zone_id}/listen",
            handler=listen,
            summary="Hear what leaves a zone, live",
            description="An endless stream; it costs nothing while nobody listens.",
            tag="playback",
            query=ListenQuery,
            produces=tuple(_TYPES.values()),
            errors=(Unavailable,),
        )
    ]


async def _stream(
    request: web.Request, kind: str, chunks: AsyncIterator[bytes]
) -> web.StreamResponse:
    try:
        header = await _next(chunks)
    except TimeoutError:
        raise PartTimedOut("The renderer", "listen", _SILENT_S) from None
    headers = {"Content-Type": kind, "Accept-Ranges": "none"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    await _send(response, header)
    try:
        while chunk := await _next(chunks):
            await _send(response, chunk)
    except TimeoutError:
        # The zone was removed, or nothing renders it any more: the player may try again.
        pass
    return response


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    """The next chunk; empty at the end. Raises TimeoutError where the renderer gives none."""
    async with asyncio.timeout(_SILENT_S):
        return await anext(chunks, b"")


async def _send(response: web.StreamResponse, chunk: bytes) -> None:
    """Raises ConnectionResetError where the listener went, or took nothing for a long time."""
    try:
        async with asyncio.timeout(_STALLED_S):
            await response.write(chunk)
    except TimeoutError:
        raise ConnectionResetError("The listener does not take the sound") from None
