"""What the building is and does stands on the broker, retained, and follows every change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.devices.conftest import World
from tests.fakes.integrator import Integrator
from tests.fakes.zones import zone_view

from antiphon.events import (
    ScheduleFired,
    ScheduleMissed,
    ScheduleSuppressed,
    TrackFinished,
    TrackSkipped,
    TrackStarted,
    ZoneCreated,
    ZoneDeleted,
    ZoneHeard,
    ZoneSilent,
    ZoneStarved,
)
from antiphon.types import CallState, DeadAirStep, Playback, Principal
from antiphon_devices.documents import Documents
from antiphon_devices.mirror import Building, Mirror
from antiphon_devices.outbox import Outbox
from antiphon_devices.payloads import ClientInfo


async def test_a_newcomer_finds_the_whole_building_retained(
    world: World, integrator: Integrator
) -> None:
    async with world.integrator() as newcomer:
        state = (await newcomer.hears(f"{world.here}/state")).json
        info = (await newcomer.hears(f"{world.here}/info")).json
        track = (await newcomer.hears(f"{world.here}/track")).json
        client = (await newcomer.hears(f"client/{world.client}/state")).json
        speaker = (await newcomer.hears(f"{world.speaker}/status")).payload
        assert (await newcomer.hears(f"{world.here}/status")).payload == b"online"
        assert (await newcomer.hears("server/info")).json["protocol"] == "1.0"
        assert (await newcomer.hears(f"client/{world.client}/info")).json["name"] == "Hotel"
    assert (state["volume"], state["playback"], state["activity"]) == (30, "playing", "playing")
    assert state["devices"] == {"online": 1, "total": 1}
    assert info["name"] == "Lobby"
    assert (track["title"], track["position_s"]) == ("Take Five", 12.5)
    assert client["zones"] == {"total": 1, "playing": 1}
    assert client["devices"] == {"total": 1, "online": 1, "offline": 0}
    assert speaker == b"online"


async def test_changes_are_told_at_once_and_then_at_most_five_times_a_second(
    world: World, integrator: Integrator
) -> None:
    before = len(integrator.heard)
    for volume in range(31, 61):
        world.zones.change(world.zone.zone_id, volume=volume)
        await asyncio.sleep(0.01)
    await integrator.hears(f"{world.here}/state", lambda h: h.json["volume"] == 60)
    states = [h.json for h in integrator.heard[before:] if h.topic == f"{world.here}/state"]
    assert len(states) <= 5
    revisions = [state["rev"] for state in states]
    assert revisions == sorted(set(revisions))


async def test_a_running_track_is_not_news_but_a_jump_in_it_is(
    world: World, integrator: Integrator
) -> None:
    before = len(integrator.heard)
    world.zones.change(world.zone.zone_id, volume=31)
    await integrator.hears(f"{world.here}/state", lambda h: h.json["volume"] == 31)
    assert not [h for h in integrator.heard[before:] if h.topic == f"{world.here}/track"]
    world.zones.change(world.zone.zone_id, position_s=200.0)
    track = await integrator.hears(f"{world.here}/track", lambda h: h.json["position_s"] == 200.0)
    assert track.retain


async def test_an_announcement_and_the_end_of_the_music_are_in_the_state(
    world: World, integrator: Integrator
) -> None:
    await integrator.send(f"{world.here}/cmd/announce", {"id": "c-1", "text": "Hello"})
    call_id = (await integrator.ack(world.here, id="c-1"))["result"]["call_id"]
    world.zones.call_becomes(UUID(call_id), CallState.PLAYING)
    state = await integrator.hears(
        f"{world.here}/state", lambda h: h.json["activity"] == "announcing"
    )
    assert state.json["announcement"]["title"] == "Hello"
    world.zones.call_becomes(UUID(call_id), CallState.COMPLETED)
    world.zones.change(world.zone.zone_id, playback=Playback.STOPPED, track=None)
    await integrator.hears(f"{world.here}/state", lambda h: h.json["activity"] == "stopped")
    await integrator.hears(f"{world.here}/track", lambda h: h.json["title"] is None)


async def test_what_happens_is_told_once_and_not_kept(world: World, integrator: Integrator) -> None:
    await integrator.send(f"{world.here}/cmd/announce", {"id": "c-1", "text": "Hello"})
    call_id = (await integrator.ack(world.here, id="c-1"))["result"]["call_id"]
    for state in (CallState.PLAYING, CallState.COMPLETED):
        world.zones.call_becomes(UUID(call_id), state)
        told = await integrator.hears(
            f"{world.here}/event/announcement",
            lambda h, state=state: h.json["event_type"] == state.value,  # type: ignore[misc]
        )
        assert (told.json["call_id"], told.json["title"]) == (call_id, "Hello")
    here = {"client_id": world.client, "zone_id": world.zone.zone_id}
    track = {"music_id": None, "title": "Take Five"}
    world.bus.publish(TrackStarted(**here, **track, artist="Dave", duration_s=324.0001))
    world.bus.publish(TrackFinished(**here, **track, played_s=12))
    world.bus.publish(TrackSkipped(**here, **track, reason="it is damaged"))
    world.bus.publish(ZoneStarved(**here, seconds=0.5, reason="late"))
    # An event of a zone that the server does not know is told to nobody.
    world.bus.publish(TrackSkipped(client_id=world.client, zone_id=uuid4(), **track, reason="x"))
    fault = await integrator.hears(f"{world.here}/event/fault")
    assert (fault.json["event_type"], fault.json["lost_s"], fault.retain) == ("starved", 0.5, False)
    heard = [h.json for h in integrator.heard if h.topic == f"{world.here}/event/track"]
    assert [event["event_type"] for event in heard] == ["started", "finished", "skipped"]
    assert (heard[0]["artist"], heard[0]["duration_s"], heard[0]["reason"]) == ("Dave", 324.0, None)
    assert heard[2]["reason"] == "it is damaged"


async def test_a_zone_that_should_be_heard_and_is_not_is_told_until_it_is(
    world: World, integrator: Integrator
) -> None:
    def alerts() -> list[bytes]:
        open_ = integrator.held.items()
        return [payload for topic, payload in open_ if "/alert/silence-" in topic and payload]

    here = {"client_id": world.client, "zone_id": world.zone.zone_id}
    for seconds, step in ((10.0, DeadAirStep.NEXT_TRACK), (15.0, DeadAirStep.RESTART)):
        world.bus.publish(ZoneSilent(**here, seconds=seconds, step=step))
    fault = f"{world.here}/event/fault"
    last = (await integrator.hears(fault, lambda h: h.json["silent_s"] == 15)).json
    assert (last["event_type"], last["step"]) == ("silent", "restart")
    await integrator.until(lambda: len(alerts()) == 1)
    assert json.loads(alerts()[0])["topic"] == f"antiphon/v1/{world.here}/state"
    await integrator.hears(f"client/{world.client}/state", lambda h: h.json["alerts"] == 1)
    world.bus.publish(ZoneHeard(**here))
    await integrator.hears(fault, lambda h: h.json["event_type"] == "heard")
    await integrator.until(lambda: not alerts())


async def test_what_becomes_of_schedules_is_told(world: World, integrator: Integrator) -> None:
    instant = datetime(2026, 11, 22, 12, tzinfo=UTC)
    common: Any = {"client_id": world.client, "schedule_id": uuid4(), "instant": instant}
    zones = (world.zone.zone_id,)
    world.bus.publish(ScheduleFired(**common, name="Noon", zones=zones, call_id=uuid4()))
    world.bus.publish(ScheduleSuppressed(**common, name="Noon", zones=zones, reason="quiet hours"))
    world.bus.publish(ScheduleMissed(**common, name="Noon", reason="the server was down"))
    topic = f"client/{world.client}/event/schedule"
    await integrator.hears(topic, lambda h: h.json["event_type"] == "missed")
    heard = [h.json for h in integrator.heard if h.topic == topic]
    assert [(one["event_type"], one["reason"]) for one in heard] == [
        ("fired", None),
        ("suppressed", "quiet hours"),
        ("missed", "the server was down"),
    ]
    assert heard[0]["zones"] == [str(world.zone.zone_id)]
    assert heard[0]["instant"] == "2026-11-22T12:00:00.000Z"


async def test_zones_come_and_go_and_leave_nothing_behind(
    world: World, integrator: Integrator
) -> None:
    new = zone_view(world.client, "Bar")
    topic = f"client/{world.client}/zone/{new.zone_id}"
    world.zones.add(new)
    world.bus.publish(ZoneCreated(client_id=world.client, zone_id=new.zone_id))
    assert (await integrator.hears(f"{topic}/info")).json["name"] == "Bar"
    world.zones.delete(new.zone_id)
    for end in ("status", "info", "state", "track"):
        await integrator.hears(f"{topic}/{end}", lambda heard: heard.payload == b"")
    async with world.integrator() as newcomer:
        await newcomer.hears(f"{world.here}/state")
        await newcomer.hears(
            f"client/{world.client}/state", lambda h: h.json["zones"]["total"] == 1
        )
        assert not [heard for heard in newcomer.heard if heard.topic.startswith(topic)]


async def test_a_zone_that_the_server_needs_a_moment_for_appears_all_the_same(
    world: World, integrator: Integrator
) -> None:
    new = zone_view(world.client, "Spa")
    world.bus.publish(ZoneCreated(client_id=world.client, zone_id=new.zone_id))
    asyncio.get_running_loop().call_later(0.2, world.zones.add, new)
    info = await integrator.hears(f"client/{world.client}/zone/{new.zone_id}/info")
    assert info.json["name"] == "Spa"


async def test_a_zone_that_was_deleted_does_not_come_back_by_a_late_event(
    world: World, integrator: Integrator
) -> None:
    world.bus.publish(ZoneDeleted(client_id=world.client, zone_id=world.zone.zone_id))
    world.zones.change(world.zone.zone_id, volume=3)
    await integrator.hears(f"{world.here}/state", lambda heard: heard.payload == b"")
    await integrator.hears(f"client/{world.client}/state", lambda h: h.json["zones"]["total"] == 0)
    world.zones.change(world.zone.zone_id, volume=4)
    world.devices.change(world.device.id, volume=4)
    await integrator.hears(f"{world.speaker}/state", lambda heard: heard.json["volume"] == 4)
    assert integrator.held[f"{world.here}/state"] == b""


async def test_a_loudspeaker_that_goes_away_or_is_turned_down_is_told(
    world: World, integrator: Integrator
) -> None:
    world.devices.change(world.device.id, is_online=False, volume=40)
    await integrator.hears(f"{world.speaker}/status", lambda heard: heard.payload == b"offline")
    await integrator.hears(f"{world.speaker}/state", lambda heard: heard.json["volume"] == 40)
    await integrator.hears(
        f"{world.here}/state", lambda h: h.json["devices"] == {"online": 0, "total": 1}
    )


async def test_a_client_that_is_gone_leaves_nothing_behind(world: World) -> None:
    known = await world.clients()
    outbox = Outbox()

    async def clients() -> Mapping[UUID, ClientInfo]:
        return known

    building = Building(world.zones, world.devices, clients)
    mirror = Mirror(building, Documents("root", outbox), lambda _: None)
    await mirror.load()
    gone = f"root/client/{world.foreign.client_id}/"
    assert f"{gone}info" in outbox.topics
    known = {world.client: known[world.client]}
    world.zones.by_id.pop(world.foreign.zone_id)
    await mirror.load()
    assert not [topic for topic in outbox.topics if topic.startswith(gone)]
    assert f"root/client/{world.client}/info" in outbox.topics


async def test_words_of_others_where_the_server_writes_are_put_right(
    world: World, integrator: Integrator
) -> None:
    since = len(integrator.heard)
    await integrator.send(f"{world.here}/state", {"volume": 99}, retain=True)
    restored = await integrator.hears(f"{world.here}/state", since=since)
    assert restored.json["volume"] == 30
    await integrator.send("server/status", "offline", retain=True)
    await integrator.hears("server/status", lambda h: h.payload == b"online", since=since)


async def test_a_loudspeaker_that_moves_to_nobody_empties_its_topics(
    world: World, integrator: Integrator
) -> None:
    since = len(integrator.heard)
    world.devices.change(world.device.id, client_id=None, zone_id=None)
    await integrator.hears(f"{world.speaker}/state", lambda h: h.payload == b"", since=since)


@pytest.mark.parametrize("wish", ["volume", "zone"])
async def test_an_agent_is_told_what_is_wished_and_its_knob_counts(
    world: World, integrator: Integrator, wish: str
) -> None:
    agent = f"device/{world.speaker.rsplit('/', 1)[1]}"
    await integrator.send(f"{agent}/up/status", "online", retain=True)
    first = (await integrator.hears(f"{agent}/down/desired")).json
    assert (first["volume"], first["zone_id"]) == (80, str(world.zone.zone_id))
    if wish == "volume":
        await world.devices.set_volume(Principal.system(), world.device.id, 55)
        desired = await integrator.hears(f"{agent}/down/desired", lambda h: h.json["volume"] == 55)
        assert desired.json["rev"] > first["rev"]
        report = {"rev": 1, "volume": 20, "source": "local", "muted": True, "unknown": 1}
        await integrator.send(f"{agent}/up/state", report, retain=True)
        await integrator.hears(
            f"{world.speaker}/state", lambda h: (h.json["volume"], h.json["muted"]) == (20, True)
        )
        assert world.devices.by_id[world.device.id].volume == 20
    else:
        world.devices.change(world.device.id, zone_id=None)
        await integrator.hears(f"{agent}/down/desired", lambda h: h.json["zone_id"] is None)
    await integrator.send(f"{agent}/up/status", "offline", retain=True)
    await integrator.hears(f"{world.speaker}/status", lambda heard: heard.payload == b"offline")


@pytest.mark.parametrize(
    "rubbish", [b"{", b"[]", b'{"volume": 900}', b"\xff\xfe", b"[" * 16_000, b"x" * 20_000]
)
async def test_an_agents_rubbish_changes_nothing(
    world: World, integrator: Integrator, rubbish: bytes
) -> None:
    agent = f"device/{world.speaker.rsplit('/', 1)[1]}"
    await integrator.send(f"{agent}/up/state", rubbish)
    await integrator.send(f"{agent}/up/status", b"perhaps", retain=True)
    await integrator.send(f"{agent}/up/status", b"online", retain=True)
    await integrator.hears(f"{agent}/down/desired")
    assert world.devices.by_id[world.device.id].volume == 80
