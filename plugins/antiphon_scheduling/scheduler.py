"""The service that does by the clock what schedules say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from antiphon.events import (
    ScheduleFired,
    ScheduleMissed,
    ScheduleSuppressed,
    ZoneChanged,
    ZoneCreated,
    ZoneDeleted,
    ZoneEvent,
)
from antiphon.plugins import PluginContext
from antiphon.tenancy.models import Client
from antiphon_scheduling import records
from antiphon_scheduling.actions import Actions, NotDone
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.events import CalendarChanged, ScheduleChanged
from antiphon_scheduling.models import Outcome, Schedule, ScheduleRecord
from antiphon_scheduling.outcomes import Firing, Miss
from antiphon_scheduling.places import Places
from antiphon_scheduling.planner import Planner
from antiphon_scheduling.plans import active, read_plans

_LOOK_AROUND = timedelta(minutes=5)  # finds what no event tells: another server's edits
_OVERLAP = timedelta(minutes=1)
_GIVE_UP_AFTER = timedelta(seconds=60)
_RETRY = timedelta(seconds=5)
_TOGETHER = 50  # firings that are settled in one transaction
_PLANS_AT_ONCE = 500
_ZONE_NEWS: tuple[type[ZoneEvent], ...] = (ZoneCreated, ZoneChanged, ZoneDeleted)


class Scheduler:
    """Fires every active schedule at its instants, while it is entered.

    An instant is written down as settled before anything is done, so it is done once at most; what
    a crash leaves undone is told as missed by the next server.
    """

    def __init__(
        self, context: PluginContext, clock: Clock, grace: timedelta, keep: timedelta
    ) -> None:
        self._context = context
        self._clock = clock
        self._grace = grace
        self._keep = keep
        self._actions = Actions(context)
        self._places = Places(context.zones)
        self._planner = Planner(grace, self._places)
        self._clients: dict[UUID, tuple[Any, ...]] = {}
        self._read_at = self._look_at = clock.now()
        self._changed: set[UUID] = set()
        self._zones_changed = False
        self._clients_changed: set[UUID] = set()
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        """Plan what is active and start."""
        bus = self._context.bus
        with ExitStack() as stack:
            stack.callback(bus.subscribe(ScheduleChanged, self._on_changed))
            stack.callback(bus.subscribe(CalendarChanged, self._on_calendar))
            for kind in _ZONE_NEWS:
                stack.callback(bus.subscribe(kind, self._on_zone))
            await self._load()
            self._stack = stack.pop_all()
        self._task = asyncio.create_task(self._run(), name="scheduler")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; what is being done is given up."""
        self._stack.close()
        tasks = [self._task, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- news ----------------------------------------------------------------------------------

    def _on_changed(self, event: ScheduleChanged) -> None:
        self._changed.add(event.schedule_id)
        self._wake.set()

    def _on_calendar(self, event: CalendarChanged) -> None:
        if event.client_id is not None:
            self._clients_changed.add(event.client_id)
        self._wake.set()

    def _on_zone(self, event: ZoneEvent) -> None:
        self._zones_changed = True
        if event.client_id is not None:
            self._clients_changed.add(event.client_id)
        self._wake.set()

    # --- the loop ------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._turn()
                until = min(filter(None, (self._look_at, self._planner.next_instant)))
            except Exception:
                # What the planner handed out but was not settled comes back with a new start.
                self._context.log.exception("The scheduler stumbled; it goes on in a moment")
                until = self._clock.now() + _RETRY
                await self._clock.wait(until, self._wake)
                await self._try_load()
                continue
            await self._clock.wait(until, self._wake)

    async def _turn(self) -> None:
        now = self._clock.now()
        if now >= self._look_at or now < self._read_at - _OVERLAP:
            await self._look_around(now)
        await self._take_news()
        outcomes = self._planner.due(now)
        while batch := list(islice(outcomes, _TOGETHER)):
            # What a schedule missed lies before what it fires, so it is settled before.
            for item in batch:
                if isinstance(item, Miss):
                    await self._miss(item)
            await self._fire([item for item in batch if isinstance(item, Firing)], now)

    async def _take_news(self) -> None:
        if self._zones_changed:
            self._zones_changed = False
            await self._places.refresh()
        clients, self._clients_changed = self._clients_changed, set()
        if clients:
            await self._put(await read_plans(active().filter(client_id__in=list(clients))))
        changed, self._changed = self._changed, set()
        if changed:
            await self._replan(changed)

    # --- plans ---------------------------------------------------------------------------------

    async def _load(self) -> None:
        """Plan anew from the database."""
        now = self._clock.now()
        self._changed.clear()
        self._clients = await _clients()
        await self._places.refresh()
        self._planner = Planner(self._grace, self._places)
        await records.remember(self._planner.said, now)
        await self._put(await read_plans(active()))
        self._read_at, self._look_at = now, now + _GIVE_UP_AFTER
        await self._give_up(now)

    async def _try_load(self) -> None:
        try:
            await self._load()
        except Exception:
            self._context.log.exception("The schedules can not be read; tried again in a moment")

    async def _look_around(self, now: datetime) -> None:
        """Find what no event told: edits by another server, a client's timezone, old records."""
        clients, before = await _clients(), self._clients
        self._clients = clients
        for client_id in before.keys() | clients.keys():
            if before.get(client_id) != clients.get(client_id):
                await self._replan_client(client_id)
        edited = Schedule.filter(updated_at__gte=min(self._read_at, now) - _OVERLAP)
        rows: Sequence[Any] = await edited.values_list("id", flat=True)
        await self._replan(set(rows))
        self._zones_changed = True
        self._read_at, self._look_at = now, now + _LOOK_AROUND
        await self._give_up(now)
        await records.forget(now - self._keep)

    async def _replan_client(self, client_id: UUID) -> None:
        for plan in list(self._planner.plans):
            if plan.client_id == client_id:
                self._planner.remove(plan.schedule_id)
        await self._put(await read_plans(active().filter(client_id=client_id)))

    async def _replan(self, schedule_ids: set[UUID]) -> None:
        for schedule_id in schedule_ids:
            self._planner.remove(schedule_id)
        wanted = list(schedule_ids)
        for start in range(0, len(wanted), _PLANS_AT_ONCE):
            some = wanted[start : start + _PLANS_AT_ONCE]
            await self._put(await read_plans(active().filter(id__in=some)))

    async def _put(self, plans: Sequence[Any]) -> None:
        for number, plan in enumerate(plans):
            if number % _PLANS_AT_ONCE == _PLANS_AT_ONCE - 1:
                await asyncio.sleep(0)
            self._planner.put(plan)

    # --- what is due ---------------------------------------------------------------------------

    async def _fire(self, firings: list[Firing], now: datetime) -> None:
        if not firings:
            return
        settled = await records.settle(firings, now)
        rows = {
            row.id: row
            for row in await Schedule.filter(id__in=[one.schedule_id for one in settled])
        }
        done = {record.schedule_id: record for record in settled}
        for firing in firings:
            record = done.get(firing.schedule_id)
            if record is None or record.instant != firing.instant:
                self._changed.add(firing.schedule_id)  # another server, or an edit, was first
                continue
            self._tell_blocked(firing)
            if firing.zones:
                row = rows[firing.schedule_id]
                work = self._perform(row, firing, record)
                task = asyncio.create_task(work, name=f"schedule {row.name}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _perform(self, row: Schedule, firing: Firing, record: ScheduleRecord) -> None:
        """Do what `firing` stands for, and say what came of it."""
        try:
            call_id = await self._actions.perform(row, firing)
        except NotDone as error:
            self._tell_missed(record, str(error), row.name)
            await records.finish(record, Outcome.MISSED, reason=str(error))
        else:
            self._context.bus.publish(
                ScheduleFired(client_id=row.client_id, schedule_id=row.id, call_id=call_id)
            )
            await records.finish(record, Outcome.FIRED, call_id=call_id)

    async def _miss(self, miss: Miss) -> None:
        if (record := await records.settle_miss(miss)) is not None:
            shown = f"{miss.instant:%Y-%m-%d %H:%M} UTC"
            reason = miss.reason if miss.reason.endswith(".") else f"{shown} {miss.reason}"
            self._tell_missed(record, reason)

    async def _give_up(self, now: datetime) -> None:
        for record in await records.give_up(now - self._grace - _GIVE_UP_AFTER):
            self._tell_missed(record, record.reason or "")

    def _tell_blocked(self, firing: Firing) -> None:
        if firing.blocks:
            self._context.bus.publish(
                ScheduleSuppressed(
                    client_id=firing.client_id,
                    schedule_id=firing.schedule_id,
                    instant=firing.instant,
                    zones=tuple(block.zone_id for block in firing.blocks),
                    reason="; ".join(dict.fromkeys(block.detail for block in firing.blocks)),
                )
            )

    def _tell_missed(self, record: ScheduleRecord, reason: str, name: str | None = None) -> None:
        who = name or record.schedule_id
        self._context.log.warning("The schedule %s did nothing: %s", who, reason)
        self._context.bus.publish(
            ScheduleMissed(
                client_id=record.client_id, schedule_id=record.schedule_id, reason=reason
            )
        )


async def _clients() -> dict[UUID, tuple[Any, ...]]:
    """What of each client changes the plans."""
    columns = ("id", "timezone", "is_active", "deleted_at")
    rows: Sequence[Any] = await Client.all().values_list(*columns)
    return {row[0]: tuple(row[1:]) for row in rows}
