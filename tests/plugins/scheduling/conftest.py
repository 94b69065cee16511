"""Schedules behind the real API, in a real database, on a clock that is advanced by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.conftest import Migrated
from tests.fakes.hand_clock import HandClock
from tests.fakes.plugin_api import Answer, Caller, PluginApi, plugin_api
from tests.fakes.plugin_context import plugin_context
from tests.fakes.zones import FakeZones, zone_view

from antiphon.errors import Conflict, NotFound
from antiphon.events import (
    Event,
    EventBus,
    ScheduleFired,
    ScheduleMissed,
    ScheduleSuppressed,
)
from antiphon.jobs import JobRunner
from antiphon.plugins import CallRequest, Media, MediaRef, MediaSource, PluginContext
from antiphon.store import Tables, open_database
from antiphon.tenancy.models import Client
from antiphon.types import Role
from antiphon_scheduling import scheduler
from antiphon_scheduling.calendar_routes import calendar_routes
from antiphon_scheduling.calendar_service import Calendars
from antiphon_scheduling.opening import OpeningHours
from antiphon_scheduling.opening_routes import opening_routes
from antiphon_scheduling.outlook import Outlooks
from antiphon_scheduling.outlook_routes import outlook_routes
from antiphon_scheduling.routes import schedule_routes
from antiphon_scheduling.scheduler import Scheduler
from antiphon_scheduling.service import Schedules
from antiphon_scheduling.settings import SchedulingSettings

TABLES = Tables(
    ("antiphon_scheduling.models", "antiphon_scheduling.playlists.models"),
    "antiphon_scheduling.migrations",
)
NINE = datetime(2026, 5, 1, 9, 0, 30, tzinfo=UTC)
GRACE = timedelta(seconds=60)


class _Announcements(MediaSource):
    """Knows some ids; those in `off` may not be played."""

    def __init__(self) -> None:
        self.known = [uuid4() for _ in range(5)]
        self.off: set[UUID] = set()
        self.folder = uuid4()

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"announcement", "folder"})

    async def expand(self, client_id: UUID, ref: MediaRef) -> Sequence[MediaRef]:
        if UUID(ref.value) != self.folder:
            raise NotFound("folder", ref.value)
        return [MediaRef(kind="music", value=str(uuid4()))]

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        if UUID(ref.value) not in self.known:
            raise NotFound("announcement", ref.value)
        if UUID(ref.value) in self.off:
            raise Conflict("It is switched off.")
        return Media(ref=ref, path=Path("clip.wav"), title="Clip", duration_s=2.0)


@dataclass
class Station:
    """A client in Berlin with two zones; `outcomes` is what the schedules came to."""

    client: Client
    owner: Caller
    api: PluginApi
    context: PluginContext
    zones: FakeZones
    zone_ids: list[UUID]
    announcements: _Announcements
    clock: HandClock
    outcomes: list[Event] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Scheduler]:
        """The scheduler, from its start until it is stopped (or dies)."""
        async with Scheduler(self.context, self.clock, GRACE, timedelta(days=30)) as scheduler:
            await self.clock.rest()
            yield scheduler

    def body(self, **changes: Any) -> dict[str, Any]:
        """A schedule that fires every five minutes everywhere."""
        return {"name": "Every five", "config": self.every(5), "all": True} | changes

    def every(self, minutes: int, announcements: int = 1) -> dict[str, Any]:
        return {
            "kind": "interval",
            "every_min": minutes,
            "announcements": [str(known) for known in self.announcements.known[:announcements]],
        }

    def cron(self, expression: str) -> dict[str, Any]:
        known = [str(self.announcements.known[0])]
        return {"kind": "cron", "expression": expression, "announcements": known}

    def music(self, expression: str, *, stop: bool = False) -> dict[str, Any]:
        """Music of the one folder that there is, or its end."""
        play = {"do": "play", "folder_ids": [str(self.announcements.folder)]}
        music = {"do": "stop"} if stop else play
        return {"kind": "cron", "expression": expression, "music": music}

    async def preview(self, begin: datetime, end: datetime, zone: int = 0) -> list[Any]:
        """What plays in a zone, as the API tells it."""
        shown = await self.owner(
            "GET",
            "schedules/preview",
            params={
                "zone": str(self.zone_ids[zone]),
                "from": begin.isoformat(),
                "to": end.isoformat(),
            },
        )
        assert shown.status == 200, shown.json
        items: list[Any] = shown.json["items"]
        return items

    async def make(self, **changes: Any) -> Any:
        made: Answer = await self.owner("POST", "schedules", self.body(**changes))
        assert made.status == 201, made.json
        return made.json

    def calls(self) -> list[CallRequest]:
        """The calls that were made, each once."""
        found: list[CallRequest] = []
        for name, _, request in self.zones.asked:
            if name == "call" and not any(request is one for one in found):
                found.append(request)
        return found


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler looks around for what no event tells as seldom as its window allows.

    For tests that live through days and in which nothing happens that it would find.
    """
    monkeypatch.setattr(scheduler, "_LOOK_AROUND", timedelta(minutes=14))


@pytest.fixture
async def station(tmp_path: Path, migrated: Migrated) -> AsyncIterator[Station]:
    migrated(tmp_path / "data")
    bus = EventBus()
    async with (
        open_database("", tmp_path / "data", {"scheduling": TABLES}) as database,
        JobRunner(bus) as jobs,
    ):
        assert not database.failed
        client = await Client.create(name="Station", timezone="Europe/Berlin")
        views = [zone_view(client.id, "Hall"), zone_view(client.id, "Platform")]
        zones = FakeZones(bus, *views)
        context = plugin_context(
            "scheduling",
            SchedulingSettings(calendar_private_addresses=True),
            tmp_path,
            jobs,
            zones=zones,
            bus=bus,
        )
        announcements = _Announcements()
        context.media.add(announcements)
        clock = HandClock(NINE)
        schedules = Schedules(context, clock)
        opening = OpeningHours(context, clock, schedules)
        outlook = outlook_routes(schedules, Outlooks(clock, GRACE, zones))
        routes = [
            *schedule_routes(schedules, outlook),
            *calendar_routes(Calendars(context, clock)),
            *opening_routes(opening),
        ]
        async with plugin_api(context, jobs, routes) as api:
            station = Station(
                client=client,
                owner=await api.caller(Role.CLIENT, client.id),
                api=api,
                context=context,
                zones=zones,
                zone_ids=[view.zone_id for view in views],
                announcements=announcements,
                clock=clock,
            )
            bus.subscribe(ScheduleFired, station.outcomes.append)
            bus.subscribe(ScheduleMissed, station.outcomes.append)
            bus.subscribe(ScheduleSuppressed, station.outcomes.append)
            yield station
