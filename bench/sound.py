"""CPU seconds per zone-hour and memory, unpaced, beside bare decoding and ffmpeg."""

from __future__ import annotations

import itertools
import resource
import subprocess
import tempfile
from pathlib import Path

import av

from antiphon.engine.cache import PcmCache
from antiphon.engine.deck import Deck, InlineFeeder
from antiphon.engine.protocol import (
    SAMPLE_RATE,
    AddZone,
    Attach,
    Clip,
    Configure,
    LoadProgramme,
    Report,
    SetUpcoming,
    StartCall,
    Track,
    TrackStarted,
)
from antiphon.engine.renderer import Renderer
from bench import material
from bench.figures import in_child, median, show

RUNS = 11
MINUTES = 12
SHARING_MINUTES = 3
CROSSFADE_S = 3.0
CALL_EVERY_S = 60
VOLUME = 70
GAIN_DB = -3.0
_CACHE_BYTES = 10**11


def render(
    files: list[Path],
    clip: Path,
    zones: int,
    shared: bool,  # noqa: FBT001
    minutes: float,
    kept: Path | None = None,
) -> None:
    """The whole work: music with crossfades, a call a minute, a zone volume below 100.

    `kept`: a folder of decoded files to read from.
    """
    numbers = itertools.count()

    def window() -> tuple[Track, ...]:
        chosen = (next(numbers) for _ in range(2))
        return tuple(Track(str(n), str(files[n % len(files)]), GAIN_DB) for n in chosen)

    def go_on(report: Report) -> None:
        if isinstance(report, TrackStarted):
            renderer.handle(SetUpcoming(report.programme, window()))

    renderer = Renderer(InlineFeeder(), go_on)
    if kept is not None:
        renderer.handle(Configure(cache_folder=str(kept), cache_bytes=_CACHE_BYTES))
    names = tuple(f"zone{number}" for number in range(zones))
    for number, name in enumerate(names):
        programme = "shared" if shared else f"programme{number}"
        renderer.handle(AddZone(name, "null:", VOLUME))
        if number == 0 or not shared:
            start_s = number * 7.0 % material.TRACK_S
            renderer.handle(LoadProgramme(programme, window(), start_s, CROSSFADE_S))
        renderer.handle(Attach(name, programme))
    blocks = round(minutes * 60 * SAMPLE_RATE / renderer.block_frames)
    call_every = CALL_EVERY_S * SAMPLE_RATE // renderer.block_frames
    for block in range(blocks):
        if block % call_every == call_every // 2:
            renderer.handle(StartCall(f"call{block}", names, Clip(str(clip))))
        renderer.tick()


def decode_only(files: list[Path], minutes: float) -> None:
    """The limit in Python: PyAV decodes and resamples frame by frame, and nothing else happens."""
    left = minutes * 60 * SAMPLE_RATE
    for path in itertools.cycle(files):
        resampler = av.AudioResampler("s16", "stereo", SAMPLE_RATE)
        with av.open(str(path)) as file:
            for frame in file.decode(audio=0):
                left -= sum(block.samples for block in resampler.resample(frame))
                if left <= 0:
                    return


def keep(files: list[Path], clip: Path, folder: Path) -> None:
    """Fill a cache: what was decoded twice is in it."""
    cache = PcmCache(folder, _CACHE_BYTES)
    for path, gain_db in [*((path, GAIN_DB) for path in files), (clip, 0.0)] * 2:
        deck = Deck(str(path), gain_db)
        while not deck.ended:
            deck.fill(cache)
            cache.flush()


def ffmpeg(files: list[Path], clip: Path, minutes: float) -> float:
    """The same work by one ffmpeg; returns its CPU seconds."""
    inputs = [word for path in files for word in ("-i", str(path))]
    chain, last = [], "[0]"
    for number in range(1, len(files)):
        chain.append(f"{last}[{number}]acrossfade=d={CROSSFADE_S}[x{number}]")
        last = f"[x{number}]"
    call = len(files)
    every = f"apad=whole_dur={CALL_EVERY_S},aloop=loop=-1:size={CALL_EVERY_S * SAMPLE_RATE}"
    chain += [
        f"{last}aresample=48000,volume=eval=frame:volume='if(lt(mod(t,60),6.5),0.316,1)'[bed]",
        f"[{call}]aresample=48000,aformat=channel_layouts=stereo,{every}[voice]",
        "[bed][voice]amix=2:duration=first:normalize=0,volume=0.49,alimiter=limit=0.84:level=0",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ["ffmpeg", "-v", "error", *inputs, "-i", str(clip), "-filter_complex", ";".join(chain),
         "-t", str(minutes * 60), "-f", "s16le", "-ar", "48000", "-y", "/dev/null"],
        check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs: int = RUNS) -> None:
    """Print CPU and memory of one zone, of independent zones and of zones that share."""
    with tempfile.TemporaryDirectory() as folder:
        files, clip = material.make(Path(folder))
        limit, ours, peers, sharing, memory, cached = [], [], [], [], [], []
        in_child(keep, files, clip, kept := Path(folder) / "kept")
        hours = MINUTES / 60
        for _ in range(runs):
            limit.append(in_child(decode_only, files, MINUTES)[1] / hours)
            _, cpu_s, one_mb = in_child(render, files, clip, 1, False, MINUTES)  # noqa: FBT003
            ours.append(cpu_s / hours)
            _, cpu_s, _ = in_child(render, files, clip, 1, False, MINUTES, kept)  # noqa: FBT003
            cached.append(cpu_s / hours)
            peers.append(ffmpeg(files, clip, MINUTES) / hours)
            _, cpu_s, _ = in_child(render, files, clip, 16, True, SHARING_MINUTES)  # noqa: FBT003
            sharing.append((cpu_s / (SHARING_MINUTES / 60) - ours[-1]) / 15)
            _, _, many_mb = in_child(render, files, clip, 16, False, 0.5)  # noqa: FBT003
            memory.append((many_mb - one_mb) / 15)
        show("cpu per zone-hour", median(ours), "s", "decode and resample alone", median(limit))
        # The machine's speed drifts between runs, and hardly within one.
        of_runs = [own / bare for own, bare in zip(ours, limit, strict=True)]
        show("the same, median of the runs' own ratios", median(of_runs), "x", "target", 1.3)
        show("cpu per zone-hour", median(ours), "s", "ffmpeg, same work", median(peers))
        show("cpu per zone-hour from the cache", median(cached), "s", "prototype, 100 ms", 0.62)
        show("cpu per further sharing zone-hour", median(sharing), "s", "target", 1.0)
        show("memory per further zone", median(memory), "MB", "target", 3.0)
        show("memory of a renderer with one zone", one_mb, "MB")
