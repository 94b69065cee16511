"""What becomes of a call that was open when the server ended. Pure, on a clock handed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from antiphon.playback.bids import Bid
from antiphon.playback.record import Record
from antiphon.plugins.zones import Routing, WhenCut
from antiphon.types import CallState

FORGET_AFTER = timedelta(hours=12)
Ending = tuple[CallState, str]

_AGAIN = "the server was restarted while it was heard; it is played again"
_CUT = "the server was restarted while it was heard"
_STALE = "the server was away for too long"


def bid_of(record: Record, expires_at: float | None) -> Bid:
    """The claim of a call to the zones where it is not over; `expires_at` is on the loop's clock.

    What was heard somewhere already is heard elsewhere on its own: `routing` was about the start.
    """
    request, parts = record.request, record.parts.values()
    has_begun = any(part.delivered_at is not None or part.state.final for part in parts)
    return Bid(
        record.id,
        record.open_zones,
        record.priority,
        record.arrival,
        expires_at,
        request.when_cut,
        request.start,
        Routing.PARTIAL if has_begun else request.routing,
        request.repeat,
        request.repeat_gap_s,
        {zone_id: part.times_heard for zone_id, part in record.parts.items()},
    )


def revive(record: Record, now: datetime) -> dict[UUID, Ending]:
    """Let what sounded be as if it were cut; returns what ends at once, by zone, and why.

    What waited goes on to wait, with what is left of its time. What has no expiry and was to be
    heard long ago nobody expects any more.
    """
    endings: dict[UUID, Ending] = {}
    due = max(record.created_at, record.starts_at or record.created_at)
    is_stale = record.expires_at is None and now - due > FORGET_AFTER
    for zone_id in record.open_zones:
        part = record.parts[zone_id]
        sounded, part.state = part.state is CallState.PLAYING, CallState.QUEUED
        if sounded and record.request.when_cut is WhenCut.DROP:
            endings[zone_id] = (CallState.CUT, _CUT)
        elif is_stale:
            endings[zone_id] = (CallState.EXPIRED, _STALE)
        elif sounded:
            record.note = _AGAIN
    return endings
