from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from tests.core.api.conftest import Stage
from tests.fakes.live import CHUNK
from tests.fakes.waiting import eventually

from antiphon.errors import Conflict, PartAway
from antiphon.types import Role, Via


@pytest.mark.parametrize(
    ("command", "body", "field", "value"),
    [
        ("play", {"folder_ids": [str(uuid4())], "crossfade_s": 3}, "playback", "playing"),
        ("play", None, "playback", "playing"),
        ("pause", None, "playback", "paused"),
        ("resume", {}, "playback", "playing"),
        ("stop", None, "playback", "stopped"),
        ("next", None, "position_s", 0.0),
        ("previous", None, "position_s", 0.0),
        ("seek", {"position_s": 42}, "position_s", 42.0),
        ("volume", {"volume": 55}, "volume", 55),
    ],
)
async def test_commands_answer_with_the_new_state(
    stage: Stage, command: str, body: Any, field: str, value: object
) -> None:
    zone_id = stage.ours.shop.id
    answer = await stage.owner.post(f"zones/{zone_id}/playback/{command}", body)
    assert (answer.status, answer.json[field]) == (200, value)
    assert (await stage.owner.get(f"zones/{zone_id}/playback")).json[field] == value
    [(name, principal, _)] = stage.zones.asked
    assert name in (command, "set_volume")
    assert (principal.role, principal.client_id) == (Role.CLIENT, stage.ours.client.id)
    assert principal.via is Via.REST


async def test_the_queue_is_seen_and_changed(stage: Stage) -> None:
    path, keys = f"zones/{stage.ours.shop.id}/playback/queue", [str(uuid4()), str(uuid4())]
    changed = await stage.owner.ask("PUT", path, json={"music_ids": keys})
    assert (changed.status, changed.json["queue_length"]) == (200, 2)
    seen = (await stage.owner.get(path, limit="1", offset="1")).json
    assert seen == {"items": [{"place": 1, "track": None}], "total": 2, "position": 0}
    wrong: list[dict[str, Any]] = [{}, {"music_ids": []}, {"music_ids": ["x"]}, {"queue": keys}]
    for body in wrong:
        assert (await stage.owner.ask("PUT", path, json=body)).status == 422
    for method in ("GET", "PUT"):
        assert (await stage.stranger.ask(method, path, json={"music_ids": keys})).status == 404


@pytest.mark.parametrize(
    ("command", "body", "field"),
    [
        ("volume", {"volume": 101}, "volume"),
        ("volume", {"volume": -1}, "volume"),
        ("volume", {"volume": "50"}, "volume"),
        ("volume", {}, "volume"),
        ("seek", {"position_s": -0.1}, "position_s"),
        ("seek", {"position_s": 1e999}, "body"),
        ("play", {"music_ids": []}, "music_ids"),
        ("play", {"music_ids": ["x"]}, "music_ids.0"),
        ("play", {"crossfade_s": 13}, "crossfade_s"),
        ("play", {"music_ids": [str(uuid4())], "folder_ids": [str(uuid4())]}, "body"),
    ],
)
async def test_commands_that_make_no_sense(
    stage: Stage, command: str, body: Any, field: str
) -> None:
    answer = await stage.owner.post(f"zones/{stage.ours.shop.id}/playback/{command}", body)
    assert (answer.status, answer.json["code"]) == (422, "invalid")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert not stage.zones.asked


async def test_what_the_controller_refuses_is_told(stage: Stage) -> None:
    path = f"zones/{stage.ours.shop.id}/playback/next"
    for trouble, status in ((Conflict("Nothing plays."), 409), (PartAway("It", "Wait."), 503)):
        stage.zones.trouble = trouble
        answer = await stage.owner.post(path)
        assert (answer.status, answer.json["detail"]) == (status, str(trouble))


async def test_a_call_is_made_seen_and_taken_back(stage: Stage) -> None:
    made = await stage.owner.post(
        "calls", {"text": "Grüße 日本", "zones": [str(stage.ours.bar.id)], "band": "page"}
    )
    assert (made.status, made.json["priority"]) == (202, 192)
    assert made.json["zones"] == [
        {**made.json["zones"][0], "zone_id": str(stage.ours.bar.id), "state": "queued"}
    ]
    path = f"calls/{made.json['id']}"
    assert (await stage.owner.get(path)).json == made.json
    assert (await stage.owner.get("calls")).json["total"] == 1
    elsewhere = await stage.owner.get("calls", zone_id=str(stage.ours.shop.id))
    assert elsewhere.json["total"] == 0
    assert (await stage.owner.delete(path)).json["zones"][0]["state"] == "revoked"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "Hello"},
        {"all": True},
        {"text": "", "all": True},
        {"text": "x" * 5001, "all": True},
        {"text": "Hello", "announcement_id": str(uuid4()), "all": True},
        {"text": "Hello", "zones": [], "all": False},
        {"text": "Hello", "all": "yes"},
        {"text": "Hello", "all": True, "band": "evacuation"},
        {"text": "Hello", "all": True, "expires_in_s": 0},
    ],
)
async def test_calls_that_make_no_sense(stage: Stage, body: dict[str, object]) -> None:
    assert (await stage.owner.post("calls", body)).status == 422
    assert not stage.zones.asked


async def test_loudspeakers_are_seen_and_changed(stage: Stage) -> None:
    speaker = stage.ours.speaker.id
    found = await stage.owner.get("devices", zone_id=str(stage.ours.shop.id), is_online="false")
    assert [device["id"] for device in found.json["items"]] == [str(speaker)]
    assert (await stage.owner.get("devices", assigned="false")).json["total"] == 0
    named = await stage.owner.patch(f"devices/{speaker}", {"name": "Till"})
    assert (named.json["name"], named.json["zone_id"]) == ("Till", str(stage.ours.shop.id))
    freed = await stage.owner.patch(f"devices/{speaker}", {"zone_id": None})
    assert (freed.json["name"], freed.json["zone_id"]) == ("Till", None)
    louder = await stage.owner.post(f"devices/{speaker}/volume", {"volume": 35})
    assert (louder.status, louder.json["volume"]) == (200, 35)
    assert (await stage.cellar_user.patch(f"devices/{speaker}", {"name": "X"})).status == 403
    for wrong in ({"volume": 3}, {"name": ""}, {"zone_id": "shop"}):
        assert (await stage.owner.patch(f"devices/{speaker}", wrong)).status == 422


@pytest.mark.parametrize(
    ("form", "kind", "magic"), [("wav", "audio/wav", b"RIFF"), ("ogg", "audio/ogg", b"OggS")]
)
async def test_a_zone_is_heard_while_somebody_listens(
    stage: Stage, form: str, kind: str, magic: bytes
) -> None:
    url = f"{stage.server.url}/api/v1/zones/{stage.ours.shop.id}/listen"
    query = {"format": form, "token": str(stage.owner.token)}
    async with aiohttp.ClientSession() as session:
        async with session.get(url, params=query) as answer:
            assert (answer.status, answer.content_type) == (200, kind)
            assert await answer.content.readexactly(4) == magic
            assert await answer.content.readexactly(len(CHUNK)) == CHUNK
            assert stage.live.heard == [(stage.ours.shop.id, form)]
            assert stage.live.listeners == 1
        await eventually(lambda: stage.live.listeners == 0)
    assert (await stage.owner.get(f"zones/{stage.ours.shop.id}/listen", format="mp3")).status == 422


async def test_a_stream_without_sound_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.api.routes.listen._SILENT_S", 0.05)
    stage.live.stalled = True
    answer = await stage.owner.get(f"zones/{stage.ours.shop.id}/listen")
    assert (answer.status, answer.body) == (200, b"RIFF")
    assert stage.live.listeners == 0


async def test_the_server_stops_while_somebody_listens(stage: Stage) -> None:
    url = f"{stage.server.url}/api/v1/zones/{stage.ours.shop.id}/listen"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, params={"token": str(stage.owner.token)}) as answer,
    ):
        await answer.content.readexactly(4)
        assert stage.live.listeners == 1
        await stage.stop()
        assert stage.live.listeners == 0
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(answer.content.read(), 5)
