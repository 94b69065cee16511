"""Creates, finds, changes and deletes calendars."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from antiphon.errors import Conflict, Invalid, NotFound, PartTimedOut
from antiphon.plugins import Page, PluginContext, ordered
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.types import Principal
from antiphon_scheduling import records
from antiphon_scheduling.calendars import check_country
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.events import CalendarChanged
from antiphon_scheduling.models import Schedule, ScheduleCalendar
from antiphon_scheduling.plans import calendar_of, timezones_of
from antiphon_scheduling.views import (
    CalendarQuery,
    CalendarView,
    ChangeCalendar,
    NamedDay,
    NewCalendar,
)
from antiphon_scheduling.walltime import day_of

_AHEAD_DAYS = 2 * 366
_SHOWN = 20
_READ_S = 10.0


class Calendars:
    """All calendars. Those that the principal does not reach raise NotFound."""

    def __init__(self, context: PluginContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock

    async def find(self, principal: Principal, query: CalendarQuery) -> Page[CalendarView]:
        """The calendars, in the order that is asked for."""
        wanted = ordered(scoped(ScheduleCalendar, principal), query.ordering)
        rows, total = await query.fetch(wanted)
        return Page(items=tuple([await self._view(row) for row in rows]), total=total)

    async def get(self, principal: Principal, calendar_id: UUID) -> CalendarView:
        """One calendar."""
        return await self._view(await self._row(principal, calendar_id))

    async def create(self, principal: Principal, new: NewCalendar) -> CalendarView:
        """A new calendar. Raises Invalid on `country`, `subdivision` or `ics`."""
        client_id = await writable_client(principal, new.client_id)
        row = ScheduleCalendar(client_id=client_id, name=new.name)
        if new.country is not None:
            row.country, row.subdivision = new.country.upper(), new.subdivision
            await asyncio.to_thread(check_country, row.country, row.subdivision)
        elif new.ics is not None:
            row.days = await self._days(client_id, new.ics)
        await row.save()
        return await self._view(row)

    async def change(
        self, principal: Principal, calendar_id: UUID, change: ChangeCalendar
    ) -> CalendarView:
        """Change a calendar; schedules go by it at once."""
        row = await self._row(principal, calendar_id)
        given = change.model_fields_set
        if "name" in given:
            row.name = change.name
        if "ics" in given:
            if row.country is not None:
                raise Invalid.field("ics", "this calendar is one of public holidays")
            row.days = await self._days(row.client_id, change.ics)
        await row.save()
        await records.unrest([row.client_id])
        self._context.bus.publish(CalendarChanged(client_id=row.client_id))
        return await self._view(row)

    async def delete(self, principal: Principal, calendar_id: UUID) -> None:
        """Delete a calendar. Raises Conflict while a schedule goes by it."""
        row = await self._row(principal, calendar_id)
        users = []
        for schedule in await Schedule.filter(
            client_id=row.client_id, deleted_at__isnull=True, rules__isnull=False
        ):
            rules = schedule.rules or {}
            used = rules.get("only_on_calendars", []) + rules.get("except_on_calendars", [])
            if str(row.id) in used:
                users.append(schedule.name)
        if users:
            raise Conflict(f"Schedules go by this calendar: {', '.join(sorted(users)[:5])}.")
        await row.delete()

    async def _row(self, principal: Principal, calendar_id: UUID) -> ScheduleCalendar:
        row = await scoped(ScheduleCalendar, principal).get_or_none(id=calendar_id)
        if row is None:
            raise NotFound("calendar", calendar_id)
        return row

    async def _days(self, client_id: UUID, ics: str) -> list[list[str]]:
        arguments = {"ics": ics, "timezone": (await timezones_of([client_id]))[client_id]}
        try:
            read = await self._context.jobs.run(
                "antiphon_scheduling.ics:read", arguments, worker="calendars", timeout_s=_READ_S
            )
        except PartTimedOut:
            wrong = f"it takes more than {_READ_S:g} s to read: is there a rule that names no day?"
            raise Invalid.field("ics", wrong) from None
        if "wrong" in read:
            raise Invalid.field("ics", read["wrong"])
        days: list[list[str]] = read["days"]
        return days

    async def _view(self, row: ScheduleCalendar) -> CalendarView:
        timezone = (await timezones_of([row.client_id]))[row.client_id]
        today = day_of(self._clock.now(), ZoneInfo(timezone))
        calendar = calendar_of(row)
        upcoming: list[NamedDay] = []
        for number in range(_AHEAD_DAYS):
            day = today + timedelta(days=number)
            if (name := calendar.name_of(day)) and len(upcoming) < _SHOWN:
                upcoming.append(NamedDay(date=day, name=name))
        return CalendarView.of(row, tuple(upcoming))
