"""What may be in a playlist: its items, each checked before it is kept."""

from __future__ import annotations

from datetime import time
from uuid import UUID

from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from antiphon.errors import Conflict, FieldError, Invalid, NotFound, Refused
from antiphon.plugins import ListQuery, MediaRef, MediaRegistry, Page
from antiphon.types import Principal
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelPlaylistItem, ItemType
from antiphon_scheduling.playlists.service import ChannelPlaylists
from antiphon_scheduling.playlists.tables import quiet_of
from antiphon_scheduling.playlists.timetable import Quiet
from antiphon_scheduling.playlists.views import ChangeItem, ItemView, NewItem, Order

MAX_ITEMS = 10_000


class Items:
    """The items of playlists; what the principal does not reach raises NotFound."""

    def __init__(self, playlists: ChannelPlaylists, media: MediaRegistry) -> None:
        self._playlists = playlists
        self._media = media

    async def find(
        self, principal: Principal, playlist_id: UUID, query: ListQuery
    ) -> Page[ItemView]:
        """The items in their order."""
        row = await self._playlists.row(principal, playlist_id)
        found, total = await query.fetch(_of(row))
        return Page(items=tuple(map(ItemView.of, found)), total=total)

    async def add(self, principal: Principal, playlist_id: UUID, new: NewItem) -> ItemView:
        """A new item at the end. Raises Invalid where there is no such content."""
        row = await self._playlists.row(principal, playlist_id)
        item = ChannelPlaylistItem(
            playlist_id=row.id,
            item_type=new.item_type,
            content_id=new.content_id,
            order=0,
            weight=new.weight,
            interval_min=new.interval_min,
            every_tracks=new.every_tracks,
            fixed_times=[at.isoformat() for at in new.fixed_times],
        )
        wrong = mistakes(item, quiet_of(row))
        if not await self._exists(row.client_id, new):
            wrong.insert(0, FieldError("content_id", f"there is no {_WHAT[new.item_type]} with it"))
        if wrong:
            raise Invalid(wrong)
        async with in_transaction():
            if await _of(row).count() >= MAX_ITEMS:
                raise Conflict(f"A playlist holds {MAX_ITEMS:,} items at most: add a folder.")
            last = await _of(row).order_by("-order").first()
            item.order = 0 if last is None else last.order + 1
            await item.save()
        self._playlists.tell(row)
        return ItemView.of(item)

    async def change(
        self, principal: Principal, playlist_id: UUID, item_id: UUID, change: ChangeItem
    ) -> ItemView:
        """Change how often, or when, an item is heard."""
        row = await self._playlists.row(principal, playlist_id)
        item = await _item(row, item_id)
        given = change.model_dump(exclude_unset=True)
        if "fixed_times" in given:
            given["fixed_times"] = [at.isoformat() for at in change.fixed_times]
        item.update_from_dict(given)
        if wrong := mistakes(item, quiet_of(row)):
            raise Invalid(wrong)
        await item.save(update_fields=[*given, "updated_at"])
        self._playlists.tell(row)
        return ItemView.of(item)

    async def delete(self, principal: Principal, playlist_id: UUID, item_id: UUID) -> None:
        """Take an item out."""
        row = await self._playlists.row(principal, playlist_id)
        await (await _item(row, item_id)).delete()
        self._playlists.tell(row)

    async def reorder(
        self, principal: Principal, playlist_id: UUID, order: Order
    ) -> Page[ItemView]:
        """Put the items into another order. Raises Invalid where one is left out or unknown."""
        row = await self._playlists.row(principal, playlist_id)
        async with in_transaction():
            found = {item.id: item for item in await _of(row)}
            if unknown := [key for key in order.item_ids if key not in found]:
                raise Invalid.field("item_ids", f"there is no item {unknown[0]} in it")
            if len(order.item_ids) < len(found):
                left = len(found) - len(order.item_ids)
                raise Invalid.field("item_ids", f"{left} of its items are left out: name them all")
            items = [found[key] for key in order.item_ids]
            for place, item in enumerate(items):
                item.order = place
            if items:
                await ChannelPlaylistItem.bulk_update(items, ["order"], batch_size=500)
        self._playlists.tell(row)
        page = items[: ListQuery().limit]
        return Page(items=tuple(map(ItemView.of, page)), total=len(items))

    async def _exists(self, client_id: UUID, new: NewItem) -> bool:
        ref = MediaRef(kind=new.item_type.value, value=str(new.content_id))
        try:
            if new.item_type is ItemType.FOLDER:
                await self._media.expand(client_id, ref)
            else:
                await self._media.resolve(client_id, ref)
        except NotFound:
            return False
        except Refused:
            return True  # it may not be played now, but perhaps when its time has come
        return True


_WHAT = {
    ItemType.MUSIC: "track",
    ItemType.FOLDER: "folder",
    ItemType.ANNOUNCEMENT: "announcement",
}


def mistakes(item: ChannelPlaylistItem, quiet: Quiet | None) -> list[FieldError]:
    """What contradicts itself in an item."""
    wrong: list[FieldError] = []
    timings = {
        "interval_min": item.interval_min is not None,
        "every_tracks": item.every_tracks is not None,
        "fixed_times": bool(item.fixed_times),
    }
    given = [name for name, is_given in timings.items() if is_given]
    if item.item_type is not ItemType.ANNOUNCEMENT:
        return [
            FieldError(name, "is for announcements; music plays all the time") for name in given
        ]
    if item.weight != 1:
        wrong.append(FieldError("weight", "is for music; an announcement has times"))
    if len(given) > 1:
        wrong.append(FieldError(given[1], f"contradicts {given[0]}: give one of them"))
    times = [time.fromisoformat(at) for at in item.fixed_times]
    for place, at in enumerate(times):
        field = f"fixed_times.{place}"
        if at in times[:place]:
            wrong.append(FieldError(field, f"{at:%H:%M:%S} is named twice"))
        elif quiet is not None and quiet.covers(at):
            wrong.append(FieldError(field, f"{at:%H:%M:%S} lies in the quiet hours: never heard"))
    return wrong


def _of(row: ChannelPlaylist) -> QuerySet[ChannelPlaylistItem]:
    return ChannelPlaylistItem.filter(playlist_id=row.id).order_by("order", "id")


async def _item(row: ChannelPlaylist, item_id: UUID) -> ChannelPlaylistItem:
    item = await ChannelPlaylistItem.get_or_none(id=item_id, playlist_id=row.id)
    if item is None:
        raise NotFound("item", f"{item_id} in the playlist “{row.name}”")
    return item
