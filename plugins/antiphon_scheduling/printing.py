"""Prints a day of a zone, as people read it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from antiphon.errors import Invalid, Misconfigured, NotFound
from antiphon.settings import check_section, load
from antiphon.store import Tables, open_database
from antiphon.tenancy.models import Client
from antiphon_scheduling.clock import Clock, SystemClock
from antiphon_scheduling.outlook import Outlooks
from antiphon_scheduling.outlook_views import Outlook, OutlookItem, Result
from antiphon_scheduling.plans import timezones_of
from antiphon_scheduling.settings import SchedulingSettings
from antiphon_scheduling.walltime import start_of

_TABLES = Tables(("antiphon_scheduling.models",), "antiphon_scheduling.migrations")
_STYLES = {Result.PLAYS: "green", Result.SUPPRESSED: "yellow", Result.MISSED: "red"}
_MUSIC = {"play": "music starts", "resume": "music goes on", "stop": "music stops"}


class _Zone(NamedTuple):
    client_id: UUID
    zone_id: UUID
    name: str


def print_day(zone: str, day: str | None, client: str | None) -> None:
    """Print a table of the day. Raises NotFound for the zone, Invalid for the day."""
    console = Console(highlight=False)
    name, local, outlook = asyncio.run(_look(zone, day, client, SystemClock()))
    console.print(f"{name}, {local:%A %d %B %Y}, times of {outlook.timezone}", markup=False)
    if not outlook.items:
        console.print("No schedule has a time on this day.")
        return
    console.print(day_table(outlook))
    if not outlook.exact:
        console.print("Whose turn it is among several announcements may still differ.")


def day_table(outlook: Outlook) -> Table:
    """The items of a day, one a line."""
    zone = ZoneInfo(outlook.timezone)
    table = Table("Time", "Schedule", "What", "Result", "Why")
    for item in outlook.items:
        table.add_row(
            f"{item.at.astimezone(zone):%H:%M:%S}",
            Text(item.name),
            _what(item),
            Text(item.result.value, style=_STYLES[item.result]),
            Text(_why(item, zone)),
        )
    return table


def _what(item: OutlookItem) -> str:
    if item.announcement_id is not None:
        return f"announcement {str(item.announcement_id)[:8]}"
    return _MUSIC.get(item.does, "")


def _why(item: OutlookItem, zone: ZoneInfo) -> str:
    if item.reason is not None:
        return item.reason
    if item.deferred_from is not None:
        return f"{item.rule}; deferred from {item.deferred_from.astimezone(zone):%H:%M}"
    return item.rule


async def _look(
    wanted: str, day: str | None, client: str | None, clock: Clock
) -> tuple[str, date, Outlook]:
    loaded = load()
    section, mistakes = check_section(
        SchedulingSettings, loaded.sections["scheduling"], loaded.origins, "scheduling"
    )
    if mistakes or not isinstance(section, SchedulingSettings):
        raise Misconfigured(mistakes)
    settings = loaded.settings
    url = settings.database.url.get_secret_value()
    async with open_database(url, settings.data_dir, {"scheduling": _TABLES}) as database:
        if reason := database.failed.get("scheduling"):
            raise Misconfigured([reason])
        found = await _find(wanted, client)
        zone = ZoneInfo((await timezones_of([found.client_id]))[found.client_id])
        local = _day(day, clock.now().astimezone(zone))
        begin, end = start_of(local, zone), start_of(local + timedelta(days=1), zone)
        outlooks = Outlooks(clock, timedelta(seconds=section.misfire_grace_s))
        return found.name, local, await outlooks.preview(found.client_id, found.zone_id, begin, end)


def _day(day: str | None, now: datetime) -> date:
    try:
        if day is None or day.lstrip("+").isdigit():
            return now.date() + timedelta(days=int(day or 0))
        return date.fromisoformat(day)
    except (ValueError, OverflowError):
        raise Invalid.field("day", f"{day!r} is no date such as 2026-12-24") from None


async def _find(wanted: str, client: str | None) -> _Zone:
    rows: Sequence[Any] = await Client.filter(
        deleted_at__isnull=True, zones__deleted_at__isnull=True, zones__is_active=True
    ).values_list("id", "name", "zones__id", "zones__name")
    zones = [
        _Zone(row[0], row[2], row[3])
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
