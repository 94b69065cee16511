"""What the planner decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from antiphon_scheduling.recurrence import Music


class Why(StrEnum):
    """Why a zone is left out of a firing."""

    QUIET = "quiet"
    DEFERRED = "deferred"
    LAYER = "layer"
    GAP = "gap"
    CAP = "cap"
    OUTRANKED = "outranked"
    SILENT = "silent"
    INACTIVE = "inactive"
    OFF = "off"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Block:
    """A zone that is left out; `by` is the schedule that stands in the way, if one does."""

    zone_id: UUID
    why: Why
    detail: str
    by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Firing:
    """What is due at an instant, in `zones`; where these are none, it is suppressed.

    It is decided by what was in force `since`; after it, nothing is to be decided before
    `rests_until`, if that is known. `everywhere` tells that these are all zones of a schedule for
    all. `deferred_from` is the time in the quiet hours that it stands for.
    """

    schedule_id: UUID
    client_id: UUID
    instant: datetime
    turn: int
    announcement_id: UUID | None
    music: Music | None
    zones: tuple[UUID, ...]
    blocks: tuple[Block, ...] = ()
    everywhere: bool = False
    deferred_from: datetime | None = None
    since: datetime | None = None
    rests_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """A schedule's instant, and all others up to `until`, are not fired: `reason` says why.

    It was for `zones`, and for `announcement_id` if that is set. `late` is the last change of
    music among them, which may be made up for. For `since` and `rests_until` see `Firing`.
    """

    schedule_id: UUID
    client_id: UUID
    instant: datetime
    until: datetime
    since: datetime | None = None
    rests_until: datetime | None = None
    reason: str = "was over before the server could act"
    zones: tuple[UUID, ...] = ()
    announcement_id: UUID | None = None
    late: Firing | None = None
