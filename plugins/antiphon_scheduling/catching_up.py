"""Brings zones into the state that the clock says, after the server was away at a change of music.

What a schedule would have started or stopped meanwhile is done late, once, and only what would
stand now: a later change goes before, and so does what a person did by hand since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from antiphon.events import ScheduleFired
from antiphon.plugins import PluginContext
from antiphon.tenancy.models import Client
from antiphon_scheduling import records
from antiphon_scheduling.actions import Actions, NotAllowed, NotDone
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.models import Outcome, Schedule, ScheduleRecord
from antiphon_scheduling.outcomes import Block, Firing, Why
from antiphon_scheduling.performer import Performer
from antiphon_scheduling.plan import Plan
from antiphon_scheduling.plans import read_plans

ORPHANED_AFTER = timedelta(seconds=35)  # by then a server that lives has done it, or given it up
_CHANGED = "the schedule was changed, switched off or deleted since"


@dataclass(slots=True)
class _Late:
    """A change of music that is not done yet, and the zones where it would stand now."""

    record: ScheduleRecord
    plan: Plan
    zones: list[UUID]
    blocks: list[Block] = field(default_factory=list)

    @property
    def rank(self) -> tuple[datetime, tuple[int, int]]:
        """Whether it stands before another one."""
        return self.record.instant, self.plan.limits.priority

    def leave_out(self, zone_id: UUID, why: Why, detail: str) -> None:
        """It does not stand in a zone any more."""
        self.zones.remove(zone_id)
        self.blocks.append(Block(zone_id, why, detail))


class CatchUp:
    """Owned by the scheduler, which calls `begin` once it knows all schedules."""

    def __init__(self, context: PluginContext, clock: Clock, performer: Performer) -> None:
        self._context = context
        self._clock = clock
        self._actions = Actions(context)
        self._performer = performer
        self._late: set[UUID] = set()
        self._is_wanted = True
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """There may be what a server that died had begun: `begin` is wanted soon."""
        self._is_wanted = True

    def begin(self) -> None:
        """Do beside what is due what is late, if anything may be."""
        if self._is_wanted and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="schedule catch-up")

    async def close(self) -> None:
        """Give up what is being done; the next server goes on with it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def expect(self, made: Iterable[ScheduleRecord]) -> None:
        """These records stand for changes of music that this server found to be late."""
        self._late.update(one.id for one in made if one.outcome is Outcome.FIRING)
        self._is_wanted = self._is_wanted or bool(self._late)

    async def _run(self) -> None:
        while self._is_wanted:
            self._is_wanted = False
            await self._do_all()

    async def _do_all(self) -> None:
        """Do what is late, and what a server that died had begun. Never raises."""
        late, self._late = self._late, set()
        try:
            by_client: dict[UUID, list[ScheduleRecord]] = {}
            for row in await ScheduleRecord.filter(outcome=Outcome.FIRING, music__isnull=False):
                if row.id in late or await self._is_taken_over(row):
                    by_client.setdefault(row.client_id, []).append(row)
            for client_id, found in by_client.items():
                await self._of_client(client_id, found)
        except Exception:  # it is all in the records: another look finds it again
            self._context.log.exception("What was missed of the music has to wait for a moment")

    async def _is_taken_over(self, row: ScheduleRecord) -> bool:
        """Whether a server left it undone, and it is ours now: of several servers, one's."""
        now = datetime.now(UTC)  # the clock that the rows' stamps are by
        if row.id in self._performer.in_hand or row.updated_at > now - ORPHANED_AFTER:
            return False
        mine = ScheduleRecord.filter(
            id=row.id, outcome=Outcome.FIRING, updated_at__lte=now - ORPHANED_AFTER
        )
        return bool(await mine.update(updated_at=now))

    async def _of_client(self, client_id: UUID, found: Sequence[ScheduleRecord]) -> None:
        keys = list({record.schedule_id for record in found})
        rows = {row.id: row for row in await Schedule.filter(id__in=keys)}
        on = Schedule.filter(id__in=keys, enabled=True, deleted_at__isnull=True)
        plans = {plan.schedule_id: plan for plan in await read_plans(on)}
        there = []
        for record in found:
            plan = plans.get(record.schedule_id)
            if plan is None or plan.since >= record.instant:
                await self._give_up(record, rows[record.schedule_id], _CHANGED)
            else:
                there.append(_Late(record, plan, [UUID(zone) for zone in record.zones]))
        await self._leave_out(client_id, there)
        for one in sorted(there, key=lambda one: one.rank):
            await self._perform(one, rows[one.record.schedule_id])

    async def _leave_out(self, client_id: UUID, there: Sequence[_Late]) -> None:
        """Take out of each the zones where something else stands by now."""
        if not there:
            return
        first = min(one.record.instant for one in there)
        fired = await _fired_since(client_id, first)
        by_hand = await _commanded(client_id)
        best: dict[UUID, _Late] = {}
        for one in there:
            for zone_id in one.zones:
                other = best.get(zone_id)
                best[zone_id] = one if other is None or one.rank > other.rank else other
        for one in there:
            for zone_id in list(one.zones):
                instant = one.record.instant
                if best[zone_id] is not one or fired.get(zone_id, instant) > instant:
                    one.leave_out(zone_id, Why.OUTRANKED, "a later change of the music counts")
                elif (at := by_hand.get(zone_id)) is not None and at > instant:
                    shown = f"{at.astimezone(one.plan.zone):%H:%M}"
                    one.leave_out(zone_id, Why.BY_HAND, f"the music was changed by hand at {shown}")

    async def _perform(self, one: _Late, row: Schedule) -> None:
        record = one.record
        firing = Firing(
            schedule_id=record.schedule_id,
            client_id=record.client_id,
            instant=record.instant,
            turn=one.plan.turn,
            announcement_id=None,
            music=one.plan.deed(record.deferred_from or record.instant).does.music,
            zones=tuple(one.zones),
            blocks=tuple(one.blocks),
        )
        if firing.blocks:
            self._performer.tell_blocked(firing, row.name)
        if not firing.zones:
            await records.suppress(record, firing.blocks)
            return
        record.blocks = [*record.blocks, *map(records.written, firing.blocks)]
        record.zones = [str(zone_id) for zone_id in firing.zones]
        await record.save(update_fields=["blocks", "zones", "updated_at"])
        try:
            if firing.music is None:
                raise NotDone(_CHANGED)
            await self._actions.perform(row, firing)
        except NotAllowed as error:
            blocks = [Block(zone_id, Why.INACTIVE, str(error)) for zone_id in firing.zones]
            await records.suppress(record, blocks)
        except NotDone as error:
            await self._give_up(record, row, str(error))
        else:
            now = self._clock.now()
            reason = f"done at {now.astimezone(one.plan.zone):%H:%M:%S}: the server was away"
            await records.finish(record, Outcome.FIRED, reason=reason)
            await Schedule.filter(id=row.id).update(last_executed_at=now)
            self._context.log.info("The schedule %s is made up for: %s", row.name, reason)
            self._context.bus.publish(
                ScheduleFired(
                    client_id=row.client_id,
                    schedule_id=row.id,
                    name=row.name,
                    instant=record.instant,
                    zones=firing.zones,
                )
            )

    async def _give_up(self, record: ScheduleRecord, row: Schedule, reason: str) -> None:
        await records.finish(record, Outcome.MISSED, reason=reason)
        self._performer.tell_missed(record, reason, row.name)


async def _fired_since(client_id: UUID, first: datetime) -> dict[UUID, datetime]:
    """When schedules, or people by their hand, last changed the music of each zone."""
    rows: Sequence[Any] = (
        await ScheduleRecord.filter(
            client_id=client_id, instant__gt=first, outcome=Outcome.FIRED, music__isnull=False
        )
        .order_by("instant")
        .values_list("instant", "zones")
    )
    return {UUID(zone): instant for instant, zones in rows for zone in zones}


async def _commanded(client_id: UUID) -> dict[UUID, datetime]:
    """When the music of each zone was last commanded by other than a schedule."""
    columns = ("zones__id", "zones__playback_state__commanded_at")
    rows: Sequence[Any] = await Client.filter(id=client_id).values_list(*columns)
    return {zone_id: at for zone_id, at in rows if zone_id is not None and at is not None}
