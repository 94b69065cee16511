"""Calls over a restart of the server: in good order here, by kill -9 in tests/end_to_end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from tests.core.playback.conftest import Stage
from tests.core.playback.test_calls import reaches, receipts, say, states
from tests.fakes.media import spoken
from tests.fakes.waiting import eventually
from tortoise.exceptions import OperationalError

from antiphon.engine import protocol
from antiphon.playback import ZoneController, ledger
from antiphon.playback.models import OpenCall, PlayEvent, PlayEventStatus
from antiphon.plugins import CallRequest, CallView, MediaRef
from antiphon.types import CallState


async def outcome(zones: ZoneController, call: CallView, zone: UUID) -> PlayEvent:
    await zones._receipts.settled()
    (row,) = await PlayEvent.filter(call_id=call.id, zone_id=zone, device=None)
    return row


async def test_what_waited_waits_on_in_the_same_order(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    first = await zones.call(owner, say("first", shop))
    await stage.speaks(shop, "first")
    later = [await zones.call(owner, say(text, shop)) for text in ("second", "third")]
    page = await zones.call(owner, say("page", shop, band="page", start="wait"))
    assert first.is_stored
    zones = await stage.restart()
    for text in ("page", "first", "second", "third"):
        await stage.speaks(shop, text)
        stage.renderer.end_calls()
    for call in (page, first, *later):
        await reaches(zones, call, CallState.COMPLETED)
        row = await outcome(zones, call, shop)
        assert (row.outcome, row.seconds_heard) == ("completed", 3.0)
    assert (await outcome(zones, first, shop)).error_message is not None
    await eventually(lambda: zones._ledger._waiting == {})
    assert await OpenCall.all().count() == 0


async def test_what_was_heard_is_not_heard_again(stage: Stage, zones: ZoneController) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    await zones.call(owner, say("earlier", bar))
    await stage.speaks(bar, "earlier")
    both = await zones.call(owner, say("both", shop, bar))
    await stage.speaks(shop, "both")
    (launch,) = [n for n, call in stage.renderer.calls.items() if str(shop) in call.zones]
    stage.renderer.end_call(launch, str(shop))
    await eventually(lambda: zones._calls.get(both.id).parts[shop].state is CallState.COMPLETED)
    zones = await stage.restart()
    await stage.speaks(bar, "earlier")
    assert stage.speaking(shop) is None
    stage.renderer.end_calls()
    await stage.speaks(bar, "both")
    assert stage.speaking(shop) is None
    stage.renderer.end_calls()
    await reaches(zones, both, CallState.COMPLETED, CallState.COMPLETED)


async def test_what_is_to_be_dropped_when_cut_is_not_heard_again(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    await zones.call(owner, say("before", bar))
    once = await zones.call(owner, say("once", shop, bar, when_cut="drop"))
    await stage.speaks(shop, "once")
    zones = await stage.restart()
    view = await reaches(zones, once, CallState.CUT, CallState.QUEUED)
    assert view.zones[0].reason == "the server was restarted while it was heard"
    assert stage.speaking(shop) is None
    row = await outcome(zones, once, shop)
    assert (row.status, row.outcome) == (PlayEventStatus.FAILED, "cut")
    await stage.speaks(bar, "before")
    stage.renderer.end_calls()
    await stage.speaks(bar, "once")


async def test_the_time_that_a_call_may_wait_goes_on(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await zones.call(owner, say("first", shop))
    await stage.speaks(shop, "first")
    long = await zones.call(owner, say("long", shop, expires_in_s=600))
    short = await zones.call(owner, say("short", shop, expires_in_s=0.3))
    gone = await zones.call(owner, say("gone", shop, expires_in_s=0.05))
    await stage.stack.aclose()
    await asyncio.sleep(0.1)
    zones = await stage.restart()
    await reaches(zones, gone, CallState.EXPIRED)
    again = await zones.get_call(owner, long.id)
    assert (again.expires_at, again.created_at) == (long.expires_at, long.created_at)
    await reaches(zones, short, CallState.EXPIRED)
    assert await states(zones, long) == [CallState.QUEUED]


async def test_a_planned_call_keeps_its_time(stage: Stage, zones: ZoneController) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    at = datetime.now(UTC) + timedelta(seconds=0.8)
    soon = await zones.call(owner, say("soon", shop, at=at))
    next_year = datetime.now(UTC) + timedelta(days=300)
    far = await zones.call(owner, say("far", bar, at=next_year))
    zones = await stage.restart()
    assert (await zones.get_call(owner, far.id)).starts_at == next_year
    assert stage.speaking(shop) is None
    await stage.speaks(shop, "soon")
    assert datetime.now(UTC) >= at
    stage.renderer.end_calls()
    await reaches(zones, soon, CallState.COMPLETED)
    assert await states(zones, far) == [CallState.QUEUED]


async def test_keys_are_known_over_a_restart(stage: Stage, zones: ZoneController) -> None:
    owner, request = stage.hotel.owner, say("door", stage.shop, dedupe_key="door-7")
    first = await zones.call(owner, request)
    zones = await stage.restart()
    assert (await zones.call(owner, request)).id == first.id
    await stage.speaks(stage.shop, "door")
    stage.renderer.end_calls()
    await reaches(zones, first, CallState.COMPLETED)
    assert (await zones.call(owner, request)).id != first.id


async def test_repeats_are_counted_over_a_restart(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    call = await zones.call(owner, say("thrice", shop, repeat=3))
    await stage.speaks(shop, "thrice")
    stage.renderer.end_calls()
    await eventually(lambda: zones._calls.get(call.id).parts[shop].times_heard == 1)
    await stage.speaks(shop, "thrice")
    zones = await stage.restart()
    for _ in range(2):
        await stage.speaks(shop, "thrice")
        stage.renderer.end_calls()
        await stage.speaks(shop, None) if _ else None
    await reaches(zones, call, CallState.COMPLETED)
    row = await outcome(zones, call, shop)
    assert (row.times_heard, row.outcome) == (3, "completed")
    assert len(stage.renderer.sent(protocol.StartCall)) == 2


async def test_a_clip_that_is_gone_after_a_restart_fails_with_the_reason(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop, key = stage.hotel.owner, stage.shop, uuid4()
    stage.media.speech.stored[key] = spoken(MediaRef(kind="announcement", value="x"))
    await zones.call(owner, say("first", shop))
    call = await zones.call(owner, CallRequest(announcement_id=key, zones=[shop]))
    del stage.media.speech.stored[key]
    zones = await stage.restart()
    view = await reaches(zones, call, CallState.FAILED)
    assert str(key) in str(view.zones[0].reason)


async def test_sources_may_come_after_the_calls(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.playback.clips.LOOK_EVERY_S", 0.02)
    call = await zones.call(stage.hotel.owner, say("hello", stage.shop))
    stage.media.remove(stage.media.speech)
    zones = await stage.restart()
    await asyncio.sleep(0.1)
    assert await states(zones, call) == [CallState.PREPARING]
    stage.media.add(stage.media.speech)
    await stage.speaks(stage.shop, "hello")


async def test_a_zone_that_is_gone_after_a_restart(stage: Stage, zones: ZoneController) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    call = await zones.call(owner, say("hello", shop, bar))
    await stage.stack.aclose()
    await type(stage.hotel.shop).filter(id=shop).update(is_active=False)
    zones = await stage.restart()
    await reaches(zones, call, CallState.FAILED, CallState.PLAYING)


async def test_what_nobody_expects_any_more(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    call = await zones.call(owner, say("closing soon", shop))
    await stage.stack.aclose()
    yesterday = datetime.now(UTC) - timedelta(hours=13)
    await OpenCall.filter(id=call.id).update(accepted_at=yesterday)
    zones = await stage.restart()
    view = await reaches(zones, call, CallState.EXPIRED)
    assert view.zones[0].reason == "the server was away for too long"


async def test_nonsense_in_the_table_does_not_stop_the_server(stage: Stage) -> None:
    zones = await stage.open()
    good = await zones.call(stage.hotel.owner, say("hello", stage.shop))
    await stage.stack.aclose()
    await OpenCall.create(
        client_id=stage.hotel.client.id,
        request={"text": ""},
        principal={},
        zones={},
        arrival=0,
        accepted_at=datetime.now(UTC),
    )
    zones = await stage.restart()
    await reaches(zones, good, CallState.PLAYING)


async def test_receipts_of_calls_that_are_not_known_any_more_are_closed(
    stage: Stage, zones: ZoneController
) -> None:
    call = await zones.call(stage.hotel.owner, say("hello", stage.shop))
    await reaches(zones, call, CallState.PLAYING)
    await stage.stack.aclose()
    await OpenCall.all().delete()
    await stage.restart()
    row = (await receipts(call))[stage.shop]
    assert (row.status, row.error_message) == (PlayEventStatus.FAILED, "the server was restarted")


async def test_an_answer_says_where_a_call_could_not_be_stored(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(ledger, "STORE_LIMIT_S", 0.1)
    monkeypatch.setattr(ledger, "_RETRY_S", 0.05)
    monkeypatch.setattr(OpenCall, "bulk_create", away)
    call = await zones.call(stage.hotel.owner, say("hello", stage.shop))
    assert not call.is_stored
    await stage.speaks(stage.shop, "hello")
    monkeypatch.undo()
    record = zones._calls.get(call.id)
    async with asyncio.timeout(5):
        await record.stored.wait()
    assert await OpenCall.exists(id=call.id)


async def test_a_call_sounds_before_it_is_stored(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    create = OpenCall.bulk_create

    async def slow(rows: list[OpenCall]) -> None:
        await release.wait()
        await create(rows)

    monkeypatch.setattr(OpenCall, "bulk_create", slow)
    asking = asyncio.create_task(zones.call(stage.hotel.owner, say("hello", stage.shop)))
    await stage.speaks(stage.shop, "hello")
    assert not asking.done()
    release.set()
    assert (await asking).is_stored
