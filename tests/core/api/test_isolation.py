"""What belongs to another tenant, or to another floor, does not exist."""

from __future__ import annotations

from uuid import uuid4

from tests.core.api.conftest import Answer, Caller, Stage

from antiphon.playback.models import PlayEvent


def as_if_not_there(answer: Answer, known: object) -> bool:
    return (
        answer.status == 404
        and answer.json["code"] == "not_found"
        and str(known) in answer.json["detail"]
    )


async def test_lists_hold_ones_own_alone(stage: Stage) -> None:
    for path in ("zones", "floors", "devices"):
        ours, theirs, all_of_them = [
            {item["id"] for item in (await caller.get(path)).json["items"]}
            for caller in (stage.owner, stage.stranger, stage.staff)
        ]
        assert ours
        assert not ours & theirs
        assert ours | theirs == all_of_them
        by_client = await stage.staff.get(path, client_id=str(stage.theirs.client.id))
        assert {item["id"] for item in by_client.json["items"]} == theirs
        foreign = await stage.owner.get(path, client_id=str(stage.theirs.client.id))
        assert foreign.json == {"items": [], "total": 0}
    assert {zone["name"] for zone in (await stage.cellar_user.get("zones")).json["items"]} == {
        "Bar"
    }


async def test_nothing_can_be_done_to_foreign_things(stage: Stage) -> None:
    zone, floor, speaker = stage.theirs.shop.id, stage.theirs.cellar.id, stage.theirs.speaker.id
    call = (await stage.stranger.post("calls", {"text": "Hello", "all": True})).json["id"]
    before = await stage.stranger.get("zones")
    attempts = [
        ("GET", f"zones/{zone}", None, zone),
        ("PATCH", f"zones/{zone}", {"name": "Mine"}, zone),
        ("DELETE", f"zones/{zone}", None, zone),
        ("GET", f"zones/{zone}/playback", None, zone),
        ("POST", f"zones/{zone}/playback/play", {}, zone),
        ("POST", f"zones/{zone}/playback/stop", None, zone),
        ("POST", f"zones/{zone}/playback/volume", {"volume": 100}, zone),
        ("POST", f"zones/{zone}/playback/seek", {"position_s": 1}, zone),
        ("GET", f"zones/{zone}/listen", None, zone),
        ("POST", "calls", {"text": "Hello", "zones": [str(zone)]}, zone),
        ("GET", f"floors/{floor}", None, floor),
        ("PATCH", f"floors/{floor}", {"name": "Mine"}, floor),
        ("DELETE", f"floors/{floor}", None, floor),
        ("GET", f"devices/{speaker}", None, speaker),
        ("PATCH", f"devices/{speaker}", {"name": "Mine"}, speaker),
        ("POST", f"devices/{speaker}/volume", {"volume": 100}, speaker),
        ("GET", f"calls/{call}", None, call),
        ("DELETE", f"calls/{call}", None, call),
    ]  # fmt: skip
    for method, path, body, known in attempts:
        answer = await stage.owner.ask(method, path, json=body)
        assert as_if_not_there(answer, known), (method, path, answer.body)
        missing = await stage.owner.ask(method, path.replace(str(known), str(uuid4())), json=body)
        if str(known) in path:
            assert missing.json["title"] == answer.json["title"]
    assert (await stage.stranger.get("zones")).json == before.json
    moved = {"floor_id": str(floor)}
    assert (await stage.owner.patch(f"zones/{stage.ours.shop.id}", moved)).status == 422


async def test_play_events_are_scoped_and_filtered(stage: Stage) -> None:
    async def seen(caller: Caller, **query: str) -> int:
        answer = await caller.get("play-events", **query)
        assert answer.status == 200, answer.json
        return int(answer.json["total"])

    call_id = uuid4()
    for tenant in (stage.ours, stage.theirs):
        for zone in (tenant.shop, tenant.bar):
            await PlayEvent.create(client=tenant.client, zone=zone, call_id=call_id, title="Hi")
    assert [await seen(who) for who in (stage.admin, stage.owner, stage.cellar_user)] == [4, 2, 1]
    assert await seen(stage.owner, call_id=str(call_id), status="pending") == 2
    assert await seen(stage.owner, zone_id=str(stage.theirs.shop.id)) == 0
    assert await seen(stage.owner, since="2100-01-01T00:00:00Z") == 0
    assert await seen(stage.owner, until="2100-01-01T00:00:00+01:00") == 2
    speaker = stage.ours.speaker
    await PlayEvent.create(
        client=stage.ours.client, zone=stage.ours.shop, device=speaker, call_id=call_id
    )
    assert await seen(stage.owner) == 2
    assert await seen(stage.owner, devices="true") == 3
    assert await seen(stage.owner, device_id=str(speaker.id)) == 1
    assert await seen(stage.stranger, device_id=str(speaker.id)) == 0
    assert (await stage.owner.get("play-events", since="yesterday")).status == 422
    assert (await stage.owner.get("play-events", since="2026-01-01T00:00:00")).status == 422
