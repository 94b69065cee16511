"""A building with two tenants, a fake renderer and a real SQLite database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import pytest
from tests.fakes.database import Tenant, fresh_database, make_tenant
from tests.fakes.media import FakeMedia
from tests.fakes.renderer import FakeRenderer
from tests.fakes.waiting import eventually

from antiphon.engine.protocol import StartCall
from antiphon.events import Event, EventBus
from antiphon.playback import ZoneController
from antiphon.settings.models import AudioSettings

E_ = TypeVar("E_", bound=Event)


class FakeStreams:
    """Gives each zone a sink named after it."""

    def __init__(self) -> None:
        self.removed: list[UUID] = []
        self.fails = False

    async def provision(self, zones: Mapping[UUID, str]) -> Mapping[UUID, str]:
        if self.fails:
            raise OSError("no space left on device")
        return {zone_id: f"fifo:/run/{zone_id.hex}" for zone_id in zones}

    async def remove(self, zone_id: UUID) -> None:
        self.removed.append(zone_id)


@dataclass
class Stage:
    """All parts, and short words for what the tests do with them."""

    hotel: Tenant
    gym: Tenant
    media: FakeMedia = field(default_factory=FakeMedia)
    bus: EventBus = field(default_factory=EventBus)
    renderer: FakeRenderer = field(default_factory=FakeRenderer)
    streams: FakeStreams = field(default_factory=FakeStreams)
    events: list[Event] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self.bus.subscribe(Event, self.events.append)

    @property
    def shop(self) -> UUID:
        return self.hotel.shop.id

    @property
    def bar(self) -> UUID:
        return self.hotel.bar.id

    async def open(self) -> ZoneController:
        controller = ZoneController(
            self.bus, self.renderer, self.streams, self.media, AudioSettings()
        )
        return await self.stack.enter_async_context(controller)

    async def restart(self) -> ZoneController:
        """The server goes down in good order and comes back."""
        await self.stack.aclose()
        self.renderer = FakeRenderer()
        self.events.clear()
        return await self.open()

    def songs(self, count: int = 3) -> list[UUID]:
        client = self.hotel.client.id
        return [self.media.music.add(client, f"Song {n}") for n in range(1, count + 1)]

    def told(self, kind: type[E_]) -> list[E_]:
        return [event for event in self.events if isinstance(event, kind)]

    def programme(self, zone: UUID) -> str:
        """What the zone hears, by the renderer's name for it."""
        name = self.renderer.attached.get(str(zone))
        assert name is not None
        return name

    def sounding(self, zone: UUID) -> str | None:
        """The title of the track that the renderer has in hand for a zone."""
        programme = self.renderer.programmes.get(self.renderer.attached.get(str(zone)) or "")
        if programme is None or not programme.tracks:
            return None
        return programme.tracks[0].path.removeprefix("/music/").removesuffix(".flac")

    def speaking(self, zone: UUID) -> str | None:
        """The text that the renderer speaks in a zone."""
        for call in self.renderer.calls.values():
            if str(zone) in call.zones:
                return call.clip.path.removeprefix("/clips/").removesuffix(".wav")
        return None

    async def hears(self, zone: UUID, title: str | None) -> None:
        await eventually(lambda: self.sounding(zone) == title, 3.0)
        await asyncio.sleep(0)  # the renderer's report of it comes behind

    async def speaks(self, zone: UUID, text: str | None) -> None:
        await eventually(lambda: self.speaking(zone) == text, 3.0)

    def started_calls(self) -> list[set[str]]:
        return [set(command.zones) for command in self.renderer.sent(StartCall)]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with fresh_database():
        stage = Stage(await make_tenant("hotel"), await make_tenant("gym"))
        async with stage.stack:
            yield stage


@pytest.fixture
async def zones(stage: Stage) -> ZoneController:
    return await stage.open()
