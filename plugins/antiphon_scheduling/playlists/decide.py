"""In which zones a playlist's cue is heard, and why not in others. Pure.

Both the runner and every look ahead decide with this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID
from zoneinfo import ZoneInfo

from antiphon_scheduling.outcomes import Block, Why
from antiphon_scheduling.playlists.timetable import Cue, Timetable
from antiphon_scheduling.rules import Quiets, quiet_span


@dataclass(frozen=True, slots=True)
class Listener:
    """A zone where a playlist is in force, at a moment.

    `silence` is why no music plays there, if none does; `hears` is whether it is this playlist's.
    """

    zone_id: UUID
    silence: str | None = None
    hears: bool = True
    quiets: Quiets = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a cue is heard, and where a rule keeps it out."""

    cue: Cue
    zones: tuple[UUID, ...]
    blocks: tuple[Block, ...] = ()

    @property
    def reason(self) -> str:
        """What keeps it out."""
        return "; ".join(dict.fromkeys(block.detail for block in self.blocks))

    def only(self, zones: Iterable[UUID]) -> Decision:
        """The part of it that is about some zones."""
        wanted = set(zones)
        return replace(
            self,
            zones=tuple(zone for zone in self.zones if zone in wanted),
            blocks=tuple(block for block in self.blocks if block.zone_id in wanted),
        )


def decide(table: Timetable, cue: Cue, listeners: Iterable[Listener]) -> Decision:
    """Where the cue is heard; a track of the playlist's music just where its music plays."""
    if cue.slot.is_music:
        there = (one.zone_id for one in listeners if one.hears and one.silence is None)
        return Decision(cue, tuple(there))
    zones: list[UUID] = []
    blocks: list[Block] = []
    for one in listeners:
        block = _block(table, cue, one)
        if block is None:
            zones.append(one.zone_id)
        else:
            blocks.append(block)
    return Decision(cue, tuple(zones), tuple(blocks))


def _block(table: Timetable, cue: Cue, listener: Listener) -> Block | None:
    if cue.is_quiet and table.quiet is not None:
        detail = f"the playlist has quiet hours until {table.quiet.end:%H:%M}"
        return Block(listener.zone_id, Why.QUIET, detail)
    zone = ZoneInfo(table.timezone)
    if (span := quiet_span(cue.instant, zone, listener.quiets)) is not None:
        detail = f"the zone has quiet hours until {span[1].astimezone(zone):%H:%M}"
        return Block(listener.zone_id, Why.QUIET, detail)
    if listener.silence is not None:
        return Block(listener.zone_id, Why.SILENT, listener.silence)
    return None
