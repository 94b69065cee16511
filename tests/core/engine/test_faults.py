"""What goes wrong around a renderer that plays, and what is heard of it in the zone's pipe."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from tests.core.engine.test_host import Desk, play, read_fifo, where
from tests.real_time import in_real_time
from tests.sounds import RATE, Sound, convert, level_db, noise, write_wav

from antiphon.engine.host import RendererHost
from antiphon.engine.protocol import AddZone, Attach, LoadProgramme, Starved, Track, TrackStarted
from antiphon.events import EventBus

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    bus = EventBus()
    async with RendererHost(bus) as host:
        yield Desk(host, bus)


def assert_whole(music: Sound, heard: Sound) -> None:
    """What was heard is a piece of the music, without a gap."""
    at = where(music, heard[-4800:]) + 4800 - len(heard)
    np.testing.assert_array_equal(heard, music[at : at + len(heard)])


@in_real_time
async def test_a_renderer_that_hardly_gets_the_processor_loses_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    music = noise(30.0)
    play(desk, write_wav(tmp_path / "music.wav", music), f"fifo:{tmp_path / 'zone'}")
    await desk.told(TrackStarted)
    reading = asyncio.create_task(read_fifo(tmp_path / "zone", 4.0))
    assert desk.host.pid is not None
    while not reading.done():  # it runs a third of the time
        os.kill(desk.host.pid, signal.SIGSTOP)
        await asyncio.sleep(0.06)
        os.kill(desk.host.pid, signal.SIGCONT)
        await asyncio.sleep(0.03)
    # The first of it waited in the pipe for a reader.
    assert_whole(music, (await reading)[RATE // 2 :])


async def test_a_longer_stop_is_told_and_the_music_goes_on(desk: Desk, tmp_path: Path) -> None:
    music = noise(30.0)
    play(desk, write_wav(tmp_path / "music.wav", music), f"fifo:{tmp_path / 'zone'}")
    await desk.told(TrackStarted)
    reading = asyncio.create_task(read_fifo(tmp_path / "zone", 3.0))
    await asyncio.sleep(0.5)
    assert desk.host.pid is not None
    os.kill(desk.host.pid, signal.SIGSTOP)
    await asyncio.sleep(0.6)
    os.kill(desk.host.pid, signal.SIGCONT)
    seconds = 0.0
    while seconds < 0.4:  # what a busy machine lost before counts too
        told = await desk.told(Starved, timeout_s=20)
        assert (told.zone, told.reason) == ("lobby", "late")
        seconds += told.seconds
    assert seconds < 5.0
    heard = await reading
    where(music, heard[-4800:])


@in_real_time
async def test_a_file_that_turns_unreadable_half_way_is_followed_by_the_next(
    desk: Desk, tmp_path: Path
) -> None:
    long = convert(write_wav(tmp_path / "long.wav", noise(20.0)), tmp_path / "long.mp3")
    music = noise(20.0, seed=2)
    tracks = (
        Track("1", str(long)),
        Track("2", str(write_wav(tmp_path / "next.wav", music))),
    )
    desk.host.send(AddZone("lobby", f"fifo:{tmp_path / 'zone'}"))
    desk.host.send(LoadProgramme("music", tracks))
    desk.host.send(Attach("lobby", "music"))
    await desk.told(TrackStarted)
    reading = asyncio.create_task(read_fifo(tmp_path / "zone", 6.0))
    with long.open("r+b") as file:  # as a disk does that dies, or a share that goes away
        file.seek(file.seek(0, os.SEEK_END) // 20)
        file.write(bytes(long.stat().st_size))
        file.truncate(long.stat().st_size // 10)
    assert (await desk.told(TrackStarted)).entry == "2"
    heard = await reading
    where(music, heard[-4800:])
    blocks = heard[RATE : 6 * RATE].reshape(-1, 4800, 2)
    assert max(run_of_silence(blocks)) <= 1


def run_of_silence(blocks: Sound) -> list[int]:
    """How many tenths of a second are silent, one after the other."""
    runs, run = [0], 0
    for block in blocks:
        run = run + 1 if level_db(block) < -80 else 0
        runs.append(run)
    return runs


def stepped_s() -> float:
    """How far the clock is off for the processes that we start."""
    command = [sys.executable, "-c", "import time; print(time.time())"]
    return float(subprocess.run(command, check=True, capture_output=True).stdout) - time.time()


@pytest.mark.parametrize("step", ["+1h", "-1h"])
@in_real_time
async def test_a_step_of_the_clock_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    assert FAKETIME, "install faketime"
    clock = tmp_path / "clock"
    clock.write_text("+0")
    for name, value in (
        ("LD_PRELOAD", str(FAKETIME[0])),
        ("FAKETIME_TIMESTAMP_FILE", str(clock)),
        # Read once a second: for each look at the clock, the interpreter's lock would be slow.
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ):
        monkeypatch.setenv(name, value)
    music = noise(30.0)
    bus = EventBus()
    async with RendererHost(bus) as host:
        desk = Desk(host, bus)
        play(desk, write_wav(tmp_path / "music.wav", music), f"fifo:{tmp_path / 'zone'}")
        await desk.told(TrackStarted)
        reading = asyncio.create_task(read_fifo(tmp_path / "zone", 4.0))
        await asyncio.sleep(1.0)
        clock.write_text(step)
        step_s = await asyncio.to_thread(stepped_s)
        assert abs(step_s) == pytest.approx(3600, abs=60)
        # The first of it waited in the pipe for a reader.
        assert_whole(music, (await reading)[RATE // 2 :])
