"""The operations on announcements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from antiphon.errors import (
    Conflict,
    Invalid,
    StorageFull,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)
from antiphon.plugins import (
    AUDIO_TYPES,
    FILE_STATUSES,
    CallView,
    Everyone,
    Managers,
    Page,
    PluginContext,
    Request,
    Route,
    receive_form,
    restore_route,
    send_audio,
)
from antiphon.types import Effect
from antiphon_announcements.library import AnnouncementLibrary
from antiphon_announcements.views import (
    AnnouncementQuery,
    ChangeAnnouncement,
    PlayAnnouncement,
    SpeakAnnouncement,
    StoredAnnouncement,
    UploadAnnouncement,
    UploadFields,
)

_TAG = "announcements"
_ONE = "announcements/{announcement_id}"
_ID = "announcement_id"


def announcement_routes(
    context: PluginContext, library: AnnouncementLibrary, max_upload_bytes: int
) -> Sequence[Route]:
    """All operations under `announcements/`."""
    handlers = _Handlers(context, library, max_upload_bytes)
    return [
        Route(
            method="GET",
            path="announcements",
            handler=handlers.find,
            summary="List announcements",
            tag=_TAG,
            query=AnnouncementQuery,
            response=Page[StoredAnnouncement],
        ),
        Route(
            method="POST",
            path="announcements",
            handler=handlers.create,
            summary="Speak a text, or upload a file, as a new announcement",
            description="JSON is spoken at once, which takes as long as the voice needs. A file "
            "(multipart) is checked by its content.",
            tag=_TAG,
            roles=Managers,
            body=SpeakAnnouncement,
            upload=UploadAnnouncement,
            response=StoredAnnouncement,
            status=201,
            errors=(Invalid, StorageFull, TooLarge, Unavailable, UnsupportedMedia),
            example={"title": "Closing", "text": "The shop closes in ten minutes."},
        ),
        Route(
            method="GET",
            path=_ONE,
            handler=handlers.get,
            summary="Read an announcement",
            tag=_TAG,
            response=StoredAnnouncement,
        ),
        Route(
            method="PATCH",
            path=_ONE,
            handler=handlers.change,
            summary="Change an announcement",
            description="A new text or voice is spoken at once.",
            tag=_TAG,
            roles=Managers,
            body=ChangeAnnouncement,
            response=StoredAnnouncement,
            errors=(StorageFull, Unavailable),
        ),
        Route(
            method="DELETE",
            path=_ONE,
            handler=handlers.delete,
            summary="Delete an announcement",
            tag=_TAG,
            roles=Managers,
            status=204,
        ),
        restore_route(
            _ONE,
            handlers.restore,
            what="an announcement",
            response=StoredAnnouncement,
            errors=(StorageFull,),
        ),
        Route(
            method="GET",
            path=f"{_ONE}/audio",
            handler=handlers.audio,
            summary="Hear an announcement",
            description="Ranges are answered.",
            tag=_TAG,
            produces=tuple(AUDIO_TYPES.values()),
            also=FILE_STATUSES,
        ),
        Route(
            method="POST",
            path=f"{_ONE}/play",
            handler=handlers.play,
            summary="Play an announcement in zones",
            tag=_TAG,
            roles=Everyone,
            effect=Effect.CONTROL,
            body=PlayAnnouncement,
            response=CallView,
            status=202,
            errors=(Conflict,),
            example={"all": True},
        ),
    ]


class _Handlers:
    def __init__(
        self, context: PluginContext, library: AnnouncementLibrary, max_upload_bytes: int
    ) -> None:
        self._library = library
        self._zones = context.zones
        self._media_dir = context.media_dir
        self._max_upload_bytes = max_upload_bytes

    async def find(self, request: Request[Any, Any]) -> Page[StoredAnnouncement]:
        return await self._library.find(request.principal, request.query)

    async def create(self, request: Request[Any, Any]) -> StoredAnnouncement:
        if request.body is not None:
            return StoredAnnouncement.of(await self._library.speak(request.principal, request.body))
        limit = self._max_upload_bytes
        async with receive_form(request.raw, self._media_dir, limit, UploadFields) as received:
            row = await self._library.upload(request.principal, *received)
        return StoredAnnouncement.of(row)

    async def get(self, request: Request[Any, Any]) -> StoredAnnouncement:
        return StoredAnnouncement.of(await self._library.get(request.principal, request.path[_ID]))

    async def change(self, request: Request[Any, Any]) -> StoredAnnouncement:
        row = await self._library.change(request.principal, request.path[_ID], request.body)
        return StoredAnnouncement.of(row)

    async def delete(self, request: Request[Any, Any]) -> None:
        await self._library.delete(request.principal, request.path[_ID])

    async def audio(self, request: Request[Any, Any]) -> web.FileResponse:
        row = await self._library.get(request.principal, request.path[_ID])
        return send_audio(self._library.path(row), f"announcement {row.id}")

    async def restore(self, request: Request[Any, Any]) -> StoredAnnouncement:
        row = await self._library.restore(request.principal, request.path[_ID])
        return StoredAnnouncement.of(row)

    async def play(self, request: Request[Any, Any]) -> CallView:
        row = await self._library.get(request.principal, request.path[_ID])
        row.require_playable(datetime.now(UTC))
        return await self._zones.call(request.principal, request.body.call(row.id))
