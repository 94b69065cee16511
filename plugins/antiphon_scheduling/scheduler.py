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

from antiphon.events import DeviceChanged, ZoneChanged, ZoneCreated, ZoneDeleted, ZoneEvent
from antiphon.plugins import PluginContext
from antiphon_scheduling import records
from antiphon_scheduling.basis import Basis
from antiphon_scheduling.catching_up import CatchUp
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.events import CalendarChanged, ScheduleChanged
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.outcomes import Firing, Miss
from antiphon_scheduling.performer import Performer
from antiphon_scheduling.places import Places
from antiphon_scheduling.planner import Planner
from antiphon_scheduling.roster import Roster

_LOOK_AROUND = timedelta(minutes=5)  # finds what no event tells: another server's edits
_OVERLAP = timedelta(minutes=1)
_GIVE_UP_AFTER = timedelta(seconds=60)
_RETRY = timedelta(seconds=5)
_TOGETHER = 50  # firings that are settled in one transaction
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
        self._wake = asyncio.Event()
        self._performer = Performer(context, clock, self._wake)
        self._late = CatchUp(context, clock, self._performer)
        self._places = Places(context.zones)
        self._basis = Basis(context.data_dir)
        self._begin_anew()
        self._read_at = self._look_at = clock.now()
        self._has_more = False
        self._changed: set[UUID] = set()
        self._zones_changed = False
        self._clients_changed: set[UUID] = set()
        self._stack = ExitStack()

    def _begin_anew(self) -> None:
        self._planner = Planner(self._grace, self._places, self._places.inactive)
        self._roster = Roster(self._planner, self._basis)

    async def __aenter__(self) -> Self:
        """Plan what is due soon and start."""
        bus = self._context.bus
        with ExitStack() as stack:
            stack.callback(bus.subscribe(ScheduleChanged, self._on_changed))
            stack.callback(bus.subscribe(CalendarChanged, self._on_calendar))
            stack.callback(bus.subscribe(DeviceChanged, self._on_device))
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
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._late.close()
        await self._performer.close()

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

    def _on_device(self, event: DeviceChanged) -> None:
        if self._places.zone_of(event.device_id) != event.zone_id:
            self._zones_changed = True
            self._wake.set()

    # --- the loop ------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._turn()
                until = self._next_turn()
            except Exception:
                # What the planner handed out but was not settled comes back with a new start.
                self._context.log.exception("The scheduler stumbled; it goes on in a moment")
                until = self._clock.now() + _RETRY
                await self._clock.wait(until, self._wake)
                await self._try_load()
                continue
            await self._clock.wait(until, self._wake)

    def _next_turn(self) -> datetime:
        if self._has_more:
            return self._clock.now()
        due = self._planner.next_instant
        handed_at = None if due is None else due - self._performer.ahead
        return min(filter(None, (self._look_at, handed_at, self._performer.next_at)))

    async def _turn(self) -> None:
        now = self._clock.now()
        self._performer.act(now)
        if now >= self._look_at or now < self._read_at - _OVERLAP:
            await self._look_around(now)
        await self._take_news()
        self._has_more = await self._roster.go_on()
        now = max(now, self._clock.now()) if self._has_more else now
        outcomes = self._planner.due(now, now + self._performer.ahead)
        while batch := list(islice(outcomes, _TOGETHER)):
            await self._settle(batch, now)
        if not self._has_more:
            self._late.begin()

    async def _take_news(self) -> None:
        if self._zones_changed:
            self._zones_changed = False
            await self._places.refresh()
        clients, self._clients_changed = self._clients_changed, set()
        if clients:
            await self._roster.renew_ruled(clients)
        changed, self._changed = self._changed, set()
        if changed:
            await self._renew(changed)

    async def _renew(self, changed: set[UUID]) -> None:
        on = await self._roster.renew(changed)
        rows: Sequence[Any] = await Schedule.filter(id__in=list(on)).values_list(
            "id", "in_force_since"
        )
        since = dict(rows)
        for schedule_id in changed:
            self._performer.withdraw(schedule_id, since.get(schedule_id))

    # --- plans ---------------------------------------------------------------------------------

    async def _load(self) -> None:
        """Plan anew from the database."""
        now = self._clock.now()
        self._changed.clear()
        await self._places.refresh()
        self._begin_anew()
        await records.remember(self._planner.said, now)
        await self._roster.load(now)
        self._has_more = True
        self._read_at, self._look_at = now, now + _GIVE_UP_AFTER
        await self._give_up(now)

    async def _try_load(self) -> None:
        try:
            await self._load()
        except Exception:
            self._context.log.exception("The schedules can not be read; tried again in a moment")

    async def _look_around(self, now: datetime) -> None:
        """Find what no event told: edits by another server, a client's timezone, old records."""
        await self._roster.look_at_clients()
        edited = Schedule.filter(updated_at__gte=min(self._read_at, now) - _OVERLAP)
        rows: Sequence[Any] = await edited.values_list("id", flat=True)
        await self._renew(set(rows))
        await self._roster.extend(now)
        self._zones_changed = True
        self._read_at, self._look_at = now, now + _LOOK_AROUND
        await self._give_up(now)
        await records.forget(now - self._keep)

    # --- what is due ---------------------------------------------------------------------------

    async def _settle(self, batch: Sequence[Firing | Miss], now: datetime) -> None:
        # What a schedule missed lies before what it fires, so it is settled before.
        firings = []
        for item in batch:
            if isinstance(item, Miss):
                name = self._name(item.schedule_id)
                self._late.expect(await self._performer.miss(item, name))
            else:
                firings.append(item)
        if firings:
            await self._fire(firings, now)
        for item in batch:
            if item.schedule_id not in self._changed:
                self._roster.settled(item.schedule_id, item.rests_until)

    async def _fire(self, firings: Sequence[Firing], now: datetime) -> None:
        settled = await records.settle(firings, now)
        keys = [record.schedule_id for record in settled]
        rows = {row.id: row for row in await Schedule.filter(id__in=keys)}
        done = {(record.schedule_id, record.instant): record for record in settled}
        for firing in firings:
            record = done.get((firing.schedule_id, firing.instant))
            if record is None:
                self._changed.add(firing.schedule_id)  # another server, or an edit, was first
                self._wake.set()
                continue
            row = rows[firing.schedule_id]
            self._performer.tell_blocked(firing, row.name)
            if firing.zones:
                self._performer.perform(row, firing, record)

    async def _give_up(self, now: datetime) -> None:
        for record in await records.give_up(now - self._grace - _GIVE_UP_AFTER):
            self._performer.tell_missed(record, record.reason or "")
        self._late.look()

    def _name(self, schedule_id: UUID) -> str:
        plan = self._planner.plan_of(schedule_id)
        return plan.name if plan is not None else ""
