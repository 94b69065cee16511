"""When a channel playlist's announcements are due: pure functions of a timetable and a time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from antiphon.types import Band, Frozen
from antiphon_scheduling.playlists.models import Style
from antiphon_scheduling.walltime import instant_of

_DAY = timedelta(days=1)
_TRIES = 10
T_ = TypeVar("T_")


class Entry(Frozen):
    """An announcement in a playlist."""

    item_id: UUID
    announcement_id: UUID
    style: Style


class Slot(Frozen):
    """One timing: an item's own, or (without an item) that of all items that have none.

    Exactly one of the three is set. `entries` are the announcements whose time it is; for
    `is_music` it is a track's.
    """

    item_id: UUID | None
    every_min: int | None = None
    every_tracks: int | None = None
    fixed_times: tuple[time, ...] = ()
    entries: tuple[Entry, ...] = ()
    is_music: bool = False

    @property
    def takes_turns(self) -> bool:
        """Whether its announcements come one after the other."""
        return self.item_id is None and not self.is_music

    @property
    def rule(self) -> str:
        """What names its times."""
        if self.every_min is not None:
            return f"{'music ' * self.is_music}every {self.every_min} min"
        if self.every_tracks is not None:
            return f"every {self.every_tracks} tracks"
        return "at " + ", ".join(f"{at:%H:%M}" for at in self.fixed_times)

    def following(self, after: datetime, zone: ZoneInfo, anchor: datetime) -> datetime | None:
        """The first instant later than `after`; None for what is counted in tracks.

        Minutes are elapsed time, in step with the local midnight before `anchor`: they neither
        drift nor stumble where the clocks change.
        """
        if self.every_min is not None:
            midnight = datetime.combine(anchor.astimezone(zone).date(), time.min)
            start, step = instant_of(midnight, zone), timedelta(minutes=self.every_min)
            return start + ((after - start) // step + 1) * step
        if self.fixed_times:
            return next(instant for instant in self._fixed(after, zone) if instant > after)
        return None

    def _fixed(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        day = after.astimezone(zone).date() - _DAY
        while True:
            # Sorted as instants: where clocks jump, two times of day may be one.
            yield from sorted(
                instant_of(datetime.combine(day, at), zone) for at in self.fixed_times
            )
            day += _DAY


class Quiet(Frozen):
    """Hours in which no announcement is heard, in local time; the night may lie between them."""

    begin: time
    end: time

    def covers(self, at: time) -> bool:
        """Whether it is quiet at a time of day."""
        if self.begin < self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end


class Cue(Frozen):
    """What is due at an instant: whose turn it is, and who takes it over if that can not be.

    `is_quiet`: the playlist's quiet hours hold it back, and nobody's turn is used up.
    """

    instant: datetime
    slot: Slot
    takers: tuple[Entry, ...]
    is_quiet: bool = False

    @property
    def announcement_id(self) -> UUID | None:
        """What is to be heard; None for music."""
        return self.takers[0].announcement_id if self.takers else None


class Timetable(Frozen):
    """All timings of one playlist. `turn` counts the announcements that took turns."""

    playlist_id: UUID
    client_id: UUID
    timezone: str
    anchor: datetime
    settled_until: datetime
    slots: tuple[Slot, ...]
    quiet: Quiet | None = None
    name: str = ""
    band: Band = Band.SPOT
    turn: int = 0
    shuffle: bool = False

    def next_of(self, slot: Slot, after: datetime) -> datetime | None:
        """The first instant of one timing later than `after` and than what is settled."""
        after = max(after, self.settled_until)
        return slot.following(after, ZoneInfo(self.timezone), self.anchor)

    def following(self, after: datetime) -> tuple[datetime, tuple[Slot, ...]] | None:
        """The first instant later than `after` and than what is settled, and what is due then."""
        found = [(self.next_of(slot, after), slot) for slot in self.slots]
        instants = [instant for instant, _ in found if instant is not None]
        if not instants:
            return None
        first = min(instants)
        return first, tuple(slot for instant, slot in found if instant == first)

    def due(self, now: datetime) -> Iterator[tuple[datetime, tuple[Slot, ...]]]:
        """All that is due at `now`, in order."""
        at = self.settled_until
        while (found := self.following(at)) is not None and found[0] <= now:
            yield found
            at = found[0]

    def cues(self, instant: datetime, slots: Sequence[Slot]) -> tuple[Cue, ...]:
        """What these timings stand for at an instant, in order."""
        turn, found = self.turn, []
        for slot in slots:
            is_quiet = not slot.is_music and self.is_quiet(instant)
            takers = self._takers(slot, turn)
            if takers or slot.is_music:
                cue = Cue(instant=instant, slot=slot, takers=takers, is_quiet=is_quiet)
                found.append(cue)
                turn += cue.slot.takes_turns and not is_quiet
        return tuple(found)

    def settled(self, instant: datetime, cues: Sequence[Cue]) -> Timetable:
        """The same when these cues of an instant are over."""
        turn = self.turn + turns_of(cues)
        return self.model_copy(update={"settled_until": instant, "turn": turn})

    def _takers(self, slot: Slot, turn: int) -> tuple[Entry, ...]:
        pool = slot.entries
        if not slot.takes_turns or not pool:
            return pool
        turns = range(turn, turn + min(len(pool), _TRIES))
        seed = str(self.playlist_id)
        return tuple(in_turn(pool, one, shuffle=self.shuffle, seed=seed) for one in turns)

    def is_quiet(self, now: datetime) -> bool:
        """Whether announcements are held back now."""
        if self.quiet is None:
            return False
        return self.quiet.covers(now.astimezone(ZoneInfo(self.timezone)).time())


def turns_of(cues: Sequence[Cue]) -> int:
    """How many turns these use up."""
    return sum(cue.slot.takes_turns and not cue.is_quiet for cue in cues)


def in_turn(choices: Sequence[T_], turn: int, *, shuffle: bool, seed: str) -> T_:
    """Whose turn it is. Shuffled, every choice comes once before any comes again.

    No choice comes twice in a row where two rounds meet, unless there is just one.
    """
    number, place = divmod(turn, len(choices))
    if not shuffle:
        return choices[place]
    order = _shuffled(len(choices), seed, number)
    # Only the first two places change, so the round before needs no look at the one before it.
    if len(order) > 2 and number > 0 and _shuffled(len(order), seed, number - 1)[-1] == order[0]:
        order[0], order[1] = order[1], order[0]
    if len(order) == 2:
        order = _shuffled(2, seed, 0)
    return choices[order[place]]


def _shuffled(size: int, seed: str, number: int) -> list[int]:
    order = list(range(size))
    random.Random(f"{seed}:{number}").shuffle(order)  # noqa: S311  music, no secret
    return order
