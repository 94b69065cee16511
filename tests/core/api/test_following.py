"""Following one zone, going on after a cut, and being cut off with the right to listen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from tests.core.api.conftest import Caller, Stage

from antiphon.api.journal import KEPT, Entry, Mark, Stream
from antiphon.building.models import Zone
from antiphon.events import LevelMeasured, PlaybackChanged, TrackStarted, ZoneChanged
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.sessions import end_all_sessions
from antiphon.types import Playback, Role


@asynccontextmanager
async def following(
    caller: Caller, path: str = "ws/events", **resume: Any
) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """A socket whose first message was read."""
    async with caller.socket(path) as socket:
        await socket.send_json({"token": caller.token, **resume})
        yield socket, await socket.receive_json(timeout=10)


def of_zone(zone: Zone) -> str:
    return f"ws/playback/{zone.id}"


async def set_volume(stage: Stage, volume: int) -> None:
    path = f"zones/{stage.ours.shop.id}/playback/volume"
    assert (await stage.owner.post(path, {"volume": volume})).status == 200


async def close_code(socket: Any) -> int | None:
    async with asyncio.timeout(10):
        async for _ in socket:
            pass
    code: int | None = socket.close_code
    return code


async def test_a_zone_is_told_whole_and_then_as_it_changes(stage: Stage) -> None:
    ours = stage.ours
    async with following(stage.owner, of_zone(ours.shop)) as (socket, state):
        assert (state["type"], state["playback"]["name"]) == ("state", "Shop")
        stage.bus.publish(
            PlaybackChanged(
                client_id=ours.client.id,
                zone_id=ours.bar.id,
                playback=Playback.PLAYING,
                volume=1,
            )
        )
        await set_volume(stage, 33)
        message = await socket.receive_json(timeout=10)
        assert (message["type"], message["zone_id"]) == ("PlaybackChanged", str(ours.shop.id))
        assert message["playback"]["volume"] == message["volume"] == 33
        assert message["sequence"] > state["sequence"]
        stage.bus.publish(
            LevelMeasured(client_id=ours.client.id, zone_id=ours.shop.id, rms_db=-9, peak_db=-1)
        )
        level = await socket.receive_json(timeout=10)
        assert (level["rms_db"], "playback" in level) == (-9, False)
        await socket.send_json({"type": "ping"})
        assert await socket.receive_json(timeout=10) == {"type": "pong"}


async def test_a_zone_that_one_does_not_see_is_not_there(stage: Stage) -> None:
    for caller, zone_id in (
        (stage.owner, uuid4()),
        (stage.owner, stage.theirs.shop.id),
        (stage.cellar_user, stage.ours.shop.id),
    ):
        async with following(caller, f"ws/playback/{zone_id}") as (socket, first):
            assert (first["type"], first["problem"]["code"]) == ("problem", "not_found")
            assert await close_code(socket) == 4404
        # Who says at once who he is is told so at once.
        headers = {"Authorization": f"Bearer {caller.token}"}
        with pytest.raises(aiohttp.WSServerHandshakeError) as unknown:
            await caller.socket(f"ws/playback/{zone_id}", headers=headers)
        assert unknown.value.status == 404
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await stage.owner.socket("ws/playback/1")
    assert refused.value.status == 422


async def test_it_ends_when_the_zone_is_gone_or_out_of_sight(stage: Stage) -> None:
    async with (
        following(stage.owner, of_zone(stage.ours.bar)) as (owner, _),
        following(stage.cellar_user, of_zone(stage.ours.bar)) as (of_cellar, _),
    ):
        moved = {"floor_id": stage.ours.shop_floor.id}
        stage.zones.add(stage.zones.by_id[stage.ours.bar.id].model_copy(update=moved))
        body = {"floor_id": str(stage.ours.shop_floor.id)}
        assert (await stage.owner.patch(f"zones/{stage.ours.bar.id}", body)).status == 200
        assert (await owner.receive_json(timeout=10))["type"] == ZoneChanged.__name__
        assert (await stage.owner.delete(f"zones/{stage.ours.bar.id}")).status == 204
        assert await close_code(owner) == 4404
        assert await close_code(of_cellar) == 4404


async def test_after_a_cut_it_goes_on_where_it_was(stage: Stage) -> None:
    track = TrackStarted(
        client_id=stage.ours.client.id,
        zone_id=stage.ours.shop.id,
        music_id=None,
        title="Missed",
        duration_s=1,
    )
    level = LevelMeasured(
        client_id=stage.ours.client.id, zone_id=stage.ours.shop.id, rms_db=-9, peak_db=-1
    )
    for path in ("ws/events", of_zone(stage.ours.shop)):
        async with following(stage.owner, path) as (socket, state):
            await set_volume(stage, 20)
            last = (await socket.receive_json(timeout=10))["sequence"]
        stage.bus.publish(level)
        stage.bus.publish(track)
        await set_volume(stage, 21)
        mark = {"stream": state["stream"], "sequence": last}
        async with following(stage.owner, path, **mark) as (socket, first):
            assert first == {"type": "resumed", **mark}
            missed = [await socket.receive_json(timeout=10) for _ in range(2)]
            assert [one["type"] for one in missed] == ["TrackStarted", "PlaybackChanged"]
            await set_volume(stage, 22)
            now = await socket.receive_json(timeout=10)
            assert now["volume"] == 22
            assert now["sequence"] == missed[1]["sequence"] + 1
        headers = {"Authorization": f"Bearer {stage.owner.token}"}
        query = f"?stream={state['stream']}&sequence={now['sequence']}"
        async with stage.nobody.socket(path + query, headers=headers) as socket:
            assert (await socket.receive_json(timeout=10))["type"] == "resumed"


async def test_nobody_goes_on_in_a_stream_that_is_not_his(stage: Stage) -> None:
    async with following(stage.stranger) as (_, state):
        theirs = {"stream": state["stream"], "sequence": 0}
    for mark in (
        theirs,
        {"stream": "x", "sequence": 0},
        {"stream": state["stream"], "sequence": 9},
    ):
        async with following(stage.owner, **mark) as (_, first):
            assert first["type"] == "state"
            assert first["stream"] != state["stream"]
            assert len(first["zones"]) == 2


async def test_a_floor_user_who_goes_on_hears_of_its_floor_alone(stage: Stage) -> None:
    async with following(stage.cellar_user) as (_, state):
        mark = {"stream": state["stream"], "sequence": state["sequence"]}
    await set_volume(stage, 40)
    stage.bus.publish(ZoneChanged(client_id=stage.ours.client.id, zone_id=stage.ours.bar.id))
    async with following(stage.cellar_user, **mark) as (socket, first):
        assert first["type"] == "resumed"
        assert (await socket.receive_json(timeout=10))["zone_id"] == str(stage.ours.bar.id)


def event_of(number: int) -> Entry:
    return Entry(PlaybackChanged(zone_id=uuid4(), playback=Playback.PLAYING, volume=number))


def test_a_stream_keeps_so_many_and_says_when_something_is_gone() -> None:
    stream = Stream()
    for number in range(KEPT + 10):
        stream.add(event_of(number))
    assert stream.since(Mark(stream=stream.name, sequence=9)) is None
    assert stream.since(Mark(stream="another", sequence=KEPT)) is None
    assert stream.since(Mark(stream=stream.name, sequence=KEPT + 11)) is None
    missed = stream.since(Mark(stream=stream.name, sequence=10))
    assert missed is not None
    assert [number for number, _ in missed] == list(range(11, KEPT + 11))
    assert stream.since(stream.mark) == []


Change = Callable[[Stage, User], Awaitable[object]]


async def log_out(stage: Stage, user: User) -> None:
    await end_all_sessions(user)


async def switch_off(stage: Stage, user: User) -> None:
    await User.filter(id=user.id).update(is_active=False)


async def other_role(stage: Stage, user: User) -> None:
    await User.filter(id=user.id).update(role=Role.FLOOR_USER, floor_id=stage.ours.cellar.id)


async def client_off(stage: Stage, user: User) -> None:
    await Client.filter(id=stage.ours.client.id).update(is_active=False)


@pytest.mark.parametrize("change", [log_out, switch_off, other_role, client_off])
async def test_it_ends_with_the_right_to_listen(stage: Stage, change: Change) -> None:
    user = await User.get(client_id=stage.ours.client.id, role=Role.CLIENT)
    async with (
        following(stage.owner) as (busy, _),
        following(stage.owner, of_zone(stage.ours.shop)) as (quiet, _),
    ):
        await change(stage, user)
        stage.bus.publish(
            PlaybackChanged(
                client_id=stage.ours.client.id,
                zone_id=stage.ours.shop.id,
                playback=Playback.PLAYING,
                volume=1,
            )
        )
        # Not one event more, and soon, not in a minute.
        began = time.monotonic()
        assert (await busy.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
        assert (await quiet.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
        assert (busy.close_code, quiet.close_code) == (4401, 4401)
        assert time.monotonic() - began < 10


async def test_a_request_that_is_no_websocket_is_told_so(stage: Stage) -> None:
    for path in ("ws/events", of_zone(stage.ours.shop)):
        answer = await stage.owner.get(path)
        assert (answer.status, answer.json["code"]) == (400, "refused")
