"""The operation that shows a cover to whoever has its key."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web

from antiphon.errors import NotFound
from antiphon.plugins import FILE_STATUSES, Request, Route
from antiphon_music.art import PLACEHOLDER, PLACEHOLDER_SVG, ArtKeys
from antiphon_music.library import Library
from antiphon_music.models import MusicFile

_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
_KEPT = "public, max-age=86400"


def art_route(library: Library, keys: ArtKeys) -> Route:
    """`music-art/{key}`: the cover, or a neutral picture for a track that has none."""

    async def art(request: Request[Any, Any]) -> web.StreamResponse:
        key = str(request.path["key"])
        music_id = keys.read(key)
        if music_id is None:
            if key != PLACEHOLDER:
                raise NotFound("picture with the key", key[:80])
            return _placeholder()
        music = await MusicFile.get_or_none(id=music_id, deleted_at=None)
        if music is None or music.cover_art is None:
            return _placeholder()
        path = library.path_of(music.cover_art)
        kind = _TYPES.get(path.suffix[1:])
        if kind is None or not path.is_file():
            return _placeholder()
        return web.FileResponse(path, headers=_headers(kind))

    return Route(
        method="GET",
        path="music-art/{key}",
        handler=art,
        summary="The picture of a track, for those who have its key",
        description="Keys stand in `track.art` of what a zone plays. `none` is a neutral picture.",
        tag="music",
        roles=None,
        produces=(*_TYPES.values(), "image/svg+xml"),
        errors=(NotFound,),
        also=FILE_STATUSES,
    )


def _placeholder() -> web.Response:
    return web.Response(text=PLACEHOLDER_SVG, headers=_headers("image/svg+xml"))


def _headers(kind: str) -> dict[str, str]:
    return {
        hdrs.CONTENT_TYPE: kind,
        hdrs.CACHE_CONTROL: _KEPT,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
