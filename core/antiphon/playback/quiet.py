"""Quiet hours of zones: until when lower calls have to be silent there."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tortoise.exceptions import BaseORMException

from antiphon.building.models import Zone
from antiphon.store import Memo
from antiphon.tenancy.models import Client
from antiphon.types import Band

_log = logging.getLogger(__name__)
BLOCKED = frozenset({Band.MUSIC, Band.SPOT, Band.ANNOUNCEMENT})

_Hours = tuple[time | None, time | None, str]


def quiet_until(now: datetime, start: time | None, end: time | None, zone: str) -> datetime | None:
    """The end of the quiet hours that `now` lies in; None if it lies in none.

    `start` belongs to them, `end` does not; they are local time in `zone`, and may hold a midnight.
    """
    if start is None or end is None or start == end:
        return None
    local = now.astimezone(_zone(zone))
    clock = local.time()
    if not (start <= clock < end if start < end else clock >= start or clock < end):
        return None
    over = datetime.combine(local.date(), end, local.tzinfo)
    return over if clock < end else over + timedelta(days=1)


class QuietHours:
    """Those of all zones, remembered until a zone or a client changes."""

    def __init__(self) -> None:
        self._hours: Memo[dict[UUID, _Hours]] = Memo(Zone, Client)

    async def until(
        self, zones: Iterable[UUID], now: datetime | None = None
    ) -> dict[UUID, datetime]:
        """Which of the zones have them now, and to what time. None while the database is away."""
        try:
            hours = await self._hours.get((), _hours)
        except BaseORMException:
            _log.exception("Quiet hours could not be read, and are taken not to be")
            return {}
        now = now or datetime.now(UTC)
        found = {key: quiet_until(now, *hours[key]) for key in zones if key in hours}
        return {key: until for key, until in found.items() if until is not None}


async def _hours() -> dict[UUID, _Hours]:
    names = ("id", "quiet_from", "quiet_until", "client__timezone")
    rows = await Zone.filter(quiet_from__isnull=False).values_list(*names)
    return {key: (start, end, zone) for key, start, end, zone in rows}


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")
