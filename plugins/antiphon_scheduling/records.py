"""Writes down what became of each time of a schedule: that it is settled, then how it went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from antiphon.store import in_transaction
from antiphon_scheduling.models import Outcome, Schedule, ScheduleRecord
from antiphon_scheduling.neighbours import Said
from antiphon_scheduling.outcomes import Block, Firing, Miss
from antiphon_scheduling.plan import Plan

REMEMBERED = timedelta(days=1)
_DIED = "the server stopped before it could tell whether it was played"


async def settle(firings: Sequence[Firing], now: datetime) -> list[ScheduleRecord]:
    """Settle what nobody else has settled, in one transaction; returns the records of it.

    An instant is settled by one conditional statement: neither a crash nor a second server on the
    same database settles it twice.
    """
    records = []
    async with in_transaction():
        for firing in firings:
            rows = _unsettled(firing, firing.instant).filter(enabled=True, deleted_at__isnull=True)
            changes: dict[str, Any] = {
                "settled_until": firing.instant,
                "rests_until": firing.rests_until,
            }
            if firing.zones:
                changes |= {"fired_count": firing.turn + 1, "last_executed_at": now}
            if await rows.update(**changes):
                records.append(_record(firing))
        await ScheduleRecord.bulk_create(records)
    return records


async def settle_miss(miss: Miss) -> list[ScheduleRecord]:
    """Settle what is missed, and write down what is to be made up for, in one transaction.

    Returns the records; none where somebody else has settled it.
    """
    async with in_transaction():
        changes = {"settled_until": miss.until, "rests_until": miss.rests_until}
        if not await _unsettled(miss, miss.until).update(**changes):
            return []
        made = [_record(miss.late)] if miss.late is not None else []
        if miss.late is None or miss.late.instant != miss.instant:
            made.append(
                ScheduleRecord(
                    client_id=miss.client_id,
                    schedule_id=miss.schedule_id,
                    instant=miss.instant,
                    outcome=Outcome.MISSED,
                    announcement_id=miss.announcement_id,
                    zones=[str(zone) for zone in miss.zones],
                    reason=miss.reason,
                )
            )
        # What was fired by hand, to the microsecond, may stand there already.
        await ScheduleRecord.bulk_create(made, ignore_conflicts=True)
        return made


def _unsettled(outcome: Firing | Miss, until: datetime) -> QuerySet[Schedule]:
    """The schedule, unless it is settled by now, or another configuration came into force."""
    rows = Schedule.filter(id=outcome.schedule_id, settled_until__lt=until)
    if outcome.since is not None:
        rows = rows.filter(Q(in_force_since=outcome.since) | Q(in_force_since__isnull=True))
    return rows


async def rest(plan: Plan, until: datetime) -> None:
    """Write down that nothing is to be decided about a schedule until then, if that still holds."""
    await Schedule.filter(
        Q(in_force_since=plan.since) | Q(in_force_since__isnull=True),
        Q(rests_until=plan.rests_until) if plan.rests_until else Q(rests_until__isnull=True),
        id=plan.schedule_id,
        settled_until=plan.settled_until,
    ).update(rests_until=until)


async def unrest(client_ids: Iterable[UUID] | None = None) -> None:
    """Forget how long schedules may rest: what that was worked out from has changed."""
    rows = Schedule.all() if client_ids is None else Schedule.filter(client_id__in=list(client_ids))
    await rows.update(rests_until=None)


async def finish(
    record: ScheduleRecord,
    outcome: Outcome,
    *,
    call_id: UUID | None = None,
    reason: str | None = None,
) -> None:
    """Write down how a firing went."""
    record.outcome, record.call_id, record.reason = outcome, call_id, reason
    await record.save(update_fields=["outcome", "call_id", "reason", "updated_at"])


async def suppress(record: ScheduleRecord, blocks: Sequence[Block]) -> None:
    """Write down that the zones were refused a firing."""
    record.outcome, record.zones = Outcome.SUPPRESSED, []
    record.blocks = [*record.blocks, *map(written, blocks)]
    await record.save(update_fields=["outcome", "zones", "blocks", "updated_at"])


async def give_up(due_before: datetime) -> list[ScheduleRecord]:
    """Announcements that were begun and never finished, because the server died: now missed.

    Of a change of music one can still say whether it is to stand; see `catching_up`.
    """
    found = []
    for record in await ScheduleRecord.filter(
        outcome=Outcome.FIRING, music__isnull=True, instant__lt=due_before
    ):
        rows = ScheduleRecord.filter(id=record.id, outcome=Outcome.FIRING)
        if await rows.update(outcome=Outcome.MISSED, reason=_DIED):
            record.outcome, record.reason = Outcome.MISSED, _DIED
            found.append(record)
    return found


async def forget(before: datetime) -> int:
    """Delete old records; returns how many."""
    return await ScheduleRecord.filter(instant__lt=before).delete()


async def remember(said: Said, now: datetime, client_id: UUID | None = None) -> None:
    """Tell `said` what was said over the last day."""
    rows = ScheduleRecord.filter(
        instant__gt=now - REMEMBERED,
        outcome__in=(Outcome.FIRED, Outcome.FIRING),
        by_hand=False,
        announcement_id__isnull=False,
    )
    if client_id is not None:
        rows = rows.filter(client_id=client_id)
    found: Iterable[Any] = await rows.order_by("instant").values_list("instant", "zones")
    for instant, zones in found:
        for zone in zones:
            said.note(UUID(zone), instant)


def _record(firing: Firing) -> ScheduleRecord:
    return ScheduleRecord(
        client_id=firing.client_id,
        schedule_id=firing.schedule_id,
        instant=firing.instant,
        outcome=Outcome.FIRING if firing.zones else Outcome.SUPPRESSED,
        announcement_id=firing.announcement_id,
        music=firing.music.do if firing.music else None,
        zones=[str(zone) for zone in firing.zones],
        blocks=[written(block) for block in firing.blocks],
        deferred_from=firing.deferred_from,
    )


def written(block: Block) -> dict[str, Any]:
    """A block as a record keeps it."""
    return {
        "zone_id": str(block.zone_id),
        "why": block.why.value,
        "detail": block.detail,
        "by": str(block.by) if block.by else None,
    }
