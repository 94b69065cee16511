"""Which call sounds where: a pure state machine without a clock, I/O or database.

Inputs change the state; `decide` then tells what has to be done, `drain` what has happened. Rules:

- In a zone one call sounds at a time. Of those that wait, the higher band is next; within a band
  those that asked to be `make_next`, then the higher priority, then the earlier (at 255: later).
- A call that may `cut_in` stops one of a lower band; at 255 also an earlier one of 255. The stopped
  call is played again from its start, or is dropped if it says so.
- `partial`: the zones that are free start together, in one `Start`; the others follow as they
  become free. Zones that are being emptied (some 20 ms) are waited for, so that all that a call
  takes starts on one sample.
- `together`: the call waits until it can have all its zones, and cuts nothing before. Where it is
  next, those behind it wait too, so that its turn comes. `all_or_nothing`: as soon as it can not
  have all its zones it fails in all. Both decide about the first start; what is heard again after
  a cut, or as a repeat, is heard as in `partial`.
- A call waits for others in its own zones alone, and ends in exactly one final state per zone.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from antiphon.playback.bids import Bid, Changed, Decision, Rest, Start, Stop
from antiphon.plugins.zones import CallStart, Routing, WhenCut
from antiphon.types import Band, CallState

LATEST_WINS = 255
_BANDS = list(Band)
_Rank = tuple[int, bool, int, int, UUID]


@dataclass(slots=True)
class _Part:
    """A call in one zone. `leaving` and `why`: what it becomes by the stop that was asked for."""

    state: CallState
    times: int
    leaving: CallState | None = None
    why: str | None = None


@dataclass(slots=True)
class _Open:
    """A call that is not over everywhere. `is_apart`: its zones no longer wait for each other."""

    bid: Bid
    priority: int
    is_ready: bool = False
    is_apart: bool = False
    parts: dict[UUID, _Part] = field(default_factory=dict)

    @property
    def is_all_or_nothing(self) -> bool:
        return self.bid.routing is Routing.ALL_OR_NOTHING

    @property
    def band(self) -> int:
        return _BANDS.index(Band.of(self.priority))

    @property
    def rank(self) -> _Rank:
        if self.priority == LATEST_WINS:
            return (-self.band, False, -self.priority, -self.bid.arrival, self.bid.call)
        is_behind = self.bid.start is not CallStart.MAKE_NEXT
        return (-self.band, is_behind, -self.priority, self.bid.arrival, self.bid.call)

    def may_cut(self, other: _Open) -> bool:
        """Whether `other` has to go for this call."""
        if self.bid.start is not CallStart.CUT_IN:
            return False
        if self.priority == other.priority == LATEST_WINS:
            return self.bid.arrival > other.bid.arrival
        return self.band > other.band


@dataclass(slots=True)
class _Lane:
    """A zone: the call that has it, and those that wait, best first."""

    holder: UUID | None = None
    waiting: list[_Rank] = field(default_factory=list)

    @property
    def head(self) -> UUID | None:
        return self.waiting[0][-1] if self.waiting else None

    def has(self, rank: _Rank) -> bool:
        at = bisect_left(self.waiting, rank)
        return at < len(self.waiting) and self.waiting[at] == rank

    def leave(self, rank: _Rank) -> None:
        if self.has(rank):
            del self.waiting[bisect_left(self.waiting, rank)]


class Arbiter:
    """See the module. Inputs about calls or zones that are unknown or over are ignored."""

    def __init__(self) -> None:
        self._lanes: dict[UUID, _Lane] = {}
        self._open: dict[UUID, _Open] = {}
        self._dirty: set[UUID] = set()
        self._stopping: dict[UUID, list[UUID]] = {}
        self._resting: dict[UUID, list[UUID]] = {}
        self._impatient: set[UUID] = set()
        self._changes: list[Changed] = []

    # --- zones ---------------------------------------------------------------------------------

    def add_zone(self, zone: UUID) -> None:
        """A zone where calls can sound."""
        self._lanes.setdefault(zone, _Lane())

    def remove_zone(self, zone: UUID, reason: str = "the zone was removed") -> None:
        """The zone is gone, and with it what sounded or waited in it."""
        if self._lanes.pop(zone, None) is not None:
            for call, open_call in tuple(self._open.items()):
                if zone in open_call.parts:
                    self._end(call, zone, CallState.FAILED, reason)

    # --- a call's life -------------------------------------------------------------------------

    def submit(self, bid: Bid) -> None:
        """A new call, whose clip is being prepared."""
        if bid.call in self._open:
            return
        self._open[bid.call] = open_call = _Open(bid, bid.priority)
        open_call.is_apart = bid.routing is Routing.PARTIAL
        for zone in dict.fromkeys(bid.zones):
            left = max(1, bid.times - bid.heard.get(zone, 0))
            open_call.parts[zone] = _Part(CallState.PREPARING, left)
            self._changes.append(Changed(bid.call, zone, CallState.PREPARING))
        for zone in tuple(open_call.parts):
            if zone not in self._lanes:
                self._end(bid.call, zone, CallState.FAILED, "there is no such zone")

    def hold(self, call: UUID, reason: str) -> None:
        """The clip is there, its time has not come; `ready` follows."""
        open_call = self._open.get(call)
        if open_call is not None and not open_call.is_ready:
            for zone in open_call.parts:
                self._say(open_call, zone, CallState.QUEUED, reason)

    def ready(
        self, call: UUID, priority: int | None = None, resting: Mapping[UUID, str] | None = None
    ) -> None:
        """The call can be played; what it plays may have decided the priority.

        `resting`: zones that have to wait for `wake`, and why.
        """
        open_call = self._open.get(call)
        if open_call is None or open_call.is_ready:
            return
        open_call.is_ready = True
        if priority is not None:
            open_call.priority = priority
        if open_call.is_all_or_nothing:
            self._impatient.add(call)
        for zone in open_call.parts:
            if resting and zone in resting:
                self._say(open_call, zone, CallState.QUEUED, resting[zone])
            else:
                self._queue(open_call, zone, None)

    def rest(self, call: UUID, zones: Iterable[UUID], reason: str) -> None:
        """What rests in these zones goes on to do so, for another reason; `wake` follows."""
        open_call = self._open.get(call)
        for zone in zones:
            if open_call is not None and self._rests(open_call, zone):
                self._say(open_call, zone, CallState.QUEUED, reason)

    def wake(self, call: UUID, zones: Iterable[UUID]) -> None:
        """What had to wait in these zones may be played there now."""
        open_call = self._open.get(call)
        for zone in zones:
            if open_call is not None and self._rests(open_call, zone):
                self._queue(open_call, zone, None)

    def failed(self, call: UUID, reason: str, zones: Iterable[UUID] | None = None) -> None:
        """It will not be heard in these zones (all, if not given), unless it is heard already."""
        if (open_call := self._open.get(call)) is not None:
            for zone in tuple(open_call.parts if zones is None else zones):
                if self._held(call, zone) is None:
                    self._end(call, zone, CallState.FAILED, reason)

    def started(self, call: UUID, zone: UUID) -> None:
        """The first sample went out."""
        part = self._held(call, zone)
        if part is not None and part.state is CallState.QUEUED:
            part.state = CallState.PLAYING
            self._changes.append(Changed(call, zone, CallState.PLAYING))

    def finished(self, call: UUID, zone: UUID, state: CallState, reason: str | None = None) -> None:
        """The call no longer sounds in the zone: `completed`, `failed`, or `cut` by a stop.

        `queued` says that it never started and is to be started again.
        """
        if (part := self._held(call, zone)) is None:
            return
        open_call = self._open[call]
        self._lanes[zone].holder = None
        self._touch(zone)
        is_to_end = part.leaving not in (None, CallState.CUT)
        was_heard = state is CallState.COMPLETED
        if part.leaving is not None and is_to_end and (not was_heard or part.times > 1):
            self._end(call, zone, part.leaving, part.why or reason)
        elif state is CallState.QUEUED:
            self._queue(open_call, zone, reason)
        elif state is CallState.CUT and part.leaving is None:
            reason = reason or "it was stopped from outside"
            self._end(call, zone, CallState.FAILED, reason)
        elif state is CallState.CUT and open_call.bid.when_cut is WhenCut.RESTART:
            self._queue(open_call, zone, "a higher call cut it; it will be played again")
        elif state is CallState.CUT:
            self._end(call, zone, state, reason or "a higher call cut it")
        elif was_heard and part.times > 1:
            self._repeat(open_call, zone, part)
        else:
            self._end(call, zone, state, reason)

    def revoke(self, call: UUID, zones: Iterable[UUID] | None = None) -> None:
        """Take a call back, in some zones or in all."""
        self.leave(call, zones, CallState.REVOKED, "it was revoked")

    def leave(
        self, call: UUID, zones: Iterable[UUID] | None, state: CallState, reason: str
    ) -> None:
        """End a call in some zones or in all, in this state, heard or not."""
        if (open_call := self._open.get(call)) is None:
            return
        for zone in tuple(open_call.parts if zones is None else zones):
            if (part := open_call.parts.get(zone)) is None:
                continue
            if self._held(call, zone) is None:
                self._end(call, zone, state, reason)
                continue
            if part.leaving is None:
                self._stopping.setdefault(call, []).append(zone)
            if part.leaving in (None, CallState.CUT):
                part.leaving, part.why = state, reason

    def expire(self, now: float) -> None:
        """Calls that still wait though their time is over are dropped."""
        for call, open_call in tuple(self._open.items()):
            expires_at = open_call.bid.expires_at
            if expires_at is None or expires_at > now:
                continue
            for zone in tuple(open_call.parts):
                if self._held(call, zone) is None:
                    self._end(call, zone, CallState.EXPIRED, "it waited longer than it may")

    def is_free(self, zone: UUID) -> bool:
        """Whether no call has the zone, nor waits to have it."""
        lane = self._lanes.get(zone)
        return lane is not None and lane.holder is None and not lane.waiting

    # --- outputs -------------------------------------------------------------------------------

    def decide(self) -> list[Decision]:
        """What has to be done now; each decision is given once."""
        self._drop_impatient()
        starts: list[Decision] = []
        for call in self._next():
            open_call = self._open[call]
            zones = [zone for zone in open_call.parts if self._lanes[zone].head == call]
            if not open_call.is_apart and not self._can_go(open_call):
                continue
            for zone in zones:
                self._clear(zone)
            free = [zone for zone in zones if self._lanes[zone].holder is None]
            if free and not any(self._is_clearing(zone) for zone in zones):
                starts.append(self._start(open_call, free))
        self._dirty.clear()
        stopping, self._stopping = self._stopping, {}
        resting, self._resting = self._resting, {}
        return [
            *(Stop(call, tuple(zones)) for call, zones in stopping.items()),
            *starts,
            *(
                Rest(call, tuple(zones), self._open[call].bid.gap_s)
                for call, zones in resting.items()
                if call in self._open
            ),
        ]

    def drain(self) -> list[Changed]:
        """The changes since the last time, in order."""
        changes, self._changes = self._changes, []
        return changes

    # --- who is next ---------------------------------------------------------------------------

    def _next(self) -> list[UUID]:
        """The calls that are next in a zone where something has changed, best first."""
        lanes = [self._lanes[zone] for zone in self._dirty if zone in self._lanes]
        heads = {lane.head for lane in lanes} - {None}
        return sorted((h for h in heads if h is not None), key=lambda h: self._open[h].rank)

    def _drop_impatient(self) -> None:
        for call in sorted(self._impatient, key=lambda call: self._open[call].rank):
            if not self._can_go(self._open[call]):
                self._impatient.discard(call)
                self._open[call].is_apart = True
                self.failed(call, "not all of its zones were free, and it was all or nothing")

    def _can_go(self, open_call: _Open) -> bool:
        """Whether the call can have all its zones as soon as they are emptied."""
        for zone in open_call.parts:
            lane = self._lanes[zone]
            if lane.head != open_call.bid.call:
                return False
            if lane.holder is None or self._is_clearing(zone):
                continue
            if not open_call.may_cut(self._open[lane.holder]):
                return False
        return True

    def _clear(self, zone: UUID) -> None:
        """Have the zone's holder stopped, if somebody waits for whom it has to go."""
        lane = self._lanes[zone]
        if lane.holder is None or self._is_clearing(zone):
            return
        holder = self._open[lane.holder]
        for rank in lane.waiting:
            waiting = self._open[rank[-1]]
            if waiting.band <= holder.band and waiting.priority < LATEST_WINS:
                return
            if waiting.may_cut(holder):
                holder.parts[zone].leaving = CallState.CUT
                self._stopping.setdefault(lane.holder, []).append(zone)
                return

    def _is_clearing(self, zone: UUID) -> bool:
        holder = self._lanes[zone].holder
        return holder is not None and self._open[holder].parts[zone].leaving is not None

    def _start(self, open_call: _Open, zones: Iterable[UUID]) -> Start:
        call = open_call.bid.call
        open_call.is_apart = True
        self._impatient.discard(call)
        for zone in zones:
            self._lanes[zone].holder = call
            self._lanes[zone].leave(open_call.rank)
        return Start(call, tuple(zones))

    # --- inside --------------------------------------------------------------------------------

    def _held(self, call: UUID, zone: UUID) -> _Part | None:
        """The call's part in a zone that it has at this moment."""
        lane = self._lanes.get(zone)
        return self._open[call].parts[zone] if lane is not None and lane.holder == call else None

    def _rests(self, open_call: _Open, zone: UUID) -> bool:
        """Whether the call could be played in the zone, was it not to wait for `wake`."""
        if not open_call.is_ready or zone not in open_call.parts:
            return False
        is_waiting = self._lanes[zone].has(open_call.rank)
        return not is_waiting and self._held(open_call.bid.call, zone) is None

    def _say(self, open_call: _Open, zone: UUID, state: CallState, reason: str | None) -> None:
        part = open_call.parts[zone]
        part.state, part.leaving, part.why = state, None, None
        self._changes.append(Changed(open_call.bid.call, zone, state, reason))

    def _queue(self, open_call: _Open, zone: UUID, reason: str | None) -> None:
        self._say(open_call, zone, CallState.QUEUED, reason)
        self._touch(zone)
        insort(self._lanes[zone].waiting, open_call.rank)
        self._touch(zone)

    def _repeat(self, open_call: _Open, zone: UUID, part: _Part) -> None:
        part.times -= 1
        heard = open_call.bid.times - part.times
        reason = f"heard {heard} of {open_call.bid.times} times"
        if open_call.bid.gap_s > 0:
            self._say(open_call, zone, CallState.QUEUED, reason)
            self._resting.setdefault(open_call.bid.call, []).append(zone)
        else:
            self._queue(open_call, zone, reason)

    def _touch(self, zone: UUID) -> None:
        """Look at the zone again, and at those where its next call waits for it."""
        self._dirty.add(zone)
        if (lane := self._lanes.get(zone)) is not None and lane.head is not None:
            self._dirty.update(self._open[lane.head].parts)

    def _end(self, call: UUID, zone: UUID, state: CallState, reason: str | None) -> None:
        """The final state of a call in a zone."""
        open_call = self._open.get(call)
        if open_call is None or open_call.parts.pop(zone, None) is None:
            return
        if (lane := self._lanes.get(zone)) is not None:
            lane.leave(open_call.rank)
            self._touch(zone)
        self._dirty.update(open_call.parts)
        self._changes.append(Changed(call, zone, state, reason))
        if not open_call.parts:
            del self._open[call]
            self._impatient.discard(call)
        elif state is CallState.FAILED and not open_call.is_apart and open_call.is_all_or_nothing:
            open_call.is_apart = True
            self._impatient.discard(call)
            self.failed(call, f"it was all or nothing, and in one zone {reason}")
