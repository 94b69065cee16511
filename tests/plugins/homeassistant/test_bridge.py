"""Restarts of everybody: what is on the broker is right again, and nobody else's is touched."""

from __future__ import annotations

import os
import signal

import pytest
from tests.devices.conftest import World
from tests.devices.test_broker import _pid_of
from tests.fakes.waiting import eventually
from tests.fakes.zones import zone_view
from tests.plugins.homeassistant.conftest import (
    EVERYTHING,
    ZONE,
    Home,
    bridging,
    home_of,
    lasting_broker,
)

from antiphon_homeassistant.discovery import MIGRATE
from antiphon_homeassistant.settings import HomeAssistantSettings, Style


async def test_a_restart_changes_nothing(world: World) -> None:
    async with bridging(world), home_of(world) as home:
        await home.settled(EVERYTHING)
        before = home.configs
    async with bridging(world), home_of(world) as home:
        await home.integrator.until(lambda: home.configs == before)
        since = len(home.integrator.heard)
        await home.born()  # and is answered with what this second server would say
        await home.integrator.until(lambda: len(home.told(since)) == EVERYTHING)
        assert {heard.topic: heard.payload for heard in home.told(since)} == before


async def test_what_was_removed_meanwhile_is_swept_and_nobody_elses_is(world: World) -> None:
    mine = f"homeassistant/sensor/antiphon_{world.client}/antiphon_gone_volume/config"
    others = ["homeassistant/sensor/zigbee/x/config", "homeassistant/sensor/antiphon_else/x/config"]
    async with lasting_broker(world), world.integrator_without_judge() as integrator:
        await integrator.subscribe("homeassistant/#")
        home = Home(integrator)
        async with bridging(world):
            await home.settled(EVERYTHING)
        before = set(home.configs)
        for topic in (mine, *others):
            await integrator.publish(topic, b'{"name": "x"}', retain=True)
        world.zones.by_id.pop(world.zone.zone_id)
        world.zones.add(zone_view(world.client, "Bar"))
        async with bridging(world):
            await integrator.hears(mine, lambda heard: heard.payload == b"")
            gone = f"antiphon_{world.zone.zone_id}_"
            await integrator.until(lambda: not any(gone in topic for topic in home.configs))
            await integrator.until(lambda: len(set(home.configs) - before) == ZONE)
        heard = [h for h in integrator.heard if h.topic in others]
        assert not heard, "nobody touched what others announced"


async def test_what_appears_in_our_name_later_is_swept_too(home: Home, world: World) -> None:
    stray = f"homeassistant/button/antiphon_{world.client}/antiphon_x_y/config"
    payload = b'{"command_topic": "a", "unique_id": "antiphon_x_y"}'
    await home.integrator.publish(stray, payload, retain=True)
    await home.integrator.hears(stray, lambda heard: heard.payload == b"")


async def test_home_assistant_is_told_everything_again_when_it_starts(home: Home) -> None:
    topics, since = home.configs.keys(), len(home.integrator.heard)
    await home.born("offline")
    await home.born()

    await home.integrator.until(lambda: {h.topic for h in home.told(since)} == topics)
    assert len(home.told(since)) == len(topics), "once"


async def test_a_broker_that_forgot_everything_is_told_everything(world: World) -> None:
    async with bridging(world):
        async with home_of(world) as home:
            await home.settled(EVERYTHING)
        (world.data_dir / "mosquitto.db").unlink(missing_ok=True)
        old = _pid_of(world.data_dir / "mosquitto.conf")
        os.kill(old, signal.SIGKILL)
        await eventually(lambda: _pid_of(world.data_dir / "mosquitto.conf") not in (0, old))
        async with home_of(world) as home:
            await home.settled(EVERYTHING)


@pytest.mark.parametrize(("before", "after"), [tuple(Style), tuple(reversed(Style))])
async def test_a_new_style_takes_over_the_entities(
    world: World, before: Style, after: Style
) -> None:
    async with lasting_broker(world), home_of(world) as home:
        async with bridging(world, before):
            await home.settled(EVERYTHING)
            old, ids = set(home.configs), set(home.entities)
        since = len(home.integrator.heard)
        async with bridging(world, after):
            await home.integrator.until(lambda: bool(home.configs) and not set(home.configs) & old)
            assert set(home.entities) == ids
        heard = home.told(since)
    migrated = [n for n, h in enumerate(heard) if h.payload == MIGRATE]
    new = [n for n, h in enumerate(heard) if h.topic not in old and h.payload]
    emptied = [n for n, h in enumerate(heard) if h.topic in old and not h.payload]
    assert {heard[n].topic for n in migrated} == {heard[n].topic for n in emptied} == old
    assert max(migrated) < min(new) < max(new) < min(emptied)
    assert not any(heard[n].retain for n in migrated)


async def test_turned_off_it_takes_away_what_it_announced(world: World) -> None:
    async with bridging(world), home_of(world) as home:
        await home.settled(EVERYTHING)
    async with bridging(world, enabled=False), home_of(world) as home:
        await home.settled(0)
        await home.integrator.hears(f"{world.here}/state")


@pytest.mark.parametrize("prefix", ["", "a/#", "a b", "/a", "$SYS"])
def test_a_prefix_that_is_no_topic_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="such as homeassistant"):
        HomeAssistantSettings(prefix=prefix)
