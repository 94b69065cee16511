"""Creates, finds, changes and deletes calendars."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import cast
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
from antiphon_scheduling.fetching import fetch
from antiphon_scheduling.models import Schedule, ScheduleCalendar
from antiphon_scheduling.plans import calendar_of, timezones_of
from antiphon_scheduling.settings import SchedulingSettings
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
MAX_CHARACTERS = 500_000
_RETRY = timedelta(hours=1)


class Calendars:
    """All calendars. Those that the principal does not reach raise NotFound."""

    def __init__(self, context: PluginContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock

    async def find(self, principal: Principal, query: CalendarQuery) -> Page[CalendarView]:
        """The calendars, in the order that is asked for."""
        wanted = ordered(scoped(ScheduleCalendar, principal), query.ordering)
        if query.client_id is not None:
            wanted = wanted.filter(client_id=query.client_id)
        rows, total = await query.fetch(wanted)
        return Page(items=tuple(await self._views(rows)), total=total)

    async def get(self, principal: Principal, calendar_id: UUID) -> CalendarView:
        """One calendar."""
        return await self._view(await self._row(principal, calendar_id))

    async def create(self, principal: Principal, new: NewCalendar) -> CalendarView:
        """A new calendar. Raises Invalid on `country`, `subdivision`, `ics` or `url`."""
        client_id = await writable_client(principal, new.client_id)
        row = ScheduleCalendar(client_id=client_id, name=new.name)
        if new.country is not None:
            row.country, row.subdivision = new.country.upper(), new.subdivision
            await asyncio.to_thread(check_country, row.country, row.subdivision)
        elif new.ics is not None:
            row.days = await self._days(client_id, new.ics)
        elif new.url is not None:
            row.url = new.url
            await self._fetch(row)
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
        if row.country is not None and (files := given & {"ics", "url"}):
            raise Invalid.field(min(files), "this calendar is one of public holidays")
        if "ics" in given:
            row.days = await self._days(row.client_id, change.ics)
            row.url = row.fetched_at = row.problem = None
        if "url" in given:
            row.url = change.url
            await self._fetch(row)
        await row.save()
        await self._tell(row)
        return await self._view(row)

    async def refresh(self, principal: Principal, calendar_id: UUID) -> CalendarView:
        """Fetch a calendar now. Raises Conflict for one without an address, Invalid."""
        row = await self._row(principal, calendar_id)
        if row.url is None:
            raise Conflict("This calendar does not come from a web address.")
        await self._fetch(row)
        await row.save()
        await self._tell(row)
        return await self._view(row)

    async def refresh_old(self, every: timedelta) -> None:
        """Fetch what was not fetched for so long; what fails keeps the days that it had."""
        now = self._clock.now()
        for row in await ScheduleCalendar.filter(url__isnull=False):
            wait = min(every, _RETRY) if row.problem else every
            if row.tried_at is not None and row.tried_at + wait > now:
                continue
            days = row.days
            try:
                await self._fetch(row)
            except Invalid as error:
                row.problem = error.errors[0].message
                self._context.log.warning("The calendar %s was not fetched: %s", row.id, error)
            row.tried_at = now
            await row.save(
                update_fields=["days", "fetched_at", "tried_at", "problem", "updated_at"]
            )
            if row.days != days:
                await self._tell(row)

    async def _fetch(self, row: ScheduleCalendar) -> None:
        """Bring a calendar up to date. Raises Invalid on `url`; then it keeps what it has."""
        settings = cast(SchedulingSettings, self._context.settings)
        text = await fetch(row.url or "", private=settings.calendar_private_addresses)
        if len(text) > MAX_CHARACTERS:
            raise Invalid.field("url", f"it is longer than {MAX_CHARACTERS:,} characters")
        row.days = await self._days(row.client_id, text, "url")
        row.fetched_at = row.tried_at = self._clock.now()
        row.problem = None

    async def _tell(self, row: ScheduleCalendar) -> None:
        await records.unrest([row.client_id])
        self._context.bus.publish(CalendarChanged(client_id=row.client_id))

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

    async def _days(self, client_id: UUID, ics: str, field: str = "ics") -> list[list[str]]:
        arguments = {"ics": ics, "timezone": (await timezones_of([client_id]))[client_id]}
        try:
            read = await self._context.jobs.run(
                "antiphon_scheduling.ics:read", arguments, worker="calendars", timeout_s=_READ_S
            )
        except PartTimedOut:
            wrong = f"it takes more than {_READ_S:g} s to read: is there a rule that names no day?"
            raise Invalid.field(field, wrong) from None
        if "wrong" in read:
            raise Invalid.field(field, read["wrong"])
        days: list[list[str]] = read["days"]
        return days

    async def _view(self, row: ScheduleCalendar) -> CalendarView:
        return (await self._views([row]))[0]

    async def _views(self, rows: Sequence[ScheduleCalendar]) -> list[CalendarView]:
        timezones = await timezones_of({row.client_id for row in rows})
        return [self._seen(row, ZoneInfo(timezones[row.client_id])) for row in rows]

    def _seen(self, row: ScheduleCalendar, timezone: ZoneInfo) -> CalendarView:
        today = day_of(self._clock.now(), timezone)
        calendar = calendar_of(row)
        upcoming: list[NamedDay] = []
        for number in range(_AHEAD_DAYS):
            day = today + timedelta(days=number)
            if (name := calendar.name_of(day)) and len(upcoming) < _SHOWN:
                upcoming.append(NamedDay(date=day, name=name))
        return CalendarView.of(row, tuple(upcoming))
