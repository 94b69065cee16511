"""Loudness and true peak are measured in a worker, once, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from tests.plugins.music.conftest import World
from tests.plugins.music.sounds import sound

from antiphon.events import JobProgressed, MediaMeasured
from antiphon_music.measuring import keep_measured
from antiphon_music.models import MusicFile

_log = logging.getLogger("music")


async def test_uploads_and_what_an_earlier_run_left_are_measured(
    world: World, tmp_path: Path
) -> None:
    left_over = await world.add(sound(tmp_path / "old.flac", 3, hz=1000, channels=1, volume_db=-20))
    told: list[JobProgressed] = []
    world.bus.subscribe(JobProgressed, told.append)
    with world.bus.stream(MediaMeasured) as measured:
        async with (
            asyncio.timeout(30),
            keep_measured(world.library, world.measurer, world.bus, _log),
        ):
            first = await anext(measured)
            assert isinstance(first, MediaMeasured)
            assert first.media_id == left_over.id
            assert first.client_id == world.bakery.client_id
            # By the definition of the scale: 3 dB below its peak, in the one channel that it has.
            assert first.loudness_lufs == pytest.approx(-23, abs=0.2)
            assert first.true_peak_db == pytest.approx(-20, abs=0.2)
            _, body = await world.bakery.upload(sound(tmp_path / "new.wav", 2))
            second = await anext(measured)
            assert isinstance(second, MediaMeasured)
            assert str(second.media_id) == body["id"]
    shown = await world.bakery.json("GET", f"music/{body['id']}")
    assert shown["loudness_lufs"] == second.loudness_lufs
    assert shown["measured_at"] is not None
    assert [event.state for event in told] == ["running", "done"] * 2
    assert told[0].label == "Measuring old"


async def test_silence_has_no_loudness(world: World, tmp_path: Path) -> None:
    music = await world.add(sound(tmp_path / "a.wav", 1, volume_db=-200))
    assert await world.measurer.measure(music)
    row = await MusicFile.get(id=music.id)
    assert row.loudness_lufs is None
    assert row.measured_at is not None
    assert row.measure_error is None


async def test_the_true_length_of_half_a_file_is_found(world: World, tmp_path: Path) -> None:
    whole = sound(tmp_path / "a.flac", 4)
    half = tmp_path / "half.flac"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    music = await world.add(half)
    await world.measurer.measure(music)
    row = await MusicFile.get(id=music.id)
    assert 1 < row.duration_s < 3


async def test_a_file_that_can_not_be_measured_is_not_tried_forever(
    world: World, tmp_path: Path
) -> None:
    music = await world.add(sound(tmp_path / "a.mp3"))
    world.library.path_of(music.file).write_bytes(b"now it is something else")
    good = await world.add(sound(tmp_path / "b.mp3", 2))
    with world.bus.stream(MediaMeasured) as measured:
        async with (
            asyncio.timeout(30),
            keep_measured(world.library, world.measurer, world.bus, _log),
        ):
            event = await anext(measured)
    assert isinstance(event, MediaMeasured)
    assert event.media_id == good.id
    row = await MusicFile.get(id=music.id)
    assert row.measure_error
    assert row.measured_at is not None
