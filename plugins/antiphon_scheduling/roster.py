"""Which schedules the planner knows: those with something to decide soon.

A schedule that rests for longer stays in the database, so that neither a start nor idling costs
anything for it. How long it may rest is written down with each firing (`Schedule.rests_until`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.queryset import QuerySet

from antiphon.store import in_transaction
from antiphon.tenancy.models import Client
from antiphon_scheduling import records
from antiphon_scheduling.basis import Basis
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.plan import Plan
from antiphon_scheduling.planner import Planner
from antiphon_scheduling.plans import active, active_among, read_plans

WINDOW = timedelta(minutes=30)
_EXTEND = timedelta(minutes=15)
_PAGE = 100  # plans that are read before others have their turn on the loop
_KEYS = 500

Clients = dict[UUID, tuple[Any, ...]]


class Roster:
    """Fills a planner, and takes out of it what rests.

    What has never been planned (the rows of an older version, say) is planned page by page, by
    `go_on`, while the rest is being fired.
    """

    def __init__(self, planner: Planner, basis: Basis) -> None:
        self._planner = planner
        self._basis = basis
        self._known_until = datetime.min.replace(tzinfo=UTC)
        self._unplanned: AsyncIterator[list[Plan]] | None = None
        self.clients: Clients = {}

    async def load(self, now: datetime) -> None:
        """Plan all that is due soon, or that must be known at all times."""
        self.clients = await read_clients()
        await self._basis.check({key: row[0] for key, row in self.clients.items()})
        self._known_until = now + WINDOW
        bound = active().filter(rests_until__isnull=True, rules__isnull=False)
        soon = active().filter(rests_until__lt=self._known_until)
        for rows in (bound, soon):
            async for plans in _pages(rows):
                await self.put(plans)
        free = active().filter(rests_until__isnull=True, rules__isnull=True)
        self._unplanned = _pages(free)

    async def go_on(self) -> bool:
        """Plan a page of what has never been planned; whether there may be more."""
        if self._unplanned is None:
            return False
        plans = await anext(self._unplanned, None)
        if plans is None:
            self._unplanned = None
            return False
        await self.put(plans)
        return True

    async def extend(self, now: datetime) -> None:
        """Look further ahead, if it is time to."""
        begin = self._known_until
        if begin - now > _EXTEND:
            return
        self._known_until = max(now, begin) + WINDOW
        due = active().filter(rests_until__gte=begin, rests_until__lt=self._known_until)
        async for plans in _pages(due):
            await self.put(plans)

    async def put(self, plans: Sequence[Plan]) -> None:
        """Plan these anew."""
        resting: list[tuple[Plan, datetime]] = []
        for plan in plans:
            until = self._planner.put(plan)
            if until is not None and until >= self._known_until:
                self._planner.remove(plan.schedule_id)
                if until != plan.rests_until:
                    resting.append((plan, until))
        if resting:
            async with in_transaction():
                for plan, until in resting:
                    await records.rest(plan, until)
        await asyncio.sleep(0)

    def settled(self, schedule_id: UUID, rests_until: datetime | None) -> None:
        """What was due is written down; the schedule may go if it rests for long."""
        if rests_until is not None and rests_until >= self._known_until:
            self._planner.remove(schedule_id)

    async def renew(self, schedule_ids: Iterable[UUID]) -> set[UUID]:
        """Plan some schedules anew; returns those that are still on."""
        wanted, found = list(schedule_ids), set()
        for schedule_id in wanted:
            self._planner.remove(schedule_id)
        for start in range(0, len(wanted), _KEYS):
            some = await active_among(wanted[start : start + _KEYS])
            await self.put(await read_plans(Schedule.filter(id__in=some)))
            found |= set(some)
        return found

    async def renew_client(self, client_id: UUID) -> None:
        """Plan all of a client anew: its timezone changed, or whether it is active."""
        for plan in list(self._planner.plans):
            if plan.client_id == client_id:
                self._planner.remove(plan.schedule_id)
        await records.unrest([client_id])
        async for plans in _pages(active().filter(client_id=client_id)):
            await self.put(plans)

    async def renew_ruled(self, client_ids: Iterable[UUID]) -> None:
        """Plan those anew that go by calendars, or wait for the end of a zone's quiet hours."""
        ruled = active().filter(client_id__in=list(client_ids), rules__isnull=False)
        async for plans in _pages(ruled):
            await self.put(plans)

    async def look_at_clients(self) -> None:
        """Find what became of clients."""
        clients, before = await read_clients(), self.clients
        self.clients = clients
        for client_id in before.keys() | clients.keys():
            if before.get(client_id) != clients.get(client_id):
                await self.renew_client(client_id)
        self._basis.keep({key: row[0] for key, row in clients.items()})


async def read_clients() -> Clients:
    """What of each client changes the plans, its timezone first."""
    columns = ("id", "timezone", "is_active", "deleted_at")
    rows: Sequence[Any] = await Client.all().values_list(*columns)
    return {row[0]: tuple(row[1:]) for row in rows}


async def _pages(rows: QuerySet[Schedule]) -> AsyncIterator[list[Plan]]:
    """The plans of schedules, some at a time: a page is read by its keys, which costs no scan."""
    keys: Sequence[Any] = await rows.values_list("id", flat=True)
    for start in range(0, len(keys), _PAGE):
        # By nothing but the keys: SQLite would rather scan all that are not deleted.
        yield await read_plans(Schedule.filter(id__in=list(keys[start : start + _PAGE])))
