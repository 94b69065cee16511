"""Prints a day of a zone, as people read it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from antiphon.errors import AntiphonError
from antiphon.offline import Library, open_library
from antiphon.plugins import MediaRef
from antiphon_scheduling.clock import Clock, SystemClock
from antiphon_scheduling.naming import find_zone, read_day
from antiphon_scheduling.outlook import Outlooks
from antiphon_scheduling.outlook_views import Outlook, OutlookItem, Result
from antiphon_scheduling.plans import timezones_of
from antiphon_scheduling.settings import SchedulingSettings
from antiphon_scheduling.walltime import start_of

_STYLES = {
    Result.PLAYS: "green",
    Result.SUPPRESSED: "yellow",
    Result.MISSED: "red",
    Result.UNKNOWN: "cyan",
}
_MUSIC = {"play": "music starts", "resume": "music goes on", "stop": "music stops"}
Titles = Mapping[UUID, str]


class _Day(NamedTuple):
    name: str
    local: date
    outlook: Outlook
    titles: Titles


def print_day(zone: str, day: str | None, client: str | None) -> None:
    """Print a table of the day. Raises NotFound for the zone, Invalid for the day."""
    console = Console(highlight=False)
    found = asyncio.run(_look(zone, day, client, SystemClock()))
    outlook = found.outlook
    console.print(
        f"{found.name}, {found.local:%A %d %B %Y}, times of {outlook.timezone}", markup=False
    )
    if not outlook.items:
        console.print("No schedule and no channel playlist has a time on this day.")
        return
    console.print(day_table(outlook, found.titles))
    if not outlook.exact:
        console.print("Whose turn it is among several announcements may still differ.")


def day_table(outlook: Outlook, titles: Titles) -> Table:
    """The items of a day, one a line."""
    zone = ZoneInfo(outlook.timezone)
    table = Table("Time", "By", "What", "Result", "Why")
    for item in outlook.items:
        table.add_row(
            f"{item.at.astimezone(zone):%H:%M:%S}",
            Text(item.name),
            Text(_what(item, titles)),
            Text(item.result.value, style=_STYLES[item.result]),
            Text(_why(item, zone)),
        )
    return table


def _what(item: OutlookItem, titles: Titles) -> str:
    if item.announcement_id is not None:
        unknown = f"announcement {str(item.announcement_id)[:8]}"
        return titles.get(item.announcement_id, unknown)
    if item.playlist_id is not None:
        return "a track of music" if item.does == "play" else ""
    return _MUSIC.get(item.does, "")


def _why(item: OutlookItem, zone: ZoneInfo) -> str:
    if item.reason is not None:
        return item.reason
    if item.deferred_from is not None:
        return f"{item.rule}; deferred from {item.deferred_from.astimezone(zone):%H:%M}"
    return item.rule


async def _look(wanted: str, day: str | None, client: str | None, clock: Clock) -> _Day:
    async with open_library() as library:
        found = await find_zone(wanted, client)
        zone = ZoneInfo((await timezones_of([found.client_id]))[found.client_id])
        local = read_day(day, clock.now().astimezone(zone))
        begin, end = start_of(local, zone), start_of(local + timedelta(days=1), zone)
        outlooks = Outlooks(clock, grace_of(library))
        outlook = await outlooks.preview(found.client_id, found.zone_id, begin, end)
        titles = await _titles(library, found.client_id, outlook)
        return _Day(found.name, local, outlook, titles)


def grace_of(library: Library) -> timedelta:
    """How late something may still be fired."""
    settings = library.section("scheduling") or SchedulingSettings()
    return timedelta(seconds=cast(SchedulingSettings, settings).misfire_grace_s)


async def _titles(library: Library, client_id: UUID, outlook: Outlook) -> dict[UUID, str]:
    """What the announcements are called, as far as they can be played now."""
    keys = {item.announcement_id for item in outlook.items if item.announcement_id}
    refs = [MediaRef(kind="announcement", value=str(key)) for key in keys]
    try:
        known = await library.media.describe(client_id, refs)
    except AntiphonError:  # their plugin is not there
        return {}
    return {UUID(ref.value): media.title for ref, media in known.items()}
