"""The operations on many tracks at once: all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from antiphon.errors import Conflict, FieldError, Invalid
from antiphon.plugins import Managers, Request, Route
from antiphon.tenancy.scope import scoped
from antiphon.types import Principal
from antiphon_music.library import Library
from antiphon_music.models import MusicFile
from antiphon_music.views import MusicChoice, MusicCount, MusicMove


def many_routes(library: Library) -> Sequence[Route]:
    """`music/delete` and `music/move`."""

    async def delete(request: Request[MusicChoice, None]) -> MusicCount:
        tracks = await _chosen(request.principal, request.body.music_ids)
        await library.delete_all(tracks)
        return MusicCount(count=len(tracks))

    async def move(request: Request[MusicMove, None]) -> MusicCount:
        tracks = await _chosen(request.principal, request.body.music_ids)
        await library.move_all(tracks, request.body.folder_id)
        return MusicCount(count=len(tracks))

    some = str(UUID(int=1))
    return [
        Route(
            method="POST",
            path="music/delete",
            handler=delete,
            summary="Delete many tracks",
            description="All or none. Each can be restored.",
            tag="music",
            roles=Managers,
            body=MusicChoice,
            response=MusicCount,
            errors=(Invalid,),
            example={"music_ids": [some]},
        ),
        Route(
            method="POST",
            path="music/move",
            handler=move,
            summary="Move many tracks into a folder",
            description="All or none, behind what is in there. The same content twice in one "
            "folder is a conflict.",
            tag="music",
            roles=Managers,
            body=MusicMove,
            response=MusicCount,
            errors=(Conflict, Invalid),
            example={"music_ids": [some], "folder_id": None},
        ),
    ]


async def _chosen(principal: Principal, keys: Sequence[UUID]) -> list[MusicFile]:
    """The tracks in the order of `keys`, each once. Raises Invalid with all that are not there."""
    found = {music.id: music for music in await scoped(MusicFile, principal).filter(id__in=keys)}
    if wrong := [
        FieldError(f"music_ids.{place}", f"there is no track {key}")
        for place, key in enumerate(keys)
        if key not in found
    ]:
        raise Invalid(wrong)
    tracks = [found[key] for key in dict.fromkeys(keys)]
    if len({music.client_id for music in tracks}) > 1:
        raise Invalid.field("music_ids", "must be tracks of one client; these are of several")
    return tracks
