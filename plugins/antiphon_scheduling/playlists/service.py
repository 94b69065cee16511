"""Creates, finds, changes and deletes channel playlists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any
from uuid import UUID

from tortoise.functions import Count
from tortoise.models import Model
from tortoise.transactions import in_transaction

from antiphon.errors import FieldError, Invalid, NotFound
from antiphon.events import ChoicesChanged
from antiphon.plugins import Page, PluginContext, ordered
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.tenancy.trash import bring_back, deleted_row, put_away
from antiphon.types import Principal
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.plans import timezones_of
from antiphon_scheduling.playlists.events import ChannelPlaylistChanged
from antiphon_scheduling.playlists.models import (
    ChannelAssignment,
    ChannelPlaylist,
    ChannelPlaylistItem,
    ItemType,
)
from antiphon_scheduling.playlists.music import draw
from antiphon_scheduling.playlists.tables import quiet_of
from antiphon_scheduling.playlists.views import (
    ChangePlaylist,
    NewPlaylist,
    PlaylistQuery,
    PlaylistView,
    PreviewQuery,
    PreviewSong,
    PreviewView,
)

_PLACES = {"zones": "zone", "floors": "floor"}
_NOT_COLUMNS = {*_PLACES, "client_id"}


class ChannelPlaylists:
    """All playlists. Those that the principal does not reach raise NotFound.

    Whatever changes is told by ChannelPlaylistChanged.
    """

    def __init__(self, context: PluginContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock

    async def find(self, principal: Principal, query: PlaylistQuery) -> Page[PlaylistView]:
        """The playlists that match, in the order that is asked for."""
        rows = ordered(scoped(ChannelPlaylist, principal, deleted=query.deleted), query.ordering)
        if query.search:
            rows = rows.filter(name__icontains=query.search)
        wanted = query.model_dump(include={"client_id", "enabled"}, exclude_none=True)
        found, total = await query.fetch(rows.filter(**wanted))
        return Page(items=tuple(await self._views(principal, found)), total=total)

    async def get(self, principal: Principal, playlist_id: UUID) -> PlaylistView:
        """One playlist."""
        return await self._view(principal, await self.row(principal, playlist_id))

    async def create(self, principal: Principal, new: NewPlaylist) -> PlaylistView:
        """A new playlist. Raises Invalid where a zone or a floor is unknown."""
        client_id = await writable_client(principal, new.client_id)
        row = ChannelPlaylist(
            client_id=client_id,
            settled_until=self._clock.now(),
            created_by_id=principal.user_id,
            **new.model_dump(exclude=_NOT_COLUMNS),
        )
        places = {"zones": new.zones, "floors": new.floors}
        await self._check(principal, row, places)
        async with in_transaction():
            await row.save()
            await _assign(row, places)
        return await self._changed(principal, row)

    async def change(
        self, principal: Principal, playlist_id: UUID, change: ChangePlaylist
    ) -> PlaylistView:
        """Change a playlist. Times that have passed are not made up for."""
        row = await self.row(principal, playlist_id)
        given = change.model_dump(exclude_unset=True)
        places = {name: given.pop(name) for name in _PLACES if name in given}
        row.update_from_dict(given)
        await self._check(principal, row, places)
        async with in_transaction():
            await self._save(row, given)
            await _assign(row, places)
        return await self._changed(principal, row)

    async def toggle(self, principal: Principal, playlist_id: UUID) -> PlaylistView:
        """Switch a playlist on or off."""
        row = await self.row(principal, playlist_id)
        row.enabled = not row.enabled
        await self._save(row, ["enabled"])
        return await self._changed(principal, row)

    async def delete(self, principal: Principal, playlist_id: UUID) -> None:
        """Delete a playlist; its row is kept."""
        row = await self.row(principal, playlist_id)
        await put_away(row)
        self.tell(row)

    async def restore(self, principal: Principal, playlist_id: UUID) -> PlaylistView:
        """Bring a deleted playlist back, with its items and for the places that it was for."""
        row = await deleted_row(ChannelPlaylist, "channel playlist", principal, playlist_id)
        row.settled_until = self._clock.now()
        await bring_back(row, f"The channel playlist {row.name}")
        return await self._changed(principal, row)

    async def preview(
        self, principal: Principal, playlist_id: UUID, query: PreviewQuery
    ) -> PreviewView:
        """How a round of its music could go."""
        row = await self.row(principal, playlist_id)
        drawn = await draw(self._context.media, row, (), query.seed)
        found = drawn.round
        broken = {one.place: one.rule for one in found.broken}
        titles, artists = found.badness
        return PreviewView(
            songs=tuple(
                PreviewSong(
                    music_id=UUID(song.ref.value),
                    title=song.title,
                    artist=song.artist,
                    duration_s=song.duration_s,
                    broken=broken.get(place),
                )
                for place, song in enumerate(found.songs[: query.limit])
            ),
            total=drawn.total,
            titles_too_soon=titles,
            artists_in_a_row=artists,
        )

    async def row(self, principal: Principal, playlist_id: UUID) -> ChannelPlaylist:
        """The row of a playlist that the principal reaches."""
        row = await scoped(ChannelPlaylist, principal).get_or_none(id=playlist_id)
        if row is None:
            raise NotFound("channel playlist", playlist_id)
        return row

    def tell(self, row: ChannelPlaylist) -> None:
        """A playlist, or what is in it, has changed."""
        event = ChannelPlaylistChanged(client_id=row.client_id, playlist_id=row.id)
        self._context.bus.publish(event)
        self._context.bus.publish(ChoicesChanged(client_id=row.client_id))

    async def _save(self, row: ChannelPlaylist, columns: Sequence[str] | dict[str, Any]) -> None:
        # Never `turn`, which counts on meanwhile.
        row.settled_until = self._clock.now()
        await row.save(update_fields=[*columns, "settled_until", "updated_at"])

    async def _check(
        self, principal: Principal, row: ChannelPlaylist, places: dict[str, list[UUID]]
    ) -> None:
        wrong = _contradictions(row)
        if not wrong and (quiet := quiet_of(row)) is not None and row._saved_in_db:
            announcements = ChannelPlaylistItem.filter(
                playlist_id=row.id, item_type=ItemType.ANNOUNCEMENT
            )
            for item in await announcements:
                for at in map(time.fromisoformat, item.fixed_times):
                    if quiet.covers(at):
                        what = (
                            f"the fixed time {at:%H:%M:%S} of item {item.id} would never be heard"
                        )
                        wrong.append(FieldError("quiet_from", what))
        for name, wanted in places.items():
            there = await _there(principal, row.client_id, _PLACES[name], wanted)
            wrong += [
                FieldError(f"{name}.{place}", f"there is no {_PLACES[name]} {key}")
                for place, key in enumerate(wanted)
                if key not in there
            ]
        if wrong:
            raise Invalid(wrong)

    async def _changed(self, principal: Principal, row: ChannelPlaylist) -> PlaylistView:
        self.tell(row)
        return await self._view(principal, row)

    async def _view(self, principal: Principal, row: ChannelPlaylist) -> PlaylistView:
        return (await self._views(principal, [row]))[0]

    async def _views(
        self, principal: Principal, rows: Sequence[ChannelPlaylist]
    ) -> list[PlaylistView]:
        """The views of rows; of their zones and floors, those that the principal sees."""
        keys = [row.id for row in rows]
        timezones = await timezones_of({row.client_id for row in rows})
        places: dict[UUID, tuple[list[UUID], list[UUID]]] = {key: ([], []) for key in keys}
        assignments = ChannelAssignment.filter(
            playlist_id__in=keys, zone__deleted_at__isnull=True, floor__deleted_at__isnull=True
        )
        assigned = await assignments.order_by("created_at", "id")
        seen = await _seen(principal, assigned)
        for one in assigned:
            if one.zone_id is not None and one.zone_id in seen:
                places[one.playlist_id][0].append(one.zone_id)
            if one.floor_id is not None and one.floor_id in seen:
                places[one.playlist_id][1].append(one.floor_id)
        items = ChannelPlaylistItem.filter(playlist_id__in=keys).annotate(n=Count("id"))
        found: Sequence[Any] = await items.group_by("playlist_id").values_list("playlist_id", "n")
        counts = {UUID(str(key)): count for key, count in found}
        return [
            PlaylistView.of(row, places[row.id], timezones[row.client_id], counts.get(row.id, 0))
            for row in rows
        ]


async def _seen(principal: Principal, assigned: Sequence[ChannelAssignment]) -> set[UUID]:
    """Which of the zones and floors of some assignments the principal sees."""
    zones = [one.zone_id for one in assigned if one.zone_id is not None]
    floors = [one.floor_id for one in assigned if one.floor_id is not None]
    return await _there(principal, None, "zone", zones) | await _there(
        principal, None, "floor", floors
    )


def _contradictions(row: ChannelPlaylist) -> list[FieldError]:
    wrong = []
    begin, end = row.quiet_from, row.quiet_until
    if (begin is None) != (end is None):
        missing = "quiet_from" if begin is None else "quiet_until"
        wrong.append(FieldError(missing, "quiet hours need both a begin and an end"))
    elif begin is not None and begin == end:
        wrong.append(FieldError("quiet_until", "must be another time than quiet_from"))
    if row.default_announcement_interval_min and row.default_announcement_every_tracks:
        reason = "contradicts default_announcement_interval_min: give one of them"
        wrong.append(FieldError("default_announcement_every_tracks", reason))
    return wrong


async def _there(
    principal: Principal, client_id: UUID | None, what: str, wanted: Sequence[UUID]
) -> set[UUID]:
    """Which of some zones or floors (of a client) are there for the principal."""
    if not wanted:
        return set()
    # The models are the core's; plugins know them by name alone.
    model: type[Model] = ChannelAssignment._meta.fields_map[what].related_model  # type: ignore[attr-defined]
    rows = scoped(model, principal).filter(id__in=list(set(wanted)))
    if client_id is not None:
        rows = rows.filter(client_id=client_id)
    return set(await rows.values_list("id", flat=True))  # type: ignore[arg-type]


async def _assign(row: ChannelPlaylist, places: dict[str, list[UUID]]) -> None:
    for name, wanted in places.items():
        column = f"{_PLACES[name]}_id"
        await ChannelAssignment.filter(playlist_id=row.id, **{f"{column}__isnull": False}).delete()
        keys = list(dict.fromkeys(wanted))
        await ChannelAssignment.bulk_create(
            ChannelAssignment(**{"playlist_id": row.id, column: key}) for key in keys
        )
