"""The operations of the API under `music/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiohttp import web
from tortoise.queryset import QuerySet

from antiphon.errors import (
    Conflict,
    Invalid,
    NotFound,
    StorageFull,
    TooLarge,
    UnsupportedMedia,
)
from antiphon.plugins import (
    AUDIO_TYPES,
    FILE_STATUSES,
    Managers,
    Page,
    Pictured,
    Pictures,
    Request,
    Route,
    ordered,
    picture_routes,
    receive_form,
    restore_route,
    send_audio,
)
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.tenancy.trash import deleted_row
from antiphon.types import Principal
from antiphon_music.folders import Folders
from antiphon_music.library import Library
from antiphon_music.many import many_routes
from antiphon_music.models import MusicFile
from antiphon_music.rare import few_with
from antiphon_music.text import search_words
from antiphon_music.views import MusicPlace, MusicQuery, MusicUpdate, MusicUpload, MusicView

_ONE = "music/{music_id}"


class MusicApi:
    """The handlers of `music/`."""

    def __init__(self, library: Library, folders: Folders) -> None:
        self._library = library
        self._folders = folders

    async def index(self, request: Request[None, MusicQuery]) -> Page[MusicView]:
        """A page of tracks."""
        rows = matching(request.principal, request.query)
        if (few := await few_with(search_words(request.query.search))) is not None:
            rows = rows.filter(id__in=few)
        tracks, total = await request.query.fetch(rows)
        return Page[MusicView](items=tuple(map(MusicView.of, tracks)), total=total)

    async def upload(self, request: Request[None, None]) -> MusicView:
        """Take a file in."""
        principal = request.principal
        limit = self._library.settings.max_upload_bytes
        media_dir = self._library.media_dir
        async with receive_form(request.raw, media_dir, limit, MusicPlace) as (incoming, place):
            client_id = await self._owner(principal, place.folder_id, place.client_id)
            found = await self._library.inspect(incoming)
            music = await self._library.keep(
                incoming, found, client_id, place.folder_id, uploaded_by=principal.user_id
            )
        return MusicView.of(music)

    async def _owner(
        self, principal: Principal, folder_id: UUID | None, client_id: UUID | None
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
        return send_audio(self._library.path_of(music.file), f"track {music.id}")

    async def restore(self, request: Request[None, None]) -> MusicView:
        """Bring a deleted one back."""
        key = request.path["music_id"]
        music = await deleted_row(MusicFile, "track", request.principal, key)
        return MusicView.of(await self._library.restore(music))

    async def keep_cover(self, music: MusicFile, cover: str | None) -> MusicView:
        """Give one another picture, or none."""
        return MusicView.of(await self._library.set_cover(music, cover))


def matching(principal: Principal, query: MusicQuery) -> QuerySet[MusicFile]:
    """The tracks that `query` asks for, of those that `principal` sees, in its order."""
    rows = scoped(MusicFile, principal, deleted=query.deleted)
    if query.client_id is not None:
        rows = rows.filter(client_id=query.client_id)
    if query.folder_id is not None:
        rows = rows.filter(folder_id=None if query.folder_id == "root" else query.folder_id)
    if query.artist:
        rows = rows.filter(artist__iexact=query.artist)
    for word in search_words(query.search):
        rows = rows.filter(search_text__contains=word)
    default = "title" if query.folder_id is None else "order"
    return ordered(rows, query.ordering or default, "title")


async def _one(request: Request[Any, Any]) -> MusicFile:
    key = request.path["music_id"]
    if (found := await scoped(MusicFile, request.principal).get_or_none(id=key)) is None:
        raise NotFound("track", key)
    return found


def music_routes(library: Library, folders: Folders, pictures: Pictures) -> Sequence[Route]:
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
            errors=(Conflict, Invalid, StorageFull, TooLarge, UnsupportedMedia),
        ),
        Route(
            method="GET",
            path=_ONE,
            handler=api.show,
            summary="One track",
            tag="music",
            response=MusicView,
        ),
        Route(
            method="PATCH",
            path=_ONE,
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
            path=_ONE,
            handler=api.delete,
            summary="Delete a track",
            description="Zones that play it now finish it. The file is kept for some days.",
            tag="music",
            roles=Managers,
            status=204,
        ),
        Route(
            method="GET",
            path=f"{_ONE}/audio",
            handler=api.audio,
            summary="The file itself; Range is understood",
            tag="music",
            produces=tuple(AUDIO_TYPES.values()),
            also=FILE_STATUSES,
        ),
        *many_routes(library),
        restore_route(_ONE, api.restore, what="a track", response=MusicView, errors=(StorageFull,)),
        *picture_routes(
            pictures,
            Pictured(
                path=f"{_ONE}/cover",
                what="a track",
                tag="music",
                column="cover_art",
                view=MusicView,
                find=_one,
                keep=api.keep_cover,
            ),
        ),
    ]
