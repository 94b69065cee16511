"""A building, a real mosquitto, our side of MQTT, the bridge; and who plays Home Assistant."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.devices.conftest import World
from tests.devices.contract import holds
from tests.fakes.integrator import Heard, Integrator, integrating
from tests.plugins.homeassistant.schema import entities_in

from antiphon_devices.broker import own_broker
from antiphon_devices.settings import MqttSettings
from antiphon_homeassistant.bridge import Bridge
from antiphon_homeassistant.discovery import MIGRATE
from antiphon_homeassistant.settings import HomeAssistantSettings, Style

QUIET_S = 0.3
JITTER_S = (0.05, 0.1)
PREFIX = "homeassistant"


class Home:
    """Somebody who reads discovery as Home Assistant does."""

    def __init__(self, integrator: Integrator) -> None:
        self.integrator = integrator

    @property
    def configs(self) -> dict[str, bytes]:
        """What is retained for discovery now, in the order of its arrival."""
        return {
            topic: payload
            for topic, payload in self.integrator.held.items()
            if topic.startswith(f"{PREFIX}/") and topic.endswith("/config") and payload
        }

    @property
    def entities(self) -> dict[str, dict[str, Any]]:
        """The entities by unique id."""
        found: dict[str, dict[str, Any]] = {}
        for topic, payload in self.configs.items():
            new = entities_in(topic, payload)
            assert not found.keys() & new.keys(), "one id twice"
            found |= new
        return found

    def told(self, since: int) -> list[Heard]:
        """The discovery messages that came since."""
        return [h for h in self.integrator.heard[since:] if h.topic.endswith("/config")]

    async def sees(self, check: Callable[[dict[str, dict[str, Any]]], bool]) -> None:
        """Wait until the entities are as `check` wants them."""
        try:
            await self.integrator.until(lambda: check(self.entities))
        except TimeoutError:
            raise AssertionError(f"never seen; there are {sorted(self.entities)}") from None

    async def settled(self, count: int) -> None:
        """Wait until there are exactly so many entities."""
        await self.sees(lambda entities: len(entities) == count)

    async def born(self, payload: str = "online") -> None:
        await self.integrator.publish(f"{PREFIX}/status", payload)


def _judge(heard: Heard) -> None:
    if not heard.topic.startswith(f"{PREFIX}/"):
        holds(heard)
    elif heard.topic.endswith("/config") and heard.payload not in (b"", MIGRATE):
        assert heard.retain
        entities_in(heard.topic, heard.payload)


@asynccontextmanager
async def bridging(
    world: World, style: Style = Style.ENTITY, *, enabled: bool = True
) -> AsyncIterator[None]:
    """Run MQTT and the bridge, as a server does."""
    settings = HomeAssistantSettings(style=style, enabled=enabled)

    async def work() -> None:
        mqtt = await world.mqtt.accept()
        log = logging.getLogger("test.homeassistant")
        bridge = Bridge(
            mqtt,
            settings,
            log,
            public_url=world.public_url,
            names_file=world.data_dir.parent / "names.json",
            quiet_s=QUIET_S,
            jitter_s=JITTER_S,
        )
        await bridge.run()

    async with world.serving():
        task = asyncio.create_task(work())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def lasting_broker(world: World) -> AsyncIterator[None]:
    """A broker that stays while servers come and go; the world's servers use it."""
    async with own_broker(world.settings, world.data_dir, logging.getLogger("test.broker")):
        world.settings = MqttSettings(url=SecretStr(world.url))
        yield


@asynccontextmanager
async def home_of(world: World) -> AsyncIterator[Home]:
    """Be on the world's broker, as soon as it listens."""
    await world.broker_is_there()
    async with integrating(world.url, _judge) as integrator:
        await integrator.subscribe(f"{PREFIX}/#")
        yield Home(integrator)


# Two clients, a zone with a loudspeaker in one and a zone in the other.
SYSTEM, ZONE, PLAYER, WITH_AGENT, SOURCE = 6, 15, 4, 5, 1
EVERYTHING = 2 * SYSTEM + 2 * ZONE + PLAYER


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "mqtt")


@pytest.fixture(params=list(Style))
async def home(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Home]:
    """All is announced, in each style."""
    async with bridging(world, request.param), home_of(world) as home:
        await home.settled(EVERYTHING)
        yield home
