"""Two buildings with real zones and a real database, music in files or in the mind alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from tests.conftest import Migrated
from tests.fakes.database import Tenant, make_tenant
from tests.fakes.hand_clock import HandClock
from tests.fakes.media import FakeMedia
from tests.fakes.plugin_api import Caller, plugin_api
from tests.fakes.plugin_context import plugin_context
from tests.fakes.renderer import FakeRenderer
from tests.fakes.waiting import eventually

from antiphon.events import Event, EventBus, TrackStarted
from antiphon.jobs import JobRunner
from antiphon.playback import ZoneController
from antiphon.playback.controller import Renderer
from antiphon.plugins import Media, MediaRef, PlaybackView, PluginContext
from antiphon.settings.models import AudioSettings
from antiphon.store import Tables, open_database
from antiphon.types import Role
from antiphon_scheduling.playlists.events import ChannelAnnounced, ChannelSilent
from antiphon_scheduling.playlists.music import ChannelSource
from antiphon_scheduling.playlists.routes import playlist_routes
from antiphon_scheduling.playlists.runner import ChannelRunner
from antiphon_scheduling.settings import SchedulingSettings

MODULES = ("antiphon_scheduling.models", "antiphon_scheduling.playlists.models")
TABLES = Tables(MODULES, "antiphon_scheduling.migrations")
TEN = datetime(2026, 5, 1, 10, 0, 30, tzinfo=UTC)
GRACE = timedelta(seconds=60)
E_ = TypeVar("E_", bound=Event)


class NullStreams:
    async def provision(self, zones: Mapping[UUID, str]) -> Mapping[UUID, str]:
        return dict.fromkeys(zones, "null:")

    async def remove(self, zone_id: UUID) -> None:
        pass


@dataclass
class House:
    """A shop with two floors and a zone on each, its neighbour, and what happens there."""

    shop: Tenant
    gym: Tenant
    bus: EventBus
    media: FakeMedia
    renderer: Renderer
    zones: ZoneController
    context: PluginContext
    clock: HandClock
    owner: Caller
    stranger: Caller
    api: Any
    events: list[Event] = field(default_factory=list)
    is_running: bool = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ChannelRunner]:
        async with ChannelRunner(self.context, self.clock, GRACE) as runner:
            await self.clock.rest()
            self.is_running = True
            yield runner
            self.is_running = False

    @asynccontextmanager
    async def restarted(self) -> AsyncIterator[None]:
        """The zones after the server went down in good order and came back."""
        await self.zones.__aexit__(None, None, None)
        self.renderer = FakeRenderer()
        settings = AudioSettings()
        async with ZoneController(
            self.bus, self.renderer, NullStreams(), self.media, settings
        ) as self.zones:
            yield

    async def clock_to(self, now: datetime) -> None:
        """Set the clock while nothing runs."""
        self.clock._now = now

    def told(self, kind: type[E_]) -> list[E_]:
        return [event for event in self.events if isinstance(event, kind)]

    def silences(self) -> list[str]:
        return [event.reason for event in self.told(ChannelSilent)]

    def announced(self) -> list[str]:
        """The titles of what was announced."""
        stored = self.media.speech.stored
        return [stored[event.announcement_id].title for event in self.told(ChannelAnnounced)]

    def started(self, zone_id: UUID) -> list[str]:
        return [event.title for event in self.told(TrackStarted) if event.zone_id == zone_id]

    def song(self, title: str, artist: str = "", path: Path | None = None, **more: Any) -> UUID:
        key = self.media.music.add(self.shop.client.id, title, **more)
        owner, media = self.media.music.tracks[key]
        changed = {"artist": artist or f"Artist of {title}", "path": path or media.path}
        self.media.music.tracks[key] = owner, media.model_copy(update=changed)
        return key

    def spot(self, title: str, path: Path | None = None, duration_s: float = 2.0) -> UUID:
        key = uuid4()
        ref = MediaRef(kind="announcement", value=str(key))
        path = path or Path(f"/clips/{title}.wav")
        clip = Media(ref=ref, path=path, title=title, duration_s=duration_s)
        self.media.speech.stored[key] = clip
        return key

    async def playlist(self, **settings: Any) -> str:
        body = {"name": "All day", "zones": [str(self.shop.shop.id)], "title_gap_min": 0}
        made = await self.owner("POST", "channel-playlists", body | settings)
        assert made.status == 201, made.json
        return str(made.json["id"])

    async def put(self, playlist: str, kind: str, *keys: UUID, **timing: Any) -> list[str]:
        items = []
        for key in keys:
            body = {"item_type": kind, "content_id": str(key), **timing}
            made = await self.owner("POST", f"channel-playlists/{playlist}/items", body)
            assert made.status == 201, made.json
            items.append(str(made.json["id"]))
        return items

    async def play(self, playlist: str) -> list[PlaybackView]:
        played = await self.owner("POST", f"channel-playlists/{playlist}/play")
        assert played.status == 200, played.json
        return [PlaybackView.model_validate(view) for view in played.json["zones"]]

    async def channel(self, zone_id: UUID) -> Any:
        seen = await self.owner("GET", f"zones/{zone_id}/channel")
        assert seen.status == 200, seen.json
        return seen.json

    async def next_track(self, zone_id: UUID) -> None:
        """The current track ends, in a building without sound."""
        assert isinstance(self.renderer, FakeRenderer)
        name = self.renderer.attached[str(zone_id)]
        assert name is not None
        before = len(self.started(zone_id))
        await eventually(lambda: len(self.fake.programmes[name].tracks) > 1)
        self.renderer.end_track(name)
        await eventually(lambda: len(self.started(zone_id)) > before)
        if self.is_running:
            await self.clock.rest()

    @property
    def fake(self) -> FakeRenderer:
        assert isinstance(self.renderer, FakeRenderer)
        return self.renderer


@asynccontextmanager
async def open_house(tmp_path: Path, bus: EventBus, renderer: Renderer) -> AsyncIterator[House]:
    media = FakeMedia()
    async with (
        open_database("", tmp_path / "data", {"scheduling": TABLES}) as database,
        JobRunner(bus) as jobs,
    ):
        assert not database.failed
        shop, gym = await make_tenant("shop"), await make_tenant("gym")
        await shop.client.filter(id=shop.client.id).update(timezone="UTC")
        events: list[Event] = []
        bus.subscribe(Event, events.append)
        async with ZoneController(bus, renderer, NullStreams(), media, AudioSettings()) as zones:
            settings = SchedulingSettings()
            plain = plugin_context("scheduling", settings, tmp_path, jobs, zones=zones, bus=bus)
            context = replace(plain, media=media)
            media.add(ChannelSource(media, bus))
            clock = HandClock(TEN)
            async with plugin_api(context, jobs, playlist_routes(context, clock)) as api:
                yield House(
                    shop=shop,
                    gym=gym,
                    bus=bus,
                    media=media,
                    renderer=renderer,
                    zones=zones,
                    context=context,
                    clock=clock,
                    owner=await api.caller(Role.CLIENT, shop.client.id),
                    stranger=await api.caller(Role.CLIENT, gym.client.id),
                    api=api,
                    events=events,
                )


@pytest.fixture
async def house(tmp_path: Path, migrated: Migrated) -> AsyncIterator[House]:
    """Without sound: what the renderer would do is told by the test."""
    migrated(tmp_path / "data")
    async with open_house(tmp_path, EventBus(), FakeRenderer()) as house:
        yield house
