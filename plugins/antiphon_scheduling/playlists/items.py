"""What may be in a playlist: its items, each checked before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from antiphon.errors import Conflict, FieldError, Invalid, NotFound, Refused
from antiphon.plugins import MediaRef, MediaRegistry, Page, ordered
from antiphon.types import Principal
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelPlaylistItem, ItemType
from antiphon_scheduling.playlists.service import ChannelPlaylists
from antiphon_scheduling.playlists.tables import quiet_of
from antiphon_scheduling.playlists.timetable import Quiet
from antiphon_scheduling.playlists.views import (
    MAX_ITEMS,
    ChangeItem,
    ItemQuery,
    ItemsAdded,
    ItemView,
    NewItem,
    NewItems,
    Order,
)

_AT_ONCE = 500
_MOST_MISTAKES = 100


class Items:
    """The items of playlists; what the principal does not reach raises NotFound."""

    def __init__(self, playlists: ChannelPlaylists, media: MediaRegistry) -> None:
        self._playlists = playlists
        self._media = media

    async def find(
        self, principal: Principal, playlist_id: UUID, query: ItemQuery
    ) -> Page[ItemView]:
        """The items in the order that they are heard in, or another that is asked for."""
        row = await self._playlists.row(principal, playlist_id)
        found, total = await query.fetch(ordered(_of(row), query.ordering, "order"))
        return Page(items=tuple(map(ItemView.of, found)), total=total)

    async def add(self, principal: Principal, playlist_id: UUID, new: NewItem) -> ItemView:
        """A new item at the end. Raises Invalid where there is no such content."""
        row = await self._playlists.row(principal, playlist_id)
        item = _made(row, new, 0)
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

    async def add_all(self, principal: Principal, playlist_id: UUID, new: NewItems) -> ItemsAdded:
        """New items at the end, or none where one is wrong: raises Invalid with all mistakes."""
        row = await self._playlists.row(principal, playlist_id)
        unknown = await self._unknown(row.client_id, new.items)
        quiet, wrong = quiet_of(row), []
        for place, one in enumerate(new.items):
            if (one.item_type, one.content_id) in unknown:
                what = f"there is no {_WHAT[one.item_type]} with it"
                wrong.append(FieldError(f"items.{place}.content_id", what))
            if one.item_type is ItemType.ANNOUNCEMENT or _has_timing(one):
                found = mistakes(_made(row, one, 0), quiet)
                wrong += [FieldError(f"items.{place}.{it.field}", it.message) for it in found]
        if wrong:
            raise Invalid(wrong[:_MOST_MISTAKES])
        async with in_transaction():
            count = await _of(row).count()
            if count + len(new.items) > MAX_ITEMS:
                raise Conflict(f"A playlist holds {MAX_ITEMS:,} items at most: add a folder.")
            last = await _of(row).order_by("-order").first()
            first = 0 if last is None else last.order + 1
            for start in range(0, len(new.items), _AT_ONCE):
                some = new.items[start : start + _AT_ONCE]
                rows = [_made(row, one, first + start + n) for n, one in enumerate(some)]
                await ChannelPlaylistItem.bulk_create(rows)
        self._playlists.tell(row)
        return ItemsAdded(added=len(new.items), total=count + len(new.items))

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
        async with in_transaction() as connection:
            known = {key for (key,) in await _of(row).values_list("id")}
            if unknown := [key for key in order.item_ids if key not in known]:
                raise Invalid.field("item_ids", f"there is no item {unknown[0]} in it")
            if len(order.item_ids) < len(known):
                left = len(known) - len(order.item_ids)
                raise Invalid.field("item_ids", f"{left} of its items are left out: name them all")
            if order.item_ids:
                await _write_order(connection, order.item_ids)
        self._playlists.tell(row)
        return await self.find(principal, playlist_id, ItemQuery())

    async def _unknown(self, client_id: UUID, new: Sequence[NewItem]) -> set[tuple[ItemType, UUID]]:
        """Which of these contents the client does not have; tracks are looked up all at once."""
        wanted = {(one.item_type, one.content_id): one for one in new}
        tracks = {key: _ref(one) for key, one in wanted.items() if key[0] is ItemType.MUSIC}
        there = await self._media.describe(client_id, tracks.values())
        unknown = {key for key, ref in tracks.items() if ref not in there}
        for key, one in wanted.items():
            if key not in tracks and not await self._exists(client_id, one):
                unknown.add(key)
        return unknown

    async def _exists(self, client_id: UUID, new: NewItem) -> bool:
        ref = _ref(new)
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


def _ref(new: NewItem) -> MediaRef:
    return MediaRef(kind=new.item_type.value, value=str(new.content_id))


def _has_timing(new: NewItem) -> bool:
    return bool(new.interval_min or new.every_tracks or new.fixed_times or new.style)


def _made(row: ChannelPlaylist, new: NewItem, order: int) -> ChannelPlaylistItem:
    return ChannelPlaylistItem(
        playlist_id=row.id,
        item_type=new.item_type,
        content_id=new.content_id,
        order=order,
        weight=new.weight,
        interval_min=new.interval_min,
        every_tracks=new.every_tracks,
        fixed_times=[at.isoformat() for at in new.fixed_times],
        style=new.style,
    )


async def _write_order(connection: BaseDBAsyncClient, keys: Sequence[UUID]) -> None:
    """One prepared statement for all: the ORM's own way takes seconds for 20,000."""
    is_sqlite = connection.capabilities.dialect == "sqlite"
    order, key = ("?", "?") if is_sqlite else ("$1", "$2")
    table = ChannelPlaylistItem._meta.db_table
    statement = f'UPDATE "{table}" SET "order" = {order} WHERE "id" = {key}'  # noqa: S608  ours
    values = [[place, str(one) if is_sqlite else one] for place, one in enumerate(keys)]
    await connection.execute_many(statement, values)


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
        given += ["style"] * (item.style is not None)
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
