"""What playlists did and will do in a zone: their part of preview, explain and next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from antiphon.plugins import Zones
from antiphon.tenancy.models import Client
from antiphon.types import Playback, Principal
from antiphon_scheduling.forecast import is_exact
from antiphon_scheduling.models import Outcome
from antiphon_scheduling.outcomes import Why
from antiphon_scheduling.outlook_views import Explained, OutlookItem, Result, Verdict
from antiphon_scheduling.places import Places
from antiphon_scheduling.playlists.decide import Decision, Listener, decide
from antiphon_scheduling.playlists.force import Candidate, ranked
from antiphon_scheduling.playlists.listeners import hears, silence_of
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelRecord, Style
from antiphon_scheduling.playlists.tables import active_timetables, assigned, timetables_of
from antiphon_scheduling.playlists.timetable import Cue, Timetable
from antiphon_scheduling.rules import Quiets
from antiphon_scheduling.walltime import TICK

_MOST = 5_000
_RUN_UP = timedelta(days=1)
_STOPPED = "the music was stopped by a schedule"
_COUNTED = (
    "plays from here on, while there is music; it is counted in tracks, and which tracks come, and "
    "how many were counted before, is known only when they play"
)


@dataclass(frozen=True, slots=True)
class Change:
    """A schedule plays, resumes or stops the music of a zone; `playlist_id` is what it plays."""

    at: datetime
    does: str
    playlist_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A zone as it is now: which playlist is in force, what plays, and when it is quiet there."""

    zone_id: UUID
    candidates: tuple[Candidate, ...]
    table: Timetable | None
    silence: str | None
    hears: bool
    quiets: Quiets

    @classmethod
    async def read(cls, client_id: UUID, zone_id: UUID, zones: Zones | None) -> Scene | None:
        """As the server has it, or without one the database; None where there is no such zone."""
        seen = await _seen(client_id, zone_id, zones)
        if seen is None:
            return None
        floor_id, playback, source = seen
        candidates = ranked(zone_id, floor_id, await assigned(client_id))
        chosen = next((one.playlist_id for one in candidates if one.in_force), None)
        tables = [] if chosen is None else await active_timetables(chosen)
        places = Places(zones)
        await places.refresh(client_id)
        quiets = {one.zone_id: one.quiets for one in places(client_id)}
        return cls(
            zone_id=zone_id,
            candidates=tuple(candidates),
            table=tables[0] if tables else None,
            silence=silence_of(playback),
            hears=chosen is not None and source == chosen,
            quiets=quiets.get(zone_id, ()),
        )

    def coming(
        self, now: datetime, begin: datetime, end: datetime, changes: Sequence[Change]
    ) -> list[OutlookItem]:
        """What the playlist does from `begin` (not before `now`) until before `end`.

        `changes` are the schedules' changes of the music from `now` on, in order. What is counted
        in tracks is an item of its own, where the zone's music plays first.
        """
        if self.table is None:
            return []
        table = wound_on(self.table, now, begin)
        found = self._counted(table, max(begin, now), end, changes)
        music = iter(changes)
        change = next(music, None)
        listener = Listener(self.zone_id, self.silence, self.hears, self.quiets)
        while (due := table.following(table.settled_until)) is not None and due[0] < end:
            instant, slots = due
            if len(found) > _MOST:
                break  # more than anybody is told
            while change is not None and change.at <= instant:
                listener = _after(listener, change, table.playlist_id)
                change = next(music, None)
            cues = table.cues(instant, slots)
            decided = [decide(table, cue, [listener]) for cue in cues]
            found += [_coming(table, one) for one in decided if one.zones or one.blocks]
            table = table.settled(instant, cues)
        return found

    def _counted(
        self, table: Timetable, begin: datetime, end: datetime, changes: Sequence[Change]
    ) -> list[OutlookItem]:
        """One item for each timing that is counted in tracks, if any music plays."""
        is_silent = self.silence is not None
        for change in changes:
            if change.at <= begin:
                is_silent = change.does == "stop"
        starts = [one.at for one in changes if begin < one.at < end and one.does != "stop"]
        if is_silent and not starts:
            return []
        at = starts[0] if is_silent else begin
        return [
            _item(
                table,
                at=at,
                does="announcement",
                result=Result.UNKNOWN,
                reason=_COUNTED,
                rule=slot.rule,
            )
            for slot in table.slots
            if slot.every_tracks is not None
        ]

    def explained(self, found: Sequence[OutlookItem], after: datetime) -> list[Explained]:
        """What each playlist that is assigned here means for the zone, by what was `found`."""
        return [self._explained(one, found, after) for one in self.candidates]

    def _explained(
        self, one: Candidate, found: Sequence[OutlookItem], after: datetime
    ) -> Explained:
        mine = [it for it in found if it.playlist_id == one.playlist_id]
        item = next((it for it in mine if it.result is not Result.UNKNOWN), None)
        table = self.table if one.in_force else None
        next_at = None
        if table is not None and (following := table.following(after - TICK)) is not None:
            next_at = following[0]
        if item is not None:
            local = item.at.astimezone(ZoneInfo(table.timezone)) if table else item.at
            verdict = Verdict(item.result.value)
            reason = item.reason or f"{item.rule}: due at {local:%H:%M:%S}"
        elif table is not None:
            verdict, reason = Verdict.NOT_NOW, "no time of it falls into this minute"
            if mine:
                reason += f"; {mine[0].rule}: {_COUNTED}"
        elif one.reason == "it is switched off":
            verdict, reason = Verdict.OFF, one.reason
        else:
            verdict, reason = Verdict.NOT_HERE, one.reason
        rules = [] if table is None else [slot.rule for slot in table.slots]
        return Explained(
            playlist_id=one.playlist_id,
            name=one.name,
            verdict=verdict,
            reason=reason,
            why=item.why if item else None,
            rule="; ".join(rules),
            next_at=next_at,
        )


def wound_on(table: Timetable, now: datetime, begin: datetime) -> Timetable:
    """The timetable as it stands at `begin`, not before `now`: turns that come before are over.

    Of what lies far ahead not every turn is counted; see `forecast.is_exact`.
    """
    begin = max(begin, now)
    since = max(table.settled_until, now - TICK)
    if not is_exact(now, begin):
        since = max(since, begin - _RUN_UP)
    table = table.model_copy(update={"settled_until": since})
    while (due := table.following(table.settled_until)) is not None and due[0] < begin:
        table = table.settled(due[0], table.cues(*due))
    return table


async def past_of(
    client_id: UUID, zone_id: UUID, begin: datetime, end: datetime
) -> list[OutlookItem]:
    """What playlists did in a zone, out of the records."""
    rows = await ChannelRecord.filter(
        client_id=client_id, instant__gte=begin, instant__lt=end
    ).order_by("instant", "created_at")
    ids = list({row.playlist_id for row in rows})
    playlists = await ChannelPlaylist.filter(id__in=ids)
    tables = {table.playlist_id: table for table in await timetables_of(playlists)}
    found = [_past(row, tables[row.playlist_id], str(zone_id)) for row in rows]
    return [item for item in found if item is not None]


def _coming(table: Timetable, decision: Decision) -> OutlookItem:
    cue, block = decision.cue, next(iter(decision.blocks), None)
    return _item(
        table,
        at=cue.instant,
        does="play" if cue.slot.is_music else "announcement",
        announcement_id=cue.announcement_id,
        result=Result.SUPPRESSED if block else Result.PLAYS,
        why=block.why if block else None,
        reason=block.detail if block else None,
        rule=_rule(cue),
    )


def _past(row: ChannelRecord, table: Timetable, zone: str) -> OutlookItem | None:
    block = next((one for one in row.blocks if one["zone_id"] == zone), None)
    if block is None and zone not in row.zones and (row.zones or row.blocks):
        return None
    result = Result.SUPPRESSED if block else Result.PLAYS
    if block is None and row.outcome is Outcome.MISSED:
        result = Result.MISSED
    return _item(
        table,
        at=row.instant,
        does="announcement" if row.announcement_id else "play" if row.rule else "none",
        announcement_id=row.announcement_id,
        result=result,
        why=Why(block["why"]) if block else None,
        reason=block["detail"] if block else row.reason,
        rule=row.rule,
        over=True,
    )


def _item(table: Timetable, **values: Any) -> OutlookItem:
    return OutlookItem(playlist_id=table.playlist_id, name=table.name, **values)


def _rule(cue: Cue) -> str:
    is_between = cue.takers and cue.takers[0].style is Style.BETWEEN
    return f"{cue.slot.rule}, between tracks" if is_between else cue.slot.rule


def _after(listener: Listener, change: Change, playlist_id: UUID) -> Listener:
    """The zone behind a change of its music; a stop and a start of the queue keep what it is."""
    is_play = change.does == "play"
    return replace(
        listener,
        silence=_STOPPED if change.does == "stop" else None,
        hears=change.playlist_id == playlist_id if is_play else listener.hears,
    )


async def _seen(
    client_id: UUID, zone_id: UUID, zones: Zones | None
) -> tuple[UUID, Playback, UUID | None] | None:
    """A zone's floor, what its music does, and the playlist that it comes from."""
    if zones is not None:
        views = await zones.views(Principal.system(client_id), [zone_id])
        if not views:
            return None
        [view] = views
        source = view.source
        is_channel = source is not None and hears(view, UUID(source.value))
        return view.floor_id, view.playback, UUID(source.value) if is_channel else None  # type: ignore[union-attr]
    columns = ("floor_id", "playback_state__playback", "playback_state__current_playlists")
    rows: Sequence[Any] = await Client.filter(id=client_id, zones__id=zone_id).values_list(
        *(f"zones__{column}" for column in columns)
    )
    if not rows:
        return None
    floor_id, playback, playlists = rows[0]
    kept = playlists[0].removeprefix("channel:") if playlists else ""
    return floor_id, Playback(playback or Playback.STOPPED), UUID(kept) if kept else None
