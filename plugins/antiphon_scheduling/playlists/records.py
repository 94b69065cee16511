"""Writes down what became of each time of a playlist: that it is settled, then how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from tortoise.expressions import F

from antiphon.store import in_transaction
from antiphon_scheduling.models import Outcome
from antiphon_scheduling.outcomes import Block
from antiphon_scheduling.playlists.decide import Decision
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelRecord
from antiphon_scheduling.playlists.timetable import Cue, Slot, Timetable, turns_of

_DIED = "the server stopped before it could tell whether it was played"
Settled = list[tuple[Decision, ChannelRecord | None]]


async def settle(
    table: Timetable,
    instant: datetime,
    slots: Sequence[Slot],
    judge: Callable[[Cue], Decision],
    *,
    by_clock: bool = True,
) -> tuple[Timetable, Settled] | None:
    """Take what is due at an instant; None where somebody else has, or the playlist is off.

    One conditional statement decides: neither a crash nor a second server on the same database
    makes a call twice. What is counted in tracks is not `by_clock`, and settles no instant.
    """
    rows = ChannelPlaylist.filter(id=table.playlist_id, enabled=True, deleted_at__isnull=True)
    changes = {"settled_until": instant} if by_clock else {}
    if by_clock:
        rows = rows.filter(settled_until__lt=instant)
    async with in_transaction():
        turns = turns_of(table.cues(instant, slots))
        if not await rows.update(turn=F("turn") + turns, **changes):
            return None
        # Another server may have used up turns since this table was read.
        turn = (await ChannelPlaylist.get(id=table.playlist_id)).turn - turns
        table = table.model_copy(update={"turn": turn})
        cues = table.cues(instant, slots)
        decisions = [judge(cue) for cue in cues]
        made = [(one, _record(table, one)) for one in decisions]
        await ChannelRecord.bulk_create(record for _, record in made if record is not None)
    return table.settled(instant if by_clock else table.settled_until, cues), made


async def settle_miss(table: Timetable, instant: datetime, until: datetime, reason: str) -> bool:
    """Settle what is missed up to `until`; False where somebody else has."""
    async with in_transaction():
        rows = ChannelPlaylist.filter(id=table.playlist_id, settled_until__lt=until)
        if not await rows.update(settled_until=until):
            return False
        await ChannelRecord.create(
            client_id=table.client_id,
            playlist_id=table.playlist_id,
            instant=instant,
            outcome=Outcome.MISSED,
            rule="",
            reason=reason,
        )
    return True


async def finish(
    record: ChannelRecord | None,
    outcome: Outcome,
    *,
    announcement_id: UUID | None = None,
    call_id: UUID | None = None,
    reason: str | None = None,
) -> None:
    """Write down how a cue went."""
    if record is not None:
        record.outcome, record.call_id, record.reason = outcome, call_id, reason
        record.announcement_id = announcement_id or record.announcement_id
        columns = ["outcome", "call_id", "reason", "announcement_id", "updated_at"]
        await record.save(update_fields=columns)


async def give_up(due_before: datetime) -> None:
    """What was begun and never finished, because the server died, is missed."""
    rows = ChannelRecord.filter(outcome=Outcome.FIRING, instant__lt=due_before)
    await rows.update(outcome=Outcome.MISSED, reason=_DIED)


async def forget(before: datetime) -> None:
    """Delete old records."""
    await ChannelRecord.filter(instant__lt=before).delete()


def _record(table: Timetable, decision: Decision) -> ChannelRecord | None:
    """None where the playlist is in force nowhere."""
    if not decision.zones and not decision.blocks:
        return None
    return ChannelRecord(
        client_id=table.client_id,
        playlist_id=table.playlist_id,
        instant=decision.cue.instant,
        outcome=Outcome.FIRING if decision.zones else Outcome.SUPPRESSED,
        announcement_id=decision.cue.announcement_id,
        rule=decision.cue.slot.rule[:200],
        zones=[str(zone) for zone in decision.zones],
        blocks=[_written(block) for block in decision.blocks],
    )


def _written(block: Block) -> dict[str, str]:
    return {"zone_id": str(block.zone_id), "why": block.why.value, "detail": block.detail}
