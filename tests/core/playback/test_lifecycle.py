"""Restarts, a building that changes, tenants, and trouble with the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.core.playback.conftest import Stage
from tests.fakes.media import FakeMedia
from tests.fakes.waiting import eventually
from tortoise.exceptions import OperationalError

from antiphon import events
from antiphon.building.models import Zone
from antiphon.engine import protocol
from antiphon.errors import Conflict, NotFound, PartAway
from antiphon.playback import ZoneController, keeper
from antiphon.playback.models import PlaybackState, PlayEvent
from antiphon.plugins import CallRequest, MediaRef, PlayRequest
from antiphon.types import CallState, Playback, Repeat


async def playing(stage: Stage, controller: ZoneController, **more: Any) -> list[UUID]:
    songs = stage.songs(6)
    request = PlayRequest(music_ids=songs, **more)
    await controller.play(stage.hotel.owner, stage.shop, request)
    await stage.hears(stage.shop, stage.sounding(stage.shop))
    return songs


class TestRestart:
    async def test_music_goes_on_at_its_position(self, stage: Stage, zones: ZoneController) -> None:
        owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
        await playing(stage, zones, zones=[bar], crossfade_s=2.0)
        await zones.next(owner, shop)
        await zones.set_volume(owner, bar, 30)
        stage.renderer.move(stage.programme(shop), 42.0)
        await eventually(lambda: len(stage.told(events.TrackStarted)) == 4)
        zones = await stage.restart()
        await stage.hears(shop, "Song 2")
        loaded = stage.renderer.sent(protocol.LoadProgramme)[0]
        assert loaded.position_s == pytest.approx(42.0, abs=1.0)
        assert (loaded.playing, loaded.crossfade_s) == (True, 2.0)
        assert stage.programme(shop) == stage.programme(bar)
        view = await zones.view(owner, bar)
        assert (view.volume, view.queue_length, view.shared_with) == (30, 6, (shop,))
        assert stage.renderer.zones[str(bar)].volume == 30

    async def test_a_shuffled_queue_keeps_its_order(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        owner, shop = stage.hotel.owner, stage.shop
        await playing(stage, zones, shuffle=True)
        heard = [stage.sounding(shop)]
        for _ in range(3):
            await zones.next(owner, shop)
            heard.append(stage.sounding(shop))
        zones = await stage.restart()
        await stage.hears(shop, heard[-1])
        for title in reversed(heard[:-1]):
            await zones.previous(owner, shop)
            assert stage.sounding(shop) == title

    async def test_what_was_held_is_held(self, stage: Stage, zones: ZoneController) -> None:
        await playing(stage, zones)
        stage.renderer.move(stage.programme(stage.shop), 10.0)
        await asyncio.sleep(0.01)
        await zones.pause(stage.hotel.owner, stage.shop)
        zones = await stage.restart()
        await stage.hears(stage.shop, "Song 1")
        assert not stage.renderer.programmes[stage.programme(stage.shop)].playing
        view = await zones.view(stage.hotel.owner, stage.shop)
        assert view.playback is Playback.PAUSED
        assert view.position_s == pytest.approx(10.0, abs=0.5)

    async def test_what_was_stopped_stays_silent_with_its_queue(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        owner, shop = stage.hotel.owner, stage.shop
        await playing(stage, zones, repeat=Repeat.ONE)
        await zones.next(owner, shop)
        await zones.stop(owner, shop)
        zones = await stage.restart()
        view = await zones.view(owner, shop)
        assert (view.playback, view.queue_length, view.queue_position) == ("stopped", 6, 1)
        assert view.repeat is Repeat.ONE
        assert not stage.renderer.programmes
        await zones.resume(owner, shop)
        await stage.hears(shop, "Song 2")

    async def test_it_waits_for_the_plugin_that_knows_the_music(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        await playing(stage, zones)
        await stage.stack.aclose()
        full, stage.media = stage.media, FakeMedia.__new__(FakeMedia)
        super(FakeMedia, stage.media).__init__()
        zones = await stage.restart()
        await asyncio.sleep(0.1)
        assert stage.sounding(stage.shop) is None
        stage.media.add(full.music)
        await stage.hears(stage.shop, "Song 1")
        assert not stage.told(events.TrackSkipped)

    async def test_a_track_deleted_meanwhile_is_skipped(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        songs = await playing(stage, zones)
        del stage.media.music.tracks[songs[0]]
        await stage.restart()
        await stage.hears(stage.shop, "Song 2")
        assert stage.renderer.sent(protocol.LoadProgramme)[0].position_s == 0.0

    async def test_a_crash_costs_no_more_than_the_last_moments(
        self, stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        songs = await playing(stage, zones)
        await asyncio.sleep(2 * keeper.DEBOUNCE_S)
        state = await PlaybackState.get(zone_id=stage.shop)
        assert [row["value"] for row in state.queue] == [str(song) for song in songs]
        assert state.playback is Playback.PLAYING
        assert state.current_track is not None
        assert state.current_track["title"] == "Song 1"


class TestBuilding:
    async def test_a_new_zone_can_be_used_at_once(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        hotel = stage.hotel
        zone = await Zone.create(
            client=hotel.client, floor=hotel.cellar, name="Spa", default_volume=25
        )
        stage.bus.publish(events.ZoneCreated(zone_id=zone.id, client_id=hotel.client.id))
        view = await zones.view(hotel.owner, zone.id)
        assert (view.name, view.volume, view.playback) == ("Spa", 25, Playback.STOPPED)
        await zones.call(hotel.owner, CallRequest(text="hello", zones=[zone.id]))
        await stage.speaks(zone.id, "hello")

    async def test_a_zone_that_goes_takes_its_calls_along(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
        await playing(stage, zones, zones=[bar])
        call = await zones.call(owner, CallRequest(text="hello", all=True))
        waiting = await zones.call(owner, CallRequest(text="later", all=True))
        await stage.speaks(shop, "hello")
        await Zone.filter(id=shop).update(deleted_at=datetime.now(UTC))
        stage.bus.publish(events.ZoneDeleted(zone_id=shop))
        await eventually(lambda: stage.streams.removed == [shop])
        assert str(shop) not in stage.renderer.zones
        with pytest.raises(NotFound):
            await zones.view(owner, shop)
        assert stage.sounding(bar) == "Song 1"
        for one in (call, waiting):
            states = {z.zone_id: z for z in (await zones.get_call(owner, one.id)).zones}
            assert states[shop].state is CallState.FAILED
            assert states[shop].reason == "the zone was removed"
        assert stage.speaking(bar) == "hello"
        await zones._receipts.settled()
        assert await PlayEvent.filter(zone_id=shop, device=None, outcome="failed").count() == 2

    async def test_a_zone_is_renamed_and_switched_off_and_on(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        owner, shop = stage.hotel.owner, stage.shop
        await playing(stage, zones)

        async def change(**values: Any) -> None:
            await Zone.filter(id=shop).update(**values)
            stage.bus.publish(events.ZoneChanged(zone_id=shop))
            await asyncio.sleep(0.05)

        await change(name="Boutique", background_volume_percent=15)
        assert (await zones.view(owner, shop)).name == "Boutique"
        assert stage.renderer.zones[str(shop)].background_percent == 15
        await change(is_active=False)
        with pytest.raises(Conflict, match="switched off"):
            await zones.view(owner, shop)
        assert not stage.renderer.programmes
        await change(is_active=True)
        await stage.hears(shop, "Song 1")

    async def test_without_streams_the_server_starts(self, stage: Stage) -> None:
        stage.streams.fails = True
        zones = await stage.open()
        await playing(stage, zones)
        assert stage.renderer.zones[str(stage.shop)].sink == "null:"


COMMANDS: dict[str, Callable[[ZoneController, Any, UUID], Awaitable[object]]] = {
    "view": lambda zones, who, zone: zones.view(who, zone),
    "play": lambda zones, who, zone: zones.play(who, zone, PlayRequest()),
    "play_refs": lambda zones, who, zone: zones.play_refs(
        who, zone, [MediaRef(kind="music", value=str(uuid4()))]
    ),
    "pause": lambda zones, who, zone: zones.pause(who, zone),
    "resume": lambda zones, who, zone: zones.resume(who, zone),
    "stop": lambda zones, who, zone: zones.stop(who, zone),
    "next": lambda zones, who, zone: zones.next(who, zone),
    "previous": lambda zones, who, zone: zones.previous(who, zone),
    "seek": lambda zones, who, zone: zones.seek(who, zone, 1.0),
    "volume": lambda zones, who, zone: zones.set_volume(who, zone, 1),
}


@pytest.mark.parametrize("command", COMMANDS)
async def test_no_command_reaches_another_tenant_or_floor(
    stage: Stage, zones: ZoneController, command: str
) -> None:
    await playing(stage, zones)
    before = await zones.view(stage.hotel.owner, stage.shop)
    for principal in (stage.gym.owner, stage.hotel.cellar_user):
        with pytest.raises(NotFound, match=str(stage.shop)):
            await COMMANDS[command](zones, principal, stage.shop)
        assert stage.shop not in {view.zone_id for view in await zones.views(principal)}
    after = await zones.view(stage.hotel.owner, stage.shop)
    assert (after.playback, after.volume, after.track) == (
        before.playback,
        before.volume,
        before.track,
    )
    with pytest.raises(NotFound):
        await COMMANDS[command](zones, stage.hotel.owner, uuid4())


async def test_sound_goes_on_without_the_database(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes fail for a while; nothing is lost of it."""
    owner, shop = stage.hotel.owner, stage.shop
    monkeypatch.setattr(keeper, "_RETRY_S", 0.05)
    monkeypatch.setattr("antiphon.playback.receipts._RETRY_S", 0.05)
    monkeypatch.setattr(PlaybackState, "filter", _away)
    monkeypatch.setattr(PlayEvent, "bulk_create", _away)
    await playing(stage, zones)
    call = await zones.call(owner, CallRequest(text="hello", zones=[shop]))
    await stage.speaks(shop, "hello")
    stage.renderer.end_track(stage.programme(shop))
    await stage.hears(shop, "Song 2")
    stage.renderer.end_calls()
    await asyncio.sleep(0.3)
    monkeypatch.undo()
    async with asyncio.timeout(5):
        await zones._receipts.settled()
    row = await PlayEvent.get(call_id=call.id, device=None)
    assert row.outcome == "completed"
    await stage.restart()
    await stage.hears(shop, "Song 2")


async def test_commands_say_that_the_database_is_away(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.playback.reach.scoped", _away)
    with pytest.raises(PartAway, match="database"):
        await zones.views(stage.hotel.owner)


def _away(*_: object, **__: object) -> Any:
    raise OperationalError("database is locked")
