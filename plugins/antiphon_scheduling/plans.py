"""Reads plans out of the database."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from antiphon.tenancy.models import Client
from antiphon.types import Band
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.planner import Plan
from antiphon_scheduling.recurrence import Recurrence

_log = logging.getLogger(__name__)
_RECURRENCE: TypeAdapter[Any] = TypeAdapter(Recurrence)


async def active_plans(schedule_id: UUID | None = None) -> list[Plan]:
    """The plans of all schedules that are on, or of that one; of active clients alone."""
    rows = Schedule.filter(
        enabled=True,
        deleted_at__isnull=True,
        client__is_active=True,
        client__deleted_at__isnull=True,
    )
    if schedule_id is not None:
        rows = rows.filter(id=schedule_id)
    found = await rows
    timezones = await timezones_of({row.client_id for row in found})
    plans = []
    for row in found:
        try:
            plans.append(plan_of(row, timezones[row.client_id]))
        except ValidationError as error:
            _log.error("The schedule %s (%s) can not be read: %s", row.name, row.id, error)
    return plans


def plan_of(row: Schedule, timezone: str) -> Plan:
    """The plan of one schedule. Raises ValidationError."""
    return Plan(
        schedule_id=row.id,
        recurrence=_RECURRENCE.validate_python(row.config),
        timezone=timezone,
        anchor=row.created_at,
        settled_until=row.settled_until,
        turn=row.fired_count,
        priority=(row.band or Band.ANNOUNCEMENT).priority,
    )


async def timezones_of(client_ids: set[UUID]) -> dict[UUID, str]:
    """The clients' timezones; UTC for one that this machine does not know."""
    clients = await Client.filter(id__in=list(client_ids))
    return {client.id: _known(client.timezone) for client in clients}


@cache
def _known(timezone: str) -> str:
    try:
        return ZoneInfo(timezone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _log.warning("The timezone %r is not known; UTC is taken in its place", timezone)
        return "UTC"
