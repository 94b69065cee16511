"""What the arbiter is told of a call, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from antiphon.plugins.zones import CallStart, Routing, WhenCut
from antiphon.types import CallState


@dataclass(frozen=True, slots=True)
class Bid:
    """A call's claim to its zones. `arrival` orders equals; `expires_at` is on the caller's clock.

    A call expires while it waits, never while it is heard. It is heard `times` times in each
    zone, which is free for others for `gap_s` in between; `heard` says how often it was already,
    before a restart.
    """

    call: UUID
    zones: tuple[UUID, ...]
    priority: int
    arrival: int
    expires_at: float | None = None
    when_cut: WhenCut = WhenCut.RESTART
    start: CallStart = CallStart.CUT_IN
    routing: Routing = Routing.PARTIAL
    times: int = 1
    gap_s: float = 0.0
    heard: Mapping[UUID, int] = field(default_factory=dict)


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
class Rest:
    """Say `wake` for these zones of a call after `gap_s`: it is to be heard again."""

    call: UUID
    zones: tuple[UUID, ...]
    gap_s: float


Decision = Start | Stop | Rest


@dataclass(frozen=True, slots=True)
class Changed:
    """A call has a new state in a zone."""

    call: UUID
    zone: UUID
    state: CallState
    reason: str | None = None
