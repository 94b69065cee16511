"""A zone's channel: which playlist is in force, why, what comes; and starting and stopping it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from antiphon.errors import Conflict
from antiphon.plugins import PlaybackView, PlayRequest, PluginContext
from antiphon.types import Playback, Principal
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.playlists.events import ChannelRoundDrawn
from antiphon_scheduling.playlists.force import ranked, winner
from antiphon_scheduling.playlists.listeners import hears, silence_of
from antiphon_scheduling.playlists.models import ChannelPlaylist
from antiphon_scheduling.playlists.service import ChannelPlaylists
from antiphon_scheduling.playlists.tables import assigned, timetables_of
from antiphon_scheduling.playlists.timetable import Slot, Timetable
from antiphon_scheduling.playlists.views import (
    ChannelPlayView,
    RulesView,
    UpcomingView,
    ZoneChannelView,
)


class ZoneChannels:
    """The playlists as zones hear them."""

    def __init__(self, context: PluginContext, clock: Clock, playlists: ChannelPlaylists) -> None:
        self._zones = context.zones
        self._clock = clock
        self._playlists = playlists
        self._drawn: dict[UUID, ChannelRoundDrawn] = {}
        context.bus.subscribe(ChannelRoundDrawn, self._on_drawn)

    def _on_drawn(self, event: ChannelRoundDrawn) -> None:
        self._drawn[event.playlist_id] = event

    async def look(self, principal: Principal, zone_id: UUID) -> ZoneChannelView:
        """What is in force in a zone, and why."""
        view = await self._zones.view(principal, zone_id)
        candidates = ranked(zone_id, view.floor_id, await assigned(view.client_id))
        chosen_one = next((one for one in candidates if one.in_force), None)
        row = None
        if chosen_one is not None:
            row = await ChannelPlaylist.get_or_none(id=chosen_one.playlist_id)
        if row is None or chosen_one is None:
            nothing = "all that are assigned are switched off" if candidates else "none is assigned"
            return ZoneChannelView(
                zone_id=zone_id,
                playlist_id=None,
                name=None,
                reason=nothing,
                plays=False,
                quiet=False,
                upcoming=(),
                rules=None,
                candidates=tuple(candidates),
            )
        [table] = await timetables_of([row])
        now = self._clock.now()
        return ZoneChannelView(
            zone_id=zone_id,
            playlist_id=row.id,
            name=row.name,
            reason=chosen_one.reason,
            plays=_plays(view, row.id),
            quiet=table.is_quiet(now),
            upcoming=tuple(_upcoming(table, view, now)),
            rules=self._rules(row.id),
            candidates=tuple(candidates),
        )

    async def play(self, principal: Principal, playlist_id: UUID) -> ChannelPlayView:
        """Start a playlist's music in all zones where it is in force, as one programme."""
        row = await self._playlists.row(principal, playlist_id)
        if not row.enabled:
            raise Conflict(f"“{row.name}” is switched off: switch it on first.")
        zones = await self._in_force(principal, row)
        if not zones:
            reason = "assign it to zones or floors where no other counts for more"
            raise Conflict(f"“{row.name}” is in force in no zone: {reason}.")
        first, *others = zones
        request = PlayRequest(playlist_id=row.id, crossfade_s=row.crossfade_s, zones=others)
        await self._zones.play(principal, first, request)
        return await self._views(principal, zones)

    async def stop(self, principal: Principal, playlist_id: UUID) -> ChannelPlayView:
        """Stop a playlist's music wherever it is heard."""
        row = await self._playlists.row(principal, playlist_id)
        views = await self._zones.views(principal)
        zones = [view.zone_id for view in views if _plays(view, row.id)]
        for zone_id in zones:
            await self._zones.stop(principal, zone_id)
        return await self._views(principal, zones)

    async def _in_force(self, principal: Principal, row: ChannelPlaylist) -> list[UUID]:
        playlists = await assigned(row.client_id)
        return [
            view.zone_id
            for view in await self._zones.views(principal)
            if view.client_id == row.client_id
            and winner(view.zone_id, view.floor_id, playlists) == row.id
        ]

    async def _views(self, principal: Principal, zones: Sequence[UUID]) -> ChannelPlayView:
        views = await self._zones.views(principal)
        return ChannelPlayView(zones=tuple(view for view in views if view.zone_id in zones))

    def _rules(self, playlist_id: UUID) -> RulesView | None:
        drawn = self._drawn.get(playlist_id)
        if drawn is None:
            return None
        return RulesView(
            drawn_at=drawn.at,
            songs=drawn.songs,
            titles_too_soon=drawn.titles_too_soon,
            artists_in_a_row=drawn.artists_in_a_row,
            example=drawn.example,
        )


def _plays(view: PlaybackView, playlist_id: UUID) -> bool:
    return hears(view, playlist_id) and view.playback is Playback.PLAYING


def _upcoming(table: Timetable, view: PlaybackView, now: datetime) -> list[UpcomingView]:
    """The next announcement of every timing; those by the clock first."""
    found = [_next(table, slot, view, now) for slot in table.slots if slot.entries]
    there = [one for one in found if one is not None]
    return sorted(there, key=lambda one: (one.at is None, one.at or now, one.every_tracks or 0))


def _next(table: Timetable, slot: Slot, view: PlaybackView, now: datetime) -> UpcomingView | None:
    at = table.next_of(slot, now)
    [cue] = table.cues(at or now, [slot])
    held_back = "quiet hours" if cue.is_quiet else silence_of(view.playback)
    return UpcomingView(
        announcement_id=cue.takers[0].announcement_id,
        at=at,
        every_tracks=slot.every_tracks,
        style=cue.takers[0].style,
        held_back=held_back,
    )
