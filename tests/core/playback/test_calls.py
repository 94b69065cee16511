"""Calls in zones: who speaks when, what becomes of the others, and the receipts."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from tests.core.playback.conftest import Stage
from tests.fakes.media import FakeMedia, spoken
from tests.fakes.waiting import eventually

from antiphon import events
from antiphon.engine import protocol
from antiphon.errors import Invalid, NotFound, Unavailable
from antiphon.playback import ZoneController, calls, launches
from antiphon.playback.models import PlayEvent, PlayEventStatus, PlayEventType
from antiphon.plugins import CallRequest, CallView, MediaRef, PlayRequest
from antiphon.types import Band, CallState, Principal, Role, Via


def say(text: str, *zones: UUID, **more: object) -> CallRequest:
    return CallRequest.model_validate({"text": text, "zones": zones, **more})


async def states(zones: ZoneController, call: CallView) -> list[CallState]:
    view = await zones.get_call(Principal.system(), call.id)
    return [part.state for part in view.zones]


async def reaches(zones: ZoneController, call: CallView, *wanted: CallState) -> CallView:
    """The call, once it is in these states, zone by zone."""
    record = zones._calls.get(call.id)
    await eventually(lambda: [part.state for part in record.parts.values()] == list(wanted), 3.0)
    return await zones.get_call(Principal.system(), call.id)


async def receipts(call: CallView) -> dict[UUID, PlayEvent]:
    return {row.zone_id: row for row in await PlayEvent.filter(call_id=call.id, device=None)}


async def test_a_call_is_heard_and_leaves_a_receipt(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    call = await zones.call(owner, say("Good morning", shop))
    assert (call.title, call.band, call.priority) == ("Good morning", Band.ANNOUNCEMENT, 128)
    await reaches(zones, call, CallState.PLAYING)
    heard = (await zones.view(owner, shop)).announcement
    assert heard is not None
    assert (heard.call_id, heard.title, heard.duration_s) == (call.id, "Good morning", 3.0)
    clip = stage.renderer.sent(protocol.StartCall)[0].clip
    assert (clip.gain_db, clip.lufs) == (4.0, -16.0)
    stage.renderer.end_calls()
    done = await reaches(zones, call, CallState.COMPLETED)
    assert done.zones[0].seconds_heard == 3.0
    assert (await zones.view(owner, shop)).announcement is None
    await zones._receipts.settled()
    row = (await receipts(call))[shop]
    assert (row.status, row.outcome) == (PlayEventStatus.COMPLETED, "completed")
    assert row.seconds_heard == 3.0
    assert row.error_message is None
    assert row.delivered_at is not None
    assert row.completed_at is not None
    changes = [event.state for event in stage.told(events.CallChanged)]
    assert changes == ["preparing", "queued", "playing", "completed"]


async def test_two_calls_at_once_are_both_heard(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    first, second = await asyncio.gather(
        zones.call(owner, say("one", shop)), zones.call(owner, say("two", shop))
    )
    await stage.speaks(shop, "one")
    assert await states(zones, second) == [CallState.QUEUED]
    stage.renderer.end_calls()
    await stage.speaks(shop, "two")
    stage.renderer.end_calls()
    await reaches(zones, first, CallState.COMPLETED)
    await reaches(zones, second, CallState.COMPLETED)


async def test_zones_that_fall_free_together_start_together(
    stage: Stage, zones: ZoneController
) -> None:
    owner, both = stage.hotel.owner, (stage.shop, stage.bar)
    await zones.call(owner, say("one", *both))
    await zones.call(owner, say("two", *both))
    await stage.speaks(stage.bar, "one")
    stage.renderer.end_calls()
    await stage.speaks(stage.bar, "two")
    names = {str(zone) for zone in both}
    assert stage.started_calls() == [names, names]


async def test_the_free_zone_does_not_wait(stage: Stage, zones: ZoneController) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    await zones.call(owner, say("one", shop))
    call = await zones.call(owner, CallRequest(text="two", all=True))
    await stage.speaks(bar, "two")
    assert stage.speaking(shop) == "one"
    stage.renderer.end_calls()
    await stage.speaks(shop, "two")
    stage.renderer.end_calls()
    await reaches(zones, call, CallState.COMPLETED, CallState.COMPLETED)


async def test_a_page_cuts_in_and_the_announcement_starts_again(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    low = await zones.call(owner, say("offer", shop))
    await reaches(zones, low, CallState.PLAYING)
    page = await zones.call(owner, say("page", shop, band="page"))
    await reaches(zones, page, CallState.PLAYING)
    assert stage.speaking(shop) == "page"
    queued = await reaches(zones, low, CallState.QUEUED)
    assert "played again" in str(queued.zones[0].reason)
    stage.renderer.end_calls()
    await stage.speaks(shop, "offer")
    stage.renderer.end_calls()
    done = await reaches(zones, low, CallState.COMPLETED)
    assert done.zones[0].reason is None


async def test_a_page_starts_on_one_sample_in_busy_and_free_zones(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    low = await zones.call(owner, say("offer", shop))
    await reaches(zones, low, CallState.PLAYING)
    await zones.call(owner, say("page", shop, bar, band="urgent"))
    await stage.speaks(shop, "page")
    assert stage.started_calls() == [{str(shop)}, {str(shop), str(bar)}]


async def test_revoke(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    playing = await zones.call(owner, say("one", shop))
    queued = await zones.call(owner, say("two", shop))
    await stage.speaks(shop, "one")
    assert (await zones.revoke(owner, queued.id)).zones[0].state is CallState.REVOKED
    view = await zones.revoke(owner, playing.id)
    assert (view.zones[0].state, view.zones[0].seconds_heard) == (CallState.REVOKED, 3.0)
    assert stage.speaking(shop) is None
    again = await zones.revoke(owner, playing.id)
    assert again.zones[0].state is CallState.REVOKED
    await zones._receipts.settled()
    row = (await receipts(queued))[shop]
    assert (row.status, row.outcome) == (PlayEventStatus.FAILED, "revoked")


async def test_a_text_that_is_still_spoken_can_be_revoked(
    stage: Stage, zones: ZoneController
) -> None:
    stage.media.speech.spoken.clear()
    call = await zones.call(stage.hotel.owner, say("a long text", stage.shop))
    assert call.zones[0].state is CallState.PREPARING
    await zones.revoke(stage.hotel.owner, call.id)
    stage.media.speech.spoken.set()
    await reaches(zones, call, CallState.REVOKED)
    assert not stage.renderer.sent(protocol.StartCall)


async def test_a_call_that_waits_too_long_expires(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await zones.call(owner, say("one", shop))
    call = await zones.call(owner, say("two", shop, expires_in_s=0.15))
    assert call.expires_at is not None
    view = await reaches(zones, call, CallState.EXPIRED)
    assert view.zones[0].reason == "it waited longer than it may"
    stage.renderer.end_calls()
    await stage.speaks(shop, None)


async def test_a_slow_voice_holds_nobody_up(stage: Stage, zones: ZoneController) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    other = uuid4()
    stage.media.speech.stored[other] = spoken(MediaRef(kind="announcement", value="stored"))
    stage.media.speech.spoken.clear()
    slow = await zones.call(owner, say("slow", shop, bar))
    await zones.call(owner, CallRequest(announcement_id=other, zones=[shop]))
    await stage.speaks(shop, "stored")
    stage.media.speech.spoken.set()
    await stage.speaks(bar, "slow")
    assert await states(zones, slow) == [CallState.QUEUED, CallState.PLAYING]


async def test_what_is_wrong_at_once_is_refused(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    missing = uuid4()
    with pytest.raises(Invalid, match="nobody"):
        await zones.call(owner, say("hello", shop, voice="nobody"))
    with pytest.raises(Invalid, match="text"):
        await zones.call(owner, say("  \n ", shop))
    with pytest.raises(NotFound, match=str(missing)):
        await zones.call(owner, CallRequest(announcement_id=missing, zones=[shop]))
    with pytest.raises(NotFound, match=str(missing)):
        await zones.call(owner, say("hello", shop, missing))
    with pytest.raises(NotFound, match=str(stage.gym.shop.id)):
        await zones.call(owner, say("hello", shop, stage.gym.shop.id))
    with pytest.raises(Invalid, match="several"):
        await zones.call(Principal.system(), CallRequest(text="hello", all=True))
    with pytest.raises(Unavailable, match="out of breath"):
        await zones.call(owner, say("crash", shop))
    nobody = Principal(role=Role.CLIENT, client_id=uuid4())
    with pytest.raises(Invalid, match="no zone"):
        await zones.call(nobody, CallRequest(text="hello", all=True))
    assert (await zones.calls(owner)).total == 0
    assert await PlayEvent.all().count() == 0


async def test_a_clip_that_can_not_be_made_or_read_fails_with_the_reason(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    stage.media.speech.spoken.clear()
    late = await zones.call(owner, say("crash later", shop))
    stage.media.speech.spoken.set()
    view = await reaches(zones, late, CallState.FAILED)
    assert "out of breath" in str(view.zones[0].reason)
    stage.renderer.broken.add("/clips/gone.wav")
    gone = await zones.call(owner, say("gone", shop))
    view = await reaches(zones, gone, CallState.FAILED)
    assert view.zones[0].reason == "unreadable"
    await zones.call(owner, say("next", shop))
    await stage.speaks(shop, "next")


async def test_chime_and_band_come_from_the_announcement(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop, key = stage.hotel.owner, stage.shop, uuid4()
    ref = MediaRef(kind="announcement", value="closing")
    stage.media.speech.stored[key] = spoken(ref, Band.SPOT, chime=True)
    call = await zones.call(owner, CallRequest(announcement_id=key, zones=[shop]))
    assert (call.band, call.title) == (Band.SPOT, "closing")
    await stage.speaks(shop, "closing")
    chime = stage.renderer.sent(protocol.StartCall)[0].chime
    assert chime is not None
    assert chime.path == "/chime.wav"


async def test_without_a_chime_the_call_is_played_and_says_so(stage: Stage) -> None:
    stage.media = FakeMedia(chime=False)
    zones = await stage.open()
    call = await zones.call(stage.hotel.owner, say("hello", stage.shop, chime=True))
    await stage.speaks(stage.shop, "hello")
    stage.renderer.end_calls()
    view = await reaches(zones, call, CallState.COMPLETED)
    assert str(view.zones[0].reason).startswith("played without a chime")


async def test_a_renderer_that_does_not_report_blocks_no_zone(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    monkeypatch.setattr(launches, "PLAY_SLACK_S", -1.9)
    monkeypatch.setattr(launches, "STOP_LIMIT_S", 0.1)
    stage.renderer.is_deaf = True
    lost = await zones.call(owner, say("one", shop))
    view = await reaches(zones, lost, CallState.FAILED)
    assert view.zones[0].reason == "the renderer did not report its end"
    monkeypatch.setattr(launches, "PLAY_SLACK_S", 30)
    revoked = await zones.call(owner, say("two", shop))
    await zones.revoke(owner, revoked.id)
    await reaches(zones, revoked, CallState.REVOKED)
    stage.renderer.is_deaf = False
    stage.renderer.calls.clear()
    await zones.call(owner, say("three", shop))
    await stage.speaks(shop, "three")


async def test_a_zone_that_the_renderer_finds_busy_is_tried_again(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "BUSY_RETRY_S", 0.02)
    foreign = protocol.StartCall("foreign", (str(stage.shop),), protocol.Clip("/clips/foreign.wav"))
    stage.renderer.send(foreign)
    call = await zones.call(stage.hotel.owner, say("one", stage.shop))
    await asyncio.sleep(0.05)
    assert await states(zones, call) == [CallState.QUEUED]
    stage.renderer.end_call("foreign", str(stage.shop))
    await stage.speaks(stage.shop, "one")


async def test_tenants_and_floors_do_not_see_each_others_calls(
    stage: Stage, zones: ZoneController
) -> None:
    call = await zones.call(stage.hotel.owner, CallRequest(text="hello", all=True))
    shop_only = await zones.call(stage.hotel.owner, say("hello", stage.shop))
    cellar, stranger = stage.hotel.cellar_user, stage.gym.owner
    all_calls = (await zones.calls(stage.hotel.owner)).items
    assert [view.id for view in all_calls] == [shop_only.id, call.id]
    in_bar = await zones.calls(stage.hotel.owner, zone_id=stage.bar)
    assert ([view.id for view in in_bar.items], in_bar.total) == ([call.id], 1)
    second = await zones.calls(stage.hotel.owner, ordering="created_at", offset=1, limit=1)
    assert ([view.id for view in second.items], second.total) == ([shop_only.id], 2)
    assert (await zones.calls(cellar, zone_id=stage.shop)).total == 0
    assert [view.id for view in (await zones.calls(cellar)).items] == [call.id]
    assert (await zones.calls(stranger)).total == 0
    for principal, unseen in ((stranger, call), (cellar, shop_only)):
        with pytest.raises(NotFound):
            await zones.get_call(principal, unseen.id)
        with pytest.raises(NotFound):
            await zones.revoke(principal, unseen.id)
    await stage.speaks(stage.bar, "hello")
    await zones.revoke(cellar, call.id)
    await stage.speaks(stage.bar, None)
    assert stage.speaking(stage.shop) == "hello", "another floor is not theirs to silence"


async def test_receipts_of_a_schedule(stage: Stage, zones: ZoneController) -> None:
    schedule = Principal.system(stage.hotel.client.id, Via.SCHEDULE)
    call = await zones.call(schedule, say("hello", stage.shop))
    await reaches(zones, call, CallState.PLAYING)
    await zones._receipts.settled()
    row = (await receipts(call))[stage.shop]
    assert (row.event_type, row.status) == (PlayEventType.SCHEDULED, PlayEventStatus.PLAYING)


async def test_old_calls_are_forgotten_open_ones_never(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "KEPT", 3)
    owner = stage.hotel.owner
    still_open = await zones.call(owner, say("open", stage.shop))
    over = []
    for _ in range(4):
        call = await zones.call(owner, say("over", stage.bar))
        await reaches(zones, call, CallState.PLAYING)
        stage.renderer.end_call(stage.renderer.sent(protocol.StartCall)[-1].call, str(stage.bar))
        over.append(await reaches(zones, call, CallState.COMPLETED))
    kept = [view.id for view in (await zones.calls(owner)).items]
    assert kept == [over[3].id, over[2].id, still_open.id]
    with pytest.raises(NotFound):
        await zones.get_call(owner, over[0].id)


async def test_music_is_left_alone_by_calls(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await zones.play(owner, shop, PlayRequest(music_ids=stage.songs()))
    before = len(stage.renderer.commands)
    call = await zones.call(owner, say("hello", shop))
    await stage.speaks(shop, "hello")
    stage.renderer.end_calls()
    await reaches(zones, call, CallState.COMPLETED)
    sent = {type(command) for command in stage.renderer.commands[before:]}
    assert sent <= {protocol.StartCall, protocol.SetUpcoming}
