"""Other plugins on the server's own connection: they read and write beside the contract."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from pydantic import SecretStr
from tests.devices.conftest import World
from tests.devices.test_broker import _pid_of
from tests.fakes.integrator import Integrator
from tests.fakes.waiting import eventually

from antiphon.plugins import Mqtt, MqttMessage, MqttOffer
from antiphon_devices.filters import is_filter, matches, reaches_below
from antiphon_devices.settings import MqttSettings


@pytest.mark.parametrize(
    ("topic_filter", "topic", "does"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a", True),
        ("+/b", "a/b", True),
        ("a/b", "a/bb", False),
        ("a/b/c", "a/b", False),
    ],
)
def test_filters_match_as_a_broker_would(topic_filter: str, topic: str, does: bool) -> None:
    assert matches(topic_filter, topic) is does
    assert is_filter(topic_filter)


@pytest.mark.parametrize("text", ["", "a/#/b", "a#", "a/b+", "#/a", "a\x00"])
def test_what_is_no_filter_is_told(text: str) -> None:
    assert not is_filter(text)


@pytest.mark.parametrize(
    ("topic_filter", "does"),
    [
        ("#", True),
        ("antiphon/#", True),
        ("+/v1/client/+/info", True),
        ("antiphon/v1", True),
        ("antiphon/+/x", True),
        ("antiphon", False),
        ("antiphon/v2/#", False),
        ("homeassistant/#", False),
        ("+", False),
    ],
)
def test_the_servers_own_topics_are_out_of_reach(topic_filter: str, does: bool) -> None:
    assert reaches_below(topic_filter, "antiphon/v1") is does


@pytest.mark.any_topic
async def test_guests_read_what_others_say_and_keep_what_they_hold(world: World) -> None:
    seen: list[MqttMessage] = []
    async with world.serving(), world.integrator_without_judge() as other:
        await other.publish("guest/old", b"kept", retain=True)
        mqtt = await world.mqtt.accept()
        await mqtt.connected()
        end = mqtt.subscribe("guest/#", seen.append)
        await mqtt.connected()
        await eventually(lambda: seen)
        assert seen == [MqttMessage(topic="guest/old", payload=b"kept", retain=True)]
        mqtt.hold("guest/mine", b"1")
        mqtt.say("guest/mine/passing", b"2")
        await other.subscribe("guest/#")
        assert (await other.hears("guest/mine")).retain
        await other.publish("guest/new", b"3")
        await eventually(lambda: len(seen) == 2)
        assert seen[1] == MqttMessage(topic="guest/new", payload=b"3", retain=False)
        # The broker is replaced by one that knows nothing of us.
        (world.data_dir / "mosquitto.db").unlink(missing_ok=True)
        old = _pid_of(world.data_dir / "mosquitto.conf")
        os.kill(old, signal.SIGKILL)
        await eventually(lambda: _pid_of(world.data_dir / "mosquitto.conf") not in (0, old))
        await mqtt.connected()
        async with world.integrator_without_judge() as after:
            await after.subscribe("guest/#")
            await after.hears("guest/mine", lambda heard: heard.payload == b"1")
            await after.publish("guest/again", b"4")
            await eventually(lambda: seen[-1].payload == b"4")
            mqtt.empty("guest/mine")
            await after.hears("guest/mine", lambda heard: heard.payload == b"")
            end()
            await mqtt.connected()
            await after.publish("guest/unheard", b"5")
            mqtt.say("guest/last", b"6")
            await after.hears("guest/last")
            assert seen[-1].payload == b"4"
    assert world.mqtt.current is None


async def test_guests_follow_the_servers_documents(world: World, integrator: Integrator) -> None:
    mqtt = await world.mqtt.accept()
    seen: list[MqttMessage] = []

    def broken(_: MqttMessage) -> None:
        raise RuntimeError("a plugin's mistake")

    undo = [mqtt.documents("antiphon/v1/#", broken)]
    undo.append(mqtt.documents("antiphon/v1/client/+/zone/+/info", seen.append))
    assert {message.topic for message in seen} >= {f"antiphon/v1/{world.here}/info"}
    count = len(seen)
    world.zones.change(world.zone.zone_id, volume=31)
    await integrator.hears(f"{world.here}/state", lambda h: h.json["volume"] == 31)
    assert len(seen) == count, "another topic"
    world.zones.delete(world.zone.zone_id)
    assert seen[-1] == MqttMessage(topic=f"antiphon/v1/{world.here}/info", payload=b"", retain=True)
    for end in undo:
        end()
    world.zones.delete(world.foreign.zone_id)
    assert len(seen) == count + 1


async def test_guests_can_not_write_or_listen_where_the_contract_is(
    world: World, integrator: Integrator
) -> None:
    mqtt: Mqtt = await world.mqtt.accept()
    for topic in ("antiphon/v1/server/status", "antiphon/v1", "guest/#", "guest/+", "", "$SYS/x"):
        for act in (mqtt.empty, lambda t: mqtt.hold(t, b"x"), lambda t: mqtt.say(t, b"x")):
            with pytest.raises(ValueError, match="can not write"):
                act(topic)
    for topic_filter in ("#", "antiphon/#", f"antiphon/v1/{world.here}/set/+"):
        with pytest.raises(ValueError, match="documents"):
            mqtt.subscribe(topic_filter, print)
    with pytest.raises(ValueError, match="filter"):
        mqtt.subscribe("a/#/b", print)


async def test_where_mqtt_is_off_nobody_offers_it(world: World) -> None:
    world.settings = MqttSettings(url=SecretStr("off"))
    async with world.serving():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await world.mqtt.accept()


async def test_there_is_one_connection_for_all() -> None:
    offer, one, other = MqttOffer(), object(), object()
    waiting = asyncio.create_task(offer.accept())
    withdraw = offer.make(one)  # type: ignore[arg-type]
    assert await waiting is one
    with pytest.raises(ValueError, match="already"):
        offer.make(other)  # type: ignore[arg-type]
    withdraw()
    assert offer.current is None
