"""The controller and the real renderer process: files on disk, sinks that drop what they get."""

from __future__ import annotations

import asyncio
import os
import signal
import wave
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from tests.core.playback.conftest import Stage
from tests.fakes.waiting import eventually

from antiphon import events
from antiphon.engine.host import RendererHost
from antiphon.playback import ZoneController
from antiphon.plugins import CallRequest, Media, MediaRef, PlayRequest
from antiphon.settings.models import AudioSettings
from antiphon.types import Band, CallState, Playback, Repeat


class NullStreams:
    async def provision(self, zones: Mapping[UUID, str]) -> Mapping[UUID, str]:
        return dict.fromkeys(zones, "null:")

    async def remove(self, zone_id: UUID) -> None:
        pass


def tone(path: Path, seconds: float) -> Path:
    samples = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 48_000)) / 48_000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def song(stage: Stage, path: Path, seconds: float) -> UUID:
    key = stage.media.music.add(stage.hotel.client.id, path.stem, duration_s=seconds)
    owner, media = stage.media.music.tracks[key]
    stage.media.music.tracks[key] = owner, media.model_copy(update={"path": path})
    return key


@pytest.fixture
async def zones(stage: Stage) -> AsyncIterator[ZoneController]:
    async with (
        RendererHost(stage.bus) as renderer,
        ZoneController(stage.bus, renderer, NullStreams(), stage.media, AudioSettings()) as zones,
    ):
        stage.renderer = renderer  # type: ignore[assignment]
        yield zones


async def test_tracks_follow_each_other_and_what_is_no_sound_is_skipped(
    stage: Stage, zones: ZoneController, tmp_path: Path
) -> None:
    text = tmp_path / "text.mp3"
    text.write_text("this is no music")
    songs = [
        song(stage, tone(tmp_path / "one.wav", 0.5), 0.5),
        song(stage, text, 10.0),
        song(stage, tone(tmp_path / "two.wav", 0.5), 0.5),
    ]
    request = PlayRequest(music_ids=songs, repeat=Repeat.NONE)
    await zones.play(stage.hotel.owner, stage.shop, request)
    channel = zones._channels.find(stage.shop)
    assert channel is not None
    await eventually(lambda: channel.programme.playback is Playback.STOPPED)
    assert [event.title for event in stage.told(events.TrackStarted)] == ["one", "two"]
    assert [event.title for event in stage.told(events.TrackSkipped)] == ["text"]
    assert [round(event.played_s, 1) for event in stage.told(events.TrackFinished)] == [0.5, 0.5]


async def test_nothing_readable_does_not_spin(
    stage: Stage, zones: ZoneController, tmp_path: Path
) -> None:
    missing = [song(stage, tmp_path / f"gone{n}.wav", 5.0) for n in range(3)]
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=missing))
    channel = zones._channels.find(stage.shop)
    assert channel is not None
    await eventually(lambda: channel.programme.problem)
    await asyncio.sleep(0.5)  # what had been handed over is tried as well
    skipped = len(stage.told(events.TrackSkipped))
    assert skipped <= 2 * len(missing)
    await asyncio.sleep(0.5)
    assert len(stage.told(events.TrackSkipped)) == skipped


async def test_calls_in_two_zones_over_music_and_a_page_that_cuts_in(
    stage: Stage, zones: ZoneController, tmp_path: Path
) -> None:
    owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
    music = song(stage, tone(tmp_path / "music.wav", 30), 30.0)
    await zones.play(owner, shop, PlayRequest(music_ids=[music], zones=[bar]))
    offer, page = UUID(int=1), UUID(int=2)
    for key, seconds in ((offer, 1.5), (page, 0.4)):
        path = tone(tmp_path / f"{key}.wav", seconds)
        ref = MediaRef(kind="announcement", value=str(key))
        clip = Media(ref=ref, path=path, title=str(key), duration_s=seconds)
        stage.media.speech.stored[key] = clip
    low = await zones.call(owner, CallRequest(announcement_id=offer, all=True))
    record = zones._calls.get(low.id)
    await eventually(lambda: all(p.state is CallState.PLAYING for p in record.parts.values()))
    request = CallRequest(announcement_id=page, zones=[shop], band=Band.PAGE)
    high = zones._calls.get((await zones.call(owner, request)).id)
    await eventually(lambda: high.is_over and record.is_over)
    assert high.parts[shop].state is CallState.COMPLETED
    assert high.parts[shop].seconds_heard == pytest.approx(0.4, abs=0.05)
    for zone in (shop, bar):
        assert record.parts[zone].state is CallState.COMPLETED
        assert record.parts[zone].seconds_heard == pytest.approx(1.5, abs=0.05)
    states = [e.state for e in stage.told(events.CallChanged) if e.zone_id == shop]
    assert states.count(CallState.PLAYING) == 3, "offer, page, offer again"
    view = await zones.view(owner, shop)
    assert view.playback is Playback.PLAYING
    assert not stage.told(events.TrackFinished), "the music's timeline never stopped"


async def test_pause_seek_next_and_a_renderer_that_is_killed(
    stage: Stage, zones: ZoneController, tmp_path: Path
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    songs = [song(stage, tone(tmp_path / f"{n}.wav", 30), 30.0) for n in (1, 2)]
    await zones.play(owner, shop, PlayRequest(music_ids=songs))
    await zones.next(owner, shop)
    await eventually(lambda: [e.title for e in stage.told(events.TrackStarted)][-1:] == ["2"])
    await zones.seek(owner, shop, 20.0)
    await eventually(lambda: stage.told(events.TrackStarted)[-1].position_s >= 20)
    await asyncio.sleep(0.3)
    held = await zones.pause(owner, shop)
    assert held.position_s == pytest.approx(20.3, abs=0.3)
    await asyncio.sleep(0.5)
    assert (await zones.view(owner, shop)).position_s == pytest.approx(held.position_s, abs=0.3)
    await zones.resume(owner, shop)
    renderer: RendererHost = stage.renderer  # type: ignore[assignment]
    first = renderer.pid
    assert first is not None
    started = len(stage.told(events.TrackStarted))
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: len(stage.told(events.TrackStarted)) > started)
    again = stage.told(events.TrackStarted)[-1]
    assert (again.title, again.zone_id) == ("2", shop)
    assert again.position_s == pytest.approx(20.5, abs=2.0)


async def test_a_clip_that_is_deleted_while_it_waits_or_plays(
    stage: Stage, zones: ZoneController, tmp_path: Path
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    records, paths = [], []
    for n in range(3):
        key = UUID(int=n + 1)
        paths.append(tone(tmp_path / f"{n}.wav", 0.8))
        ref = MediaRef(kind="announcement", value=str(key))
        clip = Media(ref=ref, path=paths[-1], title=str(n), duration_s=0.8)
        stage.media.speech.stored[key] = clip
        call = await zones.call(owner, CallRequest(announcement_id=key, zones=[shop]))
        records.append(zones._calls.get(call.id))
    first, second, third = (record.parts[shop] for record in records)
    await eventually(lambda: first.state is CallState.PLAYING)
    paths[0].unlink()
    paths[1].unlink()
    await eventually(lambda: all(record.is_over for record in records), 15)
    assert first.state is CallState.COMPLETED
    assert first.seconds_heard == pytest.approx(0.8, abs=0.05)
    assert second.state is CallState.FAILED
    assert second.seconds_heard == 0
    assert second.reason
    assert third.state is CallState.COMPLETED
