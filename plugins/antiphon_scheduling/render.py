"""`antiphon schedule render`: a period of a zone as a file, before it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from antiphon.errors import Invalid, NotFound
from antiphon.offline import FileSink, Heard, Library, Rehearsal, open_library
from antiphon.tenancy.models import Client
from antiphon_scheduling.clock import Clock, SystemClock
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.naming import FoundZone, find_zone, read_moment
from antiphon_scheduling.outcomes import Firing
from antiphon_scheduling.outlook import Outlooks
from antiphon_scheduling.plans import timezones_of
from antiphon_scheduling.playlists.outlook import Scene
from antiphon_scheduling.printing import grace_of
from antiphon_scheduling.rehearsing import Director, Kept, change_music, music_before, of_zone

LONGEST = timedelta(hours=24)
_BEFORE = timedelta(days=1)
_STYLES = {"music": "cyan", "announcement": "green", "trouble": "red", "kept out": "yellow"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to render, as it stands on the command line."""

    zone: str
    begin: str
    end: str
    output: Path
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud a zone is set: its volume, whether it is muted, how far music goes down."""

    volume: int
    muted: bool
    background_percent: int | None
    schedules_enabled: bool

    @property
    def notes(self) -> list[str]:
        """What of it one should know who hears the file."""
        found = ["The zone is muted, so the file is silent."] if self.muted else []
        if not self.muted and self.volume != 100:
            found.append(f"At volume {self.volume}, which the zone is set to now.")
        if not self.schedules_enabled:
            found.append("Schedules are switched off in this zone: none of them does anything.")
        return found


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is in the file. `took_s` is how long it took to make."""

    name: str
    begin: datetime
    end: datetime
    zone: ZoneInfo
    heard: list[Heard]
    kept: list[Kept]
    took_s: float
    notes: list[str]

    @property
    def seconds(self) -> float:
        """How long the file is."""
        return (self.end - self.begin).total_seconds()

    @property
    def speed(self) -> float:
        """How many seconds of sound were made in a second."""
        return self.seconds / self.took_s if self.took_s else 0.0


def render_period(wanted: Wanted) -> None:
    """Render, with a progress bar, and print what is in the file. Raises NotFound and Invalid."""
    console = Console(highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(f"Rendering {wanted.zone}", total=1.0)
        done = asyncio.run(
            render(wanted, SystemClock(), lambda share: bar.update(task, completed=share))
        )
    console.print(
        f"{done.name}, {done.begin.astimezone(done.zone):%A %d %B %Y %H:%M:%S}"
        f" to {done.end.astimezone(done.zone):%H:%M:%S}, times of {done.zone.key}",
        markup=False,
    )
    console.print(file_table(done))
    for note in done.notes:
        console.print(note, markup=False)
    speed = f"{done.seconds:.0f} s in {done.took_s:.1f} s, {done.speed:.0f} × real time"
    console.print(f"{wanted.output}: {speed}", markup=False)


def file_table(done: Rendered) -> Table:
    """What plays when, and at which second of the file."""
    table = Table("Second", "Time", "What", "", "Length")
    table.columns[0].justify = table.columns[4].justify = "right"
    rows = [(one.at_s, one.what, one.title, one.duration_s) for one in done.heard]
    rows += [(one.at_s, "kept out", f"{one.name}: {one.reason}", 0.0) for one in done.kept]
    for at_s, what, title, duration_s in sorted(rows, key=lambda row: row[0]):
        local = (done.begin + timedelta(seconds=at_s)).astimezone(done.zone)
        length = f"{duration_s:.1f} s" if duration_s else ""
        shown = Text(what, style=_STYLES[what])
        table.add_row(f"{at_s:.1f}", f"{local:%H:%M:%S}", shown, Text(title), length)
    if not rows:
        table.add_row("", "", "", "silence: no music plays, and nothing is announced", "")
    return table


async def render(wanted: Wanted, clock: Clock, progress: Callable[[float], None]) -> Rendered:
    """Write the file."""
    async with open_library() as library:
        found = await find_zone(wanted.zone, wanted.client)
        zone = ZoneInfo((await timezones_of([found.client_id]))[found.client_id])
        begin, end = _period(wanted, zone, clock.now())
        firings = await _firings(library, found.client_id, clock, begin, end)
        scene = await Scene.read(found.client_id, found.zone_id, None)
        if scene is None:
            raise NotFound("zone", wanted.zone)
        sink = FileSink(wanted.output)
        try:
            loudness = await _loudness(found)
            rehearsal = _rehearsal(library, found, sink, loudness)
            mine = list(of_zone(firings, found.zone_id, begin))
            lead_s = library.settings.audio.duck_down_s
            director = Director(rehearsal, scene, mine, (clock.now(), begin, end), lead_s)
            started = time.perf_counter()
            await _as_before(rehearsal, found, firings, begin)
            total_s = (end - begin).total_seconds()
            await director.run(lambda seconds: progress(seconds / total_s))
        finally:
            sink.close()
        took_s = time.perf_counter() - started
        heard, kept = rehearsal.heard, director.kept
        return Rendered(found.name, begin, end, zone, heard, kept, took_s, loudness.notes)


def _period(wanted: Wanted, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    begin = read_moment(wanted.begin, "from", zone, now)
    if begin < now - timedelta(minutes=1):
        raise Invalid.field("from", "is over: what was played is in the log, not to be rendered")
    end = read_moment(wanted.end, "to", zone, begin)
    if not begin < end <= begin + LONGEST:
        raise Invalid.field("to", f"must lie behind `from`, by at most {LONGEST}")
    return begin, end


async def _firings(
    library: Library, client_id: UUID, clock: Clock, begin: datetime, end: datetime
) -> list[tuple[Firing, Schedule]]:
    """What schedules do, from the day before on: that decides what music plays at the beginning."""
    outlooks = Outlooks(clock, grace_of(library))
    firings = await outlooks.firings(client_id, begin - _BEFORE, end)
    rows = {row.id: row for row in await Schedule.filter(client_id=client_id)}
    return [(one, rows[one.schedule_id]) for one in firings if one.schedule_id in rows]


async def _loudness(found: FoundZone) -> Loudness:
    """As it is set now; a zone that never played has its default volume."""
    columns = (
        "playback_state__volume", "playback_state__muted", "default_volume",
        "background_volume_percent", "schedules_enabled",
    )  # fmt: skip
    rows: Any = await Client.filter(zones__id=found.zone_id).values_list(
        *(f"zones__{column}" for column in columns)
    )
    volume, muted, default, background, enabled = rows[0]
    return Loudness(default if volume is None else volume, bool(muted), background, bool(enabled))


def _rehearsal(library: Library, found: FoundZone, sink: FileSink, loudness: Loudness) -> Rehearsal:
    return Rehearsal(
        library.media,
        found.client_id,
        found.zone_id,
        library.settings.audio,
        sink,
        volume=0 if loudness.muted else loudness.volume,
        background_percent=loudness.background_percent,
    )


async def _as_before(
    rehearsal: Rehearsal,
    found: FoundZone,
    firings: list[tuple[Firing, Schedule]],
    begin: datetime,
) -> None:
    """Let play what plays when the period begins: what schedules started, else what plays now."""
    music = music_before(firings, found.zone_id, begin)
    if music is not None and music.do in {"play", "stop"}:
        await change_music(rehearsal, music)
    else:
        await rehearsal.restore(found.zone_id, even_if_stopped=music is not None)
