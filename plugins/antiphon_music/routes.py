"""The operations of the API under `music/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiohttp import hdrs, web
from tortoise.queryset import QuerySet

from antiphon.errors import Conflict, Invalid, NotFound, TooLarge, UnsupportedMedia
from antiphon.plugins import Managers, Page, Request, Route
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.types import Principal
from antiphon_music.folders import Folders
from antiphon_music.library import Library
from antiphon_music.models import MusicFile
from antiphon_music.text import search_words
from antiphon_music.upload import read_upload
from antiphon_music.views import MusicOrder, MusicQuery, MusicUpdate, MusicUpload, MusicView

_MEDIA_TYPES = {
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "caf": "audio/x-caf",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mka": "audio/x-matroska",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
}


class MusicApi:
    """The handlers of `music/`."""

    def __init__(self, library: Library, folders: Folders) -> None:
        self._library = library
        self._folders = folders

    async def index(self, request: Request[None, MusicQuery]) -> Page[MusicView]:
        """A page of tracks."""
        rows = matching(request.principal, request.query)
        tracks, total = await request.query.fetch(rows)
        return Page[MusicView](items=tuple(map(MusicView.of, tracks)), total=total)

    async def upload(self, request: Request[None, None]) -> MusicView:
        """Take a file in."""
        principal = request.principal
        limit = self._library.settings.max_upload_bytes
        async with read_upload(request.raw, self._library.media_dir, limit) as (incoming, ids):
            client_id = await self._owner(principal, **ids)
            found = await self._library.inspect(incoming)
            music = await self._library.keep(
                incoming, found, client_id, ids.get("folder_id"), uploaded_by=principal.user_id
            )
        return MusicView.of(music)

    async def _owner(
        self, principal: Principal, folder_id: UUID | None = None, client_id: UUID | None = None
    ) -> UUID:
        """Whose the new track is: its folder's client, if it lies in one."""
        if folder_id is not None and client_id is None:
            try:
                client_id = (await self._folders.get(principal, folder_id)).client_id
            except NotFound as error:
                raise Invalid.field("folder_id", f"there is no folder {folder_id}") from error
        return await writable_client(principal, client_id)

    async def show(self, request: Request[None, None]) -> MusicView:
        """One track."""
        return MusicView.of(await _one(request))

    async def change(self, request: Request[MusicUpdate, None]) -> MusicView:
        """Change tags, order or folder."""
        changes = request.body.model_dump(exclude_unset=True)
        return MusicView.of(await self._library.change(await _one(request), changes))

    async def delete(self, request: Request[None, None]) -> None:
        """Take a track out."""
        await self._library.delete(await _one(request))

    async def audio(self, request: Request[None, None]) -> web.StreamResponse:
        """The file as it was uploaded."""
        music = await _one(request)
        return self._file(music.file, f"audio file of the track {music.id}")

    async def cover(self, request: Request[None, None]) -> web.StreamResponse:
        """The picture."""
        music = await _one(request)
        if music.cover_art is None:
            raise NotFound("cover of the track", music.id)
        return self._file(music.cover_art, f"cover of the track {music.id}")

    def _file(self, name: str, what: str) -> web.StreamResponse:
        path = self._library.path_of(name)
        if not path.is_file():
            raise NotFound(what, "on the disk")
        media_type = _MEDIA_TYPES.get(path.suffix[1:], "application/octet-stream")
        # aiohttp answers Range, If-Range and If-Modified-Since, and sends from the kernel.
        return web.FileResponse(
            path,
            headers={
                hdrs.CONTENT_TYPE: media_type,
                hdrs.CACHE_CONTROL: "private, max-age=86400",
                "X-Content-Type-Options": "nosniff",
            },
        )


def matching(principal: Principal, query: MusicQuery) -> QuerySet[MusicFile]:
    """The tracks that `query` asks for, of those that `principal` sees, in its order."""
    rows = scoped(MusicFile, principal)
    if query.client_id is not None:
        rows = rows.filter(client_id=query.client_id)
    if query.folder_id is not None:
        rows = rows.filter(folder_id=None if query.folder_id == "root" else query.folder_id)
    if query.artist:
        rows = rows.filter(artist__iexact=query.artist)
    for word in search_words(query.search):
        rows = rows.filter(search_text__contains=word)
    default = MusicOrder.TITLE if query.folder_id is None else MusicOrder.ORDER
    # All in one direction and each once, as an index has them: else all rows are sorted each time.
    first = (query.order or default).value
    sign = "-" if first.startswith("-") else ""
    return rows.order_by(*dict.fromkeys((first, f"{sign}title", f"{sign}id")))


async def _one(request: Request[Any, Any]) -> MusicFile:
    key = request.path["music_id"]
    if (found := await scoped(MusicFile, request.principal).get_or_none(id=key)) is None:
        raise NotFound("track", key)
    return found


def music_routes(library: Library, folders: Folders) -> Sequence[Route]:
    """All operations under `music/`."""
    api = MusicApi(library, folders)
    limit = library.settings.max_upload_mb
    return [
        Route(
            method="GET",
            path="music",
            handler=api.index,
            summary="List and search music",
            tag="music",
            query=MusicQuery,
            response=Page[MusicView],
        ),
        Route(
            method="POST",
            path="music",
            handler=api.upload,
            summary="Upload a track",
            description=(
                "The type is found by content: MP3, FLAC, Ogg Vorbis, Opus, AAC/M4A, WAV and more, "
                f"at most {limit} MB. Tags and cover are read from the file; loudness is measured "
                "in the background. The same content twice in one folder is a conflict."
            ),
            tag="music",
            roles=Managers,
            upload=MusicUpload,
            response=MusicView,
            status=201,
            max_body_bytes=library.settings.max_upload_bytes + (1 << 20),
            errors=(Conflict, Invalid, TooLarge, UnsupportedMedia),
        ),
        Route(
            method="GET",
            path="music/{music_id}",
            handler=api.show,
            summary="One track",
            tag="music",
            response=MusicView,
        ),
        Route(
            method="PATCH",
            path="music/{music_id}",
            handler=api.change,
            summary="Change a track's tags, order or folder",
            tag="music",
            roles=Managers,
            body=MusicUpdate,
            response=MusicView,
            errors=(Conflict, Invalid),
        ),
        Route(
            method="DELETE",
            path="music/{music_id}",
            handler=api.delete,
            summary="Delete a track",
            description="Zones that play it now finish it. The file is kept for some days.",
            tag="music",
            roles=Managers,
            status=204,
        ),
        Route(
            method="GET",
            path="music/{music_id}/audio",
            handler=api.audio,
            summary="The file itself; Range is understood",
            tag="music",
            produces=tuple(t for t in _MEDIA_TYPES.values() if t.startswith("audio/")),
        ),
        Route(
            method="GET",
            path="music/{music_id}/cover",
            handler=api.cover,
            summary="The cover picture",
            tag="music",
            produces=tuple(t for t in _MEDIA_TYPES.values() if t.startswith("image/")),
            errors=(NotFound,),
        ),
    ]
