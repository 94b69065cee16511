"""Plays a period of a zone in a rehearsal: its schedules' and its playlist's part, as they decide.

The decisions are those of the planner and of the playlists' timetables; see `forecast` and
`playlists.decide`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from antiphon.errors import AntiphonError, Conflict
from antiphon.offline import Heard, Rehearsal
from antiphon.plugins import CallRequest, PlayRequest
from antiphon.types import CallStyle, Playback
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.outcomes import Firing
from antiphon_scheduling.playlists.counting import TrackCounter
from antiphon_scheduling.playlists.decide import Listener, decide
from antiphon_scheduling.playlists.listeners import silence_of
from antiphon_scheduling.playlists.models import Style
from antiphon_scheduling.playlists.music import CHANNEL
from antiphon_scheduling.playlists.outlook import Scene, wound_on
from antiphon_scheduling.playlists.timetable import Cue, Entry, Slot, Timetable
from antiphon_scheduling.recurrence import Music

_STEP_S = 1.0
_PLAYED = {"folder_ids", "playlist_id", "shuffle", "crossfade_s"}


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that a rule keeps out, at a second of the rehearsal."""

    at_s: float
    name: str
    reason: str


class Director:
    """Gives a rehearsal its cues. `firings` are the zone's, in order.

    `period` is now, the beginning and the end of what is rendered.
    """

    def __init__(
        self,
        rehearsal: Rehearsal,
        scene: Scene,
        firings: Sequence[tuple[Firing, Schedule]],
        period: tuple[datetime, datetime, datetime],
        duck_down_s: float,
    ) -> None:
        now, begin, end = period
        self.kept: list[Kept] = []
        self._rehearsal = rehearsal
        self._scene = scene
        self._firings = firings
        self._begin = begin
        self._end = end
        self._lead_s = duck_down_s
        self._counter = TrackCounter()
        self._table = None if scene.table is None else wound_on(scene.table, now, begin)
        rehearsal.on_track = self._count

    async def run(self, progress: Callable[[float], None]) -> None:
        """Render the whole period; `progress` hears of each second of it."""
        firings = iter(self._firings)
        firing = next(firings, None)
        while True:
            due = self._table.following(self._table.settled_until) if self._table else None
            times = [firing[0].instant if firing else None, due[0] if due else None]
            instant = min((one for one in times if one is not None), default=self._end)
            if instant >= self._end:
                break
            is_spoken = self._is_spoken(instant, firing, due)
            await self._run_to(self._second(instant), progress, lead=is_spoken)
            while firing is not None and firing[0].instant == instant:
                await self._fire(*firing)
                firing = next(firings, None)
            if self._table is not None and due is not None and due[0] == instant:
                cues = self._table.cues(instant, due[1])
                self._table = self._table.settled(instant, cues)
                for cue in cues:
                    await self._cue(cue)
        await self._run_to(self._second(self._end), progress)

    def _second(self, instant: datetime) -> float:
        return (instant - self._begin).total_seconds()

    async def _run_to(
        self, at_s: float, progress: Callable[[float], None], *, lead: bool = False
    ) -> None:
        """Render; with `lead` just to where music has to go down for a word at `at_s`."""
        if lead and self._rehearsal.programme.sounds:
            at_s -= self._lead_s
        while (now_s := self._rehearsal.now_s) < at_s:
            await self._rehearsal.run_to(min(at_s, now_s + _STEP_S))
            progress(self._rehearsal.now_s)

    @staticmethod
    def _is_spoken(
        instant: datetime,
        firing: tuple[Firing, Schedule] | None,
        due: tuple[datetime, tuple[Slot, ...]] | None,
    ) -> bool:
        """Whether nothing but announcements is due: a start of music is not to come early."""
        is_music = firing is not None and firing[0].instant == instant and firing[0].music
        slots = due[1] if due is not None and due[0] == instant else ()
        return not is_music and not any(slot.is_music for slot in slots)

    # --- schedules -----------------------------------------------------------------------------

    async def _fire(self, firing: Firing, row: Schedule) -> None:
        zone_id = self._scene.zone_id
        for block in firing.blocks:
            if block.zone_id == zone_id:
                self._keep(row.name, block.detail)
        if zone_id not in firing.zones:
            return
        try:
            if firing.music is not None:
                await change_music(self._rehearsal, firing.music)
            else:
                wishes: dict[str, Any] = {"band": row.band, "chime": row.chime}
                await self._rehearsal.say(
                    CallRequest(announcement_id=firing.announcement_id, zones=[zone_id], **wishes)
                )
        except AntiphonError as error:
            self._trouble(row.name, error)

    # --- the playlist --------------------------------------------------------------------------

    async def _count(self) -> None:
        if self._table is not None:
            now = self._begin + timedelta(seconds=self._rehearsal.now_s)
            for slot in tuple(self._counter.full(self._table, CHANNEL)):
                cues = self._table.cues(now, [slot])
                self._table = self._table.settled(self._table.settled_until, cues)
                for cue in cues:
                    await self._cue(cue)

    async def _cue(self, cue: Cue) -> None:
        if (table := self._table) is None:
            return
        decision = decide(table, cue, [self._listener(table)])
        for block in decision.blocks:
            self._keep(table.name, block.detail)
        if not decision.zones:
            return
        if cue.slot.is_music:
            await self._rehearsal.go_on()
            return
        for entry in cue.takers:
            try:
                await self._say(table, entry)
            except AntiphonError as error:  # its turn is the next one's
                self._trouble(table.name, error)
            else:
                return

    def _listener(self, table: Timetable) -> Listener:
        programme = self._rehearsal.programme
        source = programme.queue.source
        is_its = source is not None and source.value == str(table.playlist_id)
        return Listener(
            self._scene.zone_id, silence_of(programme.playback), is_its, self._scene.quiets
        )

    async def _say(self, table: Timetable, entry: Entry) -> None:
        request = CallRequest(
            announcement_id=entry.announcement_id,
            zones=[self._scene.zone_id],
            band=table.band,
            style=CallStyle(entry.style.value),
        )
        if entry.style is Style.BETWEEN:
            try:
                await self._rehearsal.say_between(request)
            except Conflict:
                await self._rehearsal.say(request)
        else:
            await self._rehearsal.say(request)

    def _keep(self, name: str, reason: str) -> None:
        self.kept.append(Kept(self._rehearsal.now_s, name, reason))

    def _trouble(self, name: str, error: AntiphonError) -> None:
        trouble = Heard(self._rehearsal.now_s, "trouble", f"{name}: {error}")
        self._rehearsal.heard.append(trouble)


async def change_music(rehearsal: Rehearsal, music: Music) -> None:
    """Start, stop or go on with the music, as a schedule says."""
    if music.do == "play":
        await rehearsal.play(PlayRequest(**music.model_dump(include=_PLAYED)))
    elif music.do == "stop":
        rehearsal.stop()
    elif rehearsal.programme.playback is not Playback.PLAYING:
        await rehearsal.resume()


def music_before(
    firings: Sequence[tuple[Firing, Schedule]], zone_id: UUID, begin: datetime
) -> Music | None:
    """What schedules did to the music last before `begin`."""
    found = None
    for firing, _ in firings:
        if firing.instant < begin and firing.music is not None and zone_id in firing.zones:
            found = firing.music
    return found


def of_zone(
    firings: Sequence[tuple[Firing, Schedule]], zone_id: UUID, begin: datetime
) -> Iterator[tuple[Firing, Schedule]]:
    """What is due in a zone from `begin` on."""
    for firing, row in firings:
        blocked = any(block.zone_id == zone_id for block in firing.blocks)
        if firing.instant >= begin and (blocked or zone_id in firing.zones):
            yield firing, row
