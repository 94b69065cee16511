"""The operations of the API under `folders/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tortoise.functions import Count

from antiphon.errors import Conflict, Invalid
from antiphon.plugins import (
    Managers,
    Page,
    Pictured,
    Pictures,
    Request,
    Route,
    ordered,
    picture_routes,
    restore_route,
)
from antiphon.tenancy.scope import scoped
from antiphon_music.folders import Folders
from antiphon_music.models import Folder, MusicFile
from antiphon_music.views import FolderCreate, FolderOrder, FolderQuery, FolderUpdate, FolderView

_ONE = "folders/{folder_id}"


class FolderApi:
    """The handlers of `folders/`."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    async def index(self, request: Request[None, FolderQuery]) -> Page[FolderView]:
        """A page of folders."""
        query = request.query
        found = scoped(Folder, request.principal, deleted=query.deleted)
        rows = ordered(found, query.ordering)
        if query.client_id is not None:
            rows = rows.filter(client_id=query.client_id)
        if query.parent_id is not None:
            rows = rows.filter(parent_id=None if query.parent_id == "root" else query.parent_id)
        if query.type is not None:
            rows = rows.filter(type=query.type)
        if query.search:
            rows = rows.filter(name__icontains=query.search)
        folders, total = await query.fetch(rows)
        counts = await _counts([folder.id for folder in folders])
        items = tuple(FolderView.of(folder, counts.get(folder.id, 0)) for folder in folders)
        return Page[FolderView](items=items, total=total)

    async def create(self, request: Request[FolderCreate, None]) -> FolderView:
        """Add one."""
        values = request.body.model_dump()
        client_id = values.pop("client_id")
        return FolderView.of(await self._folders.create(request.principal, client_id, values))

    async def show(self, request: Request[None, None]) -> FolderView:
        """One folder."""
        return await self._view(await self._folders.get(request.principal, _key(request)))

    async def change(self, request: Request[FolderUpdate, None]) -> FolderView:
        """Rename, describe or move one."""
        changes = request.body.model_dump(exclude_unset=True)
        return await self._view(
            await self._folders.change(request.principal, _key(request), changes)
        )

    async def delete(self, request: Request[None, None]) -> None:
        """Delete an empty one."""
        await self._folders.delete(request.principal, _key(request))

    async def reorder(self, request: Request[FolderOrder, None]) -> None:
        """Set the order of its tracks."""
        await self._folders.reorder(request.principal, _key(request), request.body.music_ids)

    async def restore(self, request: Request[None, None]) -> FolderView:
        """Bring a deleted one back."""
        return await self._view(await self._folders.restore(request.principal, _key(request)))

    async def find(self, request: Request[Any, Any]) -> Folder:
        """The row of one."""
        return await self._folders.get(request.principal, _key(request))

    async def keep_cover(self, folder: Folder, cover: str | None) -> FolderView:
        """Give one another picture, or none."""
        return await self._view(await self._folders.set_cover(folder, cover))

    async def _view(self, folder: Folder) -> FolderView:
        counts = await _counts([folder.id])
        return FolderView.of(folder, counts.get(folder.id, 0))


def _key(request: Request[Any, Any]) -> UUID:
    key: UUID = request.path["folder_id"]
    return key


async def _counts(folder_ids: list[UUID]) -> dict[UUID, int]:
    tracks = MusicFile.filter(folder_id__in=folder_ids, deleted_at=None)
    rows = await tracks.annotate(n=Count("id")).group_by("folder_id").values("folder_id", "n")
    return {row["folder_id"]: row["n"] for row in rows}


def folder_routes(folders: Folders, pictures: Pictures) -> Sequence[Route]:
    """All operations under `folders/`."""
    api = FolderApi(folders)
    return [
        Route(
            method="GET",
            path="folders",
            handler=api.index,
            summary="List folders",
            tag="folders",
            query=FolderQuery,
            response=Page[FolderView],
        ),
        Route(
            method="POST",
            path="folders",
            handler=api.create,
            summary="Add a folder",
            description="Names are unique within their parent, whatever their case.",
            tag="folders",
            roles=Managers,
            body=FolderCreate,
            response=FolderView,
            status=201,
            errors=(Conflict, Invalid),
        ),
        Route(
            method="GET",
            path=_ONE,
            handler=api.show,
            summary="One folder",
            tag="folders",
            response=FolderView,
        ),
        Route(
            method="PATCH",
            path=_ONE,
            handler=api.change,
            summary="Rename or move a folder",
            tag="folders",
            roles=Managers,
            body=FolderUpdate,
            response=FolderView,
            errors=(Conflict, Invalid),
        ),
        Route(
            method="DELETE",
            path=_ONE,
            handler=api.delete,
            summary="Delete an empty folder",
            description="A folder that holds anything is refused: empty it first.",
            tag="folders",
            roles=Managers,
            status=204,
            errors=(Conflict,),
        ),
        Route(
            method="POST",
            path=f"{_ONE}/reorder",
            handler=api.reorder,
            summary="Set the order of a folder's tracks",
            tag="folders",
            roles=Managers,
            body=FolderOrder,
            status=204,
            errors=(Invalid,),
        ),
        restore_route(_ONE, api.restore, what="a folder", response=FolderView),
        *picture_routes(
            pictures,
            Pictured(
                path=f"{_ONE}/cover",
                what="a folder",
                tag="folders",
                column="cover_image",
                view=FolderView,
                find=api.find,
                keep=api.keep_cover,
            ),
        ),
    ]
