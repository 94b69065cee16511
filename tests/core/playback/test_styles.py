"""Styles of calls: what the controller does with the music around them."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError
from tests.core.playback.conftest import Stage
from tests.core.playback.test_calls import reaches, say, states
from tests.fakes.media import spoken
from tests.fakes.waiting import eventually

from antiphon.engine import protocol
from antiphon.playback import ZoneController
from antiphon.plugins import CallRequest, MediaRef, PlayRequest
from antiphon.types import CallState, CallStyle


async def playing(stage: Stage, zones: ZoneController, *others: UUID) -> str:
    """Music in the shop, shared with other zones; its name."""
    request = PlayRequest(music_ids=stage.songs(), zones=list(others))
    await zones.play(stage.hotel.owner, stage.shop, request)
    await stage.hears(stage.shop, "Song 1")
    channel = zones._channels.find(stage.shop)
    assert channel is not None
    await eventually(lambda: channel.programme.sounds)
    return stage.programme(stage.shop)


async def test_pause_is_asked_of_the_renderer(stage: Stage, zones: ZoneController) -> None:
    await playing(stage, zones)
    call = await zones.call(stage.hotel.owner, say("hello", stage.shop, style="pause"))
    assert call.style is CallStyle.PAUSE
    await stage.speaks(stage.shop, "hello")
    assert stage.renderer.sent(protocol.StartCall)[0].pause
    assert not stage.renderer.sent(protocol.Pause), "the zone is asked to play all the while"


async def test_between_waits_for_the_end_of_the_track(stage: Stage, zones: ZoneController) -> None:
    owner, shop, name = stage.hotel.owner, stage.shop, await playing(stage, zones)
    call = await zones.call(owner, say("hello", shop, style="between"))
    view = await reaches(zones, call, CallState.QUEUED)
    assert view.zones[0].reason == "it waits for the end of the track"
    assert stage.renderer.waits == {name}
    stage.renderer.end_track(name)
    await stage.speaks(shop, "hello")
    assert stage.sounding(shop) == "Song 2"
    assert name in stage.renderer.between, "the next track has not begun"
    stage.renderer.end_calls()
    await reaches(zones, call, CallState.COMPLETED)
    await eventually(lambda: not stage.renderer.between)
    assert not stage.renderer.waits


async def test_between_without_music_is_heard_at_once(stage: Stage, zones: ZoneController) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    await zones.call(owner, say("hello", bar, style="between"))
    await stage.speaks(bar, "hello")
    await playing(stage, zones)
    await zones.pause(owner, shop)
    await zones.call(owner, say("hello", shop, style="between"))
    await stage.speaks(shop, "hello")


async def test_between_is_heard_once_the_music_stops(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await playing(stage, zones)
    await zones.call(owner, say("hello", shop, style="between"))
    assert stage.speaking(shop) is None
    await zones.stop(owner, shop)
    await stage.speaks(shop, "hello")


async def test_between_expires_while_it_waits(stage: Stage, zones: ZoneController) -> None:
    owner, shop, name = stage.hotel.owner, stage.shop, await playing(stage, zones)
    call = await zones.call(owner, say("hello", shop, style="between", expires_in_s=0.1))
    await reaches(zones, call, CallState.EXPIRED)
    assert not stage.renderer.waits
    stage.renderer.end_track(name)
    await stage.hears(shop, "Song 2")
    assert not stage.renderer.between


async def test_others_do_not_wait_for_a_call_that_waits_for_a_track(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop, name = stage.hotel.owner, stage.shop, await playing(stage, zones)
    call = await zones.call(owner, say("between", shop, style="between"))
    await zones.call(owner, say("over", shop))
    await stage.speaks(shop, "over")
    stage.renderer.end_track(name)
    await asyncio.sleep(0.05)
    assert await states(zones, call) == [CallState.QUEUED]
    stage.renderer.end_calls()
    await stage.speaks(shop, "between")
    assert stage.renderer.between, "the music waits for both"


async def test_two_between_calls_are_heard_in_one_gap(stage: Stage, zones: ZoneController) -> None:
    owner, shop, name = stage.hotel.owner, stage.shop, await playing(stage, zones)
    for text in ("one", "two"):
        await zones.call(owner, say(text, shop, style="between"))
    stage.renderer.end_track(name)
    for text in ("one", "two"):
        assert stage.renderer.between | {name} == {name}
        await stage.speaks(shop, text)
        assert stage.renderer.between == {name}
        stage.renderer.end_calls()
    await eventually(lambda: not stage.renderer.between)


async def test_a_repeat_waits_for_the_next_track(stage: Stage, zones: ZoneController) -> None:
    owner, shop, name = stage.hotel.owner, stage.shop, await playing(stage, zones)
    wishes = {"style": "between", "repeat": 2, "repeat_gap_s": 0.05}
    call = await zones.call(owner, say("hello", shop, **wishes))
    for track in ("Song 2", "Song 3"):
        stage.renderer.end_track(name)
        await stage.speaks(shop, "hello")
        stage.renderer.end_calls()
        await eventually(lambda: not stage.renderer.between)
        await stage.hears(shop, track)
        await asyncio.sleep(0.1)
        assert stage.speaking(shop) is None
    await reaches(zones, call, CallState.COMPLETED)


async def test_between_in_one_of_two_zones_that_share_music(
    stage: Stage, zones: ZoneController
) -> None:
    """The bar is not to fall silent for what is said in the shop."""
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    name = await playing(stage, zones, bar)
    await zones.call(owner, say("hello", shop, style="between"))
    assert not stage.renderer.waits
    stage.renderer.end_track(name)
    await stage.speaks(shop, "hello")
    assert stage.sounding(bar) == "Song 2"
    assert not stage.renderer.between


async def test_between_in_all_zones_that_share_music(stage: Stage, zones: ZoneController) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    name = await playing(stage, zones, bar)
    call = await zones.call(owner, say("hello", shop, bar, style="between"))
    assert stage.renderer.waits == {name}
    stage.renderer.end_track(name)
    await stage.speaks(shop, "hello")
    assert stage.started_calls() == [{str(shop), str(bar)}], "on one sample"
    assert stage.renderer.between == {name}
    await zones.revoke(owner, call.id)
    await eventually(lambda: not stage.renderer.between)


async def test_a_zone_that_joins_the_music_ends_the_wait_for_all(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    name = await playing(stage, zones)
    await zones.call(owner, say("hello", shop, style="between"))
    assert stage.renderer.waits == {name}
    await zones.play(owner, shop, PlayRequest(zones=[bar]))
    assert not stage.renderer.waits


async def test_each_zone_waits_for_its_own_track(stage: Stage, zones: ZoneController) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    name = await playing(stage, zones)
    await zones.play(owner, bar, PlayRequest(music_ids=stage.songs()))
    await stage.hears(bar, "Song 1")
    await zones.call(owner, say("hello", shop, bar, style="between"))
    stage.renderer.end_track(name)
    await stage.speaks(shop, "hello")
    assert stage.speaking(bar) is None
    stage.renderer.end_track(stage.programme(bar))
    await stage.speaks(bar, "hello")


async def test_a_page_in_the_gap_comes_first_and_the_music_waits(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop, name = stage.hotel.owner, stage.shop, await playing(stage, zones)
    await zones.call(owner, say("between", shop, style="between"))
    stage.renderer.end_track(name)
    await stage.speaks(shop, "between")
    await zones.call(owner, say("page", shop, band="page"))
    await stage.speaks(shop, "page")
    assert stage.renderer.between == {name}
    stage.renderer.end_calls()
    await stage.speaks(shop, "between")
    stage.renderer.end_calls()
    await eventually(lambda: not stage.renderer.between)


async def test_style_and_chimes_of_the_announcement(stage: Stage, zones: ZoneController) -> None:
    owner, shop, key = stage.hotel.owner, stage.shop, uuid4()
    wishes = {"style": CallStyle.PAUSE, "chime_after": True}
    clip = spoken(MediaRef(kind="announcement", value="closing")).model_copy(update=wishes)
    stage.media.speech.stored[key] = clip
    await playing(stage, zones)
    call = await zones.call(owner, CallRequest(announcement_id=key, zones=[shop]))
    assert call.style is CallStyle.PAUSE
    await stage.speaks(shop, "closing")
    sent = stage.renderer.sent(protocol.StartCall)[0]
    assert sent.pause
    assert (sent.chime, sent.chime_after is not None) == (None, True)
    stage.renderer.end_calls()
    wished = CallRequest(announcement_id=key, zones=[shop], style="over", chime_after=False)
    await zones.call(owner, wished)
    await eventually(lambda: len(stage.renderer.sent(protocol.StartCall)) == 2)
    sent = stage.renderer.sent(protocol.StartCall)[1]
    assert (sent.pause, sent.chime_after) == (False, None)


async def test_who_wants_all_zones_at_once_does_not_wait_for_tracks(
    stage: Stage, zones: ZoneController
) -> None:
    for routing in ("together", "all_or_nothing"):
        with pytest.raises(ValidationError, match="routing must be partial"):
            say("hello", stage.shop, style="between", routing=routing)
    key = uuid4()
    clip = spoken(MediaRef(kind="announcement", value="all"))
    stage.media.speech.stored[key] = clip.model_copy(update={"style": CallStyle.BETWEEN})
    await playing(stage, zones)
    request = CallRequest(announcement_id=key, zones=[stage.shop], routing="together")
    call = await zones.call(stage.hotel.owner, request)
    assert call.style is CallStyle.PAUSE
    await stage.speaks(stage.shop, "all")
