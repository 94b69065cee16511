"""The service that makes the calls of channel playlists and keeps their music up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

from tortoise.expressions import F

from antiphon.errors import AntiphonError, Refused
from antiphon.events import TrackStarted
from antiphon.plugins import CallRequest, PlaybackView, PluginContext
from antiphon.types import Playback, Principal, Via
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.playlists.events import (
    ChannelAnnounced,
    ChannelPlaylistChanged,
    ChannelSilent,
)
from antiphon_scheduling.playlists.force import Assigned, winner
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelPlaylistItem, ItemType
from antiphon_scheduling.playlists.music import CHANNEL, has_music
from antiphon_scheduling.playlists.tables import active_timetables, assigned, slot_of
from antiphon_scheduling.playlists.timetable import Slot, Timetable, in_turn

_CALL_TIMEOUT_S = 30.0
_EXPIRES_S = 300.0
_RELOAD = timedelta(minutes=5)  # finds what no event tells: timezones, another server's edits
_RETRY = timedelta(seconds=5)
_FRESH_S = 1.0
_TRIES = 10


class ChannelRunner:
    """Makes the calls of every playlist that is on, in the zones where it is in force.

    An instant is written down as settled before its calls are made, in one conditional statement:
    neither a crash nor a second server on the same database makes them twice.
    """

    def __init__(self, context: PluginContext, clock: Clock, grace: timedelta) -> None:
        self._context = context
        self._clock = clock
        self._grace = grace
        self._tables: dict[UUID, Timetable] = {}
        self._reload_at = clock.now()
        self._changed: set[UUID] = set()
        self._started: list[TrackStarted] = []
        self._counts: dict[tuple[UUID, UUID | None, UUID], int] = {}
        self._wake = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Read what is on and start."""
        bus = self._context.bus
        self._undo = [
            bus.subscribe(ChannelPlaylistChanged, self._on_changed),
            bus.subscribe(TrackStarted, self._on_started),
        ]
        try:
            await self._reload()
        except BaseException:
            self._unsubscribe()
            raise
        self._task = asyncio.create_task(self._run(), name="channel playlists")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; calls that are being made are given up."""
        self._unsubscribe()
        tasks = [self._task, *self._calls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _unsubscribe(self) -> None:
        for undo in self._undo:
            undo()

    def _on_changed(self, event: ChannelPlaylistChanged) -> None:
        self._changed.add(event.playlist_id)
        self._wake.set()

    def _on_started(self, event: TrackStarted) -> None:
        # A track that goes on after a pause, or a restart of the server, was counted before.
        if event.position_s < _FRESH_S:
            self._started.append(event)
            self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._turn()
                until = min([self._reload_at, *self._instants()])
            except Exception:
                self._context.log.exception("The channel playlists stumbled; on in a moment")
                self._reload_at = until = self._clock.now() + _RETRY
            await self._clock.wait(until, self._wake)

    def _instants(self) -> Iterable[datetime]:
        for table in self._tables.values():
            if (found := table.following(table.settled_until)) is not None:
                yield found[0]

    async def _turn(self) -> None:
        now = self._clock.now()
        if now >= self._reload_at:
            await self._reload()
        while self._changed:
            await self._renew(self._changed.pop())
        started, self._started = self._started, []
        if started:
            await self._count(started)
        for table in tuple(self._tables.values()):
            await self._due(table, now)

    async def _reload(self) -> None:
        """Begin anew from the database."""
        self._tables = {table.playlist_id: table for table in await active_timetables()}
        self._reload_at = self._clock.now() + _RELOAD

    # --- what has changed ------------------------------------------------------------------------

    async def _renew(self, playlist_id: UUID) -> None:
        """Bring one playlist's times and music to what the database says."""
        self._tables.pop(playlist_id, None)
        for table in await active_timetables(playlist_id):
            self._tables[playlist_id] = table
        row = await ChannelPlaylist.get_or_none(id=playlist_id)
        if row is None:
            return
        principal = Principal.system(row.client_id, Via.SCHEDULE)
        views = [view for view in await self._context.zones.views(principal) if _hears(view, row)]
        if not views:
            return
        is_on = row.enabled and row.deleted_at is None
        if is_on and await has_music(self._context.media, row):
            for view in views:
                if view.zone_id == min((view.zone_id, *view.shared_with)):
                    await self._context.zones.redraw(principal, view.zone_id)
        else:
            for view in views:
                await self._context.zones.stop(principal, view.zone_id)
            reason = "it has no music any more" if is_on else "it was switched off or deleted"
            self._silent(row, f"its music ends: {reason}")

    # --- announcements by the clock --------------------------------------------------------------

    async def _due(self, table: Timetable, now: datetime) -> None:
        table = await self._pass_over(table, now - self._grace)
        for instant, slots in table.due(now):
            turns = sum(slot.item_id is None for slot in slots)
            if row := await self._settle(table, instant, turns):
                self._announce(row, table, slots, instant)

    async def _pass_over(self, table: Timetable, oldest: datetime) -> Timetable:
        """Skip what is too old, visibly."""
        found = table.following(table.settled_until)
        if found is None or found[0] >= oldest:
            return table
        until = oldest - timedelta(microseconds=1)
        if row := await self._settle(table, until, 0):
            missed = f"{found[0]:%Y-%m-%d %H:%M} UTC"
            self._silent(row, f"{missed} was over before the server could act")
        return table.model_copy(update={"settled_until": until})

    async def _settle(
        self, table: Timetable, instant: datetime, turns: int
    ) -> ChannelPlaylist | None:
        """Take an instant; None where somebody else has it, or the playlist is off by now."""
        self._tables[table.playlist_id] = table.model_copy(update={"settled_until": instant})
        rows = ChannelPlaylist.filter(
            id=table.playlist_id,
            enabled=True,
            deleted_at__isnull=True,
            settled_until__lt=instant,
        )
        if not await rows.update(settled_until=instant, turn=F("turn") + turns):
            return None
        row = await ChannelPlaylist.get(id=table.playlist_id)
        row.turn -= turns
        return row

    # --- announcements every so many tracks ------------------------------------------------------

    async def _count(self, started: Sequence[TrackStarted]) -> None:
        """Count tracks, once for zones that share a programme."""
        counting = {
            table.client_id
            for table in self._tables.values()
            if any(slot.every_tracks for slot in table.slots)
        }
        for client_id in {event.client_id for event in started}:
            if client_id is None or client_id not in counting:
                continue
            principal = Principal.system(client_id, Via.SCHEDULE)
            views = {one.zone_id: one for one in await self._context.zones.views(principal)}
            force = _force(views.values(), await assigned(client_id))
            for event in started:
                if event.zone_id in views:
                    await self._count_one(views[event.zone_id], force)

    async def _count_one(self, view: PlaybackView, force: dict[UUID, UUID]) -> None:
        table = self._tables.get(force.get(view.zone_id, UUID(int=0)))
        if table is None:
            return
        together = {view.zone_id, *view.shared_with}
        group = sorted(zone for zone in together if force.get(zone) == table.playlist_id)
        if view.zone_id != group[0]:
            return
        for slot in table.slots:
            if slot.every_tracks is None:
                continue
            key = (table.playlist_id, slot.item_id, view.zone_id)
            self._counts[key] = self._counts.get(key, 0) + 1
            if self._counts[key] >= slot.every_tracks:
                del self._counts[key]
                await self._announce_after_tracks(table, slot, group)

    async def _announce_after_tracks(
        self, table: Timetable, slot: Slot, zones: Sequence[UUID]
    ) -> None:
        rows = ChannelPlaylist.filter(id=table.playlist_id, enabled=True, deleted_at__isnull=True)
        turns = int(slot.item_id is None)
        if await rows.update(turn=F("turn") + turns):
            row = await ChannelPlaylist.get(id=table.playlist_id)
            row.turn -= turns
            self._announce(row, table, (slot,), self._clock.now(), zones)

    # --- calls -----------------------------------------------------------------------------------

    def _announce(
        self,
        row: ChannelPlaylist,
        table: Timetable,
        slots: Sequence[Slot],
        instant: datetime,
        zones: Sequence[UUID] | None = None,
    ) -> None:
        if table.is_quiet(instant):
            self._silent(row, "quiet hours")
            return
        work = self._make_calls(row, slots, zones)
        task = asyncio.create_task(work, name=f"schedule of channel {row.name}")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _make_calls(
        self, row: ChannelPlaylist, slots: Sequence[Slot], zones: Sequence[UUID] | None
    ) -> None:
        try:
            async with asyncio.timeout(_CALL_TIMEOUT_S):
                principal = Principal.system(row.client_id, Via.SCHEDULE)
                views = await self._context.zones.views(principal)
                force = _force(views, await assigned(row.client_id))
                there = [view for view in views if force.get(view.zone_id) == row.id]
                if zones is not None:
                    there = [view for view in there if view.zone_id in zones]
                playing = [one.zone_id for one in there if one.playback is Playback.PLAYING]
                if playing:
                    for slot in slots:
                        await self._make_call(principal, row, slot, playing)
                elif there:
                    self._silent(row, "no music plays in its zones")
        except AntiphonError as error:
            self._silent(row, str(error))
        except TimeoutError:
            self._silent(row, f"the zones did not answer within {_CALL_TIMEOUT_S:g} s")
        except Exception as error:
            self._context.log.exception("The call of the channel playlist %s failed", row.name)
            self._silent(row, f"{type(error).__name__}: {error}")

    async def _make_call(
        self, principal: Principal, row: ChannelPlaylist, slot: Slot, zones: list[UUID]
    ) -> None:
        """Make one call. An announcement that can not be played gives its turn to the next."""
        for item in await chosen(row, slot):
            request = CallRequest(
                announcement_id=item.content_id,
                zones=zones,
                band=row.band,
                expires_in_s=_EXPIRES_S,
            )
            try:
                call = await self._context.zones.call(principal, request)
            except Refused as error:
                self._silent(row, f"the announcement {item.content_id}: {error}")
                continue
            self._context.bus.publish(
                ChannelAnnounced(
                    client_id=row.client_id,
                    playlist_id=row.id,
                    call_id=call.id,
                    announcement_id=item.content_id,
                    zones=tuple(zones),
                )
            )
            return

    def _silent(self, row: ChannelPlaylist, reason: str) -> None:
        self._context.log.info("The channel playlist %s is silent: %s", row.name, reason)
        event = ChannelSilent(client_id=row.client_id, playlist_id=row.id, reason=reason)
        self._context.bus.publish(event)


async def chosen(row: ChannelPlaylist, slot: Slot) -> list[ChannelPlaylistItem]:
    """Whose turn it is in a slot, and those who take it over, should it not be possible."""
    items = await ChannelPlaylistItem.filter(
        playlist_id=row.id, item_type=ItemType.ANNOUNCEMENT
    ).order_by("order", "id")
    if slot.item_id is not None:
        return [item for item in items if item.id == slot.item_id]
    pool = [item for item in items if slot_of(item) is None]
    turns = range(row.turn, row.turn + min(len(pool), _TRIES))
    shuffle, seed = row.shuffle_announcements, str(row.id)
    return [in_turn(pool, turn, shuffle=shuffle, seed=seed) for turn in turns]


def _hears(view: PlaybackView, row: ChannelPlaylist) -> bool:
    """Whether a zone plays music of this playlist."""
    source = view.source
    return source is not None and (source.kind, source.value) == (CHANNEL, str(row.id))


def _force(views: Iterable[PlaybackView], playlists: Sequence[Assigned]) -> dict[UUID, UUID]:
    """Which playlist is in force in which zone."""
    found = {view.zone_id: winner(view.zone_id, view.floor_id, playlists) for view in views}
    return {zone: playlist for zone, playlist in found.items() if playlist is not None}
