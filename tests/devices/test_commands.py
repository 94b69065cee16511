"""What integrators ask for is done or refused, always with an answer, never with a disturbance."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.devices.conftest import World
from tests.fakes.integrator import Integrator

from antiphon.errors import Conflict, Unavailable
from antiphon.types import Band, CallState, CallStyle, Playback, Role, Via


@pytest.mark.parametrize(
    ("sent", "volume", "clamped"),
    [("45", 45, False), ("45.0", 45, False), ("130", 100, True), ("-3", 0, True)],
)
async def test_a_bare_volume_is_set_and_answered_by_the_state(
    world: World, integrator: Integrator, sent: str, volume: int, clamped: bool
) -> None:
    await integrator.send(f"{world.here}/set/volume", sent)
    await integrator.hears(f"{world.here}/state", lambda heard: heard.json["volume"] == volume)
    name, principal, value = world.zones.asked[-1]
    assert (name, value) == ("set_volume", volume)
    assert (principal.client_id, principal.role, principal.via) == (
        world.client,
        Role.CLIENT,
        Via.MQTT,
    )
    if clamped:
        ack = await integrator.ack(world.here, status="clamped", op="set/volume")
        assert ack["message"] == f"The volume was limited to {volume}."


async def test_setting_what_is_set_already_is_answered_too(
    world: World, integrator: Integrator
) -> None:
    since = len(integrator.heard)
    await integrator.send(f"{world.here}/set/volume", "30")
    assert (await integrator.hears(f"{world.here}/state", since=since)).json["volume"] == 30


async def test_a_document_sets_several_properties_and_is_acked_by_its_id(
    world: World, integrator: Integrator
) -> None:
    wish = {"id": "n-1", "volume": 55, "playback": "paused", "muted": None, "mood": "blue"}
    await integrator.send(f"{world.here}/set", wish)
    await integrator.ack(world.here, id="n-1", status="completed", op="set")
    assert [name for name, *_ in world.zones.asked] == ["set_volume", "pause"]
    since = len(integrator.heard)
    await integrator.send(f"{world.here}/set/playback", "playing")
    await integrator.hears(
        f"{world.here}/state", lambda h: h.json["playback"] == "playing", since=since
    )
    assert world.zones.asked[-1][0] == "resume"


@pytest.mark.parametrize(
    ("op", "playback"),
    [("pause", "paused"), ("resume", "playing"), ("play", "playing"), ("next", "playing")],
)
async def test_commands_without_a_payload_do_what_they_say(
    world: World, integrator: Integrator, op: str, playback: str
) -> None:
    await integrator.send(f"{world.here}/cmd/{op}")
    await integrator.ack(world.here, op=op, status="completed", id=None)
    assert world.zones.asked[-1][0] == op
    assert world.zones.by_id[world.zone.zone_id].playback is Playback(playback)


async def test_an_announcement_is_accepted_and_its_end_is_told(
    world: World, integrator: Integrator
) -> None:
    reply = f"antiphon/v1/client/{world.client}/reply/mine"
    announcement = {"id": "c-1", "text": "We close", "band": "page", "style": "pause"}
    async with world.integrator_without_judge() as me:
        await me.send(
            f"{world.here}/cmd/announce", announcement, response_topic=reply, correlation=b"\x07"
        )
        accepted = await me.ack(world.here, id="c-1", status="accepted")
        answer = await me.hears(f"client/{world.client}/reply/mine")
        assert (answer.json["status"], answer.correlation) == ("accepted", b"\x07")
        _, _, request = world.zones.asked[-1]
        assert (request.text, request.band) == ("We close", Band.PAGE)
        assert (request.style, request.zones) == (CallStyle.PAUSE, [world.zone.zone_id])
        world.zones.call_becomes(UUID(accepted["result"]["call_id"]), CallState.COMPLETED)
        await me.ack(world.here, id="c-1", status="completed")
    integrator.faults.clear()  # the answer on a topic of the caller's own choice


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        (CallState.FAILED, "failed", "failed"),
        (CallState.EXPIRED, "expired", "expired"),
        (CallState.CUT, "failed", "cut"),
    ],
)
async def test_an_announcement_that_is_not_heard_says_why(
    world: World, integrator: Integrator, state: CallState, status: str, code: str
) -> None:
    await integrator.send(f"{world.here}/cmd/announce", {"id": "c-2", "text": "Hello"})
    accepted = await integrator.ack(world.here, id="c-2", status="accepted")
    world.zones.call_becomes(UUID(accepted["result"]["call_id"]), state, "Somebody was faster.")
    ack = await integrator.ack(world.here, id="c-2", status=status, code=code)
    assert ack["message"] == "Somebody was faster."


async def test_an_announcement_everywhere_and_its_end(world: World, integrator: Integrator) -> None:
    place = f"client/{world.client}"
    await integrator.send(f"{place}/cmd/announce", {"id": "c-3", "text": "Good night"})
    call_id = (await integrator.ack(place, id="c-3", status="accepted"))["result"]["call_id"]
    assert world.zones.asked[-1][2].all
    await integrator.send(f"{place}/cmd/stop_announcement", {"id": "c-4", "call_id": call_id})
    await integrator.ack(place, id="c-4", status="completed")
    await integrator.ack(place, id="c-3", status="failed", code="revoked")


async def test_what_is_heard_now_can_be_stopped(world: World, integrator: Integrator) -> None:
    await integrator.send(f"{world.here}/cmd/stop_announcement", {"id": "c-5"})
    await integrator.ack(world.here, id="c-5", status="rejected", code="not_found")
    await integrator.send(f"{world.here}/cmd/announce", {"id": "c-6", "text": "Hello"})
    accepted = await integrator.ack(world.here, id="c-6", status="accepted")
    call_id = UUID(accepted["result"]["call_id"])
    world.zones.call_becomes(call_id, CallState.PLAYING)
    await integrator.send(f"{world.here}/cmd/stop_announcement", {"id": "c-7"})
    await integrator.ack(world.here, id="c-7", status="completed")
    assert world.zones.calls_by_id[call_id].zones[0].state is CallState.REVOKED


@pytest.mark.parametrize(
    ("end", "payload", "code"),
    [
        ("set/volume", "loud", "invalid"),
        ("set/volume", "", "invalid"),
        ("set/volume", "true", "invalid"),
        ("set/volume", "NaN", "invalid"),
        ("set/volume", b"\xff", "invalid"),
        ("set/volume", "[" * 15_000, "invalid"),
        ("set/playback", "backwards", "invalid"),
        ("set/muted", "perhaps", "invalid"),
        ("set/muted", "2", "invalid"),
        ("set/source", "", "invalid"),
        ("set/source", "Nothing like it", "invalid"),
        ("set", {"source": 7}, "invalid"),
        ("set/schedule_enabled", "true", "not_supported"),
        ("set", {"muted": True, "volume": "x"}, "invalid"),
        ("set/colour", "blue", "unknown_op"),
        ("set", "{", "invalid"),
        ("set", "[]", "invalid"),
        ("set", {"volume": 40, "playback": "sideways"}, "invalid"),
        ("set", {"volume": "40"}, "invalid"),
        ("cmd/dance", "", "unknown_op"),
        ("cmd/announce", "Hello", "invalid"),
        ("cmd/announce", "", "invalid"),
        ("cmd/announce", {"text": ""}, "invalid"),
        ("cmd/announce", {"text": "a", "announcement_id": str(uuid4())}, "invalid"),
        ("cmd/announce", {"text": "a", "band": "emergency"}, "invalid"),
        ("cmd/announce", {"text": 7}, "invalid"),
        ("cmd/announce", {"text": "x" * 6_000}, "invalid"),
        ("cmd/announce", {"url": ""}, "invalid"),
        ("cmd/announce", {"text": "a", "url": "http://192.0.2.1/a.mp3"}, "invalid"),
        ("cmd/announce", {"text": "a", "style": "sideways"}, "invalid"),
        ("cmd/announce", {"text": "x" * 20_000}, "too_large"),
        ("cmd/pause", "[1]", "invalid"),
        ("cmd/pause", {"id": ""}, "invalid"),
        ("cmd/play", {"music_ids": ["x"]}, "invalid"),
    ],
)
async def test_what_makes_no_sense_is_rejected_with_a_sentence_and_changes_nothing(
    world: World, integrator: Integrator, end: str, payload: Any, code: str
) -> None:
    await integrator.send(f"{world.here}/{end}", payload)
    ack = await integrator.ack(world.here, status="rejected", code=code)
    assert ack["message"].endswith(".")
    assert ack["op"] == end.removeprefix("cmd/")
    assert not world.zones.asked
    await integrator.send(f"{world.here}/set/volume", "44")
    await integrator.hears(f"{world.here}/state", lambda heard: heard.json["volume"] == 44)


async def test_zones_of_others_do_not_exist(world: World, integrator: Integrator) -> None:
    for zone in (str(world.foreign.zone_id), str(uuid4()), "lobby"):
        place = f"client/{world.client}/zone/{zone}"
        await integrator.send(f"{place}/set/volume", "1")
        await integrator.ack(place, status="rejected", code="not_found")
    await integrator.send(f"client/somebody/zone/{world.zone.zone_id}/set/volume", "1")
    await integrator.ack(
        f"client/somebody/zone/{world.zone.zone_id}", status="rejected", code="not_found"
    )
    assert world.zones.by_id[world.foreign.zone_id].volume == 30
    foreign = f"client/{world.foreign.client_id}/device/{world.speaker.rsplit('/', 1)[1]}"
    await integrator.send(f"{foreign}/set/volume", "1")
    await integrator.ack(foreign, status="rejected", code="not_found")


async def test_what_the_zones_refuse_or_can_not_do_now_is_told_apart(
    world: World, integrator: Integrator
) -> None:
    for trouble, status, code in (
        (Conflict("The zone has no queue."), "rejected", "conflict"),
        (Unavailable("The renderer is being started."), "failed", "unavailable"),
        (RuntimeError("secret details"), "failed", "error"),
    ):
        since = len(integrator.heard)
        world.zones.trouble = trouble
        await integrator.send(f"{world.here}/cmd/play")
        ack = await integrator.ack(world.here, since=since, status=status, code=code)
        assert "secret" not in ack["message"]


async def test_a_command_that_comes_too_late_is_not_executed(
    world: World, integrator: Integrator
) -> None:
    sent = datetime.now(UTC) - timedelta(seconds=20)
    late = {"id": "c-8", "ts": sent.isoformat(), "ttl_s": 10, "text": "Late"}
    await integrator.send(f"{world.here}/cmd/announce", late)
    await integrator.ack(world.here, id="c-8", status="expired", code="expired")
    assert not world.zones.asked
    await integrator.send(f"{world.here}/cmd/announce", {**late, "id": "c-9", "ttl_s": 30})
    await integrator.ack(world.here, id="c-9", status="accepted")


async def test_a_command_from_the_future_is_refused_and_says_what_to_do(
    world: World, integrator: Integrator
) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    await integrator.send(f"{world.here}/cmd/pause", {"id": "c-9", "ts": ahead.isoformat()})
    ack = await integrator.ack(world.here, id="c-9", status="rejected", code="clock_skew")
    assert "Set the clocks" in ack["message"]
    assert not world.zones.asked
    soon = datetime.now(UTC) + timedelta(seconds=5)  # clocks are never quite the same
    await integrator.send(f"{world.here}/cmd/pause", {"id": "c-10", "ts": soon.isoformat()})
    await integrator.ack(world.here, id="c-10", status="completed")


async def test_a_retained_command_is_removed_and_raises_an_alert(
    world: World, integrator: Integrator
) -> None:
    await integrator.send(f"{world.here}/set/volume", "99", retain=True)
    await integrator.hears(f"{world.here}/set/volume", lambda heard: heard.payload == b"")
    state = await integrator.hears(
        f"client/{world.client}/state", lambda heard: heard.json["alerts"] == 1
    )
    assert state.retain
    (alert,) = [json.loads(p) for t, p in integrator.held.items() if "/alert/" in t]
    assert alert["code"] == "retained_command"
    assert not world.zones.asked


@pytest.mark.parametrize(
    "place", ["client/{other}/reply", "server/status", "client/{mine}/zone/{zone}/state", "x/#"]
)
async def test_answers_go_nowhere_outside_the_callers_own_tree(
    world: World, integrator: Integrator, place: str
) -> None:
    places = {"other": uuid4(), "mine": world.client, "zone": world.zone.zone_id}
    topic = place.format(**places)
    if "#" not in topic:  # the broker itself refuses a wildcard here
        await integrator.send(
            f"{world.here}/cmd/pause", {"id": "r"}, response_topic=f"antiphon/v1/{topic}"
        )
        await integrator.ack(world.here, id="r", status="completed")
    await integrator.send(f"{world.here}/cmd/resume", {"id": "s"})
    await integrator.ack(world.here, id="s", status="completed")
    strays = [h for h in integrator.heard if h.topic == topic and b'"op"' in h.payload]
    assert not strays


async def test_a_loudspeakers_own_volume(world: World, integrator: Integrator) -> None:
    await integrator.send(f"{world.speaker}/set/volume", "130")
    await integrator.hears(f"{world.speaker}/state", lambda heard: heard.json["volume"] == 100)
    await integrator.ack(world.speaker, status="clamped")
    await integrator.send(f"{world.speaker}/cmd/identify")
    await integrator.ack(world.speaker, status="rejected", code="conflict")  # no agent is there
    await integrator.send(f"{world.speaker}/cmd/explode")
    await integrator.ack(world.speaker, status="rejected", code="unknown_op")


async def test_a_loudspeaker_that_was_adopted_a_moment_ago_is_known(
    world: World, integrator: Integrator
) -> None:
    await integrator.hears(f"{world.speaker}/state")
    world.devices.change(world.device.id, client_id=None, zone_id=None)
    await integrator.hears(f"{world.speaker}/state", lambda heard: not heard.payload)
    world.devices.change(world.device.id, client_id=world.client, zone_id=world.zone.zone_id)
    await integrator.send(f"{world.speaker}/set/volume", "130")
    await integrator.ack(world.speaker, status="clamped")


async def test_commands_to_one_zone_keep_their_order(world: World, integrator: Integrator) -> None:
    for volume in range(50):
        await integrator.send(f"{world.here}/set/volume", str(volume))
    await integrator.hears(f"{world.here}/state", lambda heard: heard.json["volume"] == 49)
    assert [value for *_, value in world.zones.asked] == list(range(50))
