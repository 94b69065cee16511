"""A client that may play no more: nothing starts by any door, and what plays is stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.core.playback.conftest import Stage
from tests.fakes.waiting import eventually

from antiphon.errors import SubscriptionInactive
from antiphon.events import ClientChanged, PlaybackChanged, SubscriptionEnded
from antiphon.playback import ZoneController
from antiphon.playback import subscriptions as module
from antiphon.plugins import CallRequest, MediaRef, PlayRequest
from antiphon.tenancy.models import SubscriptionStatus
from antiphon.types import Playback, Principal, Via


async def _suspend(stage: Stage) -> None:
    client = stage.hotel.client
    client.subscription_status = SubscriptionStatus.SUSPENDED
    await client.save()
    stage.bus.publish(ClientChanged(client_id=client.id))


async def test_what_plays_is_stopped_and_said(stage: Stage, zones: ZoneController) -> None:
    owner, theirs = stage.hotel.owner, stage.gym.owner
    await zones.play(owner, stage.shop, PlayRequest(music_ids=stage.songs()))
    song = stage.media.music.add(stage.gym.client.id, "Theirs")
    await zones.play(theirs, stage.gym.shop.id, PlayRequest(music_ids=[song]))
    await stage.hears(stage.shop, "Song 1")
    await zones.call(owner, CallRequest(text="hello", zones=[stage.bar]))
    await stage.speaks(stage.bar, "hello")
    await _suspend(stage)
    await stage.hears(stage.shop, None)
    await stage.speaks(stage.bar, None)
    [told] = stage.told(SubscriptionEnded)
    assert told.client_id == stage.hotel.client.id
    assert set(told.zones) == {stage.shop, stage.bar}
    assert told.reason == "is suspended"
    view = await zones.view(owner, stage.shop)
    assert (view.playback, view.problems) == (Playback.STOPPED, ("the subscription is suspended",))
    assert stage.told(PlaybackChanged)[-1].playback is Playback.STOPPED
    [call] = (await zones.calls(owner)).items
    assert [zone.reason for zone in call.zones] == ["the subscription is suspended"]
    assert stage.sounding(stage.gym.shop.id) == "Theirs"


async def test_nothing_starts_through_any_door(stage: Stage, zones: ZoneController) -> None:
    owner, song = stage.hotel.owner, stage.songs(1)[0]
    await zones.play(owner, stage.shop, PlayRequest(music_ids=[song]))
    await _suspend(stage)
    await stage.hears(stage.shop, None)
    client_id = stage.hotel.client.id
    for principal in (
        owner,
        Principal.system(client_id, Via.SCHEDULE),
        Principal.system(client_id, Via.MQTT),
        Principal.system(),
    ):
        for attempt in (
            zones.play(principal, stage.shop, PlayRequest(music_ids=[song])),
            zones.play_refs(principal, stage.bar, [MediaRef(kind="music", value=str(song))]),
            zones.resume(principal, stage.shop),
            zones.call(principal, CallRequest(text="hello", zones=[stage.shop])),
        ):
            with pytest.raises(SubscriptionInactive, match="is suspended"):
                await attempt
    assert stage.sounding(stage.shop) is None
    # Reading and silence are for everybody.
    await zones.stop(owner, stage.shop)
    assert (await zones.view(owner, stage.shop)).playback is Playback.STOPPED


async def test_a_trial_that_ends_by_the_clock_ends_the_music(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.05)
    zones = await stage.open()
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=stage.songs()))
    await stage.hears(stage.shop, "Song 1")
    client = stage.hotel.client
    client.subscription_status = SubscriptionStatus.TRIAL
    client.trial_ends_at = datetime.now(UTC) - timedelta(seconds=1)
    await client.save()
    await stage.hears(stage.shop, None)
    await eventually(lambda: len(stage.told(SubscriptionEnded)) == 1, 3.0)


async def test_a_restart_brings_no_music_back(stage: Stage, zones: ZoneController) -> None:
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=stage.songs()))
    await stage.hears(stage.shop, "Song 1")
    client = stage.hotel.client
    client.subscription_status = SubscriptionStatus.CANCELLED
    await client.save()
    zones = await stage.restart()
    assert (await zones.view(stage.hotel.owner, stage.shop)).playback is Playback.STOPPED
    client.subscription_status = SubscriptionStatus.ACTIVE
    await client.save()
    stage.bus.publish(ClientChanged(client_id=client.id))
    await zones.resume(stage.hotel.owner, stage.shop)  # the queue is kept
    await stage.hears(stage.shop, "Song 1")
