from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from tests.core.api.conftest import KEY, Caller, Stage

from antiphon.building.views import ZoneUpdate
from antiphon.events import (
    DeviceChanged,
    Event,
    JobProgressed,
    LevelMeasured,
    PartChanged,
    ZoneChanged,
)
from antiphon.tenancy.models import User
from antiphon.tenancy.tokens import Tokens
from antiphon.types import Principal, Role


@asynccontextmanager
async def listening(caller: Caller) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """A socket whose first message, the state, was read."""
    headers = {"Authorization": f"Bearer {caller.token}"}
    async with caller.socket(headers=headers) as socket:
        yield socket, await socket.receive_json(timeout=10)


def level(stage: Stage, theirs: bool = False, bar: bool = False) -> LevelMeasured:
    tenant = stage.theirs if theirs else stage.ours
    zone = tenant.bar if bar else tenant.shop
    return LevelMeasured(client_id=tenant.client.id, zone_id=zone.id, rms_db=-20, peak_db=-6)


async def told(socket: Any, count: int) -> list[tuple[str, int]]:
    messages = [await socket.receive_json(timeout=10) for _ in range(count)]
    return [(message["type"], message["sequence"]) for message in messages]


async def test_state_comes_first_and_then_events_in_order(stage: Stage) -> None:
    async with listening(stage.owner) as (socket, state):
        assert (state["type"], state["sequence"]) == ("state", 0)
        assert {zone["name"] for zone in state["zones"]} == {"Shop", "Bar"}
        await stage.owner.post(f"zones/{stage.ours.shop.id}/playback/volume", {"volume": 12})
        message = await socket.receive_json(timeout=10)
        assert (message["type"], message["sequence"], message["volume"]) == (
            "PlaybackChanged",
            1,
            12,
        )
        assert message["zone_id"] == str(stage.ours.shop.id)
        for _ in range(3):
            stage.bus.publish(level(stage))
        assert await told(socket, 3) == [("LevelMeasured", number) for number in (2, 3, 4)]


async def test_ping_is_answered(stage: Stage) -> None:
    async with listening(stage.owner) as (socket, _):
        await socket.send_json({"type": "ping"})
        assert await socket.receive_json(timeout=10) == {"type": "pong"}


async def test_the_token_may_be_the_first_message(stage: Stage) -> None:
    async with stage.nobody.socket() as socket:
        await socket.send_json({"token": stage.owner.token})
        assert (await socket.receive_json(timeout=10))["type"] == "state"


@pytest.mark.parametrize("first", ["x", "{}", '{"token": "x"}', '{"token": 5}', "[" * 10_000])
async def test_without_a_valid_token_nothing_is_told(stage: Stage, first: str) -> None:
    async with stage.nobody.socket() as socket:
        await socket.send_str(first)
        message = await socket.receive_json(timeout=10)
        assert (message["type"], message["problem"]["code"]) == ("problem", "not_authenticated")
        assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4401


async def test_a_forged_token_in_the_header_is_refused_as_http(stage: Stage) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await stage.nobody.socket(headers={"Authorization": "Bearer x"})
    assert refused.value.status == 401


async def test_only_ones_own_events_are_told(stage: Stage) -> None:
    ours, theirs = stage.ours, stage.theirs
    job = JobProgressed(job_id=uuid4(), label="x", progress=0.5, state="running")
    events: list[Event] = [
        level(stage, theirs=True),
        PartChanged(part="renderer", is_up=False),
        job.model_copy(update={"client_id": theirs.client.id}),
        DeviceChanged(
            client_id=theirs.client.id,
            device_id=theirs.speaker.id,
            is_online=True,
            volume=1,
            zone_id=theirs.shop.id,
        ),
        level(stage),
    ]
    async with (
        listening(stage.owner) as (mine, state),
        listening(stage.stranger) as (other, _),
        listening(stage.admin) as (everything, all_state),
    ):
        assert {zone["client_id"] for zone in state["zones"]} == {str(ours.client.id)}
        assert len(all_state["zones"]) == 4
        for event in events:
            stage.bus.publish(event)
        assert await told(mine, 1) == [("LevelMeasured", 1)]
        seen = ["LevelMeasured", "JobProgressed", "DeviceChanged"]
        assert [name for name, _ in await told(other, 3)] == seen
        names = [type(event).__name__ for event in events]
        assert [name for name, _ in await told(everything, 5)] == names


async def test_a_floor_user_hears_of_its_floor_alone(stage: Stage) -> None:
    ours = stage.ours
    async with listening(stage.cellar_user) as (socket, _):
        stage.bus.publish(level(stage))
        stage.bus.publish(level(stage, theirs=True))
        stage.bus.publish(
            DeviceChanged(
                client_id=ours.client.id,
                device_id=ours.speaker.id,
                is_online=True,
                volume=1,
                zone_id=ours.shop.id,
            )
        )
        stage.bus.publish(level(stage, bar=True))
        message = await socket.receive_json(timeout=10)
        assert message["zone_id"] == str(ours.bar.id)
        admin = Principal(role=Role.ADMIN)
        moved = ZoneUpdate(floor_id=ours.cellar.id)
        await stage.parts.building.update_zone(admin, ours.shop.id, moved)
        assert (await socket.receive_json(timeout=10))["type"] == ZoneChanged.__name__
        stage.bus.publish(level(stage))
        assert (await socket.receive_json(timeout=10))["zone_id"] == str(ours.shop.id)


async def test_a_connection_ends_with_its_token(stage: Stage) -> None:
    user = await User.get(client_id=stage.ours.client.id, role=Role.CLIENT)
    stage.nobody.token = Tokens(KEY, 2, now=lambda: time.time()).issue(user.id)[0]
    async with listening(stage.nobody) as (socket, _):
        assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4401


async def test_a_reader_that_does_not_read_is_dropped(stage: Stage) -> None:
    async with listening(stage.owner) as (socket, _):
        for _ in range(2_000):
            stage.bus.publish(level(stage))
        code = None
        async with asyncio.timeout(20):
            async for message in socket:
                assert json.loads(message.data)["type"] == "LevelMeasured"
            code = socket.close_code
        assert code == 4408


async def test_the_server_stops_while_somebody_is_connected(stage: Stage) -> None:
    async with listening(stage.owner) as (socket, _):
        await stage.stop()
        message = await socket.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == aiohttp.WSCloseCode.GOING_AWAY
