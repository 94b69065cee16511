"""Opening hours of a zone: a shorthand for two schedules, which start and stop its music."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Self
from uuid import UUID

from pydantic import Field, field_validator

from antiphon.errors import FieldError, Invalid
from antiphon.plugins import ApiModel, PluginContext
from antiphon.store import in_transaction
from antiphon.tenancy.scope import scoped
from antiphon.types import Frozen, Principal
from antiphon_scheduling.checks import Checks, unknown_calendars
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.plans import calendars_of, plan_of, timezones_of
from antiphon_scheduling.recurrence import Dates, Music, Repeats
from antiphon_scheduling.rules import Rules, Weekday
from antiphon_scheduling.service import Schedules

_A_MONDAY = date(2024, 1, 1)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_DAYS = list(Weekday)


class OpenTime(Frozen):
    """Open on some days of the week, from `opens` to `closes`, which may lie on the next day."""

    days: list[Weekday] = Field(min_length=1, max_length=7)
    opens: time
    closes: time

    @field_validator("opens", "closes")
    @classmethod
    def _plain(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("a time of the wall clock has no zone")
        return value.replace(microsecond=0)

    def spans(self) -> list[tuple[datetime, datetime]]:
        """From when to when it is open, in a week that begins on a Monday."""
        found = []
        for day in sorted({_DAYS.index(day) for day in self.days}):
            begin = datetime.combine(_A_MONDAY + day * _DAY, self.opens)
            end = datetime.combine(begin.date(), self.closes)
            found.append((begin, end if end > begin else end + _DAY))
        return found


class NewOpeningHours(ApiModel):
    """When a zone is open, and what it plays then: by default, the queue that it had.

    On the days of `except_on_calendars` it does not open. Takes the place of what was there.
    """

    hours: list[OpenTime] = Field(min_length=1, max_length=50)
    music: Music = Field(default_factory=lambda: Music(do="resume"))
    except_on_calendars: list[UUID] = Field(default_factory=list, max_length=20)
    enabled: bool = True

    @field_validator("hours")
    @classmethod
    def _apart(cls, value: list[OpenTime]) -> list[OpenTime]:
        spans = sorted(span for one in value for span in one.spans())
        following = [*spans[1:], (spans[0][0] + _WEEK, spans[0][1] + _WEEK)]
        for (_, end), (begin, _) in zip(spans, following, strict=True):
            if begin <= end:
                day = _DAYS[begin.weekday()]
                raise ValueError(f"on {day} at {begin:%H:%M} it would open while it is open")
        return value

    @field_validator("music")
    @classmethod
    def _some_music(cls, value: Music) -> Music:
        if value.do == "stop":
            raise ValueError("opening starts the music: give `play` or `resume`")
        return value


class OpeningHoursView(Frozen):
    """The opening hours of a zone; `hours` is empty where none are set.

    `schedules` are the two that stand for them: the one that opens, and the one that closes.
    """

    zone_id: UUID
    hours: tuple[OpenTime, ...] = ()
    music: Music | None = None
    except_on_calendars: tuple[UUID, ...] = ()
    enabled: bool = False
    next_opens_at: datetime | None = None
    next_closes_at: datetime | None = None
    schedules: tuple[UUID, ...] = ()

    @classmethod
    def of(cls, zone_id: UUID, opens: Schedule, closes: Schedule) -> Self:
        """The view of the two rows, without the times to come."""
        begin, end = Dates.model_validate(opens.config), Dates.model_validate(closes.config)
        hours: dict[tuple[time, time], list[Weekday]] = {}
        for start, stop in zip(begin.at, end.at, strict=True):
            hours.setdefault((start.time(), stop.time()), []).append(_DAYS[start.weekday()])
        return cls(
            zone_id=zone_id,
            hours=tuple(
                OpenTime(days=days, opens=start, closes=stop)
                for (start, stop), days in hours.items()
            ),
            music=begin.music,
            except_on_calendars=tuple(Rules.model_validate(opens.rules or {}).except_on_calendars),
            enabled=opens.enabled,
            schedules=(opens.id, closes.id),
        )


class OpeningHours:
    """Reads and writes the opening hours of zones. Zones out of reach raise NotFound."""

    def __init__(self, context: PluginContext, clock: Clock, schedules: Schedules) -> None:
        self._zones = context.zones
        self._clock = clock
        self._schedules = schedules
        self._checks = Checks(context, clock)

    async def get(self, principal: Principal, zone_id: UUID) -> OpeningHoursView:
        """The opening hours of a zone."""
        zone = await self._zones.view(principal, zone_id)
        rows = await self._rows(principal, zone_id)
        if len(rows) != 2:
            return OpeningHoursView(zone_id=zone_id)
        opens, closes = rows
        view = OpeningHoursView.of(zone_id, opens, closes)
        if not opens.enabled:
            return view
        timezone = (await timezones_of([zone.client_id]))[zone.client_id]
        calendars, now = await calendars_of([zone.client_id]), self._clock.now()
        next_opens, next_closes = (
            plan_of(row, timezone, calendars).following(now) for row in (opens, closes)
        )
        return view.model_copy(update={"next_opens_at": next_opens, "next_closes_at": next_closes})

    async def put(
        self, principal: Principal, zone_id: UUID, new: NewOpeningHours
    ) -> OpeningHoursView:
        """Set them; what plays now goes on until the next time. Raises Invalid."""
        zone = await self._zones.view(principal, zone_id)
        client_id = zone.client_id
        spans = sorted(span for one in new.hours for span in one.spans())
        opens = Dates(at=[span[0] for span in spans], repeat=Repeats.WEEKLY, music=new.music)
        stop = Music(do="stop")
        closes = Dates(at=[span[1] for span in spans], repeat=Repeats.WEEKLY, music=stop)
        rules = Rules(except_on_calendars=new.except_on_calendars)
        await self._check(client_id, opens, rules)
        rows = await self._rows(principal, zone_id)
        async with in_transaction():
            for row in rows:
                await self._schedules.remove(row)
            for name, config, limits in (("opens", opens, rules), ("closes", closes, Rules())):
                row = self._row(principal, client_id, zone_id, config, limits)
                row.name, row.enabled = f"{zone.name} {name}"[:200], new.enabled
                await self._schedules.add(row)
                rows.append(row)
        for row in rows:
            self._schedules.tell(row)  # now that it can be read
        return await self.get(principal, zone_id)

    async def delete(self, principal: Principal, zone_id: UUID) -> None:
        """Let the zone have none."""
        await self._zones.view(principal, zone_id)
        for row in await self._rows(principal, zone_id):
            await self._schedules.remove(row)

    async def _rows(self, principal: Principal, zone_id: UUID) -> list[Schedule]:
        """The one that opens, and the one that closes."""
        rows = await scoped(Schedule, principal).filter(opening_zone_id=zone_id)
        return sorted(rows, key=lambda row: row.config["music"]["do"] == "stop")

    async def _check(self, client_id: UUID, config: Dates, rules: Rules) -> None:
        wrong = await self._checks.media(client_id, config)
        wrong += await unknown_calendars(client_id, rules)
        if wrong:
            raise Invalid(
                FieldError(one.field.removeprefix("config.").removeprefix("rules."), one.message)
                for one in wrong
            )

    def _row(
        self, principal: Principal, client_id: UUID, zone_id: UUID, config: Dates, rules: Rules
    ) -> Schedule:
        now = self._clock.now()
        return Schedule(
            client_id=client_id,
            kind=config.kind,
            config=config.model_dump(mode="json"),
            rules=rules.model_dump(mode="json", exclude_defaults=True) or None,
            zones=[str(zone_id)],
            opening_zone_id=zone_id,
            created_at=now,
            in_force_since=now,
            settled_until=now,
            created_by_id=principal.user_id,
        )
