"""The service that makes the calls of channel playlists and keeps their music up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

from antiphon.events import TrackStarted
from antiphon.plugins import PluginContext
from antiphon.types import Principal, Via
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.playlists import records
from antiphon_scheduling.playlists.counting import TrackCounter
from antiphon_scheduling.playlists.decide import Decision, decide
from antiphon_scheduling.playlists.events import ChannelPlaylistChanged
from antiphon_scheduling.playlists.listeners import Listeners, hears
from antiphon_scheduling.playlists.models import ChannelPlaylist
from antiphon_scheduling.playlists.music import has_music
from antiphon_scheduling.playlists.speaking import Speaking
from antiphon_scheduling.playlists.tables import active_timetables, timetables_of
from antiphon_scheduling.playlists.timetable import Cue, Slot, Timetable

_RELOAD = timedelta(minutes=5)  # finds what no event tells: timezones, another server's edits
_RETRY = timedelta(seconds=5)
_FRESH_S = 1.0
_KEEP = timedelta(days=30)
_GIVE_UP_AFTER = timedelta(seconds=60)


class ChannelRunner:
    """Makes the calls of every playlist that is on, in the zones where it is in force.

    An instant is written down as settled before its calls are made, in one conditional statement:
    neither a crash nor a second server on the same database makes them twice.
    """

    def __init__(
        self, context: PluginContext, clock: Clock, grace: timedelta, keep: timedelta = _KEEP
    ) -> None:
        self._context = context
        self._speaking = Speaking(context)
        self._keep = keep
        self._clock = clock
        self._grace = grace
        self._tables: dict[UUID, Timetable] = {}
        self._reload_at = clock.now()
        self._changed: set[UUID] = set()
        self._started: list[TrackStarted] = []
        self._counter = TrackCounter()
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
        now = self._clock.now()
        self._reload_at = now + _RELOAD
        await records.give_up(now - self._grace - _GIVE_UP_AFTER)
        await records.forget(now - self._keep)

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
        views = [view for view in await self._context.zones.views(principal) if hears(view, row.id)]
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
            [table] = await timetables_of([row])
            self._speaking.silent(table, f"its music ends: {reason}")

    # --- announcements by the clock --------------------------------------------------------------

    async def _due(self, table: Timetable, now: datetime) -> None:
        table = await self._pass_over(table, now - self._grace)
        listeners: Listeners | None = None
        for instant, slots in tuple(table.due(now)):
            if listeners is None:
                listeners = await Listeners.read(self._context.zones, table.client_id)
            await self._take(table.playlist_id, instant, slots, listeners)

    async def _pass_over(self, table: Timetable, oldest: datetime) -> Timetable:
        """Skip what is too old, visibly."""
        found = table.following(table.settled_until)
        if found is None or found[0] >= oldest:
            return table
        until = oldest - timedelta(microseconds=1)
        reason = f"{found[0]:%Y-%m-%d %H:%M} UTC was over before the server could act"
        if await records.settle_miss(table, found[0], until, reason):
            self._speaking.silent(table, reason)
        table = table.model_copy(update={"settled_until": until})
        self._tables[table.playlist_id] = table
        return table

    async def _take(
        self,
        playlist_id: UUID,
        instant: datetime,
        slots: Sequence[Slot],
        listeners: Listeners,
        zones: Sequence[UUID] | None = None,
    ) -> None:
        """Settle an instant and do what is due at it; with `zones`, what is counted in tracks."""
        table = self._tables[playlist_id]
        there = listeners.of(playlist_id)

        def judge(cue: Cue) -> Decision:
            decision = decide(table, cue, there)
            return decision if zones is None else decision.only(zones)

        by_clock = zones is None
        taken = await records.settle(table, instant, slots, judge, by_clock=by_clock)
        if taken is None:
            # Somebody else has it, or the playlist is off by now.
            if by_clock:
                self._tables[playlist_id] = table.settled(instant, ())
            return
        self._tables[playlist_id], decisions = taken
        for decision, record in decisions:
            if decision.zones:
                work = self._speaking.perform(table, decision, record, listeners)
                task = asyncio.create_task(work, name=f"schedule of channel {table.name}")
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
            elif decision.blocks:
                self._speaking.silent(table, decision.reason)

    # --- announcements by tracks -----------------------------------------------------------------

    async def _count(self, started: Sequence[TrackStarted]) -> None:
        """Count tracks, once for zones that share a programme."""
        counting = {
            table.client_id
            for table in self._tables.values()
            if any(slot.every_tracks for slot in table.slots)
        }
        for client_id in {event.client_id for event in started}:
            if client_id is not None and client_id in counting:
                listeners = await Listeners.read(self._context.zones, client_id)
                for event in started:
                    if listeners.knows(event.zone_id):
                        await self._count_one(event.zone_id, listeners)

    async def _count_one(self, zone_id: UUID, listeners: Listeners) -> None:
        table = self._tables.get(listeners.force.get(zone_id, UUID(int=0)))
        if table is None:
            return
        together = listeners.together(zone_id)
        group = sorted(one for one in together if listeners.force.get(one) == table.playlist_id)
        if zone_id == group[0]:
            for slot in self._counter.full(table, zone_id):
                now = self._clock.now()
                await self._take(table.playlist_id, now, [slot], listeners, group)
