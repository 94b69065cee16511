"""Reads plans, calendars and zones out of the database."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, Self
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError
from tortoise.queryset import QuerySet

from antiphon.tenancy.models import Client
from antiphon.types import Band
from antiphon_scheduling.calendars import NamedDays, PublicHolidays
from antiphon_scheduling.models import Schedule, ScheduleCalendar
from antiphon_scheduling.plan import Limits, Plan, Targets
from antiphon_scheduling.recurrence import Recurrence
from antiphon_scheduling.rules import Blocked, Calendar, Days, Rules

_log = logging.getLogger(__name__)
_RECURRENCE: TypeAdapter[Any] = TypeAdapter(Recurrence)
_NO_RULES = Rules()
_FEW = 500
_AT_ONCE = 500  # plans that are made before others have their turn on the loop
_PASS_QUIET = frozenset({Band.PAGE, Band.URGENT})


class PlanRow(NamedTuple):
    """The columns of a schedule that its plan is made of."""

    id: UUID
    client_id: UUID
    name: str
    config: dict[str, Any]
    rules: dict[str, Any] | None
    zones: list[str]
    floors: list[str] | None
    devices: list[str] | None
    band: Band | None
    created_at: datetime
    in_force_since: datetime | None
    settled_until: datetime
    rests_until: datetime | None
    fired_count: int

    @classmethod
    def read(cls, values: Sequence[Any]) -> Self:
        """The row of what a driver gives: SQLite has texts for what PostgreSQL has types for."""
        return cls(*(read(value) for read, value in zip(_READERS, values, strict=True)))


def _same(value: Any) -> Any:
    return value


def _key(value: UUID | str) -> UUID:
    return UUID(value) if isinstance(value, str) else value


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _time(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_READERS: tuple[Callable[[Any], Any], ...] = (
    *(_key, _key, _same),  # id, client_id, name
    *(_json, _json, _json, _json, _json),  # config, rules, zones, floors, devices
    *(_same, _time, _time, _time, _time, _same),  # band, four times, fired_count
)
_COLUMNS = range(len(PlanRow._fields))


def active() -> QuerySet[Schedule]:
    """The schedules that are on, of active clients."""
    return Schedule.filter(
        enabled=True,
        deleted_at__isnull=True,
        client__is_active=True,
        client__deleted_at__isnull=True,
    )


async def active_among(keys: Sequence[UUID]) -> list[UUID]:
    """Those of some schedules that are active, found by nothing but their keys."""
    columns = ("id", "enabled", "deleted_at", "client__is_active", "client__deleted_at")
    rows: Sequence[Any] = await Schedule.filter(id__in=list(keys)).values_list(*columns)
    return [row[0] for row in rows if row[1] and row[2] is None and row[3] and row[4] is None]


async def read_plans(rows: QuerySet[Schedule]) -> list[Plan]:
    """The plans of schedules; those that can not be read are left out, and logged."""
    found = await _read(rows)
    client_ids = {row.client_id for row in found}
    timezones = await timezones_of(client_ids)
    calendars = await calendars_of(client_ids)
    plans = []
    for number, row in enumerate(found):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        try:
            plans.append(plan_of(row, timezones[row.client_id], calendars))
        except ValidationError as error:
            _log.error("The schedule %s (%s) can not be read: %s", row.name, row.id, error)
    return plans


async def _read(rows: QuerySet[Schedule]) -> list[PlanRow]:
    """The rows, as the driver gives them: the ORM takes four times as long to read a time."""
    query = rows.values_list(*PlanRow._fields)
    _, found = await Schedule._meta.db.execute_query(query.sql(params_inline=True))
    return [PlanRow.read([row[str(place)] for place in _COLUMNS]) for row in found]


def plan_of(
    row: PlanRow | Schedule, timezone: str, calendars: Mapping[UUID, Calendar] | None = None
) -> Plan:
    """The plan of one schedule. Raises ValidationError."""
    rules = Rules.model_validate(row.rules) if row.rules else _NO_RULES
    band = Band(row.band) if row.band else Band.ANNOUNCEMENT
    return Plan(
        schedule_id=row.id,
        client_id=row.client_id,
        name=row.name,
        recurrence=_RECURRENCE.validate_python(row.config),
        zone=ZoneInfo(timezone),
        anchor=row.created_at,
        since=row.in_force_since or row.created_at,
        settled_until=row.settled_until,
        rests_until=row.rests_until,
        turn=row.fired_count,
        targets=_targets(row),
        days=_EVERY_DAY if rules is _NO_RULES else Days.of(rules, dict(calendars or {})),
        limits=_limits(rules, band),
    )


def _targets(row: PlanRow | Schedule) -> Targets | None:
    if not (row.zones or row.floors or row.devices):
        return None
    zones, floors, devices = (
        frozenset(map(UUID, ids or ())) for ids in (row.zones, row.floors, row.devices)
    )
    return Targets(zones, floors, devices)


_EVERY_DAY = Days()


@cache
def _no_limits(band: Band) -> Limits:
    return Limits(priority=(_NO_RULES.priority, band.priority), hears_quiet=band not in _PASS_QUIET)


def _limits(rules: Rules, band: Band) -> Limits:
    if rules is _NO_RULES:
        return _no_limits(band)
    gap = rules.min_gap_min
    return Limits(
        layer=rules.layer,
        group=rules.group,
        priority=(rules.priority, band.priority),
        quiets=tuple(rules.quiet),
        hears_quiet=band not in _PASS_QUIET,
        defers=rules.when_blocked is Blocked.DEFER,
        avoid_repeat=rules.avoid_repeat,
        min_gap=None if gap is None else timedelta(minutes=gap),
        max_per_hour=rules.max_per_hour,
    )


async def timezones_of(client_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The clients' timezones; UTC for one that this machine does not know."""
    wanted = set(client_ids)
    clients = Client.filter(id__in=list(wanted)) if len(wanted) < _FEW else Client.all()
    rows: Sequence[Any] = await clients.values_list("id", "timezone")
    return {client_id: _known(name) for client_id, name in rows if client_id in wanted}


async def calendars_of(client_ids: Iterable[UUID]) -> dict[UUID, Calendar]:
    """The clients' calendars by id."""
    wanted = set(client_ids)
    few = ScheduleCalendar.filter(client_id__in=list(wanted))
    rows = await (few if len(wanted) < _FEW else ScheduleCalendar.all())
    return {row.id: calendar_of(row) for row in rows if row.client_id in wanted}


def calendar_of(row: ScheduleCalendar) -> Calendar:
    """What a calendar's row stands for."""
    if row.country:
        return PublicHolidays(row.name, row.country, row.subdivision)
    days = {date.fromisoformat(day): name for day, name in row.days or ()}
    return NamedDays(row.name, days)


@cache
def _known(timezone: str) -> str:
    try:
        return ZoneInfo(timezone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _log.warning("The timezone %r is not known; UTC is taken in its place", timezone)
        return "UTC"


def utc(value: datetime) -> datetime:
    """`value` in UTC, as the planner wants it."""
    return value.astimezone(UTC)
