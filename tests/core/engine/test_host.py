"""The renderer as a process: paced, replaced when it dies or hangs, listened to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import numpy as np
import pytest
from tests.real_time import in_real_time
from tests.sounds import RATE, Sound, noise, tone, write_wav

from antiphon.engine.host import RendererHost
from antiphon.engine.listen import LiveAudio
from antiphon.engine.protocol import (
    AddZone,
    Attach,
    CallStarted,
    Clip,
    Heartbeat,
    Level,
    LoadProgramme,
    Position,
    Report,
    StartCall,
    Track,
    TrackStarted,
)
from antiphon.errors import Invalid
from antiphon.events import EventBus, PartChanged

ReportT = TypeVar("ReportT", bound=Report)


class Desk:
    """A running renderer, and the reports as they come."""

    def __init__(self, host: RendererHost, bus: EventBus) -> None:
        self.host = host
        self.reports: asyncio.Queue[Report] = asyncio.Queue()
        self.parts: list[PartChanged] = []
        host.subscribe(self.reports.put_nowait)
        bus.subscribe(PartChanged, self.parts.append)

    async def told(self, kind: type[ReportT], timeout_s: float = 10.0) -> ReportT:
        async with asyncio.timeout(timeout_s):
            while True:
                report = await self.reports.get()
                if isinstance(report, kind):
                    return report


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    bus = EventBus()
    async with RendererHost(bus) as host:
        yield Desk(host, bus)


async def test_the_reports_of_many_zones_leave_the_loop_to_others(desk: Desk) -> None:
    loop = asyncio.get_running_loop()
    by_turn: Counter[int] = Counter()
    turn = 0

    def next_turn() -> None:
        nonlocal turn
        turn += 1
        if by_turn.total() < 180:
            loop.call_soon(next_turn)

    desk.host.subscribe(lambda _: by_turn.update([turn]))
    for number in range(200):
        desk.host.send(AddZone(f"zone {number}", "null:"))
    next_turn()
    async with asyncio.timeout(20):
        while by_turn.total() < 180:
            await desk.told(Level)
    assert max(by_turn.values()) <= 8


def play(desk: Desk, path: Path, sink: str, zone: str = "lobby") -> None:
    desk.host.send(AddZone(zone, sink))
    desk.host.send(LoadProgramme("music", (Track("1", str(path)),)))
    desk.host.send(Attach(zone, "music"))


async def read_fifo(path: Path, seconds: float) -> Sound:
    """Read a zone's FIFO in real time, as snapserver does."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    ready = asyncio.Event()
    asyncio.get_running_loop().add_reader(fd, ready.set)
    data = bytearray()
    try:
        async with asyncio.timeout(seconds + 10):
            while len(data) < seconds * RATE * 4:
                await ready.wait()
                ready.clear()
                with contextlib.suppress(BlockingIOError):
                    data += os.read(fd, 1 << 16)
    finally:
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)
    return np.frombuffer(bytes(data[: len(data) // 4 * 4]), np.int16).reshape(-1, 2)


def where(whole: Sound, part: Sound) -> int:
    """The frame of `whole` at which `part` was taken."""
    probe = part[:64].tobytes()
    at = whole.tobytes().find(probe)
    assert at >= 0, "this is not from the music"
    return at // 4


@in_real_time
async def test_music_leaves_in_real_time_and_untouched(desk: Desk, tmp_path: Path) -> None:
    music = noise(20.0)
    play(desk, write_wav(tmp_path / "music.wav", music), f"fifo:{tmp_path / 'zone'}")
    await desk.told(TrackStarted)
    await desk.told(Position)
    started = asyncio.get_running_loop().time()
    heard = await read_fifo(tmp_path / "zone", 2.0)
    took_s = asyncio.get_running_loop().time() - started
    assert took_s > 1.6  # the pipe holds 340 ms, the rest had to be waited for
    at = where(music, heard)
    np.testing.assert_array_equal(heard, music[at : at + len(heard)])
    level = await desk.told(Level)
    assert level.rms_db == pytest.approx(-20.0, abs=1.0)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_new_renderer_goes_on_where_the_old_one_was(
    desk: Desk, tmp_path: Path, fault: signal.Signals
) -> None:
    music = noise(30.0)
    play(desk, write_wav(tmp_path / "music.wav", music), f"fifo:{tmp_path / 'zone'}")
    before = await desk.told(Position)
    first_pid = desk.host.pid
    assert first_pid is not None
    os.kill(first_pid, fault)
    again = await desk.told(TrackStarted)
    assert desk.host.pid != first_pid
    assert before.position_s <= again.position_s <= before.position_s + 1.1
    heard = await read_fifo(tmp_path / "zone", 0.5)
    tail = heard[-4800:]
    assert where(music, tail) >= again.position_s * RATE
    assert [part.is_up for part in desk.parts] == [False, True]


async def test_a_call_that_was_cut_by_a_crash_is_spoken_again(desk: Desk, tmp_path: Path) -> None:
    clip = Clip(str(write_wav(tmp_path / "clip.wav", tone(5.0))))
    desk.host.send(AddZone("lobby", "null:"))
    desk.host.send(StartCall("call", ("lobby",), clip))
    await desk.told(CallStarted)
    assert desk.host.pid is not None
    os.kill(desk.host.pid, signal.SIGKILL)
    assert (await desk.told(CallStarted)).call == "call"


async def test_the_renderer_ends_with_its_host_and_raises_no_alarm() -> None:
    bus = EventBus()
    parts: list[PartChanged] = []
    async with RendererHost(bus) as host:
        pid = host.pid
        assert pid is not None
        bus.subscribe(PartChanged, parts.append)
    assert parts == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_source_that_blocks_does_not_stop_the_music(desk: Desk, tmp_path: Path) -> None:
    music = write_wav(tmp_path / "music.wav", noise(60.0))
    play(desk, music, "null:")
    await desk.told(TrackStarted)
    stuck = tmp_path / "stuck.wav"
    os.mkfifo(stuck)  # opening it for reading waits for ever
    desk.host.send(AddZone("bar", "null:"))
    desk.host.send(LoadProgramme("other", (Track("x", str(stuck)), Track("y", str(music)))))
    desk.host.send(Attach("bar", "other"))
    started = await desk.told(TrackStarted)
    assert (started.programme, started.entry) == ("other", "y")
    level = await desk.told(Level)
    assert level.rms_db > -40


@pytest.mark.parametrize("format_name", ["wav", "ogg"])
async def test_people_listen_to_a_zone(desk: Desk, tmp_path: Path, format_name: str) -> None:
    from antiphon.engine.codec import measure

    zone_id = uuid4()
    music = write_wav(tmp_path / "music.wav", noise(60.0))
    play(desk, music, "null:", str(zone_id))
    await desk.told(TrackStarted)
    async with LiveAudio(desk.host) as live:
        enough = 200_000 if format_name == "wav" else 20_000

        async def record(chunks: AsyncIterator[bytes], path: Path) -> None:
            with path.open("wb") as file:
                async for chunk in chunks:
                    file.write(chunk)
                    if file.tell() > enough:
                        break
            assert measure(path).integrated_lufs == pytest.approx(-14.0, abs=1.0)

        async with asyncio.timeout(20), live.open(zone_id, format_name) as first:
            await record(first, tmp_path / f"first.{format_name}")
            # Who joins later hears what is played now, from the same encoder.
            async with live.open(zone_id, format_name) as second:
                await record(second, tmp_path / f"second.{format_name}")
        with pytest.raises(Invalid, match="format"):
            async with live.open(zone_id, "mp3"):
                pass
    await desk.told(Heartbeat)
