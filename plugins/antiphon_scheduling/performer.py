"""Does what the planner decided, at its time, and writes down what came of it.

Announcements are handed to the zones ahead of their time, which they keep to the sample; music is
started and stopped so much earlier as its sound takes to the loudspeakers.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from antiphon.events import ScheduleFired, ScheduleMissed, ScheduleSuppressed
from antiphon.plugins import PluginContext
from antiphon_scheduling import records
from antiphon_scheduling.actions import Actions, NotAllowed, NotDone
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.models import Outcome, Schedule, ScheduleRecord
from antiphon_scheduling.outcomes import Block, Firing, Miss, Why

_IN_HAND = timedelta(seconds=1)  # what settling and preparing may take
_WITHDRAWN = "the schedule was changed, switched off or deleted just before"


@dataclass(eq=False)
class _Handed:
    """A firing that is settled and whose time has not come."""

    row: Schedule
    firing: Firing
    record: ScheduleRecord
    call_id: UUID | None = None
    is_withdrawn: bool = False


class Performer:
    """Owned by the scheduler, which calls `act` whenever `next_at` comes."""

    def __init__(self, context: PluginContext, clock: Clock, wake: asyncio.Event) -> None:
        self._context = context
        self._clock = clock
        self._wake = wake
        self._actions = Actions(context)
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()
        self._handed: dict[UUID, list[_Handed]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ahead(self) -> timedelta:
        """How long before its time a firing is handed over."""
        zones = self._context.zones
        return timedelta(seconds=max(zones.notice_s, zones.latency_s)) + _IN_HAND

    @property
    def next_at(self) -> datetime | None:
        """When there is something to do."""
        return self._agenda[0][0] if self._agenda else None

    @property
    def in_hand(self) -> set[UUID]:
        """The records of the firings that are not over."""
        return {handed.record.id for here in self._handed.values() for handed in here}

    def act(self, now: datetime) -> None:
        """Do what was put off until now."""
        while self._agenda and self._agenda[0][0] <= now:
            heapq.heappop(self._agenda)[2]()

    async def close(self) -> None:
        """Give up what is being done."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- firings -------------------------------------------------------------------------------

    def perform(self, row: Schedule, firing: Firing, record: ScheduleRecord) -> None:
        """Take over a firing that is settled: its announcement at once, music at its time."""
        handed = _Handed(row, firing, record)
        self._handed.setdefault(row.id, []).append(handed)
        if firing.music is None:
            self._spawn(row, self._perform(handed))
            return
        at = firing.instant - timedelta(seconds=self._context.zones.latency_s)
        self._put_off(at, lambda: self._spawn(row, self._perform(handed)))

    def withdraw(self, schedule_id: UUID, in_force_since: datetime | None) -> None:
        """The schedule is not on any more, or came into force anew: what was to come, does not."""
        for handed in self._handed.get(schedule_id, []):
            is_same = in_force_since is not None and handed.firing.since == in_force_since
            is_to_come = handed.firing.instant > self._clock.now()
            if is_to_come and not is_same and not handed.is_withdrawn:
                handed.is_withdrawn = True
                if handed.call_id is not None or handed.firing.music is not None:
                    self._spawn(handed.row, self._take_back(handed))

    async def _perform(self, handed: _Handed) -> None:
        """Do what a firing stands for, and say what came of it."""
        row, firing = handed.row, handed.firing
        if handed.is_withdrawn:
            return
        at = firing.instant if firing.instant > self._clock.now() else None
        try:
            handed.call_id = await self._actions.perform(row, firing, at)
        except NotAllowed as error:
            await self._suppress(handed, str(error))
        except NotDone as error:
            await self._fail(handed, str(error))
        else:
            if handed.is_withdrawn:
                await self._take_back(handed)
            else:
                self._put_off(firing.instant, lambda: self._spawn(row, self._finish(handed)))

    async def _finish(self, handed: _Handed) -> None:
        if handed.is_withdrawn:
            return
        self._over(handed)
        row = handed.row
        self._context.bus.publish(
            ScheduleFired(
                client_id=row.client_id,
                schedule_id=row.id,
                call_id=handed.call_id,
                name=row.name,
                instant=handed.firing.instant,
                zones=handed.firing.zones,
            )
        )
        await records.finish(handed.record, Outcome.FIRED, call_id=handed.call_id)

    async def _fail(self, handed: _Handed, reason: str) -> None:
        self._over(handed)
        self.tell_missed(handed.record, reason, handed.row.name)
        await records.finish(handed.record, Outcome.MISSED, reason=reason)

    async def _take_back(self, handed: _Handed) -> None:
        if handed.call_id is not None:
            await self._actions.withdraw(handed.row.client_id, handed.call_id)
        await self._fail(handed, _WITHDRAWN)

    async def _suppress(self, handed: _Handed, reason: str) -> None:
        """The zones refused what the planner did not know to be refused."""
        self._over(handed)
        firing = handed.firing
        blocks = tuple(Block(zone_id, Why.INACTIVE, reason) for zone_id in firing.zones)
        self._tell_suppressed(firing, blocks, handed.row.name)
        await records.suppress(handed.record, blocks)

    def _over(self, handed: _Handed) -> None:
        here = self._handed.get(handed.row.id, [])
        if handed in here:
            here.remove(handed)
        if not here:
            self._handed.pop(handed.row.id, None)

    # --- telling -------------------------------------------------------------------------------

    def tell_blocked(self, firing: Firing, name: str) -> None:
        """Say which zones a firing left out."""
        if firing.blocks:
            self._tell_suppressed(firing, firing.blocks, name)

    def _tell_suppressed(self, firing: Firing, blocks: tuple[Block, ...], name: str) -> None:
        self._context.bus.publish(
            ScheduleSuppressed(
                client_id=firing.client_id,
                schedule_id=firing.schedule_id,
                name=name,
                instant=firing.instant,
                zones=tuple(block.zone_id for block in blocks),
                announcement_id=firing.announcement_id,
                reason="; ".join(dict.fromkeys(block.detail for block in blocks)),
            )
        )

    async def miss(self, miss: Miss, name: str) -> list[ScheduleRecord]:
        """Write down and tell what can not be done any more; returns what may be made up for."""
        late = []
        for record in await records.settle_miss(miss):
            if record.outcome is Outcome.MISSED:
                shown = f"{miss.instant:%Y-%m-%d %H:%M} UTC"
                reason = miss.reason if miss.reason.endswith(".") else f"{shown} {miss.reason}"
                self.tell_missed(record, reason, name)
            elif miss.late is not None:
                self.tell_blocked(miss.late, name)
                late.append(record)
        return late

    def tell_missed(self, record: ScheduleRecord, reason: str, name: str | None = None) -> None:
        """Say that nothing came of a time."""
        who = name or record.schedule_id
        self._context.log.warning("The schedule %s did nothing: %s", who, reason)
        self._context.bus.publish(
            ScheduleMissed(
                client_id=record.client_id,
                schedule_id=record.schedule_id,
                name=name or "",
                instant=record.instant,
                zones=tuple(UUID(zone) for zone in record.zones),
                announcement_id=record.announcement_id,
                reason=reason,
            )
        )

    # --- tasks ---------------------------------------------------------------------------------

    def _put_off(self, at: datetime, work: Callable[[], None]) -> None:
        if at <= self._clock.now():
            work()
            return
        heapq.heappush(self._agenda, (at, next(self._numbers), work))
        self._wake.set()

    def _spawn(self, row: Schedule, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=f"schedule {row.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
