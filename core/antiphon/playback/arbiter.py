"""Which call sounds where: a pure state machine without a clock, I/O or database.

Inputs change the state; `decide` then tells what has to be done, `drain` what has happened. Rules:

- In a zone one call sounds at a time; the others wait, higher priority first, then by arrival.
- A call waits only for calls in its own zones. The zones that are free start together, in one
  `Start`; the others follow as they become free.
- A call of a strictly higher band cuts in on a lower one. The zones that it takes are emptied
  first (some 20 ms), and those of its zones that were free wait for them, so that all start on one
  sample. The lower call plays again from its start, or is dropped if it says so.
- Every call ends in exactly one final state per zone.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from antiphon.types import Band, CallState

_Rank = tuple[int, int, UUID]


class WhenCut(StrEnum):
    """What becomes of a call that a higher one cut."""

    RESTART = "restart"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Bid:
    """A call's claim to its zones. `arrival` orders equals; `expires_at` is on the caller's clock.

    A call expires while it waits, never while it is heard.
    """

    call: UUID
    zones: tuple[UUID, ...]
    priority: int
    arrival: int
    expires_at: float | None = None
    when_cut: WhenCut = WhenCut.RESTART


@dataclass(frozen=True, slots=True)
class Start:
    """Let a call sound in these zones, from the same sample."""

    call: UUID
    zones: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """End a call in these zones; each is free once `finished` was told."""

    call: UUID
    zones: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """A call has a new state in a zone."""

    call: UUID
    zone: UUID
    state: CallState
    reason: str | None = None


@dataclass(slots=True)
class _Part:
    """A call in one zone. `leaving` is why a stop was asked for."""

    state: CallState
    leaving: CallState | None = None


@dataclass(slots=True)
class _Open:
    """A call that is not over everywhere."""

    bid: Bid
    priority: int
    is_ready: bool = False
    parts: dict[UUID, _Part] = field(default_factory=dict)

    @property
    def rank(self) -> _Rank:
        return (-self.priority, self.bid.arrival, self.bid.call)

    @property
    def band(self) -> int:
        return next(n for n, band in enumerate(Band) if self.priority in band.priorities)


@dataclass(slots=True)
class _Lane:
    """A zone: the call that has it, and those that wait, best first."""

    holder: UUID | None = None
    waiting: list[_Rank] = field(default_factory=list)

    @property
    def head(self) -> UUID | None:
        return self.waiting[0][2] if self.waiting else None

    def leave(self, rank: _Rank) -> None:
        at = bisect_left(self.waiting, rank)
        if at < len(self.waiting) and self.waiting[at] == rank:
            del self.waiting[at]


class Arbiter:
    """See the module. Inputs about calls or zones that are unknown or over are ignored."""

    def __init__(self) -> None:
        self._lanes: dict[UUID, _Lane] = {}
        self._open: dict[UUID, _Open] = {}
        self._dirty: set[UUID] = set()
        self._stopping: dict[UUID, list[UUID]] = {}
        self._changes: list[Changed] = []

    # --- zones ---------------------------------------------------------------------------------

    def add_zone(self, zone: UUID) -> None:
        """A zone where calls can sound."""
        self._lanes.setdefault(zone, _Lane())

    def remove_zone(self, zone: UUID, reason: str = "the zone was removed") -> None:
        """The zone is gone, and with it what sounded or waited in it."""
        lane = self._lanes.pop(zone, None)
        if lane is not None:
            for call in [lane.holder, *(rank[2] for rank in lane.waiting)]:
                self._end(call, zone, CallState.FAILED, reason)
        for call, open_call in tuple(self._open.items()):
            if zone in open_call.parts:  # still being prepared
                self._end(call, zone, CallState.FAILED, reason)

    # --- a call's life -------------------------------------------------------------------------

    def submit(self, bid: Bid) -> None:
        """A new call, whose clip is being prepared."""
        if bid.call in self._open:
            return
        self._open[bid.call] = open_call = _Open(bid, bid.priority)
        for zone in dict.fromkeys(bid.zones):
            open_call.parts[zone] = _Part(CallState.PREPARING)
            self._changes.append(Changed(bid.call, zone, CallState.PREPARING))
        for zone in tuple(open_call.parts):
            if zone not in self._lanes:
                self._end(bid.call, zone, CallState.FAILED, "there is no such zone")

    def ready(self, call: UUID, priority: int | None = None) -> None:
        """The clip can be played; what it is may have decided the priority."""
        open_call = self._open.get(call)
        if open_call is None or open_call.is_ready:
            return
        open_call.is_ready = True
        if priority is not None:
            open_call.priority = priority
        for zone in open_call.parts:
            self._queue(open_call, zone, None)

    def failed(self, call: UUID, reason: str) -> None:
        """The clip could not be prepared."""
        open_call = self._open.get(call)
        if open_call is not None and not open_call.is_ready:
            for zone in tuple(open_call.parts):
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
        part = self._held(call, zone)
        if part is None:
            return
        open_call = self._open[call]
        self._lanes[zone].holder = None
        self._touch(zone)
        if state is CallState.CUT and part.leaving is CallState.REVOKED:
            state, reason = CallState.REVOKED, reason or "it was revoked"
        elif state is CallState.QUEUED and part.leaving is CallState.REVOKED:
            state, reason = CallState.REVOKED, "it was revoked"
        elif state is CallState.CUT and part.leaving is None:
            state, reason = CallState.FAILED, reason or "it was stopped from outside"
        elif state is CallState.CUT and open_call.bid.when_cut is WhenCut.RESTART:
            state, reason = CallState.QUEUED, "a higher call cut it; it will be played again"
        if state is CallState.QUEUED:
            self._queue(open_call, zone, reason)
        else:
            self._end(call, zone, state, reason)

    def revoke(self, call: UUID, zones: Iterable[UUID] | None = None) -> None:
        """Take a call back, in some zones or in all."""
        open_call = self._open.get(call)
        if open_call is None:
            return
        for zone in tuple(open_call.parts if zones is None else zones):
            part = open_call.parts.get(zone)
            if part is None:
                continue
            if self._held(call, zone) is None:
                self._end(call, zone, CallState.REVOKED, "it was revoked")
                continue
            if part.leaving is None:
                self._stopping.setdefault(call, []).append(zone)
            part.leaving = CallState.REVOKED

    def expire(self, now: float) -> None:
        """Calls that still wait though their time is over are dropped."""
        for call, open_call in tuple(self._open.items()):
            expires_at = open_call.bid.expires_at
            if expires_at is None or expires_at > now:
                continue
            for zone in tuple(open_call.parts):
                if self._held(call, zone) is None:
                    self._end(call, zone, CallState.EXPIRED, "it waited longer than it may")

    # --- outputs -------------------------------------------------------------------------------

    def decide(self) -> list[Start | Stop]:
        """What has to be done now; each decision is given once."""
        starting: dict[UUID, list[UUID]] = {}
        stopping, self._stopping = self._stopping, {}
        for zone in self._dirty:
            lane = self._lanes.get(zone)
            if lane is None or (head := lane.head) is None:
                continue
            if lane.holder is None:
                starting.setdefault(head, []).append(zone)
            elif self._yields(lane.holder, zone, head):
                stopping.setdefault(lane.holder, []).append(zone)
        self._dirty.clear()
        decisions: list[Start | Stop] = [
            Stop(call, tuple(zones)) for call, zones in stopping.items()
        ]
        for call in sorted(starting, key=lambda call: self._open[call].rank):
            if not self._is_clearing_for(call):
                zones = self._in_order(call, starting[call])
                for zone in zones:
                    lane = self._lanes[zone]
                    lane.holder = call
                    lane.leave(self._open[call].rank)
                decisions.append(Start(call, zones))
        return decisions

    def drain(self) -> list[Changed]:
        """The changes since the last time, in order."""
        changes, self._changes = self._changes, []
        return changes

    # --- inside --------------------------------------------------------------------------------

    def _held(self, call: UUID, zone: UUID) -> _Part | None:
        """The call's part in a zone that it has at this moment."""
        lane = self._lanes.get(zone)
        return self._open[call].parts[zone] if lane is not None and lane.holder == call else None

    def _queue(self, open_call: _Open, zone: UUID, reason: str | None) -> None:
        open_call.parts[zone] = _Part(CallState.QUEUED)
        self._touch(zone)
        insort(self._lanes[zone].waiting, open_call.rank)
        self._touch(zone)
        self._changes.append(Changed(open_call.bid.call, zone, CallState.QUEUED, reason))

    def _touch(self, zone: UUID) -> None:
        """Look at the zone again, and at those where its next call waits for it."""
        self._dirty.add(zone)
        if (lane := self._lanes.get(zone)) is not None and lane.head is not None:
            self._dirty.update(self._open[lane.head].parts)

    def _end(self, call: UUID | None, zone: UUID, state: CallState, reason: str | None) -> None:
        """The final state of a call in a zone."""
        open_call = self._open.get(call) if call is not None else None
        if call is None or open_call is None or open_call.parts.pop(zone, None) is None:
            return
        if (lane := self._lanes.get(zone)) is not None:
            lane.leave(open_call.rank)
            self._touch(zone)
        self._dirty.update(open_call.parts)
        self._changes.append(Changed(call, zone, state, reason))
        if not open_call.parts:
            del self._open[call]

    def _yields(self, holder: UUID, zone: UUID, head: UUID) -> bool:
        """Whether the zone's holder has to be stopped now for the head of the queue."""
        part = self._open[holder].parts[zone]
        if part.leaving is not None or self._open[head].band <= self._open[holder].band:
            return False
        part.leaving = CallState.CUT
        return True

    def _is_clearing_for(self, call: UUID) -> bool:
        """Whether another of the call's zones is being emptied and this call comes next there."""
        for zone in self._open[call].parts:
            lane = self._lanes.get(zone)
            if lane is None or lane.holder is None or lane.head != call:
                continue
            if self._open[lane.holder].parts[zone].leaving is not None:
                return True
        return False

    def _in_order(self, call: UUID, zones: Iterable[UUID]) -> tuple[UUID, ...]:
        """The zones as the caller named them."""
        chosen = set(zones)
        return tuple(zone for zone in self._open[call].parts if zone in chosen)
