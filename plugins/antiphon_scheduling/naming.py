"""What people name on a command line: a zone, a day, a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from antiphon.errors import Invalid, NotFound
from antiphon.tenancy.models import Client
from antiphon_scheduling.walltime import instant_of


class FoundZone(NamedTuple):
    """A zone, and whose it is."""

    client_id: UUID
    zone_id: UUID
    name: str


def read_day(day: str | None, now: datetime) -> date:
    """The date that is meant; `now` is the zone's local time. Raises Invalid on `day`."""
    try:
        if day is None or day.lstrip("+").isdigit():
            return now.date() + timedelta(days=int(day or 0))
        return date.fromisoformat(day)
    except (ValueError, OverflowError):
        raise Invalid.field("day", f"{day!r} is no date such as 2026-12-24") from None


async def find_zone(wanted: str, client: str | None) -> FoundZone:
    """The zone with that name or id. Raises NotFound, and Invalid where several clients have it."""
    rows: Sequence[Any] = await Client.filter(
        deleted_at__isnull=True, zones__deleted_at__isnull=True, zones__is_active=True
    ).values_list("id", "name", "zones__id", "zones__name")
    zones = [
        FoundZone(row[0], row[2], row[3])
        for row in rows
        if row[2] is not None and (client is None or client.casefold() in _names(row[0], row[1]))
    ]
    found = [zone for zone in zones if wanted.casefold() in _names(zone.zone_id, zone.name)]
    if len(found) > 1:
        raise Invalid.field("client", f"several clients have a zone {wanted!r}; name one")
    if not found:
        names = ", ".join(sorted(zone.name for zone in zones)) or "none"
        raise NotFound("zone", f"{wanted!r}; there are: {names}")
    return found[0]


def _names(key: UUID, name: str) -> tuple[str, str]:
    return str(key), name.casefold()


def read_moment(text: str, field: str, zone: ZoneInfo, after: datetime) -> datetime:
    """An instant: a date and time of the wall clock, or a time alone, the first from `after` on.

    `+90` is so many minutes later than `after`. Raises Invalid on `field`.
    """
    try:
        if text.startswith("+"):
            return after + timedelta(minutes=float(text[1:]))
        if "T" in text or " " in text or text.count("-") > 1:
            wall = datetime.fromisoformat(text)
            return instant_of(wall, zone) if wall.tzinfo is None else wall
        at = time.fromisoformat(text)
    except (ValueError, OverflowError):
        examples = "18:30, 2026-12-24T18:30 or +90 (minutes)"
        raise Invalid.field(field, f"{text!r} is no time such as {examples}") from None
    today = after.astimezone(zone).date()
    found = instant_of(datetime.combine(today, at), zone)
    if found < after:
        found = instant_of(datetime.combine(today + timedelta(days=1), at), zone)
    return found
