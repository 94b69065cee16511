"""Creates, moves and deletes folders, and walks through what lies in them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from tortoise import Tortoise

from antiphon.errors import Conflict, Invalid, NotFound, RestoreRefused
from antiphon.events import ChoicesChanged, EventBus
from antiphon.store import IntegrityError
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.tenancy.trash import bring_back, deleted_row, put_away
from antiphon.types import Principal
from antiphon_music.library import place_of
from antiphon_music.models import Folder, FolderType, MusicFile


class Folders:
    """The folders of all clients. What the principal does not see raises NotFound.

    Names are unique within their parent, whatever their case. `changing` is the library's: one
    change happens at a time, so that nothing is put into a folder that is being deleted. `bus`
    hears that there is another choice.
    """

    def __init__(self, changing: asyncio.Lock, bus: EventBus | None = None) -> None:
        self._changing = changing
        self._bus = bus

    async def get(self, principal: Principal, folder_id: UUID) -> Folder:
        """One folder."""
        if (found := await scoped(Folder, principal).get_or_none(id=folder_id)) is None:
            raise NotFound("folder", folder_id)
        return found

    async def create(
        self, principal: Principal, client_id: UUID | None, values: Mapping[str, Any]
    ) -> Folder:
        """Add a folder. Raises Conflict where the name is taken, Invalid for a strange parent."""
        async with self._changing:
            folder = Folder(**values, created_by_id=principal.user_id)
            if folder.parent_id is None:
                folder.client_id = await writable_client(principal, client_id)
            else:
                parent = await self._parent(principal, folder.parent_id, folder.type)
                if client_id not in (None, parent.client_id):
                    raise Invalid.field("parent_id", "the folder belongs to another client")
                folder.client_id = parent.client_id
            return self._told(await _save(folder, create=True))

    async def change(
        self, principal: Principal, folder_id: UUID, changes: Mapping[str, Any]
    ) -> Folder:
        """Rename or move a folder. Raises Conflict where the name is taken or nothing may change.

        Raises Invalid where the parent is another client's or lies in the folder itself.
        """
        async with self._changing:
            folder = await self.get(principal, folder_id)
            if folder.is_system and {"name", "parent_id"} & changes.keys():
                raise Conflict(f"The folder {folder.name!r} is the server's own; leave it there.")
            if (parent_id := changes.get("parent_id")) is not None:
                parent = await self._parent(principal, parent_id, folder.type)
                if parent.client_id != folder.client_id:
                    raise Invalid.field("parent_id", "the folder belongs to another client")
                if parent.id in descendants(await parents_of(folder.client_id), [folder.id]):
                    raise Invalid.field("parent_id", "a folder can not lie in itself")
            folder.update_from_dict(dict(changes))
            return self._told(await _save(folder))

    async def delete(self, principal: Principal, folder_id: UUID) -> None:
        """Delete an empty folder. Raises Conflict while there is something in it."""
        async with self._changing:
            folder = await self.get(principal, folder_id)
            if folder.is_system:
                raise Conflict(f"The folder {folder.name!r} is the server's own; it stays.")
            if inside := await _inside(folder):
                raise Conflict(
                    f"The folder {folder.name!r} is not empty ({inside}). Move or delete what is "
                    "in it first."
                )
            folder.place = None
            await put_away(folder, "place")
            self._told(folder)

    async def restore(self, principal: Principal, folder_id: UUID) -> Folder:
        """Bring a deleted folder back to where it lay.

        Raises RestoreRefused where its name is taken there, or the folder it lay in was deleted.
        """
        async with self._changing:
            folder = await deleted_row(Folder, "folder", principal, folder_id)
            what = f"The folder {folder.name!r}"
            if folder.parent_id is not None:
                parent = await Folder.get(id=folder.parent_id)
                if parent.deleted_at is not None:
                    reason = f"the folder {parent.name!r} around it was deleted; restore that first"
                    raise RestoreRefused(what, reason)
            folder.place = place_of(folder.client_id, folder.parent_id, folder.name.casefold())
            await bring_back(folder, what, "another folder has its name there by now")
            return self._told(folder)

    async def set_cover(self, folder: Folder, cover: str | None) -> Folder:
        """Note where the picture of a folder lies; None for a folder without."""
        folder.cover_image = cover
        await folder.save(update_fields=["cover_image", "updated_at"])
        return folder

    def _told(self, folder: Folder) -> Folder:
        if self._bus is not None:
            self._bus.publish(ChoicesChanged(client_id=folder.client_id))
        return folder

    async def reorder(self, principal: Principal, folder_id: UUID, music_ids: list[UUID]) -> None:
        """Let the tracks of a folder play in this order; those not named follow as they were.

        Raises Invalid where one is not in the folder.
        """
        async with self._changing:
            folder = await self.get(principal, folder_id)
            tracks = await MusicFile.filter(folder_id=folder.id, deleted_at=None).order_by(
                "order", "title", "id"
            )
            there = {music.id: music for music in tracks}
            if strangers := [key for key in music_ids if key not in there]:
                raise Invalid.field("music_ids", f"{strangers[0]} is not in this folder")
            first = dict.fromkeys(music_ids)
            for order, key in enumerate([*first, *(key for key in there if key not in first)]):
                there[key].order = order
            await MusicFile.bulk_update(tracks, ["order"], batch_size=500)

    async def _parent(self, principal: Principal, parent_id: UUID, kind: FolderType) -> Folder:
        parent = await scoped(Folder, principal).get_or_none(id=parent_id)
        if parent is None:
            raise Invalid.field("parent_id", f"there is no folder {parent_id}")
        if parent.type is not kind:
            raise Invalid.field("parent_id", f"the folder {parent.name!r} is for {parent.type}")
        return parent


async def _inside(folder: Folder) -> str:
    """What lies in a folder, in words: folders and things of any plugin. Nothing if it is empty."""
    counts = {"folders": await Folder.filter(parent_id=folder.id, deleted_at=None).count()}
    for models in (Tortoise.apps or {}).values():
        for model in models.values():
            if {"folder_id", "deleted_at"} <= model._meta.fields_map.keys():
                rows = model.filter(folder_id=folder.id, deleted_at=None)
                counts[
                    "tracks" if model is MusicFile else f"{model.__name__.lower()}s"
                ] = await rows.count()
    return ", ".join(f"{what}: {count}" for what, count in counts.items() if count)


async def _save(folder: Folder, *, create: bool = False) -> Folder:
    folder.place = place_of(folder.client_id, folder.parent_id, folder.name.casefold())
    try:
        await folder.save(force_create=create)
    except IntegrityError as error:
        raise Conflict(f"There is a folder {folder.name!r} here already.") from error
    return folder


async def find_folder(client_id: UUID, path: Iterable[str]) -> Folder | None:
    """The folder at the end of these names; None without names, or where one is missing."""
    folder: Folder | None = None
    for name in path:
        folder = await Folder.get_or_none(place=_place(client_id, folder, name))
        if folder is None:
            return None
    return folder


async def make_folder(client_id: UUID, path: Iterable[str]) -> Folder | None:
    """Like `find_folder`, but folders for music are made where they are missing."""
    folder: Folder | None = None
    for name in path:
        found = await Folder.get_or_none(place=_place(client_id, folder, name))
        if found is None:
            found = Folder(client_id=client_id, name=name, parent_id=folder.id if folder else None)
            await _save(found, create=True)
        folder = found
    return folder


def _place(client_id: UUID, parent: Folder | None, name: str) -> str:
    return place_of(client_id, parent.id if parent else None, name.casefold())


async def parents_of(client_id: UUID) -> dict[UUID, UUID | None]:
    """All folders of a client, by name, each with the folder that it lies in."""
    rows = Folder.filter(client_id=client_id, deleted_at=None).order_by("name", "id")
    return {folder.id: folder.parent_id for folder in await rows.only("id", "parent_id", "name")}


def descendants(parents: Mapping[UUID, UUID | None], roots: Iterable[UUID]) -> list[UUID]:
    """`roots` and all folders below them, each before what lies in it."""
    children: dict[UUID | None, list[UUID]] = {}
    for key, parent in parents.items():
        children.setdefault(parent, []).append(key)
    found: dict[UUID, None] = {}
    waiting = list(roots)[::-1]
    while waiting:
        if (key := waiting.pop()) not in found:
            found[key] = None
            waiting.extend(reversed(children.get(key, ())))
    return list(found)
