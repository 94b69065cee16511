"""Mute, the switch of the schedules, and where the music comes from: kept over restarts."""

from __future__ import annotations

import asyncio

import pytest
from tests.core.playback.conftest import Stage

from antiphon import events
from antiphon.building.models import Zone
from antiphon.engine import protocol
from antiphon.errors import NotFound
from antiphon.playback import ZoneController
from antiphon.plugins import MediaRef, PlayRequest


async def test_a_muted_zone_is_silent_and_keeps_its_volume(
    stage: Stage, zones: ZoneController
) -> None:
    owner = stage.hotel.owner
    await zones.set_volume(owner, stage.shop, 40)
    view = await zones.set_muted(owner, stage.shop, muted=True)
    assert (view.muted, view.volume) == (True, 40)
    assert stage.renderer.sent(protocol.SetVolume)[-1].volume == 0
    assert stage.told(events.PlaybackChanged)[-1].muted
    await zones.set_volume(owner, stage.shop, 60)
    assert stage.renderer.sent(protocol.SetVolume)[-1].volume == 0, "it is still muted"
    zones = await stage.restart()
    assert stage.renderer.zones[str(stage.shop)].volume == 0
    view = await zones.set_muted(owner, stage.shop, muted=False)
    assert (view.muted, view.volume) == (False, 60)
    assert stage.renderer.sent(protocol.SetVolume)[-1].volume == 60
    with pytest.raises(NotFound):
        await zones.set_muted(stage.gym.owner, stage.shop, muted=True)


async def test_the_switch_of_the_schedules_is_a_setting_of_the_zone(
    stage: Stage, zones: ZoneController
) -> None:
    owner = stage.hotel.owner
    assert (await zones.view(owner, stage.shop)).schedules_enabled
    view = await zones.switch_schedules(owner, stage.shop, enabled=False)
    assert not view.schedules_enabled
    assert [event.zone_id for event in stage.told(events.ZoneChanged)] == [stage.shop]
    await zones.switch_schedules(owner, stage.shop, enabled=False)
    assert len(stage.told(events.ZoneChanged)) == 1, "nothing changed"
    assert not (await Zone.get(id=stage.shop)).schedules_enabled
    zones = await stage.restart()
    assert not (await zones.view(owner, stage.shop)).schedules_enabled
    await Zone.filter(id=stage.shop).update(schedules_enabled=True)  # as the API does
    stage.bus.publish(events.ZoneChanged(client_id=stage.hotel.client.id, zone_id=stage.shop))

    async with asyncio.timeout(5):
        while not (await zones.view(owner, stage.shop)).schedules_enabled:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_folder_that_was_chosen_is_known_afterwards(
    stage: Stage, zones: ZoneController
) -> None:
    owner, songs = stage.hotel.owner, stage.songs()
    await zones.play(owner, stage.shop, PlayRequest(music_ids=songs))
    assert (await zones.view(owner, stage.shop)).source is None, "several things, so none"
    one = await zones.play(owner, stage.shop, PlayRequest(music_ids=songs[:1]))
    assert one.source == MediaRef(kind="music", value=str(songs[0]))
    zones = await stage.restart()
    assert (await zones.view(owner, stage.shop)).source == one.source
