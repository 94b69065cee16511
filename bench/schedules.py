"""100,000 schedules: planning them at start, what a firing costs, how late it is, and idling."""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

from antiphon.events import EventBus
from antiphon.plugins import (
    CallRequest,
    Devices,
    Jobs,
    MediaRegistry,
    PluginContext,
    SpeechRegistry,
    Zones,
)
from antiphon.store import Tables, open_database
from antiphon.tenancy.models import Client
from antiphon_scheduling.basis import Basis
from antiphon_scheduling.clock import SystemClock
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.plan import Place
from antiphon_scheduling.planner import Planner
from antiphon_scheduling.plans import active, plan_of, read_plans
from antiphon_scheduling.roster import Roster
from antiphon_scheduling.scheduler import Scheduler
from bench.figures import in_child, percentile, show

SCHEDULES = 100_000
CLIENTS = 500
FIRED = 20_000
WATCHED_S = 20.0
_TABLES = Tables(
    ("antiphon_scheduling.models", "antiphon_scheduling.playlists.models"),
    "antiphon_scheduling.migrations",
)


def _config(number: int, chance: random.Random) -> dict[str, Any]:
    """A quarter of each kind, at all times of the day."""
    what = {"announcements": [str(UUID(int=number + 1)), str(UUID(int=number + 2))]}
    minute, hour = chance.randrange(60), chance.randrange(24)
    if number % 4 == 0:
        return {"kind": "interval", "every_min": chance.choice((240, 720, 1_440)), **what}
    if number % 4 == 1:
        return {"kind": "cron", "expression": f"{minute} {hour} * * mon-sat", **what}
    if number % 4 == 2:
        at = [f"2026-01-01T{hour:02}:{minute:02}:{chance.randrange(60):02}"]
        return {"kind": "datetime", "at": at, "repeat": "daily", **what}
    items = [{"offset_s": chance.randrange(86_400), **what}]
    return {"kind": "timeline", "cycle_min": 1_440, "items": items}


async def _fill() -> None:
    """As a server leaves them that has run: each knows how long it may rest."""
    clients = [
        Client(name=f"Client {number}", timezone="Europe/Berlin") for number in range(CLIENTS)
    ]
    await Client.bulk_create(clients)
    chance = random.Random(1)  # noqa: S311  figures, not secrets
    now = datetime.now(UTC)
    rows = []
    for number in range(SCHEDULES):
        config = _config(number, chance)
        row = Schedule(
            client_id=clients[number % CLIENTS].id,
            name=f"Schedule {number}",
            kind=config["kind"],
            config=config,
            rules={"min_gap_min": 5, "avoid_repeat": True} if number % 10 == 0 else None,
            settled_until=now,
            in_force_since=now,
            created_at=now,
            updated_at=now,
        )
        row.rests_until = plan_of(row, "Europe/Berlin").following(now)
        rows.append(row)
    await Schedule.bulk_create(rows, batch_size=500)


class _NoZones:
    """One zone each. Calls wait for their time as the zones do; notes how late they are."""

    latency_s, notice_s = 0.0, 0.9

    def __init__(self, clients: list[UUID]) -> None:
        self.late_ms: list[float] = []
        self.late = 0
        self._views = [_View(client_id) for client_id in clients]

    async def views(self, principal: Any) -> list[_View]:  # noqa: ARG002  as it is called
        return self._views

    async def call(self, _: Any, request: CallRequest) -> _View:
        if request.at is None:  # handed over when its time had come already
            self.late += 1
            return self._views[0]
        left_s = request.at.timestamp() - time.time()
        loop = asyncio.get_running_loop()
        loop.call_later(left_s, self._heard, request.at.timestamp())
        return self._views[0]

    def _heard(self, at: float) -> None:
        self.late_ms.append((time.time() - at) * 1_000)


class _View:
    def __init__(self, client_id: UUID) -> None:
        self.id = self.zone_id = self.floor_id = uuid4()
        self.client_id = client_id


async def _run(folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    async with open_database("", folder, {"scheduling": _TABLES}):
        Basis(folder).keep({row.id: row.timezone for row in await Client.all()})
        started = time.process_time()
        place = [Place(uuid4())]
        planner = Planner(timedelta(seconds=60), lambda _: place)
        await Roster(planner, Basis(folder)).load(datetime.now(UTC))
        figures["plan_s"] = time.process_time() - started
        figures["planned"] = sum(1 for _ in planner.plans)
        started = time.process_time()
        for client in await Client.all().limit(CLIENTS // 10):
            for plan in await read_plans(active().filter(client_id=client.id)):
                planner.put(plan)
        figures["first_s"] = 10 * (time.process_time() - started)
        figures["firing_us"] = _firing(planner)
        del planner
        zones = _NoZones([row.id for row in await Client.all()])
        context = PluginContext(
            name="scheduling",
            settings=None,
            bus=EventBus(),
            zones=cast(Zones, zones),
            devices=cast(Devices, None),
            media=MediaRegistry(),
            speech=SpeechRegistry(),
            jobs=cast(Jobs, None),
            data_dir=folder,
            media_dir=folder,
            log=logging.getLogger("bench"),
        )
        grace = timedelta(seconds=60)
        async with Scheduler(context, SystemClock(), grace, timedelta(days=30)):
            await asyncio.sleep(5)
            zones.late_ms.clear()
            zones.late = 0
            started = time.process_time()
            await asyncio.sleep(WATCHED_S)
            figures["busy_share"] = 100 * (time.process_time() - started) / WATCHED_S
            figures["late_ms"], figures["late"] = zones.late_ms[:], zones.late
        await Schedule.all().update(enabled=False)
        idle = Schedule.filter(kind="cron")
        await idle.update(
            enabled=True, config=_yearly(), rests_until=datetime(2028, 2, 29, 2, tzinfo=UTC)
        )
        async with Scheduler(context, SystemClock(), grace, timedelta(days=30)):
            await asyncio.sleep(2)
            started = time.process_time()
            await asyncio.sleep(WATCHED_S)
            figures["idle_share"] = 100 * (time.process_time() - started) / WATCHED_S
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _yearly() -> dict[str, Any]:
    return {"kind": "cron", "expression": "0 3 29 2 *", "announcements": [str(UUID(int=1))]}


def _firing(planner: Planner) -> float:
    """CPU microseconds for each decision, one after the other."""
    fired, started = 0, time.process_time()
    while fired < FIRED and (instant := planner.next_instant) is not None:
        fired += sum(1 for _ in planner.due(instant))
    return (time.process_time() - started) / fired * 1e6


def _few(number: int) -> float:
    """The same with few schedules, to compare."""
    from zoneinfo import ZoneInfo

    from antiphon_scheduling.plan import Plan
    from antiphon_scheduling.recurrence import Interval

    client_id, now = uuid4(), datetime.now(UTC)
    place = [Place(uuid4())]
    planner = Planner(timedelta(seconds=60), lambda _: place)
    for _ in range(number):
        interval = Interval(every_min=240, announcements=[uuid4()])
        planner.put(
            Plan(uuid4(), client_id, "A", interval, ZoneInfo("Europe/Berlin"), now, now, now)
        )
    return _firing(planner)


def _child(folder: str) -> dict[str, Any]:
    logging.disable(logging.WARNING)  # what was due while the database was filled is missed
    return asyncio.run(_run(Path(folder)))


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:

        async def fill() -> None:
            async with open_database("", Path(folder), {"scheduling": _TABLES}):
                await _fill()

        asyncio.run(fill())
        figures, _, peak_mb = in_child(_child, folder)
        show("schedules_plan_at_start", figures["plan_s"], "CPU s", "limit", 3.0)
        show("schedules_planned_at_start", figures["planned"], "schedules", "of", SCHEDULES)
        show("schedules_plan_never_planned", figures["first_s"], "CPU s, in the background")
        few, _, _ = in_child(_few, 100)
        show("schedules_decision", figures["firing_us"], "CPU us", "with 100 schedules", few)
        late = figures["late_ms"]
        show("schedules_calls_watched", len(late), "calls")
        show("schedules_calls_handed_over_late", figures["late"], "calls")
        if late:
            show("schedules_late_p50", percentile(late, 50), "ms")
            show("schedules_late_p99", percentile(late, 99), "ms", "limit", 20.0)
        show("schedules_busy", figures["busy_share"], "% of a core")
        show("schedules_idle", figures["idle_share"], "% of a core", "limit", 1.0)
        show("schedules_memory", peak_mb, "MB")
