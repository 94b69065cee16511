"""From a call sent to the renderer to its first sample in the zone's pipe, 32 zones playing."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import numpy as np

from antiphon.engine.host import RendererHost
from antiphon.engine.protocol import (
    AddZone,
    Attach,
    CallFinished,
    Clip,
    LoadProgramme,
    Report,
    StartCall,
    StopCall,
    Track,
    TrackStarted,
)
from antiphon.events import EventBus
from bench import material
from bench.figures import percentile, proportional_mb, show

ZONES = 32
CALLS = 120


async def _measure(files: list[Path], clip: Path, folder: Path) -> tuple[list[float], float, float]:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    playing: set[str] = set()
    all_play = asyncio.Event()

    def note(report: Report) -> None:
        if isinstance(report, TrackStarted):
            playing.add(report.programme)
            if len(playing) == ZONES:
                all_play.set()
        if isinstance(report, CallFinished):
            over.set()

    async with RendererHost(EventBus()) as host:
        host.subscribe(note)
        for number in range(ZONES):
            zone, pipe = f"zone{number}", folder / f"pipe{number}"
            os.mkfifo(pipe)
            loop.add_reader(fd := os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), os.read, fd, 1 << 16)
            host.send(AddZone(zone, f"fifo:{pipe}", 70))
            path = files[number % len(files)]
            tracks = tuple(Track(str(n), str(path)) for n in range(50))
            host.send(LoadProgramme(f"p{number}", tracks, number * 3.0))
            host.send(Attach(zone, f"p{number}"))
        # The probe is a zone without music: a call there has no duck to wait for.
        pipe = folder / "probe"
        os.mkfifo(pipe)
        host.send(AddZone("probe", f"fifo:{pipe}"))
        heard: asyncio.Queue[float] = asyncio.Queue()
        silent = True

        def listen(fd: int) -> None:
            nonlocal silent
            loud = np.frombuffer(os.read(fd, 1 << 16), np.int16).any()
            if loud and silent:
                heard.put_nowait(loop.time())
            silent = not loud

        loop.add_reader(fd := os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), listen, fd)
        async with asyncio.timeout(30):
            await all_play.wait()
        cpu_before, started = _cpu_s(host.pid), loop.time()
        delays = []
        for number in range(CALLS):
            await asyncio.sleep(0.1 + number * 0.0137 % 0.02)
            over.clear()
            sent = loop.time()
            host.send(StartCall(f"call{number}", ("probe",), Clip(str(clip))))
            delays.append((await heard.get() - sent) * 1000)
            host.send(StopCall(f"call{number}", ("probe",)))
            await over.wait()
        share = (_cpu_s(host.pid) - cpu_before) / (loop.time() - started) * 100
        assert host.pid is not None
        memory_mb = proportional_mb(host.pid)
    return delays, share, memory_mb


def _cpu_s(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the delays, and what the renderer needs with 32 live zones."""
    with tempfile.TemporaryDirectory() as folder:
        files, clip = material.make(Path(folder))
        delays, share, memory_mb = asyncio.run(_measure(files, clip, Path(folder)))
    show("call to first sample, p50", percentile(delays, 50), "ms", "target", 25.0)
    show("call to first sample, p99", percentile(delays, 99), "ms", "target", 80.0)
    show(f"cpu of {ZONES} live zones", share, "% of a core", "ffmpeg per zone, targets", 42.8)
    show(f"memory of {ZONES} live zones", memory_mb, "MB", "ffmpeg per zone, targets", 1304.0)
