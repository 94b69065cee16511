"""Quiet hours of zones: until when lower calls have to be silent there."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tortoise.exceptions import BaseORMException

from antiphon.building.models import Zone
from antiphon.types import Band

_log = logging.getLogger(__name__)
BLOCKED = frozenset({Band.MUSIC, Band.SPOT, Band.ANNOUNCEMENT})


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


async def blocked_until(zones: Iterable[UUID], now: datetime | None = None) -> dict[UUID, datetime]:
    """Which of the zones have quiet hours now, and until when. None while the database is away."""
    names = ("id", "quiet_from", "quiet_until", "client__timezone")
    try:
        rows = await Zone.filter(id__in=list(zones), quiet_from__isnull=False).values_list(*names)
    except BaseORMException:
        _log.exception("Quiet hours could not be read, and are taken not to be")
        return {}
    now = now or datetime.now(UTC)
    found = {key: quiet_until(now, start, end, zone) for key, start, end, zone in rows}
    return {key: until for key, until in found.items() if until is not None}


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")
