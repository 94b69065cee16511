"""Reads timetables and assignments out of the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from uuid import UUID

from antiphon_scheduling.plans import timezones_of
from antiphon_scheduling.playlists.force import Assigned
from antiphon_scheduling.playlists.models import (
    ChannelAssignment,
    ChannelPlaylist,
    ChannelPlaylistItem,
    ItemType,
    Style,
)
from antiphon_scheduling.playlists.timetable import Entry, Quiet, Slot, Timetable


async def active_timetables(playlist_id: UUID | None = None) -> list[Timetable]:
    """Those of all playlists that are on, or of that one; of active clients alone."""
    rows = ChannelPlaylist.filter(
        enabled=True,
        deleted_at__isnull=True,
        client__is_active=True,
        client__deleted_at__isnull=True,
    )
    if playlist_id is not None:
        rows = rows.filter(id=playlist_id)
    return await timetables_of(await rows)


async def timetables_of(rows: Sequence[ChannelPlaylist]) -> list[Timetable]:
    """The timetables of these playlists."""
    items: dict[UUID, list[ChannelPlaylistItem]] = {row.id: [] for row in rows}
    announcements = ChannelPlaylistItem.filter(item_type=ItemType.ANNOUNCEMENT)
    # All at once rather than by a list of ids, of which a database takes so many.
    chosen = announcements.filter(playlist_id=rows[0].id) if len(rows) == 1 else announcements
    for item in await chosen.order_by("order", "id"):
        if item.playlist_id in items:
            items[item.playlist_id].append(item)
    timezones = await timezones_of({row.client_id for row in rows})
    return [_timetable(row, items[row.id], timezones[row.client_id]) for row in rows]


def _timetable(
    row: ChannelPlaylist, items: Sequence[ChannelPlaylistItem], timezone: str
) -> Timetable:
    slots = [slot for item in items if (slot := slot_of(item, row.style)) is not None]
    pool = tuple(_entry(item, row.style) for item in items if not _has_times(item))
    interval, tracks = row.default_announcement_interval_min, row.default_announcement_every_tracks
    if pool and (interval or tracks):
        shared = Slot(item_id=None, every_min=interval, every_tracks=tracks, entries=pool)
        slots.append(shared)
    if row.default_music_interval_min:
        every_min = row.default_music_interval_min
        slots.append(Slot(item_id=None, every_min=every_min, is_music=True))
    return Timetable(
        playlist_id=row.id,
        client_id=row.client_id,
        timezone=timezone,
        anchor=row.created_at,
        settled_until=row.settled_until,
        slots=tuple(slots),
        quiet=quiet_of(row),
        name=row.name,
        band=row.band,
        turn=row.turn,
        shuffle=row.shuffle_announcements,
    )


def slot_of(item: ChannelPlaylistItem, style: Style) -> Slot | None:
    """An item's own timing; None where it takes turns with others."""
    if not _has_times(item):
        return None
    return Slot(
        item_id=item.id,
        every_min=item.interval_min,
        every_tracks=item.every_tracks,
        fixed_times=tuple(map(time.fromisoformat, item.fixed_times)),
        entries=(_entry(item, style),),
    )


def _has_times(item: ChannelPlaylistItem) -> bool:
    return bool(item.interval_min or item.every_tracks or item.fixed_times)


def _entry(item: ChannelPlaylistItem, style: Style) -> Entry:
    return Entry(item_id=item.id, announcement_id=item.content_id, style=item.style or style)


def quiet_of(row: ChannelPlaylist) -> Quiet | None:
    """A playlist's quiet hours."""
    if row.quiet_from is None or row.quiet_until is None:
        return None
    return Quiet(begin=row.quiet_from, end=row.quiet_until)


async def assigned(client_id: UUID) -> list[Assigned]:
    """All playlists of a client with their zones and floors."""
    rows = await ChannelPlaylist.filter(client_id=client_id, deleted_at__isnull=True)
    places = await ChannelAssignment.filter(
        playlist__client_id=client_id, playlist__deleted_at__isnull=True
    )
    by_row: dict[UUID, list[ChannelAssignment]] = {row.id: [] for row in rows}
    for place in places:
        by_row[place.playlist_id].append(place)
    return [
        Assigned(
            playlist_id=row.id,
            name=row.name,
            enabled=row.enabled,
            zones=frozenset(place.zone_id for place in by_row[row.id] if place.zone_id),
            floors=frozenset(place.floor_id for place in by_row[row.id] if place.floor_id),
        )
        for row in rows
    ]
