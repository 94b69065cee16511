"""What zones play: see it, command it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from pydantic import Field

from antiphon.api.parts import ApiParts
from antiphon.errors import AntiphonError, Conflict, Unavailable
from antiphon.plugins.lists import ListQuery
from antiphon.plugins.routes import Request, Route
from antiphon.plugins.zones import ApiModel, Percent, PlaybackView, PlayRequest, QueueView
from antiphon.types import Effect, Principal


class Seek(ApiModel):
    """Where to go in the track."""

    position_s: float = Field(ge=0, allow_inf_nan=False)


class Mute(ApiModel):
    """Whether to be silent."""

    muted: bool


class QueueChange(ApiModel):
    """The tracks of a queue, in the order in which they play."""

    music_ids: list[UUID] = Field(min_length=1, max_length=10_000)


class Volume(ApiModel):
    """A volume."""

    volume: Percent


def playback_routes(parts: ApiParts) -> list[Route]:
    """The routes under `zones/{zone_id}/playback`. Every command answers with the new state."""
    zones = parts.zones

    async def show(request: Request[None, None]) -> PlaybackView:
        return await zones.view(request.principal, request.path["zone_id"])

    async def play(request: Request[PlayRequest, None]) -> PlaybackView:
        return await zones.play(request.principal, request.path["zone_id"], request.body)

    async def seek(request: Request[Seek, None]) -> PlaybackView:
        position_s = request.body.position_s
        return await zones.seek(request.principal, request.path["zone_id"], position_s)

    async def volume(request: Request[Volume, None]) -> PlaybackView:
        percent = request.body.volume
        return await zones.set_volume(request.principal, request.path["zone_id"], percent)

    async def mute(request: Request[Mute, None]) -> PlaybackView:
        muted = request.body.muted
        return await zones.set_muted(request.principal, request.path["zone_id"], muted=muted)

    async def queue(request: Request[None, ListQuery]) -> QueueView:
        zone_id, page = request.path["zone_id"], request.query
        return await zones.queue(request.principal, zone_id, offset=page.offset, limit=page.limit)

    async def set_queue(request: Request[QueueChange, None]) -> PlaybackView:
        music_ids = request.body.music_ids
        return await zones.set_queue(request.principal, request.path["zone_id"], music_ids)

    some_id = str(UUID(int=1))
    refused: tuple[type[AntiphonError], ...] = (Conflict, Unavailable)
    return [
        Route(
            method="GET",
            path="zones/{zone_id}/playback",
            handler=show,
            summary="See what a zone plays",
            tag="playback",
            response=PlaybackView,
        ),
        Route(
            method="POST",
            path="zones/{zone_id}/playback/play",
            handler=play,
            summary="Start music",
            description="Without music or folders, the zone's own queue goes on.",
            tag="playback",
            effect=Effect.CONTROL,
            body=PlayRequest,
            response=PlaybackView,
            errors=refused,
            example={"folder_ids": [some_id], "shuffle": True},
        ),
        _plain("pause", "Hold the music", zones.pause),
        _plain("resume", "Go on with the music", zones.resume),
        _plain("stop", "End the music", zones.stop),
        _plain("next", "Go to the next track", zones.next),
        _plain("previous", "Go to the start of the track, or to the one before", zones.previous),
        Route(
            method="POST",
            path="zones/{zone_id}/playback/seek",
            handler=seek,
            summary="Go to a position in the track",
            tag="playback",
            effect=Effect.CONTROL,
            body=Seek,
            response=PlaybackView,
            errors=refused,
            example={"position_s": 42.5},
        ),
        Route(
            method="POST",
            path="zones/{zone_id}/playback/volume",
            handler=volume,
            summary="Set a zone's volume",
            tag="playback",
            effect=Effect.CONTROL,
            body=Volume,
            response=PlaybackView,
            errors=refused,
            example={"volume": 60},
        ),
        Route(
            method="GET",
            path="zones/{zone_id}/playback/queue",
            handler=queue,
            summary="See what a zone plays one after the other",
            tag="playback",
            query=ListQuery,
            response=QueueView,
        ),
        Route(
            method="PUT",
            path="zones/{zone_id}/playback/queue",
            handler=set_queue,
            summary="Change a zone's queue",
            description="The track that plays goes on; if it is not among these, it comes before "
            "them. A zone that stands still stays so.",
            tag="playback",
            effect=Effect.CONTROL,
            body=QueueChange,
            response=PlaybackView,
            errors=refused,
            example={"music_ids": [some_id]},
        ),
        Route(
            method="POST",
            path="zones/{zone_id}/playback/mute",
            handler=mute,
            summary="Silence a zone, or let it be heard again",
            description="Announcements are silenced too. The volume is kept.",
            tag="playback",
            effect=Effect.CONTROL,
            body=Mute,
            response=PlaybackView,
            errors=refused,
            example={"muted": True},
        ),
    ]


def _plain(
    word: str, summary: str, command: Callable[[Principal, UUID], Awaitable[PlaybackView]]
) -> Route:
    async def handler(request: Request[None, None]) -> PlaybackView:
        return await command(request.principal, request.path["zone_id"])

    return Route(
        method="POST",
        path=f"zones/{{zone_id}}/playback/{word}",
        handler=handler,
        summary=summary,
        tag="playback",
        effect=Effect.CONTROL,
        response=PlaybackView,
        errors=(Conflict, Unavailable),
    )
