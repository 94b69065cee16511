"""The service that makes calls by the clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

from antiphon.errors import AntiphonError, Conflict
from antiphon.events import ScheduleFired, ScheduleMissed
from antiphon.plugins import CallRequest, PluginContext
from antiphon.types import Principal, Via
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.events import ScheduleChanged
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.planner import Firing, Miss, Planner
from antiphon_scheduling.plans import active_plans

_CALL_TIMEOUT_S = 30.0
_RELOAD = timedelta(minutes=5)  # finds what no event tells: timezones, another server's edits
_RETRY = timedelta(seconds=5)


class Scheduler:
    """Fires every active schedule at its instants, while it is entered.

    An instant is written down as settled before its call is made, in one conditional statement:
    neither a crash nor a second server on the same database fires it twice.
    """

    def __init__(self, context: PluginContext, clock: Clock, grace: timedelta) -> None:
        self._context = context
        self._clock = clock
        self._grace = grace
        self._planner = Planner(grace)
        self._reload_at = clock.now()
        self._changed: set[UUID] = set()
        self._wake = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Plan what is active and start."""
        self._undo = self._context.bus.subscribe(ScheduleChanged, self._on_changed)
        try:
            await self._reload()
        except BaseException:
            self._undo()
            raise
        self._task = asyncio.create_task(self._run(), name="scheduler")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; calls that are being made are given up."""
        self._undo()
        tasks = [self._task, *self._calls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_changed(self, event: ScheduleChanged) -> None:
        self._changed.add(event.schedule_id)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._turn()
                until = min(filter(None, (self._reload_at, self._planner.next_instant)))
            except Exception:
                # What the planner handed out but was not settled comes back with a reload.
                self._context.log.exception("The scheduler stumbled; it goes on in a moment")
                self._reload_at = until = self._clock.now() + _RETRY
            await self._clock.wait(until, self._wake)

    async def _turn(self) -> None:
        now = self._clock.now()
        if now >= self._reload_at:
            await self._reload()
        while self._changed:
            await self._replan(self._changed.pop())
        for item in self._planner.due(now):
            if isinstance(item, Firing):
                await self._fire(item)
            else:
                await self._miss(item)

    async def _reload(self) -> None:
        """Plan anew from the database."""
        self._changed.clear()
        self._planner = Planner(self._grace)
        for plan in await active_plans():
            self._planner.put(plan)
        self._reload_at = self._clock.now() + _RELOAD

    async def _replan(self, schedule_id: UUID) -> None:
        self._planner.remove(schedule_id)
        for plan in await active_plans(schedule_id):
            self._planner.put(plan)

    async def _fire(self, firing: Firing) -> None:
        row = await Schedule.get(id=firing.schedule_id)
        is_ours = await Schedule.filter(
            id=row.id,
            enabled=True,
            deleted_at__isnull=True,
            settled_until__lt=firing.instant,
        ).update(
            settled_until=firing.instant,
            fired_count=firing.turn + 1,
            last_executed_at=self._clock.now(),
        )
        if is_ours:
            task = asyncio.create_task(self._call(row, firing), name=f"schedule {row.name}")
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _miss(self, miss: Miss) -> None:
        rows = Schedule.filter(id=miss.schedule_id, settled_until__lt=miss.until)
        if await rows.update(settled_until=miss.until):
            row = await Schedule.get(id=miss.schedule_id)
            missed = f"{miss.instant:%Y-%m-%d %H:%M} UTC"
            self._tell_missed(row, f"{missed} was over before the server could act")

    async def _call(self, row: Schedule, firing: Firing) -> None:
        """Make the call that `firing` stands for, and say what came of it."""
        try:
            async with asyncio.timeout(_CALL_TIMEOUT_S):
                call_id = await self._make_call(row, firing)
        except AntiphonError as error:
            self._tell_missed(row, str(error))
        except TimeoutError:
            self._tell_missed(row, f"the zones did not answer within {_CALL_TIMEOUT_S:g} s")
        except Exception as error:
            self._context.log.exception("The call of the schedule %s failed", row.name)
            self._tell_missed(row, f"{type(error).__name__}: {error}")
        else:
            self._context.bus.publish(
                ScheduleFired(client_id=row.client_id, schedule_id=row.id, call_id=call_id)
            )

    async def _make_call(self, row: Schedule, firing: Firing) -> UUID:
        principal = Principal.system(row.client_id, Via.SCHEDULE)
        zones: list[UUID] | None = None
        if row.zones:
            # A zone that was deleted since must not keep the others silent.
            there = {view.zone_id for view in await self._context.zones.views(principal)}
            zones = [zone for zone in map(UUID, row.zones) if zone in there]
            if not zones:
                raise Conflict("None of the schedule's zones exists any more.")
        request = CallRequest(
            announcement_id=firing.announcement_id,
            zones=zones,
            all=zones is None,
            band=row.band,
            chime=row.chime,
        )
        return (await self._context.zones.call(principal, request)).id

    def _tell_missed(self, row: Schedule, reason: str) -> None:
        self._context.log.warning("The schedule %s made no call: %s", row.name, reason)
        self._context.bus.publish(
            ScheduleMissed(client_id=row.client_id, schedule_id=row.id, reason=reason)
        )
